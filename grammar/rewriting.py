"""Rewriting: a copy of a tree with some of its nodes replaced."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = ["nodes_of", "rewritten"]

Node = TypeVar("Node")


def rewritten(tree: Any, kind: type[Node], change: Callable[[Node], Any]) -> Any:
    """Return a tree with every node of a class changed; what lies in such a node is left to ``change``."""
    if isinstance(tree, kind):
        return change(tree)
    if isinstance(tree, tuple):
        return tuple(rewritten(each, kind, change) for each in tree)
    if not dataclasses.is_dataclass(tree) or isinstance(tree, type):
        return tree
    values = {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree) if field.compare}
    new = {name: rewritten(value, kind, change) for name, value in values.items()}
    changed = {name: value for name, value in new.items() if value is not values[name]}
    return dataclasses.replace(tree, **changed) if changed else tree


def nodes_of(tree: Any, kind: type[Node]) -> Iterator[Node]:
    """Yield every node of a class, none that lies in another."""
    if isinstance(tree, kind):
        yield tree
    elif isinstance(tree, tuple):
        for each in tree:
            yield from nodes_of(each, kind)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in dataclasses.fields(tree):
            yield from nodes_of(getattr(tree, field.name), kind)
