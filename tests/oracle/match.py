"""Where a clause holds: every way to put its steps on the positions of the patterns that name its tokens."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from typing import TypeAlias

from n2gdb.core.graph import Pattern
from n2gdb.core.tokens import KINDS, SHAPES, normalise, without_space
from n2gdb.grammar.ast import (
    AllOf,
    AnyToken,
    FiringOn,
    Influenced,
    LikeVariable,
    Link,
    Matching,
    Mentioning,
    Negated,
    OneOf,
    OtherVariable,
    Predictor,
    Query,
    Run,
    Statement,
    Step,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
    TokenSetQuery,
    TokensOf,
    TokenTest,
    Variable,
    Writing,
    WrittenVariable,
)
from n2gdb.grammar.ast import TokenPattern as Clause
from n2gdb.grammar.rewriting import rewritten
from tests.oracle.numbers import number
from tests.oracle.predict import firings, foreseen
from tests.oracle.where import OF_PATTERN
from tests.oracle.world import Model, Neuron, World

__all__ = [
    "Match",
    "PatternClause",
    "TokenIds",
    "cuts_of",
    "fired",
    "importance_of",
    "matches_of",
    "negated_literals",
    "resolved",
    "takes",
]

#: Steps that say nothing of a token by itself.
UNTESTED = (Variable, LikeVariable, OtherVariable, AnyToken, Run)

PatternClause: TypeAlias = Matching | Mentioning | FiringOn


@dataclass(frozen=True)
class Match:
    """A clause on the pattern that ends at ``end``; its named tokens stand at ``depths``, in text order.

    A firing by evidence has no end, but ``steps``: depth and token of what excites.
    """

    end: int | None
    depths: tuple[int, ...]
    activation: float
    importance: float | None
    support: int | None = None
    confidence: float | None = None
    depth: int | None = None
    named: int | None = None
    steps: tuple[tuple[int, int], ...] = ()

    @property
    def fields(self) -> dict[str, object]:
        return {name: number(getattr(self, name)) for name in OF_PATTERN}


@dataclass(frozen=True)
class TokenIds:
    """The tokens that a class of a neuron stands for: ids of one model."""

    model: int
    tokens: frozenset[int]


def resolved(statement: Statement, world: World) -> Statement:
    """Return a statement with the tokens of neurons in place of their classes; raise RefusedError."""
    if isinstance(statement, TokenSetQuery):
        parts = [(each, resolved(each.units, world)) for each in statement.terms]
        terms = tuple(replace(each, units=units) for each, units in parts if isinstance(units, Query))
        return replace(statement, terms=terms)
    if not isinstance(statement, Query):
        return statement

    def tokens_of(test: TokensOf) -> TokenIds:
        neuron = world.neuron(test.neuron, statement.model)
        steps = (step for pattern in neuron.patterns.values() for step in pattern.steps)
        named = {step.token for step in steps if (step.depth > 0) == test.in_context}
        return TokenIds(neuron.model.number, frozenset(named))

    found: Statement = rewritten(statement, TokensOf, tokens_of)
    return found


@lru_cache(maxsize=32)
def matches_of(clause: PatternClause, world: World) -> Mapping[Neuron, Sequence[Match]]:
    """Return every match of a clause, by neuron; neurons without one are not there."""
    found: dict[Neuron, list[Match]] = defaultdict(list)
    for neuron, match in _all_matches(clause, world):
        found[neuron].append(match)
    return found


def _all_matches(clause: PatternClause, world: World) -> Iterator[tuple[Neuron, Match]]:
    match clause:
        case Matching(pattern, written):
            yield from _matches(pattern, world, written)
        case Mentioning(test):
            yield from _matches(Clause((test,)), world)
            yield from _matches(Clause((test, Run()), (Link(),)), world)
        case FiringOn(text, token, by):
            yield from _firings(text, token, by, world)


@dataclass(frozen=True)
class _Read:
    """A step, with the tokens and the sequences of tokens that it may stand on in a model."""

    step: Step
    tokens: frozenset[int]
    cuts: frozenset[tuple[int, ...]]

    @property
    def named(self) -> frozenset[int]:
        """The tokens of which a pattern names one, if the step stands on it."""
        return self.tokens.union(cut[0] for cut in self.cuts)


def _matches(
    clause: Clause, world: World, written: Sequence[WrittenVariable] = ()
) -> Iterator[tuple[Neuron, Match]]:
    for model in world.models:
        orders = [([_read(step, model) for step in order.steps], order.links) for order in _orders(clause)]
        named = [read.named for read in orders[0][0] if not isinstance(read.step, UNTESTED)]
        for stored in world.index[model].naming(*named):
            pattern = stored.pattern
            allowed = _allowed(stored.neuron, written)
            for depths in {
                depths for order in orders for depths in _placements(*order, pattern, allowed, model.texts)
            }:
                importance = importance_of(pattern, depths)
                yield stored.neuron, _match(stored.end, depths, pattern, importance)


def _allowed(neuron: Neuron, written: Sequence[WrittenVariable]) -> Mapping[str, frozenset[int]]:
    """Return the tokens that a variable may stand for, where the neuron has to write them."""
    allowed: dict[str, frozenset[int]] = {}
    texts = neuron.model.texts
    for each in written:
        tokens = neuron.writes(each.effect)
        match each.variable:
            case LikeVariable():
                read = {normalise(texts[token]) for token in tokens}
                tokens = frozenset(token for token, text in enumerate(texts) if normalise(text) in read)
            case OtherVariable():
                tokens = frozenset(token for token in range(len(texts)) if tokens - {token})
        allowed[each.variable.name] = tokens & allowed.get(each.variable.name, tokens)
    return allowed


def _match(end: int, depths: tuple[int, ...], pattern: Pattern, importance: float | None) -> Match:
    named = sum(step.depth > 0 for step in pattern.steps)
    counted = (pattern.support, pattern.confidence)
    return Match(end, depths, pattern.activation, importance, *counted, pattern.depth, named)


def importance_of(pattern: Pattern, depths: Iterable[int]) -> float | None:
    """Return the least importance among the context tokens at some depths, among all where none is there."""
    context = {step.depth: step.importance for step in pattern.steps if step.depth}
    named = [context[depth] for depth in depths if depth in context]
    return min(named or context.values(), default=None)


def negated_literals(part: object, negated: bool = False) -> Iterator[TokenLiteral]:
    """Yield the literals behind a ``!`` in a clause, or in a part of one."""
    match part:
        case Matching(pattern):
            for step in pattern.steps:
                yield from negated_literals(step)
        case Mentioning(test):
            yield from negated_literals(test)
        case Writing(_, test) | Influenced(_, test):  # one token, as behind a !
            yield from negated_literals(test, True)
        case Negated(test):
            yield from negated_literals(test, True)
        case AllOf(tests):
            for each in tests:
                yield from negated_literals(each, True)
        case OneOf(alternatives):
            for each in alternatives:
                yield from negated_literals(each, negated)
        case TokenLiteral() if negated:
            yield part


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
    if isinstance(step, UNTESTED):
        return _Read(step, frozenset(), frozenset())
    return _Read(step, takes(step, model), cuts_of(step, model))


#: What variables stand for: (name, token) pairs.
_Bound: TypeAlias = frozenset[tuple[str, int]]
#: The depths that a step names, the depth of its last position, and what variables stand for behind it.
_Stand: TypeAlias = tuple[tuple[int, ...], int, _Bound]


def _placements(
    steps: Sequence[_Read],
    links: Sequence[Link],
    pattern: Pattern,
    allowed: Mapping[str, frozenset[int]],
    texts: Sequence[str],
) -> set[tuple[int, ...]]:
    """Return the depths of the named tokens for every way to put steps on a pattern."""
    tokens = {step.depth: step.token for step in pattern.steps}
    last = len(steps) - 1

    @cache
    def place(number: int, start: int, bound: _Bound) -> frozenset[tuple[int, ...]]:
        """Put the steps from ``number`` on, the first of them at ``start``."""
        if number == last:
            if isinstance(steps[number].step, Run) and start:
                return frozenset()  # the activating token is one position
            return frozenset(
                named
                for named, stop, _ in _stands(steps[number], start, tokens, bound, allowed, texts)
                if stop == 0
            )
        found: set[tuple[int, ...]] = set()
        following: dict[tuple[tuple[int, ...], _Bound], set[int]] = defaultdict(set)
        for named, stop, taken in _stands(steps[number], start, tokens, bound, allowed, texts):
            link = links[number]
            nearest = 0 if link.most is None else max(0, stop - link.most)
            following[named, taken].update(range(nearest, stop - link.least + 1))
        for (named, taken), starts in following.items():
            for each in starts:
                found.update(named + rest for rest in place(number + 1, each, taken))
        return frozenset(found)

    return {depths for start in range(pattern.depth + 1) for depths in place(0, start, frozenset())}


def _stands(
    read: _Read,
    start: int,
    tokens: Mapping[int, int],
    bound: _Bound,
    allowed: Mapping[str, frozenset[int]],
    texts: Sequence[str],
) -> Iterator[_Stand]:
    """Yield every way to put a step on positions from ``start`` on."""
    match read.step:
        case Run():
            for stop in range(start + 1):
                yield (), stop, bound
        case AnyToken():
            yield (), start, bound
        case Variable(name):
            token = tokens.get(start)
            if token is None or not dict(bound).get(name, token) == token in allowed.get(name, {token}):
                return
            alike = all(_alike(token, other, texts) for sign, other in bound if sign == f"~{name}")
            if alike and all(token != other for sign, other in bound if sign == f"!{name}"):
                yield (start,), start, bound | {(name, token)}
        case LikeVariable(name):
            token = tokens.get(start)
            if token is not None and _alike(token, dict(bound).get(name, token), texts):
                yield (start,), start, bound | {(f"~{name}", token)}
        case OtherVariable(name):
            token = tokens.get(start)
            if token is not None and dict(bound).get(name) != token:
                yield (start,), start, bound | {(f"!{name}", token)}
        case _:
            if tokens.get(start) in read.tokens:
                yield (start,), start, bound
            for cut in read.cuts:
                depths = tuple(range(start, start - len(cut), -1))
                if tuple(tokens.get(depth) for depth in depths) == cut:
                    yield depths, depths[-1], bound


def _alike(one: int, other: int, texts: Sequence[str]) -> bool:
    return normalise(texts[one]) == normalise(texts[other])


@lru_cache(maxsize=5_000)
def takes(test: TokenTest, model: Model) -> frozenset[int]:
    """Return the tokens of a model that pass a test of one token."""
    match test:
        case TokenLiteral(wanted, exact):
            known = model.reading if exact else model.reading_loosely
            return known.get(wanted if exact else normalise(wanted), frozenset())
        case TokenExpression(source, ignore_case):
            whole = re.compile(source, re.ASCII | (re.IGNORECASE if ignore_case else 0)).fullmatch
            both = enumerate(zip(model.texts, model.bare, strict=True))
            return frozenset(token for token, (text, bare) in both if whole(text) or whole(bare))
        case TokenClass(TokenKind.START_OF_TEXT):
            return model.special
        case TokenIds(number, tokens):
            return tokens if number == model.number else frozenset()
        case TokenClass(kind) if kind.value in SHAPES:
            shape = SHAPES[kind.value]
            return frozenset(token for token, text in enumerate(model.texts) if shape(text))
        case AllOf(tests):
            return frozenset.intersection(*(takes(each, model) for each in tests))
        case TokenClass(kind):
            holds = KINDS[kind.value]
            return frozenset(token for token, bare in enumerate(model.bare) if bare and holds(bare))
        case OneOf(alternatives):
            return frozenset().union(*(takes(each, model) for each in alternatives))
        case Negated(inner):
            return frozenset(range(len(model.texts))) - takes(inner, model)
    raise AssertionError(test)


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


def _firings(text: str, token: int | None, by: Predictor, world: World) -> Iterator[tuple[Neuron, Match]]:
    """Yield one match for each position at which a neuron is predicted to fire."""
    for model in world.models:
        cut = model.cut(text) or ()
        if token is not None and not -len(cut) <= token < len(cut):
            continue
        at = None if token is None else token % len(cut)
        for neuron, _, match in fired(world, model, cut, at, by):
            yield neuron, match


def fired(
    world: World, model: Model, cut: Sequence[int], at: int | None, by: Predictor
) -> Iterator[tuple[Neuron, int, Match]]:
    """Yield the neurons of a model that are predicted to fire on a text, with positions."""
    by_graph: dict[Neuron, set[int]] = defaultdict(set)
    for firing in firings(world.index[model], cut, at):
        by_graph[firing.stored.neuron].add(firing.position)
        stored, pattern = firing.stored, firing.stored.pattern
        if by is Predictor.GRAPH or stored.neuron.evidence is None:
            match = _match(stored.end, (), pattern, importance_of(pattern, ()))
            yield stored.neuron, firing.position, match
    for neuron in world.neurons if by is Predictor.EVIDENCE else ():
        if neuron.model is model and neuron.evidence is not None:
            graph = by_graph.get(neuron, set())
            for each in foreseen(neuron.evidence, model.classes, cut, at, model.fire_threshold, graph):
                match = Match(None, (), each.activation, None, steps=each.steps)
                yield neuron, each.position, match
