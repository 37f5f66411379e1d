"""The values of a Cypher statement: bound under generated names, so that user text is never part of it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TypeAlias

__all__ = ["MOST_LISTED", "Parameters", "as_stored"]


#: Neurons that a statement may list by id; a list is searched from end to end for every neuron.
MOST_LISTED = 256

Value: TypeAlias = int | float | str


class Parameters:
    """Hands out ``$p0``, ``$p1``, ... and keeps what they stand for."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def bind(self, value: Value | Sequence[Value]) -> str:
        """Return the placeholder of ``value``; a sequence becomes a list, as the engine wants it."""
        name = f"p{len(self.values)}"
        self.values[name] = value if isinstance(value, int | float | str) else list(value)
        return f"${name}"


def as_stored(value: int | float) -> float:
    """Round to the float32 that real fields are stored in, so that ``f1 = 0.6`` finds a stored 0.6."""
    return array("f", [value])[0]  # not numpy's float32: loading numpy would double the time of a query
