"""Where a clause holds: every way to put its steps on the positions of every pattern, tried in turn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from n2gdb.grammar.ast import (
    AnyToken,
    FiringOn,
    Link,
    Matching,
    Mentioning,
    Negated,
    OneOf,
    Run,
    Step,
    TokenClass,
    TokenExpression,
    TokenLiteral,
    TokenTest,
    Variable,
)
from n2gdb.grammar.ast import Pattern as Clause
from n2gdb.graph import Pattern
from n2gdb.tokens import KINDS, normalise, without_space
from tests.oracle_world import Model, Neuron

__all__ = ["Match", "all_matches", "cuts_of", "least", "negated_literals", "takes"]

FIRES = 0.5


@dataclass(frozen=True)
class Match:
    """A clause on the pattern that ends at ``end``; its named tokens stand at ``depths``, in text order."""

    end: int
    depths: tuple[int, ...]
    activation: float
    importance: float | None

    @property
    def fields(self) -> dict[str, object]:
        return {"activation": self.activation, "importance": self.importance}


@lru_cache(maxsize=100_000)
def all_matches(clause: Matching | Mentioning | FiringOn, neuron: Neuron) -> tuple[Match, ...]:
    """Return every match of a clause in a neuron."""
    match clause:
        case Matching(pattern):
            return tuple(_matches(pattern, neuron))
        case Mentioning(test):
            anywhere = Clause((test, Run()), (Link(),))
            return (*_matches(Clause((test,)), neuron), *_matches(anywhere, neuron))
        case FiringOn(text, token):
            return tuple(_firings(text, token, neuron))


@dataclass(frozen=True)
class _Read:
    """A step, with the tokens and the sequences of tokens that it may stand on in a model."""

    step: Step
    tokens: frozenset[int]
    cuts: frozenset[tuple[int, ...]]


def _matches(clause: Clause, neuron: Neuron) -> Iterator[Match]:
    orders = [([_read(step, neuron.model) for step in order.steps], order.links) for order in _orders(clause)]
    for end, pattern in neuron.patterns.items():
        for depths in {depths for order in orders for depths in _placements(*order, pattern)}:
            context = [step.importance for step in pattern.steps if step.depth and step.depth in depths]
            yield Match(end, depths, pattern.activation, min(context, default=least(pattern)))


def negated_literals(part: object, negated: bool = False) -> Iterator[TokenLiteral]:
    """Yield the literals under a ``!`` in a clause."""
    match part:
        case Matching(pattern):
            for step in pattern.steps:
                yield from negated_literals(step)
        case Mentioning(test):
            yield from negated_literals(test)
        case Negated(test):
            yield from negated_literals(test, True)
        case OneOf(alternatives):
            for each in alternatives:
                yield from negated_literals(each, negated)
        case TokenLiteral() if negated:
            yield part


def least(pattern: Pattern) -> float | None:
    """Return the least importance among the context tokens of a pattern; None without any."""
    return min((step.importance for step in pattern.steps if step.depth), default=None)


def _orders(clause: Clause) -> Iterator[Clause]:
    """Yield the clause with the steps of each NEAR in either order."""
    pairs = [place for place, link in enumerate(clause.links) if link.either]
    for turned in product((False, True), repeat=len(pairs)):
        steps = list(clause.steps)
        for place, turn in zip(pairs, turned, strict=True):
            if turn:
                steps[place : place + 2] = [steps[place + 1], steps[place]]
        yield Clause(tuple(steps), tuple(replace(link, either=False) for link in clause.links))


def _read(step: Step, model: Model) -> _Read:
    if isinstance(step, Variable | AnyToken | Run):
        return _Read(step, frozenset(), frozenset())
    return _Read(step, takes(step, model), cuts_of(step, model))


def _placements(steps: Sequence[_Read], links: Sequence[Link], pattern: Pattern) -> Iterator[tuple[int, ...]]:
    """Yield the depths of the named tokens for every way to put steps on a pattern."""
    tokens = {step.depth: step.token for step in pattern.steps}

    def place(number: int, starts: range, bound: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
        is_last = number == len(steps) - 1
        for start in starts:
            for named, stop, taken in _stands(steps[number], start, tokens, is_last, bound):
                if is_last:
                    if stop == 0:
                        yield named
                    continue
                link = links[number]
                nearest = 0 if link.most is None else max(0, stop - link.most)
                after = place(number + 1, range(nearest, stop - link.least + 1), taken)
                yield from (named + rest for rest in after)

    yield from place(0, range(pattern.depth + 1), {})


def _stands(
    read: _Read, start: int, tokens: Mapping[int, int], is_last: bool, bound: Mapping[str, int]
) -> Iterator[tuple[tuple[int, ...], int, Mapping[str, int]]]:
    """Yield the depths that a step names from ``start`` on, the depth of its last position, and variables."""
    match read.step:
        case Run():
            for stop in range(start + 1) if not is_last else [start]:
                yield (), stop, bound
        case AnyToken():
            yield (), start, bound
        case Variable(name):
            token = tokens.get(start)
            if token is not None and bound.get(name, token) == token:
                yield (start,), start, {**bound, name: token}
        case _:
            if tokens.get(start) in read.tokens:
                yield (start,), start, bound
            for cut in read.cuts:
                depths = tuple(range(start, start - len(cut), -1))
                if tuple(tokens.get(depth) for depth in depths) == cut:
                    yield depths, depths[-1], bound


@lru_cache(maxsize=50_000)
def takes(test: TokenTest, model: Model) -> frozenset[int]:
    """Return the tokens of a model that pass a test of one token."""
    return frozenset(token for token, text in enumerate(model.texts) if _passes(test, text))


def _passes(test: TokenTest, text: str) -> bool:
    match test:
        case TokenLiteral(wanted, exact):
            return text == wanted if exact else normalise(text) == normalise(wanted)
        case TokenExpression(source, ignore_case):
            flags = re.ASCII | (re.IGNORECASE if ignore_case else 0)
            return any(re.fullmatch(source, each, flags) for each in (text, without_space(text)))
        case TokenClass(kind):
            return text != "" and KINDS[kind.value](without_space(text))
        case OneOf(alternatives):
            return any(_passes(each, text) for each in alternatives)
        case Negated(inner):
            return not _passes(inner, text)


@lru_cache(maxsize=50_000)
def cuts_of(test: TokenTest, model: Model) -> frozenset[tuple[int, ...]]:
    """Return the sequences of tokens that a text stands for where no one token reads so."""
    match test:
        case OneOf(alternatives):
            return frozenset().union(*(cuts_of(each, model) for each in alternatives))
        case TokenLiteral(text, exact) if not takes(test, model):
            bare = without_space(text)
            cases = (bare, bare.lower(), bare.upper(), bare.title())
            spellings = [text] if exact else [space + each for each in cases for space in ("", " ")]
            return frozenset(cut for each in spellings if (cut := model.cut(each)))
        case _:
            return frozenset()


def _firings(text: str, token: int | None, neuron: Neuron) -> Iterator[Match]:
    """Yield one match for each position at which the graph predicts a firing."""
    cut = neuron.model.cut(text) or ()
    if token is not None and not -len(cut) <= token < len(cut):
        return
    predicted = neuron.graph.predict(cut)
    for position in range(len(cut)) if token is None else [token % len(cut)]:
        if predicted[position] >= FIRES:
            end = _predictor(neuron, cut, position)
            yield Match(end, (), neuron.patterns[end].activation, least(neuron.patterns[end]))


def _predictor(neuron: Neuron, cut: tuple[int, ...], position: int) -> int:
    """Return the end of the longest pattern there, then that which names most, activates most, is first."""
    here = [
        (-pattern.depth, -len(pattern.steps), -pattern.activation, end)
        for end, pattern in neuron.patterns.items()
        if pattern.depth <= position
        and all(cut[position - step.depth] == step.token for step in pattern.steps)
    ]
    return min(here)[-1]
