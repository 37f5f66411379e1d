"""Which patterns of a neuron a query finds: a clause holds of the pattern itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from n2gdb.grammar.ast import And, Clause, Formula, Not, Or, Query
from tests.oracle_clauses import is_pattern_clause, matches, positive, positive_matches
from tests.oracle_match import Match, importance_of
from tests.oracle_numbers import number
from tests.oracle_where import about_match, truth
from tests.oracle_world import Neuron, World

__all__ = ["Row", "matching_rows", "patterns_of"]

#: Whether a clause that is on the whole graph holds of a neuron.
_OfNeuron: TypeAlias = Callable[[Formula[Clause], Query, Neuron, World], bool]


@dataclass(frozen=True)
class Row:
    """A pattern of a neuron."""

    neuron: Neuron
    end: int
    activation: float
    importance: float | None


def patterns_of(query: Query, neuron: Neuron, world: World, of_neuron: _OfNeuron) -> list[Row]:
    """Return the patterns of a neuron that meet the clauses; one that no clause matches meets WHERE itself."""
    matched = _matched(query, neuron, world)
    rows = [_row(neuron, end, matched.get(end, ())) for end in neuron.patterns]
    return [
        row
        for row in rows
        if (query.clauses is None or _holds(query.clauses, query, row, world, of_neuron))
        and (row.end in matched or _counts(query, row))
    ]


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


def _holds(clauses: Formula[Clause], query: Query, row: Row, world: World, of_neuron: _OfNeuron) -> bool:
    match clauses:
        case And(operands):
            return all(_holds(each, query, row, world, of_neuron) for each in operands)
        case Or(operands):
            return any(_holds(each, query, row, world, of_neuron) for each in operands)
        case Not(each):
            return not _holds(each, query, row, world, of_neuron)
        case _ if is_pattern_clause(clauses):
            return any(match.end == row.end for match in matches(clauses, query, world).get(row.neuron, ()))
        case _:
            return of_neuron(clauses, query, row.neuron, world)


def _row(neuron: Neuron, end: int, found: Sequence[Match]) -> Row:
    pattern = neuron.patterns[end]
    importance = _largest(match.importance for match in found) if found else importance_of(pattern, ())
    return Row(neuron, end, pattern.activation, importance)


def _counts(query: Query, row: Row) -> bool:
    own = {"activation": number(row.activation), "importance": number(row.importance)}
    return all(truth(each, {**row.neuron.numbers, **own}) is True for each in about_match(query.where))


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
