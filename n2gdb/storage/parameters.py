"""Parameters of Cypher statements, bound under generated names: user text is never part of a statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

__all__ = ["MOST_COMPARED", "MOST_LISTED", "Parameters"]


#: Neurons that a statement may list by id; a list is searched from end to end for every neuron.
MOST_LISTED = 256

#: Tokens that are compared one by one with a column of many rows.
MOST_COMPARED = 24

Value: TypeAlias = int | float | str


class Parameters:
    """Hands out ``$p0``, ``$p1``, ... and keeps what they stand for."""

    def __init__(self, values: Mapping[str, object] | None = None) -> None:
        """Go on from ``values``, those of a statement that becomes part of this one."""
        self.values: dict[str, object] = dict(values or {})

    def bind(self, value: Value | Sequence[Value]) -> str:
        """Return the placeholder of ``value``; a sequence becomes a list, as the engine wants it."""
        name = f"p{len(self.values)}"
        self.values[name] = value if isinstance(value, int | float | str) else list(value)
        return f"${name}"
