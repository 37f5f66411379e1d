"""EXCITED BY, INHIBITED BY and USING: read, written, and what is said of mistakes."""

from __future__ import annotations

import pytest

from n2gdb.errors import QuerySyntaxError
from n2gdb.grammar.ast import (
    And,
    Clause,
    Count,
    FiringOn,
    Formula,
    Grouping,
    Influence,
    Influenced,
    Negated,
    Not,
    OneOf,
    Predictor,
    Query,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
)
from n2gdb.grammar.parsing.parser import parse
from n2gdb.grammar.soundness import is_sound
from n2gdb.grammar.unparse import written
from n2gdb.query.parse import read_query

A = TokenLiteral("a")
UP, DOWN = Influence.EXCITED, Influence.INHIBITED

FORMS: list[tuple[str, Formula[Clause]]] = [
    ("EXCITED BY 'a'", Influenced(UP, A)),
    ('inhibited by "a"', Influenced(DOWN, TokenLiteral("a", exact=True))),
    ("EXCITED BY 'a' AT 2", Influenced(UP, A, 2, 2)),
    ("EXCITED BY 'a' AT 0", Influenced(UP, A, 0, 0)),
    ("EXCITED BY 'a' WITHIN 4", Influenced(UP, A, 1, 4)),
    ("EXCITED BY 'a' WITHIN 1", Influenced(UP, A, 1, 1)),  # the same as AT 1
    ("INHIBITED BY !<digit> within 3", Influenced(DOWN, Negated(TokenClass(TokenKind.DIGIT)), 1, 3)),
    ("INHIBITED BY ('a' | /b+/i) AT 1", Influenced(DOWN, OneOf((A, TokenExpression("b+", True))), 1, 1)),
    ("NOT EXCITED BY 'a'", Not(Influenced(UP, A))),
    ("EXCITED BY 'a' AND INHIBITED BY 'a'", And((Influenced(UP, A), Influenced(DOWN, A)))),
    ('FIRING ON "a" USING graph', FiringOn("a", by=Predictor.GRAPH)),
    ('FIRING ON "a" AT -1 using GRAPH', FiringOn("a", -1, Predictor.GRAPH)),
    ('FIRING ON "a" USING evidence', FiringOn("a")),
]


@pytest.mark.parametrize(("text", "clauses"), FORMS, ids=[text for text, _ in FORMS])
def test_a_clause_is_read_and_written(text: str, clauses: Formula[Clause]) -> None:
    query = parse(f"neurons {text}")
    assert isinstance(query, Query)
    assert query.clauses == clauses
    assert parse(written(query)) == query
    assert is_sound(query)


@pytest.mark.parametrize("after", ["ORDER BY layer", "WHERE f1 > 0.5 LIMIT 2", "RETURN neuron"])
def test_the_rest_of_a_query_follows_a_clause(after: str) -> None:
    query = parse(f"neurons EXCITED BY 'a' WITHIN 3 {after}")
    assert written(query) == f"neurons EXCITED BY 'a' WITHIN 3 {after}"


def test_by_after_a_text_groups_a_count() -> None:
    text = 'COUNT neurons FIRING ON "a" USING graph BY layer'
    assert written(parse(text)) == text
    query = parse("COUNT neurons EXCITED BY 'a' BY layer")
    assert isinstance(query, Query)
    assert (query.clauses, query.count) == (Influenced(UP, A), Count(Grouping.LAYER))


@pytest.mark.parametrize(
    "clause",
    [
        Influenced(UP, A, 2, 4),
        Influenced(UP, A, 0, 4),
        Influenced(UP, A, 2),
        Influenced(UP, A, -1, -1),
        Influenced(UP, A, 1, 0),
        Influenced(UP, A, 1, 2.0),  # type: ignore[arg-type]
        Influenced("EXCITED BY", A),  # type: ignore[arg-type]
        FiringOn("a", by="graph"),  # type: ignore[arg-type]
    ],
)
def test_a_clause_that_no_text_gives_is_not_sound(clause: Clause) -> None:
    assert not is_sound(Query(clause))


MISTAKES = [
    (
        "neurons EXCITED BY^",
        "EXCITED BY with nothing after it: a token in quotes follows, as in EXCITED BY 'the'",
    ),
    ("neurons EXCITED ^'a'", "BY is missing after EXCITED: write EXCITED BY 'a'"),
    ("neurons INHIBITED BY ^the", "the token the needs quotes: write 'the'"),
    ("neurons EXCITED BY ^$x", "$x stands for one token of a whole pattern: write it as a step of MATCHING"),
    ("neurons EXCITED BY ^...", "... is any token: a single token should stand here"),
    (
        "neurons EXCITED BY 'a' ^BEFORE 'b'",
        "EXCITED BY takes one token: say how far before the activating token by AT 2 or WITHIN 4",
    ),
    ("neurons EXCITED BY 'a' ^'b'", "EXCITED BY takes one token: write AND EXCITED BY 'b'"),
    (
        "neurons INHIBITED BY 'a' OR ^'b'",
        "OR joins clauses: write OR INHIBITED BY 'b', or INHIBITED BY (... | 'b')",
    ),
    ("neurons MENTIONING 'a' ^EXCITED BY 'b'", "AND is missing before EXCITED: write AND EXCITED"),
    (
        "neurons WHERE f1 > 0 ^EXCITED BY 'b'",
        "EXCITED stands before WHERE, ORDER BY and LIMIT: move it there",
    ),
    (
        "neurons EXCITED BY 'a'^/3",
        "places are named: write AT 3, or WITHIN 3 for at most so many positions before",
    ),
    ("neurons EXCITED BY 'a' AT^", "AT takes how many positions before the activating token, as in AT 2"),
    (
        "neurons EXCITED BY 'a' AT ^-1",
        "AT takes how many positions before the activating token, 0 at the activating token itself: a whole "
        "number from 0 on, not -1",
    ),
    (
        "neurons EXCITED BY 'a' WITHIN ^0",
        "WITHIN takes how many positions before the activating token: a whole number from 1 on, not 0",
    ),
    ("neurons FIRING ON 'a' USING ^trie", "no predictor trie: there are evidence, graph"),
    ("neurons FIRING ON 'a' USING graph ^AT 2", "AT stands before USING, as in AT -1 USING graph"),
    (
        "neurons FIRING ON 'a' USING^",
        "the query ends too early: expected a predictor (evidence, graph)",
    ),
]


@pytest.mark.parametrize(("marked", "message"), MISTAKES, ids=[marked for marked, _ in MISTAKES])
def test_a_mistake_is_answered_with_what_to_write(marked: str, message: str) -> None:
    before, _, after = marked.partition("^")
    with pytest.raises(QuerySyntaxError) as caught:
        read_query(before + after)
    assert caught.value.message == message
    assert (caught.value.line, caught.value.column) == (1, len(before) + 1)
