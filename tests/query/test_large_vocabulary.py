"""Neurons over a vocabulary of a real model's size: firings, texts of several tokens, order, pages."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from random import Random

import pyarrow as pa
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

import n2gdb
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.reals import as_decimal
from n2gdb.core.units import NeuronName
from n2gdb.errors import QuerySyntaxError, QueryTimeoutError
from n2gdb.storage import schema
from n2gdb.storage.build.database import build_database
from tests.generators.unit_sets import mlp_name
from tests.support.small_run import model_table, write_run

VOCABULARY, LETTERS = 49_152, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
WORDS = ("<eos>", " ", *LETTERS, *(f"w{number}" for number in range(VOCABULARY - len(LETTERS) - 2)))
#: Fires from another threshold on than the usual one.
THRESHOLD = 0.7


def token(random: Random) -> int:
    return min(VOCABULARY - 1, 60 + int(20 * random.paretovariate(0.8)))


def spelled(text: str) -> tuple[int, ...]:
    return tuple(WORDS.index(letter) for letter in text)


@pytest.fixture(scope="module")
def graphs() -> dict[NeuronName, NeuronGraph]:
    """48 neurons of 25 patterns; two name texts letter by letter as well."""
    random = Random(4)
    found: dict[NeuronName, list[Pattern]] = {}
    for index in range(48):
        patterns = []
        for _ in range(25):
            depths = [0, *sorted(random.sample(range(1, 8), random.randint(1, 3)))]
            steps = tuple(Step(depth, token(random), round(random.uniform(0.5, 1), 2)) for depth in depths)
            patterns.append(Pattern(steps, round(random.uniform(0.4, 1), 2)))
        found[NeuronName(0, index)] = patterns
    for index, text in ((0, "Newyork"), (0, "newyork"), (0, "NEWYORK"), (2, "NEwyOrk")):
        steps = tuple(Step(at, letter, 0.9) for at, letter in enumerate(reversed(spelled(text))))
        found[NeuronName(0, index)].append(Pattern(steps, 0.9))
    found[NeuronName(0, 1)].append(Pattern((Step(0, WORDS.index("y"), 1.0),), 0.8))
    return {name: NeuronGraph.from_patterns(patterns) for name, patterns in found.items()}


@pytest.fixture(scope="module")
def database(
    tmp_path_factory: pytest.TempPathFactory, graphs: dict[NeuronName, NeuronGraph]
) -> Iterator[n2gdb.Database]:
    """The neurons, with a tokenizer that knows single letters alone, and the threshold of their model."""
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<eos>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    folder = tmp_path_factory.mktemp("large")
    run = write_run(folder / "large", graphs, WORDS, weighed=False)
    (row,) = model_table("large", graphs, len(WORDS)).to_pylist()
    own = {"tokenizer": tokenizer.to_str(), "configuration": json.dumps({"fire_threshold": THRESHOLD})}
    run.write_model(pa.Table.from_pylist([row | own], schema=schema.MODEL))
    build_database(folder / "x.n2gdb", [run])
    with n2gdb.open(folder / "x.n2gdb") as opened:
        yield opened


def test_firings_are_those_of_every_graph_from_the_models_own_threshold_on(
    database: n2gdb.Database, graphs: dict[NeuronName, NeuronGraph]
) -> None:
    from n2gdb.prediction.fired_tokens import fired_tokens

    random, count = Random(8), 0
    for _ in range(60):
        text = [token(random) for _ in range(4)]
        for graph in random.sample(list(graphs.values()), 8):
            pattern = random.choice(list(graph.patterns()))
            named = {step.depth: step.token for step in pattern.steps}
            text += [named.get(depth, token(random)) for depth in range(pattern.depth, -1, -1)]
        found = {
            (fired.position, each.neuron): each.activation
            for fired in fired_tokens(
                database.connection.table, text, 0, mlp_name, threshold=THRESHOLD, by="graph"
            )
            for each in fired.neurons
        }
        expected = {
            (position, name): as_decimal(float(value))
            for name, graph in graphs.items()
            for position, value in enumerate(graph.predict(text))
            if as_decimal(float(value)) >= THRESHOLD
        }
        assert found == expected
        count += len(found)
    assert count > 200


def test_the_stored_threshold_is_used_everywhere(database: n2gdb.Database) -> None:
    assert database.model().fire_threshold == THRESHOLD
    fired = {str(each.neuron) for token in database.firing("newyork") for each in token.neurons}
    asked = {str(hit.neuron) for hit in database.query("neurons FIRING ON 'newyork'")}
    lower = {str(hit.neuron) for hit in database.query("neurons FIRING ON 'newyork' WHERE activation < 0.7")}
    assert fired == asked == {"L0N0", "L0N1"}
    assert not lower


def test_spellings_of_one_length_share_a_form_and_those_of_no_graph_are_left_out(
    database: n2gdb.Database,
) -> None:
    assert [str(hit.neuron) for hit in database.query("neurons MATCHING 'newyork'")] == ["L0N0"]
    exactly = database.query('patterns MATCHING "Newyork"')
    assert [row.path for row in exactly] == ["N · e · w · y · o · r · k"]
    assert len(database.query("patterns MATCHING 'newyork'")) == 3
    assert [str(hit.neuron) for hit in database.query('neurons MATCHING "NEwyOrk"')] == ["L0N2"]
    assert not database.query("neurons MATCHING 'newyorkk'")
    for query in (
        "neurons MATCHING 'New York' NEAR 'United States'",
        "neurons MATCHING 'newyork' NEAR 'newyork' BEFORE 'newyork'",
        "neurons MATCHING 'President' BEFORE 'United States'",
        "neurons MATCHING 'A much longer text than any pattern holds' THEN 'newyork'",
    ):
        if "BEFORE 'newyork'" in query:
            with pytest.raises(n2gdb.N2gdbError, match="names 21 tokens, 7 and 7 and 7 of them in texts"):
                database.query(query)
        else:
            assert not database.query(query)


def test_an_exclamation_mark_takes_one_token(database: n2gdb.Database) -> None:
    for test in ("!'New York'", "!('y' | 'New York')", '!"newyork"'):
        with pytest.raises(QuerySyntaxError, match="! takes one token") as caught:
            database.query(f"neurons MATCHING {test}")
        line, caret = str(caught.value).splitlines()[1:]
        assert line[caret.index("^")] in "'\""
        assert line[caret.index("^") + 1 :].lower().startswith("new")
    assert database.query("neurons MATCHING !'y'")


def test_what_no_graph_names_whole_is_offered_as_a_text_to_run(database: n2gdb.Database) -> None:
    answer = database.query("neurons MATCHING 'pay'")
    assert not answer
    assert '1 neuron would fire at the end of it: FIRING ON " pay" AT -1' in answer.notices[0]
    assert database.query('neurons FIRING ON " pay" AT -1')


def test_a_page_past_the_end_is_empty(database: n2gdb.Database) -> None:
    for start in ("neurons", "patterns", "neurons MATCHING ...", "neurons RANK BY SIMILARITY TO L0N0"):
        total = database.count(start)
        for offset in (total - 1, total, 6143, 6144, 6241, 9000, 1_000_000, 2**63 - 1):
            answer = database.query(f"{start} LIMIT 5 OFFSET {offset}")
            assert len(answer) == (1 if offset == total - 1 else 0)
            assert answer.total == total


def test_ranking_drops_no_row_and_starts_with_the_neuron_itself(database: n2gdb.Database) -> None:
    for metric in ("graph", "tokens", "subset"):
        ranked = database.query(f"neurons RANK BY SIMILARITY TO L0N7 USING {metric}")
        assert len(ranked) == 48
        assert (str(ranked[0].neuron), ranked[0].similarity) == ("L0N7", 1.0)
        assert ranked[0].size
    (alone,) = database.query("neurons WHERE index = 7 RANK BY SIMILARITY TO L0N7")
    assert alone.similarity == 1.0


def test_matches_are_compared_with_their_neuron_by_a_join(database: n2gdb.Database) -> None:
    for where in ("activation > f1", "activation * max_activation > 3", "NOT activation < recall"):
        found = {str(hit.neuron) for hit in database.query(f"neurons MATCHING ... WHERE {where}")}
        left = {str(hit.neuron) for hit in database.query(f"neurons NOT MATCHING ... WHERE {where}")}
        rows = {str(row.neuron) for row in database.query(f"patterns WHERE {where}")}
        assert found == rows
        assert len(found) + len(left) == 48
        assert found


def test_many_expressions_are_matched_within_the_time(database: n2gdb.Database) -> None:
    expressions = " | ".join(f"/a{number}/" for number in range(5_000))
    database.query("neurons MATCHING /a/")  # from now on the vocabulary is known
    before = time.process_time()
    with pytest.raises(QueryTimeoutError, match=r"limit of 0\.1 s"):
        database.query(f"neurons MATCHING ({expressions})", timeout=0.1)
    assert time.process_time() - before < 3  # to parse it takes the most of it
