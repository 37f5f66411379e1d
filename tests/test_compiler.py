"""From a query to Cypher: the statements, written out, and what never becomes part of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from n2gdb.branches import Branch, part
from n2gdb.clause import match_clause
from n2gdb.compiler import (
    ANSWER_COLUMNS,
    compile_count,
    compile_evidence,
    compile_query,
    positive_clauses,
    read_query,
)
from n2gdb.grammar.ast import And, Condition, Formula, Link, Matching, Pattern, Query, TokenLiteral
from n2gdb.lowering import HERE, Lowered, lower
from n2gdb.parameters import Parameters, as_stored
from n2gdb.tokens import text_key
from tests.query_text import queries

FIXTURES = sorted((Path(__file__).parent / "fixtures" / "compiler").glob("*.txt"))
A, B = TokenLiteral("a"), TokenLiteral("b")


@pytest.mark.parametrize("fixture", FIXTURES, ids=[path.stem for path in FIXTURES])
def test_a_query_compiles_to(fixture: Path) -> None:
    query, cypher, parameters = fixture.read_text("utf-8").rstrip("\n").split("\n\n")
    compiled = compile_query(read_query(query))
    assert compiled.cypher == cypher
    assert compiled.parameters == json.loads(parameters)


def test_there_are_fixtures() -> None:
    assert len(FIXTURES) >= 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'a'", Lowered((A,), (HERE,), 0)),
        ("'a' BEFORE 'b'", Lowered((A, B), (Link(), HERE), 0)),
        ("'a' THEN 'b'", Lowered((A, B), (Link(1, 1), HERE), 0)),
        ("'a' BEFORE/3 ...", Lowered((A,), (Link(1, 3),), 0)),
        ("'a' BEFORE ... BEFORE 'b'", Lowered((A, B), (Link(2), HERE), 0)),
        ("'a' BEFORE/2 ... THEN 'b'", Lowered((A, B), (Link(2), HERE), 0)),
        ("'a' BEFORE ... BEFORE/2 ... BEFORE 'b'", Lowered((A, B), (Link(3), HERE), 0)),
        ("'a' BEFORE/2 ... BEFORE ...", Lowered((A,), (Link(2),), 0)),
        ("... THEN 'a'", Lowered((A,), (HERE,), 1)),
        ("... BEFORE ... BEFORE 'a' BEFORE 'b'", Lowered((A, B), (Link(), HERE), 2)),
        ("...", Lowered((), (), 0)),
        ("... BEFORE/2 ...", Lowered((), (), 1)),
        ("'b' AFTER/2 'a'", Lowered((A, B), (Link(1, 2), HERE), 0)),
    ],
)
def test_the_normal_form_of_a_pattern(text: str, expected: Lowered) -> None:
    clauses = read_query(f"neurons MATCHING {text}").clauses
    assert isinstance(clauses, Matching)
    assert lower(clauses.pattern) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("activation > 1", [("", "activation > 1")]),
        ("activation > 1 OR f1 > 2", [("", "activation > 1"), ("f1 > 2", "")]),
        ("NOT (activation > 1 OR f1 > 2)", [("NOT f1 > 2", "NOT activation > 1")]),
        (
            "(activation > 1 OR f1 > 2) AND (importance > 3 OR f1 > 2 OR layer = 4)",
            [
                ("", "activation > 1 AND importance > 3"),
                ("f1 > 2", "activation > 1 OR importance > 3"),
                ("layer = 4", "activation > 1"),
                ("f1 > 2 AND f1 > 2", ""),
                ("f1 > 2 AND layer = 4", ""),
            ],
        ),
        (
            "NOT (activation > 1 AND f1 > 2) OR importance > 3",
            [("", "NOT activation > 1 OR importance > 3"), ("NOT f1 > 2", "")],
        ),
    ],
)
def test_conditions_on_neuron_and_match_are_parted(where: str, expected: list[tuple[str, str]]) -> None:
    branches = part(conjuncts(where))
    assert set(branches) == {Branch(conjuncts(neuron), conjuncts(match)) for neuron, match in expected}
    assert len(branches) == len(expected)


def conjuncts(text: str) -> tuple[Formula[Condition], ...]:
    where = read_query(f"neurons MATCHING ... WHERE {text}").where if text else And(())
    assert where is not None
    return where.operands if isinstance(where, And) else (where,)


def placeholders(cypher: str) -> set[str]:
    return set(re.findall(r"\$(\w+)", cypher))


@settings(max_examples=300, deadline=None)
@given(queries())
def test_every_placeholder_is_bound_and_every_value_used(query: Query) -> None:
    for compiled in (compile_query(query), compile_count(query), *compile_evidence(query, [1, 2])):
        assert placeholders(compiled.cypher) == set(compiled.parameters)
        assert {type(value) for value in compiled.parameters.values()} <= {int, float, str, list}


@pytest.mark.parametrize("quote", ["'", '"'])
def test_user_text_never_becomes_cypher(quote: str) -> None:
    hostile = "x'}) DETACH DELETE n; MATCH (n {`$p0"
    escaped = hostile.replace(quote, f"\\{quote}")
    compiled = compile_query(read_query(f"neurons MATCHING {quote}{escaped}{quote} BEFORE ..."))
    assert list(compiled.parameters.values()) == [text_key(hostile.casefold() if quote == "'" else hostile)]
    assert "DELETE" not in compiled.cypher


def test_literals_are_the_tokens_that_the_query_names_once_each() -> None:
    query = read_query("neurons MATCHING 'a' BEFORE ... AND NOT (MATCHING \"b\" OR MATCHING 'a')")
    assert compile_query(query).literals == (A, TokenLiteral("b", exact=True))


def test_positive_clauses_are_those_under_an_even_number_of_nots() -> None:
    query = read_query("neurons NOT (MATCHING 'x' OR NOT MATCHING 'a') AND MATCHING 'b'")
    assert positive_clauses(query.clauses) == (Matching(Pattern((A,))), Matching(Pattern((B,))))
    assert len(compile_evidence(query, [0])) == 2
    assert positive_clauses(None) == ()


def test_an_exact_match_names_the_end_of_its_pattern() -> None:
    clause = Matching(Pattern((A, B), (Link(),)))
    roughly = match_clause(clause, "", (), Parameters())
    exactly = match_clause(clause, "", (), Parameters(), exactly=True)
    assert (roughly.end, roughly.activation) == ("c0.pre", "c0.activation")
    assert (exactly.end, exactly.activation) == ("e.pre", "e.`end`")
    assert exactly.depths == ("c0.depth", "0")


def test_real_numbers_are_rounded_as_they_are_stored() -> None:
    assert as_stored(0.6) == 0.6000000238418579
    assert as_stored(3) == 3.0
    assert as_stored(1e300) == float("inf")
    assert isinstance(as_stored(1), float)


def test_an_answer_holds_every_statistic() -> None:
    returned = re.search(r"^RETURN (.*)$", compile_query(read_query("neurons")).cypher, re.MULTILINE)
    assert returned is not None
    assert tuple(name.strip("`").removeprefix("n.").strip("`") for name in returned[1].split(", ")) == (
        ANSWER_COLUMNS
    )
