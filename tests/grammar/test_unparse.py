"""What a tree is written as: read again it is an equal tree, and it is pleasant to read."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from n2gdb.grammar.ast import Matching, Query, Statement, TokenExpression, TokenPattern
from n2gdb.grammar.parsing.parser import parse
from n2gdb.grammar.unparse import written
from tests.oracle.random.known import Known
from tests.oracle.random.queries import random_statement
from tests.support.fast import examples
from tests.support.statements import any_statement


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])
@given(any_statement())
def test_what_is_written_is_read_back(statement: Statement) -> None:
    assert parse(written(statement)) == statement


def test_statements_that_find_something_are_read_back() -> None:
    random = Random(5)
    for _ in range(300):
        statement = random_statement(random, Known())
        assert parse(written(statement)) == statement


@pytest.mark.parametrize(
    "text",
    [
        "neurons",
        "EXPLAIN COUNT patterns IN MODEL 'small' BY layer",
        "neurons MATCHING 'the' BEFORE/3 \"end\" AND NOT MENTIONING <digit>",
        "neurons MATCHING $x THEN _ THEN !('a' | /b\\/c/i) BEFORE ...",
        "neurons (MATCHING 'a' OR MATCHING 'b') AND NOT (MATCHING 'c' AND MATCHING 'd')",
        'neurons FIRING ON "Everyone except" AT -1',
        "neurons SIMILAR TO L4N137 OF 'small' USING tokens ABOVE 0.8 OR SUBSET OF L4N12 OR SUPERSET OF L1N7",
        "neurons WHERE (f1 + 1) * 2 > layer - (index - 1) AND NOT f1 > 0.5 AND layer NOT IN (1, 2)",
        "neurons WHERE layer NOT IN 0..3 OR state = 'dead' ORDER BY layer, f1 DESC LIMIT 3 OFFSET 1",
        "neurons RANK BY SIMILARITY TO L4N137 USING subset RETURN neuron, similarity",
        "PROFILE tokens IN CONTEXT OF L3N45 OF 'small' LIMIT 9",
    ],
)
def test_tidy_text_is_written_as_it_was(text: str) -> None:
    assert written(parse(text)) == text


def test_a_long_query_has_a_line_for_each_part() -> None:
    text = (
        "neurons\n"
        "  MATCHING 'the' BEFORE 'end' AND NOT MENTIONING ('dog' | 'cat')\n"
        "  WHERE layer IN 0..3 AND f1 >= 0.6\n"
        "  ORDER BY f1 DESC\n"
        "  LIMIT 20"
    )
    assert written(parse(text)) == text


@pytest.mark.parametrize(
    ("untidy", "tidy"),
    [
        ("NEURONS matching ('a') where ((F1 > 0.5))", "neurons MATCHING 'a' WHERE f1 > 0.5"),
        ("neurons ACTIVATING ON 'a' -- a comment", "neurons MATCHING 'a'"),
        ("neurons MATCHING 'b' AFTER/2 'a'", "neurons MATCHING 'a' BEFORE/2 'b'"),
        ("neurons LIMIT 3 ORDER BY f1 ASC", "neurons ORDER BY f1 LIMIT 3"),
        ("neurons WHERE 0.5 < f1", "neurons WHERE f1 > 0.5"),
        ("tokens activating blocks.3.mlp/45", "tokens ACTIVATING L3N45"),
        ("neurons SUBSET OF 3/45 ABOVE 0.9", "neurons SUBSET OF L3N45"),
        ("neurons SIMILAR TO 3/45 SHARING 3 ABOVE 0.9", "neurons SIMILAR TO L3N45 ABOVE 0.9 SHARING 3"),
        ("neurons SIMILAR TO 3/45 USING graph SHARING 1", "neurons SIMILAR TO L3N45"),
    ],
)
def test_other_ways_to_say_it_come_out_tidy(untidy: str, tidy: str) -> None:
    assert written(parse(untidy)) == tidy


@pytest.mark.parametrize(
    ("source", "text"), [("a/b", r"/a\/b/"), (r"a\/b", r"/a\/b/"), ("a\nb", r"/a\nb/"), ("\\\n", r"/\n/")]
)
def test_slashes_and_line_breaks_of_an_expression_are_escaped(source: str, text: str) -> None:
    assert written(_expression(source)) == f"neurons MATCHING {text}"
    parse(written(_expression(source)))


@pytest.mark.parametrize("source", ["", "a\\"])
def test_an_expression_that_no_text_has_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="empty or end in a backslash"):
        written(_expression(source))


def _expression(source: str) -> Query:
    return Query(Matching(TokenPattern((TokenExpression(source),))))
