"""The tokens that units write, as columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from n2gdb.core.arrays import Int64Array
from n2gdb.grammar.ast import Effect

__all__ = ["Writes"]

#: The rows of the tokens that units write, by unit, and where those of each unit begin and end.
_Written: TypeAlias = tuple[Int64Array, Int64Array, Int64Array]


class Writes:
    """The tokens that units write, read when first asked for."""

    def __init__(self, read: Callable[[Effect], _Written]) -> None:
        self._read = read
        self._known: dict[Effect, _Written] = {}

    def of(self, effect: Effect) -> _Written:
        """Return what all units write in one way."""
        if effect not in self._known:
            self._known[effect] = self._read(effect)
        return self._known[effect]
