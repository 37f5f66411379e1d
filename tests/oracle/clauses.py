"""The clauses of a statement taken apart, and the matches of each that WHERE lets count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeGuard, TypeVar

from n2gdb.core.tokens import without_space
from n2gdb.grammar.ast import (
    And,
    Clause,
    Effect,
    FiringOn,
    Formula,
    Influence,
    Influenced,
    Matching,
    Mentioning,
    Not,
    Or,
    Query,
    Showing,
    Writing,
)
from tests.oracle.match import (
    Match,
    PatternClause,
    _allowed,
    _orders,
    _placements,
    _read,
    cuts_of,
    matches_of,
    takes,
)
from tests.oracle.numbers import number, rounded
from tests.oracle.similarity import containment, similarity
from tests.oracle.where import OF_EFFECTS, about_match, fields_of, truth
from tests.oracle.world import Model, Neuron, World
from tests.support.small_run import WINDOW

__all__ = [
    "best",
    "conjuncts",
    "every_clause",
    "extent",
    "forget",
    "influenced_by",
    "is_all",
    "is_pattern_clause",
    "matches",
    "numbers_of",
    "positive",
    "positive_matches",
    "shares",
    "shows",
    "strongest",
    "written_by",
]

Item = TypeVar("Item")


def numbers_of(query: Query, neuron: Neuron, world: World) -> Mapping[str, object]:
    """Return what a query computes with of a neuron: its statistics, and the logits that WHERE asks for."""
    asked = set() if query.where is None else set(fields_of(query.where))
    logits = {name: strongest(name, query, neuron, world) for name in OF_EFFECTS if name in asked}
    return {**neuron.numbers, **{name: number(logit) for name, logit in logits.items()}}


def matches(clause: PatternClause, query: Query, world: World) -> Mapping[Neuron, Sequence[Match]]:
    """Return the matches of a clause that WHERE lets count, by neuron; neurons without one are not there."""
    return _counting(clause, query, world)


@lru_cache(maxsize=32)
def _counting(clause: PatternClause, query: Query, world: World) -> Mapping[Neuron, Sequence[Match]]:
    restrictions = about_match(query.where)
    found = matches_of(clause, world)
    if restrictions:
        counting = {
            neuron: [
                match
                for match in each
                if all(
                    truth(one, {**numbers_of(query, neuron, world), **match.fields, **shares(neuron, each)})
                    is True
                    for one in restrictions
                )
            ]
            for neuron, each in found.items()
            for own in (numbers_of(query, neuron, world),)
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


def written_by(clause: Writing, world: World) -> frozenset[Neuron]:
    """Return the neurons that write a token such as a clause says; a text of several tokens is none."""
    return frozenset(
        each for each in world.neurons if each.writes(clause.effect) & _named(clause, each.model)
    )


def _named(clause: Writing, model: Model) -> frozenset[int]:
    return takes(clause.test, model) | {cut[0] for cut in cuts_of(clause.test, model) if len(cut) == 1}


def strongest(field: str, query: Query, neuron: Neuron, world: World) -> float | None:
    """Return the strongest logit of the tokens that clauses which are not negated say a neuron writes."""
    effect = next(each for each in Effect if each.field == field)
    sign = 1 if effect is Effect.PROMOTING else -1
    found: list[float] = []
    for clause in positive(query.clauses):
        if isinstance(clause, Writing) and clause.effect is effect:
            named = _named(clause, neuron.model)
            found += [logit for token, logit in neuron.logits(effect).items() if token in named]
        elif isinstance(clause, Matching) and neuron in matches_of(clause, world):
            found += _logits_of(clause, effect, neuron)
    return rounded(max(found, key=lambda logit: sign * logit)) if found else None


def _logits_of(clause: Matching, effect: Effect, neuron: Neuron) -> list[float]:
    """Return the logits of the tokens that the neuron writes as the variables of its matches demand."""
    allowed = _allowed(neuron, clause.written)
    orders = [
        ([_read(step, neuron.model) for step in order.steps], order.links)
        for order in _orders(clause.pattern)
    ]
    found = []
    for each in clause.written:
        logits = neuron.logits(each.effect) if each.effect is effect else {}
        for token, logit in logits.items():
            alone = replace(neuron, effects={token: logit})
            names = {each.variable.name: _allowed(alone, (each,))[each.variable.name]}
            names = {**allowed, **{name: tokens & allowed[name] for name, tokens in names.items()}}
            if any(
                _placements(steps, links, pattern, names, neuron.model.texts)
                for pattern in neuron.patterns.values()
                for steps, links in orders
            ):
                found.append(logit)
    return found


def influenced_by(clause: Influenced, world: World) -> frozenset[Neuron]:
    """Return the neurons that weigh a token such as a clause says, or a class of its, at such a depth."""
    sign = 1 if clause.influence is Influence.EXCITED else -1
    found = set()
    for model in world.models:
        tokens = takes(clause.test, model) | {cut[0] for cut in cuts_of(clause.test, model) if len(cut) == 1}
        named = tokens | {kind[token] for kind in model.classes for token in tokens if token in kind}
        for neuron in world.neurons:
            weights = {} if neuron.evidence is None or neuron.model is not model else neuron.evidence.weights
            if any(
                each in named and weight * sign > 0 and _reaches(depth, clause)
                for (depth, each), weight in weights.items()
            ):
                found.add(neuron)
    return frozenset(found)


def _reaches(depth: int, clause: Influenced) -> bool:
    """Tell whether a weight is at a place that a clause means; below zero, it is anywhere up to there."""
    if depth >= 0:
        return clause.nearest <= depth and (clause.farthest is None or depth <= clause.farthest)
    return any(
        place >= 1 and (clause.farthest is None or place <= clause.farthest)
        for place in range(clause.nearest, -depth + 1)
    )


def shows(clause: Showing, model: Model) -> bool:
    """Tell whether the only example of a world's neurons, which those with a graph have, contains a text."""
    text = "".join(model.texts[token] for token in WINDOW if token)
    if clause.exact:
        return clause.text in text
    return without_space(clause.text).casefold() in text.casefold()
