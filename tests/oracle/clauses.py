"""The clauses of a statement taken apart, and the matches of each that WHERE lets count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeGuard, TypeVar

from n2gdb.grammar.ast import And, Clause, Condition, FiringOn, Formula, Matching, Mentioning, Not, Or, Query
from tests.oracle.match import Match, PatternClause, cuts_of, matches_of, takes
from tests.oracle.numbers import number, rounded
from tests.oracle.similarity import containment, similarity
from tests.oracle.where import about_match, truth
from tests.oracle.world import Neuron, World

__all__ = [
    "best",
    "conjuncts",
    "every_clause",
    "extent",
    "forget",
    "is_all",
    "is_pattern_clause",
    "matches",
    "positive",
    "positive_matches",
    "shares",
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
    found = matches_of(clause, world)
    if restrictions:
        counting = {
            neuron: [
                match
                for match in each
                if all(
                    truth(one, {**neuron.numbers, **match.fields, **shares(neuron, each)}) is True
                    for one in restrictions
                )
            ]
            for neuron, each in found.items()
        }
        found = {neuron: each for neuron, each in counting.items() if each}
    if isinstance(clause, Matching) and clause.only:
        return {neuron: each for neuron, each in found.items() if is_all(neuron, each)}
    return found


def is_all(neuron: Neuron, found: Sequence[Match]) -> bool:
    """Tell whether matches are of every pattern of a neuron."""
    return {match.end for match in found} == neuron.patterns.keys()


def shares(neuron: Neuron, found: Sequence[Match]) -> dict[str, object]:
    """Return how many patterns of a neuron match, and which share of all that is; None of no pattern."""
    ends = len({match.end for match in found} - {None})
    if not ends:
        return {"matches": None, "share": None}  # the neuron fires by its evidence
    return {"matches": ends, "share": number(rounded(ends / len(neuron.patterns)))}


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
    found: list[Any] = []
    for clause in positive(query.clauses):
        if is_pattern_clause(clause):
            for match in matches(clause, query, world).get(neuron, ()):
                counted = shares(neuron, matches_of(clause, world)[neuron])
                found.append(counted[field] if field in counted else getattr(match, field))
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
