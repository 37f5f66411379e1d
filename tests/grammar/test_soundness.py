"""Trees that no text gave: sound ones are equal to what their text parses to, and no other passes."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from n2gdb.grammar.ast import (
    And,
    Between,
    Comparison,
    Computed,
    Count,
    FieldValue,
    FiringOn,
    InList,
    Key,
    Link,
    Matching,
    Mentioning,
    Negated,
    NeuronRef,
    Not,
    Number,
    OneOf,
    Operator,
    Query,
    RankBy,
    Role,
    Run,
    SimilarTo,
    Subject,
    TokenExpression,
    TokenLiteral,
    TokenPattern,
    TokenQuery,
    Variable,
)
from n2gdb.grammar.errors import GrammarError
from n2gdb.grammar.parsing.parser import parse
from n2gdb.grammar.soundness import is_sound
from n2gdb.grammar.unparse import written
from tests.oracle.random.known import Known
from tests.oracle.random.queries import random_statement
from tests.support.fast import examples
from tests.support.statements import any_statement

A = TokenLiteral("a")
MATCH = Matching(TokenPattern((A,)))
L1N2 = NeuronRef(1, 2)


@given(any_statement())
@settings(max_examples=examples(200))
def test_a_sound_tree_is_what_its_text_gives(statement: Any) -> None:
    try:
        same = parse(written(statement)) == statement
    except (GrammarError, ValueError):
        same = False
    assert same or not is_sound(statement)


def test_random_queries_are_sound_as_they_are_parsed() -> None:
    random = Random(11)
    trees = [random_statement(random, Known()) for _ in range(400)]
    sound = [tree for tree in trees if is_sound(tree)]
    assert all(parse(written(tree)) == tree for tree in sound)
    assert len(sound) > 0.6 * len(trees)  # but for expressions whose text is escaped


UNSOUND: list[Query | TokenQuery] = [
    Query(limit=-1),
    Query(limit=True),
    Query(limit=2.0),  # type: ignore[arg-type]
    Query(limit=2**63),
    Query(offset=-1),
    Query(model="\ud800"),
    Query(owners=Subject.NEURONS),
    Query(subject=Subject.PATTERNS, owners=Subject.PATTERNS),
    Query(order=(Key("f2"),)),
    Query(order=(Key("f1"), Key("f1", descending=True))),
    Query(order=(Key("activation"),)),
    Query(order=(Key("f1"),), rank=RankBy(L1N2)),
    Query(subject=Subject.PATTERNS, rank=RankBy(L1N2)),
    Query(order=(Key("f1"),), count=Count()),
    Query(returns=("f1",), count=Count()),
    Query(returns=("f2",)),
    Query(rank=RankBy(NeuronRef(-1, 2))),
    Query(And((MATCH,))),
    Query(Matching(TokenPattern((TokenLiteral(""),)))),
    Query(Matching(TokenPattern((TokenExpression("a\\"),)))),
    Query(Matching(TokenPattern((TokenExpression(""),)))),
    Query(Matching(TokenPattern((A, A), (Link(3, 2),)))),
    Query(Matching(TokenPattern((A, A), (Link(1, 0),)))),
    Query(Matching(TokenPattern((A, A)))),
    Query(Matching(TokenPattern((A, Run()), (Link(either=True),)))),
    Query(Matching(TokenPattern((A, A, A), (Link(either=True), Link(either=True))))),
    Query(Matching(TokenPattern((Variable("X"),)))),
    Query(Matching(TokenPattern((OneOf((A,)),)))),
    Query(Mentioning(Negated(Variable("x")))),  # type: ignore[arg-type]
    Query(FiringOn("")),
    Query(FiringOn("a", 2**64)),
    Query(SimilarTo(L1N2, above=2.0)),
    Query(where=Comparison("f2", Operator.EQUAL, 1)),
    Query(where=Comparison("f1", Operator.EQUAL, "a")),
    Query(where=Comparison("f1", Operator.EQUAL, float("nan"))),
    Query(where=Comparison("state", Operator.EQUAL, "ded")),
    Query(where=Comparison("state", Operator.MORE, "dead")),
    Query(where=Comparison("activation", Operator.MORE, 0.5)),
    Query(where=Between("f1", 1, 0)),
    Query(where=Between("state", 0, 1)),
    Query(where=InList("f1", ())),
    Query(where=InList("state", ("live", 3))),
    Query(where=Computed(Number(1), Operator.EQUAL, Number(1))),
    Query(where=Computed(FieldValue("f1"), Operator.EQUAL, Number(1))),
    Query(where=Computed(FieldValue("state"), Operator.EQUAL, FieldValue("f1"))),
    TokenQuery(Role.CONTEXT, L1N2, limit=-1),
]


@pytest.mark.parametrize("tree", UNSOUND, ids=repr)
def test_what_no_text_gives_is_not_sound(tree: Query | TokenQuery) -> None:
    assert not is_sound(tree)


def test_a_tree_too_deep_to_walk_is_not_sound() -> None:
    deep: Any = MATCH
    for _ in range(5000):
        deep = Not(deep)
    assert not is_sound(Query(deep))


def test_a_parsed_statement_that_is_limited_stays_sound() -> None:
    parsed = parse("neurons MATCHING 'the' BEFORE/3 ($x | 'b') WHERE f1 >= 0.6".replace("$x", "'c'"))
    assert is_sound(parsed) and is_sound(replace(parsed, limit=20))
    assert not is_sound(replace(parsed, limit=-20))
