"""The tokens that units write, as columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from n2gdb.core.arrays import Float64Array, Int64Array, IntArray, expanded
from n2gdb.grammar.ast import Effect
from n2gdb.query.columnar.tries import TrieColumns

__all__ = ["Writes", "Written", "loosely_written"]


@dataclass(frozen=True, eq=False)
class Written:
    """The tokens that units write in one way, by unit, and where those of each unit begin and end."""

    token: Int64Array  # (tokens written,) rows of the vocabulary
    logit: Float64Array  # (tokens written,)
    first: Int64Array  # (units,)
    stop: Int64Array  # (units,)


class Writes:
    """The tokens that units write, read when first asked for."""

    def __init__(self, read: Callable[[Effect], Written]) -> None:
        self._read = read
        self._known: dict[Effect, Written] = {}

    def of(self, effect: Effect) -> Written:
        """Return what all units write in one way."""
        if effect not in self._known:
            self._known[effect] = self._read(effect)
        return self._known[effect]


def loosely_written(
    tries: TrieColumns, rows: IntArray, written: Written, alike: bool
) -> tuple[Int64Array, Int64Array]:
    """Return the tokens that units of nodes write which are like the node's, or others than it.

    That is the place of the node among ``rows``, and of the token among all that are written.
    """
    owner = tries.owner[rows]
    row, place = expanded(written.first[owner], written.stop[owner])
    own, other = tries.token[rows][row], written.token[place]
    fits = tries.alike[own] == tries.alike[other] if alike else own != other
    return row[fits], place[fits]
