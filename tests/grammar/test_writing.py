"""What neurons write, in the language: its trees, their text, and what is said of a mistake."""

from __future__ import annotations

import pytest

from n2gdb.errors import QuerySyntaxError
from n2gdb.grammar.ast import (
    And,
    Clause,
    Effect,
    Formula,
    Matching,
    Negated,
    Not,
    OneOf,
    Query,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
    TokenPattern,
    Variable,
    Writing,
    WrittenVariable,
)
from n2gdb.grammar.parsing.parser import parse
from n2gdb.grammar.unparse import written
from n2gdb.query.parse import read_query

A, B = TokenLiteral("a"), TokenLiteral("b")
UP, DOWN = Effect.PROMOTING, Effect.SUPPRESSING
X = TokenPattern((Variable("x"),))

FORMS: list[tuple[str, Formula[Clause]]] = [
    ("PROMOTING 'a'", Writing(UP, A)),
    ('suppressing "a"', Writing(DOWN, TokenLiteral("a", exact=True))),
    ("PROMOTING !<digit>", Writing(UP, Negated(TokenClass(TokenKind.DIGIT)))),
    ("SUPPRESSING ('a' | /b+/i)", Writing(DOWN, OneOf((A, TokenExpression("b+", True))))),
    ("NOT PROMOTING 'a'", Not(Writing(UP, A))),
    ("MATCHING 'a' AND PROMOTING 'b'", And((Matching(TokenPattern((A,))), Writing(UP, B)))),
    ("MATCHING 'a' PROMOTING 'b'", And((Matching(TokenPattern((A,))), Writing(UP, B)))),
    ("MATCHING $x PROMOTING $x", Matching(X, (WrittenVariable(UP, Variable("x")),))),
    (
        "MATCHING $x PROMOTING $x SUPPRESSING 'a'",
        And((Matching(X, (WrittenVariable(UP, Variable("x")),)), Writing(DOWN, A))),
    ),
    ("NOT MATCHING 'a' PROMOTING 'b'", Not(And((Matching(TokenPattern((A,))), Writing(UP, B))))),
]


@pytest.mark.parametrize(("text", "clauses"), FORMS, ids=[text for text, _ in FORMS])
def test_a_clause_is_read_and_written(text: str, clauses: Formula[Clause]) -> None:
    query = parse(f"neurons {text}")
    assert isinstance(query, Query)
    assert query.clauses == clauses
    assert parse(written(query)) == query


MISTAKES = [
    ("neurons PROMOTING ^the", "the token the needs quotes: write 'the'"),
    (
        "neurons PROMOTING 'a' ^BEFORE 'b'",
        "PROMOTING takes one token: write MATCHING for a pattern with BEFORE",
    ),
    ("neurons SUPPRESSING 'a' AND ^'b'", "AND joins clauses: write AND SUPPRESSING 'b'"),
    ("neurons SUPPRESSING ^...", "... is any token: a single token should stand here"),
    ("neurons MENTIONING 'a' ^PROMOTING 'b'", "AND is missing before PROMOTING: write AND PROMOTING"),
    (
        "neurons WHERE f1 > 0 ^PROMOTING 'b'",
        "PROMOTING stands before WHERE, ORDER BY and LIMIT: move it there",
    ),
    (
        "neurons MATCHING $x PROMOTING ^!$y",
        "$y stands in no pattern right before PROMOTING: write MATCHING $y PROMOTING $y, with no AND between",
    ),
    (
        "neurons MATCHING 'a' PROMOTING ^$x",
        "$x stands in no pattern right before PROMOTING: write MATCHING $x PROMOTING $x, with no AND between",
    ),
    (
        "neurons MATCHING $x AND PROMOTING ^$x",
        "$x stands in no pattern right before PROMOTING: write MATCHING $x PROMOTING $x, with no AND between",
    ),
]


@pytest.mark.parametrize(("marked", "message"), MISTAKES, ids=[marked for marked, _ in MISTAKES])
def test_a_mistake_is_answered_with_what_to_write(marked: str, message: str) -> None:
    before, _, after = marked.partition("^")
    with pytest.raises(QuerySyntaxError) as caught:
        read_query(before + after)
    assert caught.value.message == message
    assert (caught.value.line, caught.value.column) == (1, len(before) + 1)
