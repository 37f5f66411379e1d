"""What a query means: a plain evaluator over neuron graphs in memory. The compiler must agree with it.

It shares the AST with the compiler and nothing else: every way to put a clause's steps on the positions
of every pattern is tried in turn.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from n2gdb.grammar.ast import And, Between, Comparison, Condition, Formula, Key, Matching, Not, Or, Query, Run
from n2gdb.grammar.ast import Pattern as Clause
from n2gdb.graph import NeuronGraph, Pattern
from n2gdb.neuron import NeuronName
from n2gdb.tokens import normalise

Truth = bool | None  # None is SQL's unknown

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, eq=False)
class Neuron:
    """A neuron as it went into the database."""

    model: int
    name: NeuronName
    statistics: Mapping[str, object]
    graph: NeuronGraph
    texts: tuple[str, ...]  # of its model's tokens

    @cached_property
    def patterns(self) -> list[Pattern]:
        return list(self.graph.patterns())


@dataclass(frozen=True)
class Match:
    """A clause on a pattern: ``depths`` are where its named tokens stand, in text order."""

    pattern: Pattern
    depths: tuple[int, ...]

    @property
    def fields(self) -> dict[str, object]:
        context = [step.importance for step in self.pattern.steps if step.depth and step.depth in self.depths]
        return {"activation": self.pattern.activation, "importance": min(context, default=None)}


def answer(query: Query, neurons: Sequence[Neuron]) -> list[Neuron]:
    """Return the neurons of ``query``, in order, LIMIT and OFFSET aside."""
    found = [neuron for neuron in neurons if _holds(query, neuron)]
    found.sort(key=lambda neuron: (neuron.name, neuron.model))
    for key in reversed(query.order or (Key("f1", descending=True),)):
        found.sort(key=lambda neuron: _rank(key, query, neuron))
    return found


def matches(clause: Clause, query: Query, neuron: Neuron) -> list[Match]:
    """Return all matches of a clause that WHERE lets count."""
    restrictions = [conjunct for conjunct in _conjuncts(query.where) if _of_match(conjunct)]
    return [
        match
        for pattern in neuron.patterns
        for match in (Match(pattern, depths) for depths in placements(clause, pattern, neuron.texts))
        if all(_truth(each, {**neuron.statistics, **match.fields}) is True for each in restrictions)
    ]


def best(field: str, query: Query, neuron: Neuron) -> float | None:
    """Return the largest activation or importance over the matches of clauses that are not negated."""
    found = [m.fields[field] for c in positive(query.clauses) for m in matches(c.pattern, query, neuron)]
    return max((float(str(value)) for value in found if value is not None), default=None)


def positive(clauses: Formula[Matching] | None, sign: bool = True) -> Iterator[Matching]:
    match clauses:
        case And(operands) | Or(operands):
            for each in operands:
                yield from positive(each, sign)
        case Not(each):
            yield from positive(each, not sign)
        case Matching() if sign:
            yield clauses


@lru_cache(maxsize=20_000)
def placements(clause: Clause, pattern: Pattern, texts: tuple[str, ...]) -> frozenset[tuple[int, ...]]:
    """Return the depths of the named tokens for every way to put the clause's steps on the pattern."""
    named = {step.depth: texts[step.token] for step in pattern.steps}

    def place(number: int, first_depths: range) -> Iterator[tuple[int, ...]]:
        step, is_last = clause.steps[number], number == len(clause.steps) - 1
        for depth in first_depths:
            if is_last and depth != 0:
                continue
            if not isinstance(step, Run):
                text = named.get(depth)
                if text is None or (text if step.exact else normalise(text)) != (
                    step.text if step.exact else normalise(step.text)
                ):
                    continue
            here = () if isinstance(step, Run) else (depth,)
            if is_last:
                yield here
                continue
            ends = range(depth + 1) if isinstance(step, Run) else range(depth, depth + 1)
            link = clause.links[number]
            for end in ends:
                nearest = 0 if link.most is None else max(0, end - link.most)
                yield from (here + rest for rest in place(number + 1, range(nearest, end - link.least + 1)))

    return frozenset(place(0, range(pattern.depth + 1)))


def _holds(query: Query, neuron: Neuron) -> bool:
    about_neuron = [conjunct for conjunct in _conjuncts(query.where) if not _of_match(conjunct)]
    if not all(_truth(each, neuron.statistics) is True for each in about_neuron):
        return False
    return query.clauses is None or _clauses_hold(query.clauses, query, neuron)


def _clauses_hold(clauses: Formula[Matching], query: Query, neuron: Neuron) -> bool:
    match clauses:
        case And(operands):
            return all(_clauses_hold(each, query, neuron) for each in operands)
        case Or(operands):
            return any(_clauses_hold(each, query, neuron) for each in operands)
        case Not(each):
            return not _clauses_hold(each, query, neuron)
        case Matching(pattern):
            return bool(matches(pattern, query, neuron))


def _truth(formula: Formula[Condition], fields: Mapping[str, object]) -> Truth:
    match formula:
        case And(operands):
            truths = [_truth(each, fields) for each in operands]
            return False if False in truths else None if None in truths else True
        case Or(operands):
            truths = [_truth(each, fields) for each in operands]
            return True if True in truths else None if None in truths else False
        case Not(each):
            truth = _truth(each, fields)
            return None if truth is None else not truth
        case Comparison(name, sign, value):
            stored = fields[name]
            return None if stored is None else bool(COMPARE[sign.value](stored, _as_stored(value, stored)))
        case Between(name, least, most):
            stored = fields[name]
            if stored is None:
                return None
            low, high = _as_stored(least, stored), _as_stored(most, stored)
            return bool(COMPARE["<="](low, stored) and COMPARE["<="](stored, high))


def _as_stored(value: object, stored: object) -> object:
    """Real numbers are stored in 32 bits, and a query's are rounded alike."""
    return float(np.float32(str(value))) if isinstance(stored, float) else value


def _rank(key: Key, query: Query, neuron: Neuron) -> tuple[bool, object]:
    is_best = key.field in ("activation", "importance")
    value = best(key.field, query, neuron) if is_best else neuron.statistics[key.field]
    if value is None or isinstance(value, str):
        return value is None, _Reversed(value or "") if key.descending else value or ""
    return False, -float(str(value)) if key.descending else float(str(value))


class _Reversed(str):
    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def _conjuncts(where: Formula[Condition] | None) -> list[Formula[Condition]]:
    if isinstance(where, And):
        return [conjunct for each in where.operands for conjunct in _conjuncts(each)]
    return [] if where is None else [where]


def _of_match(formula: Formula[Condition]) -> bool:
    match formula:
        case And(operands) | Or(operands):
            return any(_of_match(each) for each in operands)
        case Not(each):
            return _of_match(each)
        case Comparison(name) | Between(name):
            return name in ("activation", "importance")
