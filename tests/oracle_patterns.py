"""Which patterns of a neuron a query finds: a clause holds of the pattern itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from n2gdb.grammar.ast import Clause, Query
from tests.oracle_clauses import extent, is_pattern_clause, matches, positive, positive_matches
from tests.oracle_match import Match, importance_of
from tests.oracle_numbers import number
from tests.oracle_where import about_match, truth
from tests.oracle_world import Neuron, World

__all__ = ["Row", "matching_rows", "patterns_of"]

#: A pattern of a neuron, by the preorder index of its end.
_End: TypeAlias = tuple[Neuron, int]
#: The neurons that a clause on the whole graph holds of.
_OfNeurons: TypeAlias = Callable[[Clause], frozenset[Neuron]]


@dataclass(frozen=True)
class Row:
    """A pattern of a neuron."""

    neuron: Neuron
    end: int
    activation: float
    importance: float | None


def patterns_of(query: Query, neurons: Sequence[Neuron], world: World, of_neurons: _OfNeurons) -> list[Row]:
    """Return the patterns of neurons that meet the clauses; one that no clause matches meets WHERE itself."""
    every = frozenset((neuron, end) for neuron in neurons for end in neuron.patterns)
    holding = every
    if query.clauses is not None:
        holding = extent(
            query.clauses, lambda clause: _holders(clause, query, world, of_neurons, every), every
        )
    rows = []
    for neuron in neurons:
        matched = _matched(query, neuron, world)
        for end in neuron.patterns:
            if (neuron, end) in holding:
                row = _row(neuron, end, matched.get(end, ()))
                if end in matched or _counts(query, row):
                    rows.append(row)
    return rows


def matching_rows(query: Query, neuron: Neuron, world: World) -> list[Row]:
    """Return the patterns of a neuron by which a clause holds of it; all where no clause is on patterns."""
    if any(map(is_pattern_clause, positive(query.clauses))):
        matched = _matched(query, neuron, world)
        return [_row(neuron, end, found) for end, found in matched.items()]
    return [row for end in neuron.patterns if _counts(query, row := _row(neuron, end, ()))]


def _matched(query: Query, neuron: Neuron, world: World) -> dict[int, list[Match]]:
    """Return the matches that count, of clauses that are not negated, by the pattern."""
    matched: dict[int, list[Match]] = defaultdict(list)
    for match in positive_matches(query, neuron, world):
        matched[match.end].append(match)
    return dict(matched)


def _holders(
    clause: Clause, query: Query, world: World, of_neurons: _OfNeurons, every: frozenset[_End]
) -> frozenset[_End]:
    """Return the patterns that a clause holds of: those that match, or those of neurons that are alike."""
    if is_pattern_clause(clause):
        found = matches(clause, query, world)
        return frozenset((neuron, match.end) for neuron, each in found.items() for match in each)
    neurons = of_neurons(clause)
    return frozenset((neuron, end) for neuron, end in every if neuron in neurons)


def _row(neuron: Neuron, end: int, found: Sequence[Match]) -> Row:
    pattern = neuron.patterns[end]
    importance = _largest(match.importance for match in found) if found else importance_of(pattern, ())
    return Row(neuron, end, pattern.activation, importance)


def _counts(query: Query, row: Row) -> bool:
    own = {"activation": number(row.activation), "importance": number(row.importance)}
    return all(truth(each, {**row.neuron.numbers, **own}) is True for each in about_match(query.where))


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
