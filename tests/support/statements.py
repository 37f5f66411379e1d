"""Statements at random over any text: every construct, whether or not it finds anything."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

from hypothesis import strategies as st

from n2gdb.grammar.ast import (
    And,
    AnyToken,
    Arithmetic,
    Between,
    Clause,
    Comparison,
    Computed,
    Condition,
    ContainedIn,
    Contains,
    Count,
    Effect,
    Expression,
    FieldValue,
    FiringOn,
    Formula,
    Grouping,
    Influence,
    Influenced,
    InList,
    Key,
    Link,
    Matching,
    Mentioning,
    Metric,
    Mode,
    Negated,
    NeuronRef,
    Not,
    Number,
    OneOf,
    Operator,
    Or,
    Predictor,
    Query,
    RankBy,
    Role,
    Run,
    SimilarTo,
    Statement,
    Step,
    Subject,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
    TokenPattern,
    TokenQuery,
    TokenTest,
    Variable,
    Writing,
)
from n2gdb.grammar.fields import FIELDS, RETURNED, WRITTEN, Kind

__all__ = ["any_statement"]

Leaf = TypeVar("Leaf")

_TEXT = st.one_of(st.sampled_from(("the", " the", "'", '"', "\\", "-- x", "/", "\n\t\r", "$p0 }")), st.text())
_TYPED = _TEXT.filter(bool)
_NUMBERED = tuple(
    name for name, field in FIELDS.items() if field.kind is not Kind.CHOICE and name not in WRITTEN
)
_OF_NEURON = tuple(name for name in _NUMBERED if not FIELDS[name].of_match)
_WHOLE = st.integers(-(2**63) + 1, 2**63 - 1)
_NUMBER: st.SearchStrategy[int | float] = st.one_of(_WHOLE, st.floats(allow_nan=False), st.integers(0, 9))
_COUNT = st.none() | st.integers(0, 2**63 - 1)
_SHARE = st.one_of(st.just(0.9), st.floats(0, 1))


def any_statement() -> st.SearchStrategy[Statement]:
    """Any statement that text can give."""
    return st.one_of(_queries(), _queries(), _token_queries())


def _token_queries() -> st.SearchStrategy[TokenQuery]:
    return st.builds(TokenQuery, st.sampled_from(Role), _neurons(), _COUNT, _COUNT, st.sampled_from(Mode))


@st.composite
def _queries(draw: st.DrawFn) -> Query:
    clauses = draw(st.none() | _formulas(_clauses(), 4))
    matched = isinstance(clauses, Matching | Mentioning | FiringOn)
    names = _NUMBERED if matched else _OF_NEURON
    subject = draw(st.sampled_from(Subject))
    if subject is Subject.PATTERNS:  # a row is one pattern, and these are of all of them
        names = tuple(name for name in names if name not in ("matches", "share"))
    query = Query(
        clauses,
        draw(st.none() | _formulas(_conditions(names), 4)),
        limit=draw(_COUNT),
        offset=draw(_COUNT),
        subject=subject,
        model=draw(st.none() | _TYPED),
        mode=draw(st.sampled_from(Mode)),
    )
    return draw(_ended(query, names))


@st.composite
def _ended(draw: st.DrawFn, query: Query, names: tuple[str, ...]) -> Query:
    """Draw the query counted, or with an order and columns."""
    if draw(st.booleans()):
        return replace(query, count=Count(draw(st.none() | st.sampled_from(Grouping))))
    columns = st.lists(
        st.sampled_from([name for name in RETURNED if name not in ("activation", "importance")]), unique=True
    )
    query = replace(query, returns=tuple(draw(columns)))
    if query.subject is Subject.NEURONS and draw(st.booleans()):
        return replace(query, rank=RankBy(draw(_neurons()), draw(st.sampled_from(Metric))))
    keys = st.lists(
        st.builds(Key, st.sampled_from(names), st.booleans()), max_size=3, unique_by=lambda key: key.field
    )
    return replace(query, order=tuple(draw(keys)))


def _neurons() -> st.SearchStrategy[NeuronRef]:
    return st.builds(NeuronRef, st.integers(0, 99), st.integers(0, 10**6), st.none() | _TYPED)


def _clauses() -> st.SearchStrategy[Clause]:
    return st.one_of(
        st.builds(Matching, _patterns()),
        st.builds(Mentioning, _tests()),
        st.builds(Writing, st.sampled_from(Effect), _tests()),
        _influenced(),
        st.builds(FiringOn, _TYPED, st.none() | st.integers(-9, 9), st.sampled_from(Predictor)),
        st.builds(SimilarTo, _neurons(), st.sampled_from(Metric), _SHARE),
        st.builds(ContainedIn, _neurons(), _SHARE),
        st.builds(Contains, _neurons(), _SHARE),
    )


def _influenced() -> st.SearchStrategy[Influenced]:
    depth = st.integers(0, 99)
    places = st.one_of(
        st.just((1, None)), depth.map(lambda at: (at, at)), st.integers(1, 99).map(lambda far: (1, far))
    )
    return st.builds(
        lambda influence, test, place: Influenced(influence, test, *place),
        st.sampled_from(Influence),
        _tests(),
        places,
    )


@st.composite
def _patterns(draw: st.DrawFn) -> TokenPattern:
    steps = draw(st.lists(_steps(), min_size=1, max_size=4))
    links: list[Link] = []
    for before, after in pairwise(steps):
        joins = isinstance(before, Run | AnyToken) or isinstance(after, Run | AnyToken)
        chained = bool(links) and links[-1].either
        either = not joins and not chained and draw(st.booleans())
        links.append(Link(1, draw(st.none() | st.integers(1, 9)), either))
    return TokenPattern(tuple(steps), tuple(links))


def _steps() -> st.SearchStrategy[Step]:
    variables = st.builds(Variable, st.sampled_from(("x", "y", "x_1")))
    return st.one_of(_tests(), _tests(), variables, st.builds(AnyToken), st.builds(Run))


def _tests() -> st.SearchStrategy[TokenTest]:
    leaves: st.SearchStrategy[TokenTest] = st.one_of(
        st.builds(TokenLiteral, _TYPED, st.booleans()),
        st.builds(TokenClass, st.sampled_from(TokenKind)),
        st.builds(TokenExpression, _sources(), st.booleans()),
    )
    return st.recursive(leaves, _deeper, max_leaves=4)


def _deeper(inner: st.SearchStrategy[TokenTest]) -> st.SearchStrategy[TokenTest]:
    alternatives = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(OneOf, alternatives), st.builds(Negated, inner))


def _sources() -> st.SearchStrategy[str]:
    pieces = st.one_of(
        st.sampled_from(("/", "\\d", "\\\\", "\\'", "'", '"', "(s|ed)?", "i", "--", "[/]")),
        st.text(st.characters(exclude_characters="\\\n"), min_size=1, max_size=3),
    )
    return st.lists(pieces, min_size=1, max_size=4).map("".join)


def _conditions(names: tuple[str, ...]) -> st.SearchStrategy[Condition]:
    name = st.sampled_from(names)
    states = st.sampled_from(("live", "unpredicted", "dead"))
    same = st.sampled_from((Operator.EQUAL, Operator.UNEQUAL))
    ends = st.tuples(_NUMBER, _NUMBER).map(sorted)
    listed = st.lists(_NUMBER, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Comparison, name, st.sampled_from(Operator), _NUMBER),
        st.builds(Comparison, st.just("state"), same, states),
        st.builds(lambda name, ends: Between(name, *ends), name, ends),
        st.builds(InList, name, listed),
        st.builds(InList, st.just("state"), st.lists(states, min_size=1, max_size=2).map(tuple)),
        _computed(names),
    )


def _computed(names: tuple[str, ...]) -> st.SearchStrategy[Condition]:
    leaves: st.SearchStrategy[Expression] = st.one_of(
        st.builds(Number, _NUMBER), st.builds(FieldValue, st.sampled_from(names))
    )
    expressions = st.recursive(
        leaves, lambda inner: st.builds(Arithmetic, st.sampled_from("+-*/"), inner, inner), max_leaves=5
    )
    both = st.builds(Computed, expressions, st.sampled_from(Operator), expressions)
    return both.filter(lambda each: not isinstance(each.left, Number) and not isinstance(each.right, Number))


def _formulas(leaf: st.SearchStrategy[Leaf], leaves: int) -> st.SearchStrategy[Formula[Leaf]]:
    def deeper(inner: st.SearchStrategy[Formula[Leaf]]) -> st.SearchStrategy[Formula[Leaf]]:
        operands = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(st.builds(And, operands), st.builds(Or, operands), st.builds(Not, inner))

    return st.recursive(leaf, deeper, max_leaves=leaves)
