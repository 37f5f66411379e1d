"""The language reference: every example in it parses, is answered, and is all of the language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

import n2gdb
from n2gdb.core.units import NeuronName
from n2gdb.errors import QuerySyntaxError
from n2gdb.grammar.ast import Grouping, Metric, TokenKind
from n2gdb.grammar.fields import FIELDS, RETURNED
from n2gdb.grammar.parsing.parser import parse
from n2gdb.grammar.terminal_words import KEYWORDS
from n2gdb.query.builder import queries as builder
from n2gdb.query.builder.queries import QueryBuilder
from n2gdb.query.parse import read_query
from n2gdb.storage import schema
from n2gdb.storage.build.database import build_database
from tests.generators.unit_sets import UnitSet, UnitSets
from tests.support.small_run import WORDS, model_table, random_graph, random_graphs, write_effects, write_run

REFERENCE = (Path(__file__).parents[2] / "grammar" / "README.md").read_text(encoding="utf-8")
EXAMPLES = [found.replace(r"\|", "|") for found in re.findall(r"^\| `(.+?)` \|", REFERENCE, re.MULTILINE)]
BUILT = re.findall(r"^(?:neurons|patterns_of)\(.*$", REFERENCE, re.MULTILINE)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    """A database of one model, *demo*: 5 x 50 neurons, 20 latents, and a tokenizer of whole words."""
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<eos>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?\w+"), "isolated")
    folder = tmp_path_factory.mktemp("reference")
    graphs = random_graphs(seed=3, layers=5, neurons=50)
    latents = UnitSet(4, 1, "res-jb", "sae", 20)
    sets = UnitSets((*UnitSets.of_mlps(graphs).sets, latents))
    random = Random(4)
    graphs |= {NeuronName(4, index, latent=True): random_graph(random) for index in range(20)}
    run = write_run(folder / "demo", graphs, sets=sets)
    (row,) = model_table("demo", graphs, len(WORDS)).to_pylist()
    run.write_model(pa.Table.from_pylist([row | {"tokenizer": tokenizer.to_str()}], schema=schema.MODEL))
    write_effects(run)
    build_database(folder / "demo.n2gdb", [run])
    with n2gdb.open(folder / "demo.n2gdb") as opened:
        yield opened


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_parses(text: str) -> None:
    parse(text)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_answered(text: str, database: n2gdb.Database) -> None:
    answer = database.query(text)
    assert answer.total >= len(answer)
    assert all(isinstance(row, dict) for row in answer.to_dicts())


def test_most_examples_find_something(database: n2gdb.Database) -> None:
    found = [text for text in EXAMPLES if len(database.query(text))]
    assert len(found) > 40


@pytest.mark.parametrize("code", BUILT)
def test_an_example_without_strings_is_the_query_that_it_prints(code: str, database: n2gdb.Database) -> None:
    built = eval(code, vars(builder))
    assert isinstance(built, QueryBuilder)
    assert parse(str(built)) == built.query
    assert len(database.query(built.query)) == len(database.query(str(built)))


def test_every_word_of_the_language_is_in_the_reference() -> None:
    words = {*KEYWORDS, *map(str.upper, chain(FIELDS, RETURNED)), *map(str.upper, FIELDS["state"].choices)}
    values = [each.value.upper() for each in (*Grouping, *Metric, *TokenKind)]
    words |= {word for value in values for word in value.split()}
    said = {word.upper() for word in re.findall(r"\w+", REFERENCE)}
    assert words - said - {"ASC"} == set()


def test_every_keyword_is_in_an_example() -> None:
    said = {word.upper() for word in re.findall(r"\w+", " ".join(EXAMPLES))}
    assert KEYWORDS - said == {"ASC"}


def test_the_error_shown_is_the_error_raised() -> None:
    shown = re.search(r'n2gdb query "(.+?)"\nerror: (.+?)\n```', REFERENCE, re.DOTALL)
    assert shown
    with pytest.raises(QuerySyntaxError) as caught:
        read_query(shown[1])
    assert str(caught.value) == shown[2]
