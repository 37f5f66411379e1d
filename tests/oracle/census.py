"""What a statement is made of, by name; and statements like it with less in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from n2gdb.grammar.ast import (
    And,
    Link,
    Negated,
    NeuronRef,
    Not,
    OneOf,
    Or,
    Query,
    Statement,
    TokenLiteral,
    TokenPattern,
)
from tests.oracle.match import takes
from tests.oracle.world import World

__all__ = ["constructs", "least"]


def constructs(statement: Statement, world: World) -> set[str]:
    """Return the names of all constructs in a statement."""
    return set(_names(statement, world))


def _names(node: Any, world: World) -> Iterator[str]:
    match node:
        case Link(least, most, either):
            yield "NEAR" if either else "THEN" if most == least else "BEFORE/k" if most else "BEFORE"
        case TokenPattern(steps, _):
            named = [getattr(step, "name", None) for step in steps]
            if any(name is not None and named.count(name) > 1 for name in named):
                yield "variable twice"
        case TokenLiteral(text, exact):
            yield "exact literal" if exact else "loose literal"
            if any(not takes(node, model) and len(model.cut(text) or ()) > 1 for model in world.models):
                yield "literal of several tokens"
        case NeuronRef(latent=True, source=source):
            yield "latent of a set" if source else "latent"
        case NeuronRef(side="-"):
            yield "negative side"
        case Enum():
            yield f"{type(node).__name__}.{node.name}"
    if not dataclasses.is_dataclass(node):
        return
    yield type(node).__name__
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if isinstance(node, Query) and field.compare and value not in (None, (), False):
            yield field.name
        for each in value if isinstance(value, tuple) else (value,):
            if dataclasses.is_dataclass(each) or isinstance(each, Enum):
                yield from _names(each, world)


def least(statement: Statement, is_wrong: Callable[[Statement], bool]) -> Statement:
    """Take away from a statement what can go while it stays wrong."""
    while True:
        found = next((each for each in _smaller(statement) if is_wrong(each)), None)
        if found is None:
            return statement
        statement = found


def _smaller(node: Any) -> Iterator[Any]:
    """Yield a node with one thing less, in it or in a part of it."""
    match node:
        case And(operands) | Or(operands):
            yield from operands
        case Not(inner) | Negated(inner):
            yield inner
        case OneOf(alternatives):
            yield from alternatives
        case TokenPattern(steps, links) if len(steps) > 1:
            yield TokenPattern(steps[1:], links[1:])
            yield TokenPattern(steps[:-1], links[:-1])
        case Query():
            yield from _shorter(node)
    if not dataclasses.is_dataclass(node):
        return
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if isinstance(value, tuple):
            for place, each in enumerate(value):
                for less in _smaller(each):
                    changed = (*value[:place], less, *value[place + 1 :])
                    yield dataclasses.replace(node, **{field.name: changed})  # type: ignore[type-var]
        elif dataclasses.is_dataclass(value):
            for less in _smaller(value):
                yield dataclasses.replace(node, **{field.name: less})  # type: ignore[type-var]


def _shorter(query: Query) -> Iterator[Query]:
    """Leave out one part of a query."""
    bare = Query()
    for field in ("clauses", "where", "order", "limit", "offset", "model", "rank", "count", "returns"):
        if getattr(query, field) != getattr(bare, field):
            yield dataclasses.replace(query, **{field: getattr(bare, field)})
