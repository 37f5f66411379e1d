"""The clauses of a statement taken apart, and the matches of each that WHERE lets count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeGuard, TypeVar

from n2gdb.grammar.ast import And, Clause, Condition, FiringOn, Formula, Matching, Mentioning, Not, Or, Query
from tests.oracle.match import Match, PatternClause, cuts_of, matches_of, takes
from tests.oracle.similarity import containment, similarity
from tests.oracle.where import about_match, truth
from tests.oracle.world import Neuron, World

__all__ = [
    "best",
    "conjuncts",
    "every_clause",
    "extent",
    "forget",
    "is_pattern_clause",
    "matches",
    "positive",
    "positive_matches",
]

Item = TypeVar("Item")


def matches(clause: PatternClause, query: Query, world: World) -> Mapping[Neuron, Sequence[Match]]:
    """Return the matches of a clause that WHERE lets count, by neuron; neurons without one are not there."""
    return _counting(clause, query.where, world)


@lru_cache(maxsize=32)
def _counting(
    clause: PatternClause, where: Formula[Condition] | None, world: World
) -> Mapping[Neuron, Sequence[Match]]:
    restrictions = about_match(where)
    if not restrictions:
        return matches_of(clause, world)
    counting = {
        neuron: [
            match
            for match in found
            if all(truth(each, {**neuron.numbers, **match.fields}) is True for each in restrictions)
        ]
        for neuron, found in matches_of(clause, world).items()
    }
    return {neuron: found for neuron, found in counting.items() if found}


def forget() -> None:
    """Drop what is kept of worlds."""
    for kept in (_counting, matches_of, takes, cuts_of, similarity, containment):
        kept.cache_clear()


def positive_matches(query: Query, neuron: Neuron, world: World) -> Iterator[Match]:
    """Yield the matches of all clauses that are not negated in a neuron."""
    for clause in positive(query.clauses):
        if is_pattern_clause(clause):
            yield from matches(clause, query, world).get(neuron, ())


def best(field: str, query: Query, neuron: Neuron, world: World) -> float | None:
    """Return the largest activation or importance over the matches of clauses that are not negated."""
    found = [getattr(match, field) for match in positive_matches(query, neuron, world)]
    return max((value for value in found if value is not None), default=None)


def positive(clauses: Formula[Clause] | None, sign: bool = True) -> Iterator[Clause]:
    """Yield the clauses that are not negated, or twice, as they are written."""
    match clauses:
        case And(operands) | Or(operands):
            for each in operands:
                yield from positive(each, sign)
        case Not(each):
            yield from positive(each, not sign)
        case None:
            return
        case _ if sign:
            yield clauses


def every_clause(clauses: Formula[Clause] | None) -> list[Clause]:
    """Return the clauses, negated or not."""
    return [*positive(clauses), *positive(clauses, False)]


def extent(
    clauses: Formula[Clause], of_clause: Callable[[Clause], frozenset[Item]], every: frozenset[Item]
) -> frozenset[Item]:
    """Return what a formula holds of, by what each of its clauses holds of, out of ``every``."""
    match clauses:
        case And(operands):
            return frozenset.intersection(*(extent(each, of_clause, every) for each in operands))
        case Or(operands):
            return frozenset.union(*(extent(each, of_clause, every) for each in operands))
        case Not(each):
            return every - extent(each, of_clause, every)
        case _:
            return of_clause(clauses)


def conjuncts(clauses: Formula[Clause] | None) -> list[Formula[Clause]]:
    """Return what a neuron has to meet, each by itself."""
    if isinstance(clauses, And):
        return [conjunct for each in clauses.operands for conjunct in conjuncts(each)]
    return [] if clauses is None else [clauses]


def is_pattern_clause(clause: Clause) -> TypeGuard[PatternClause]:
    """Tell whether a clause holds of single patterns, not of the whole graph."""
    return isinstance(clause, Matching | Mentioning | FiringOn)
