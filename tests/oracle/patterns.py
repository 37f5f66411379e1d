"""Which patterns of a neuron a query finds: a clause holds of the pattern itself, and so does WHERE.

A pattern's importance is the largest of its matches of clauses that are not negated, as a neuron's is; where
there is none, that of all of its context. And the tokens of a neuron's patterns in a role.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from n2gdb.grammar.ast import Clause, FiringOn, Matching, Predictor, Query, Role, TokenQuery
from tests.oracle.clauses import extent, is_all, is_pattern_clause, numbers_of, positive, positive_matches
from tests.oracle.match import Match, PatternClause, importance_of, matches_of
from tests.oracle.numbers import number
from tests.oracle.where import OF_PATTERN, about_match, truth
from tests.oracle.world import Neuron, World

__all__ = ["Row", "Token", "every_row", "matching_rows", "patterns_of", "tokens"]

#: A pattern of a neuron, by the preorder index of its end.
_End: TypeAlias = tuple[Neuron, int]
#: The neurons that a clause on the whole graph holds of.
_OfNeurons: TypeAlias = Callable[[Clause], frozenset[Neuron]]


@dataclass(frozen=True)
class Row:
    """A pattern of a neuron, or a firing without one: ``steps`` are depth and token of what it names."""

    neuron: Neuron
    end: int | None
    activation: float
    importance: float | None
    support: int | None
    confidence: float | None
    steps: tuple[tuple[int, int], ...]

    @property
    def depth(self) -> int | None:
        return None if self.end is None else self.neuron.patterns[self.end].depth

    @property
    def named(self) -> int | None:
        return None if self.end is None else len(self.neuron.patterns[self.end].steps) - 1


def patterns_of(query: Query, neurons: Sequence[Neuron], world: World, of_neurons: _OfNeurons) -> list[Row]:
    """Return the patterns of neurons that clauses and WHERE hold of, in the order of the neurons."""
    every = frozenset((neuron, end) for neuron in neurons for end in neuron.patterns)

    def holders(clause: Clause) -> frozenset[_End]:
        if is_pattern_clause(clause):
            found = matches_of(_by_graph(clause), world)
            if isinstance(clause, Matching) and clause.only:
                found = {neuron: each for neuron, each in found.items() if is_all(neuron, each)}
            return frozenset(
                (neuron, match.end)
                for neuron, each in found.items()
                for match in each
                if match.end is not None
            )
        alike = of_neurons(clause)
        return frozenset((neuron, end) for neuron, end in every if neuron in alike)

    holding = every if query.clauses is None else every & extent(query.clauses, holders, every)
    clauses = [clause for clause in positive(query.clauses) if is_pattern_clause(clause)]
    matched: dict[_End, list[Match]] = defaultdict(list)
    for clause in clauses:
        for neuron, each in matches_of(_by_graph(clause), world).items():
            for match in each:
                if match.end is not None:
                    matched[neuron, match.end].append(match)
    rows = (
        _row(neuron, end, matched.get((neuron, end), ()))
        for neuron in neurons
        for end in neuron.patterns
        if (neuron, end) in holding
    )
    return [row for row in rows if _counts(query, row, world)]


def matching_rows(query: Query, neuron: Neuron, world: World) -> list[Row]:
    """Return the patterns of a neuron by which a clause holds of it; all where no clause is on patterns."""
    if any(map(is_pattern_clause, positive(query.clauses))):
        matched = _matched(query, neuron, world)
        return [_row(neuron, end, found) for end, found in matched.items() if end is not None] + [
            Row(neuron, None, each.activation, None, None, None, each.steps) for each in matched.get(None, ())
        ]
    return every_row(neuron)


def every_row(neuron: Neuron) -> list[Row]:
    """Return all patterns of a neuron."""
    return [_row(neuron, end, ()) for end in neuron.patterns]


def _matched(query: Query, neuron: Neuron, world: World) -> dict[int | None, list[Match]]:
    """Return the matches that count, of clauses that are not negated, by the pattern."""
    matched: dict[int | None, list[Match]] = defaultdict(list)
    for match in positive_matches(query, neuron, world):
        matched[match.end].append(match)
    return dict(matched)


def _row(neuron: Neuron, end: int, found: Sequence[Match]) -> Row:
    pattern = neuron.patterns[end]
    importance = _largest(match.importance for match in found) if found else importance_of(pattern, ())
    steps = tuple((step.depth, step.token) for step in pattern.steps)
    return Row(neuron, end, pattern.activation, importance, pattern.support, pattern.confidence, steps)


def _by_graph(clause: PatternClause) -> PatternClause:
    """Ask patterns by which a graph fires: evidence has none."""
    return replace(clause, by=Predictor.GRAPH) if isinstance(clause, FiringOn) else clause


def _counts(query: Query, row: Row, world: World) -> bool:
    own = {name: number(getattr(row, name)) for name in OF_PATTERN}
    fields = {**numbers_of(query, row.neuron, world), **own}
    return all(truth(each, fields) is True for each in about_match(query.where))


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


@dataclass(frozen=True)
class Token:
    """A token's part in a neuron's patterns."""

    text: str
    activation: float
    importance: float | None
    n_patterns: int


def tokens(query: TokenQuery, world: World) -> list[Token]:
    """Return the tokens of a neuron in a role, the most activating first."""
    neuron = world.neuron(query.neuron, None)
    with_text: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for end, pattern in neuron.patterns.items():
        for step in pattern.steps:
            if (step.depth > 0) == (query.role is Role.CONTEXT):
                text = neuron.model.texts[step.token]
                with_text[text].append((pattern.activation, step.importance, end))
    rows = [
        Token(
            text,
            max(activation for activation, _, _ in places),
            max(importance for _, importance, _ in places) if query.role is Role.CONTEXT else None,
            len({end for _, _, end in places}),
        )
        for text, places in with_text.items()
    ]
    return sorted(rows, key=lambda row: (-row.activation, row.text))
