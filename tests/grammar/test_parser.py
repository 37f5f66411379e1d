"""Text in, tree out: plain equality of trees."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lark import Lark

from n2gdb.grammar.ast import (
    And,
    Between,
    Comparison,
    Condition,
    Formula,
    Key,
    Link,
    Matching,
    Not,
    Operator,
    Or,
    Position,
    Query,
    Run,
    TokenLiteral,
    TokenPattern,
)
from n2gdb.grammar.errors import GrammarError
from n2gdb.grammar.fields import FIELDS, WRITTEN
from n2gdb.grammar.parsing import parser
from n2gdb.grammar.parsing.parser import parse
from n2gdb.storage import schema

THE, END, OF = TokenLiteral("the"), TokenLiteral("end"), TokenLiteral("of")


def parsed(text: str) -> Query:
    """Read a query for neurons or patterns."""
    statement = parse(text)
    assert isinstance(statement, Query)
    return statement


def pattern(text: str) -> TokenPattern:
    query = parsed(f"neurons MATCHING {text}")
    assert isinstance(query.clauses, Matching)
    return query.clauses.pattern


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'end'", TokenPattern((END,))),
        ('"end"', TokenPattern((TokenLiteral("end", exact=True),))),
        ("...", TokenPattern((Run(),))),
        ("'the' BEFORE 'end'", TokenPattern((THE, END), (Link(),))),
        ("'the' BEFORE/3 'end'", TokenPattern((THE, END), (Link(1, 3),))),
        ("'of' THEN 'the'", TokenPattern((OF, THE), (Link(1, 1),))),
        ("'of' BEFORE/1 'the'", TokenPattern((OF, THE), (Link(1, 1),))),
        ("'end' AFTER 'the'", TokenPattern((THE, END), (Link(),))),
        ("'end' AFTER/2 'the' AFTER 'of'", TokenPattern((OF, THE, END), (Link(), Link(1, 2)))),
        ("'of' THEN 'the' BEFORE ...", TokenPattern((OF, THE, Run()), (Link(1, 1), Link()))),
        ("... BEFORE 'the'", TokenPattern((Run(), THE), (Link(),))),
    ],
)
def test_patterns_are_in_text_order(text: str, expected: TokenPattern) -> None:
    assert pattern(text) == expected


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (r"'it\'s'", "it's"),
        (r'"say \"no\""', 'say "no"'),
        ("'say \"no\"'", 'say "no"'),
        (r"'\n'", "\n"),
        (r"'\t\r'", "\t\r"),
        (r"'\\xE2'", r"\xE2"),
        (r"'\\'", "\\"),
        ("' the'", " the"),
        ("'Größe 中'", "Größe 中"),
        ("'neurons MATCHING $p0 }'", "neurons MATCHING $p0 }"),
    ],
)
def test_a_literal_says_any_text(literal: str, text: str) -> None:
    (step,) = pattern(literal).steps
    assert isinstance(step, TokenLiteral)
    assert step.text == text


def test_keywords_and_fields_take_any_case() -> None:
    text = "neurons matching 'the' before 'end' where F1 > 0.5 order by Layer desc limit 3 offset 1"
    clause = Matching(TokenPattern((THE, END), (Link(),)))
    more = Comparison("f1", Operator.MORE, 0.5)
    assert parse(text) == Query(clause, more, (Key("layer", descending=True),), 3, 1)
    assert parse(text.replace("matching", "MaTcHiNg").replace("before", "Before")) == parse(text)


def test_and_binds_tighter_than_or() -> None:
    a, b, c = (Matching(TokenPattern((TokenLiteral(name),))) for name in "abc")
    assert parsed("neurons MATCHING 'a' OR MATCHING 'b' AND NOT MATCHING 'c'").clauses == Or(
        (a, And((b, Not(c))))
    )
    assert parsed("neurons (MATCHING 'a' OR MATCHING 'b') AND MATCHING 'c'").clauses == And((Or((a, b)), c))
    assert parsed("neurons NOT (MATCHING 'a')").clauses == Not(a)


CONDITIONS: list[tuple[str, Formula[Condition]]] = [
    ("layer = 3", Comparison("layer", Operator.EQUAL, 3)),
    ("layer == 3", Comparison("layer", Operator.EQUAL, 3)),
    ("layer != 3", Comparison("layer", Operator.UNEQUAL, 3)),
    ("layer <> 3", Comparison("layer", Operator.UNEQUAL, 3)),
    ("f1<=-1.5e-2", Comparison("f1", Operator.LESS_EQUAL, -0.015)),
    ("state = 'Dead'", Comparison("state", Operator.EQUAL, "dead")),
    ('state != "live"', Comparison("state", Operator.UNEQUAL, "live")),
    ("layer IN 0..3", Between("layer", 0, 3)),
    ("f1 in 0.25 .. 1", Between("f1", 0.25, 1)),
    (
        "NOT layer = 1 AND (f1 > 1 OR f1 < 0)",
        And(
            (
                Not(Comparison("layer", Operator.EQUAL, 1)),
                Or((Comparison("f1", Operator.MORE, 1), Comparison("f1", Operator.LESS, 0))),
            )
        ),
    ),
]


@pytest.mark.parametrize(("text", "expected"), CONDITIONS)
def test_conditions(text: str, expected: Formula[Condition]) -> None:
    assert parse(f"neurons WHERE {text}") == Query(where=expected)


def test_order_takes_several_keys() -> None:
    assert parsed("neurons ORDER BY layer ASC, f1 DESC, index").order == (
        Key("layer"),
        Key("f1", descending=True),
        Key("index"),
    )


def test_neurons_alone_is_a_query() -> None:
    assert parse("  neurons\n") == Query()


def test_nodes_know_their_place() -> None:
    clauses = parsed("neurons\n  MATCHING 'the' BEFORE 'end'").clauses
    assert isinstance(clauses, Matching)
    assert clauses.at == Position(2, 3)
    assert [step.at for step in clauses.pattern.steps] == [Position(2, 12), Position(2, 25)]


def test_every_field_is_stored_with_a_neuron_or_belongs_to_a_match() -> None:
    stored = {*schema.NEURONS.names, *schema.COUNTS.names} - {"unit", *schema.EVIDENCE_FIGURES.names}
    of_neuron = {name for name, field in FIELDS.items() if not field.of_match and name not in WRITTEN}
    assert of_neuron == stored


@pytest.fixture
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    parser.lark_parser.cache_clear()
    yield tmp_path
    parser.lark_parser.cache_clear()


def test_tables_are_made_once_and_read_again(cache_home: Path) -> None:
    made = parse("neurons MATCHING 'the' BEFORE ...")
    tables = cache_home / "n2gdb" / "query.tables"
    written_at = tables.stat().st_mtime_ns
    parser.lark_parser.cache_clear()
    assert parse("neurons MATCHING 'the' BEFORE ...") == made
    assert tables.stat().st_mtime_ns == written_at
    with pytest.raises(GrammarError, match="needs quotes"):
        parse("neurons MATCHING the")


def test_damaged_tables_are_made_anew(cache_home: Path) -> None:
    tables = cache_home / "n2gdb" / "query.tables"
    tables.parent.mkdir()
    tables.write_bytes(b"no tables")
    assert parse("neurons") == Query()
    assert tables.read_bytes() != b"no tables"


def test_tables_of_another_grammar_are_made_anew(cache_home: Path) -> None:
    tables = cache_home / "n2gdb" / "query.tables"
    tables.parent.mkdir()
    Lark('start: "neurons"', parser="lalr", lexer="contextual", cache=str(tables))
    older = tables.read_bytes()
    assert parse("neurons LIMIT 1") == Query(limit=1)
    assert tables.read_bytes() != older


def test_a_place_that_cannot_be_written_is_no_hindrance(cache_home: Path) -> None:
    (cache_home / "n2gdb").write_text("a file where the folder would be")
    assert parse("neurons") == Query()


def test_the_grammar_needs_neither_numpy_nor_the_engine() -> None:
    code = "import sys, n2gdb.grammar; print(*{'numpy', 'kuzu', 'torch', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_query_has_a_length_that_is_read_in_no_time() -> None:
    texts = [
        "neurons WHERE layer IN (" + ", ".join(["1"] * 100_000) + ")",
        "neurons MATCHING " + "!" * 200_000,
    ]
    for text in texts:
        with pytest.raises(GrammarError, match="characters: write at most 200,000"):
            parse(text)
    assert parse(f"neurons FIRING ON '{'the dog ' * 20_000}'")
