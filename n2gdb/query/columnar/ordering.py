"""Order of a query's rows: by columns, missing values last; and the rows that SAMPLE draws."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from heapq import nsmallest

import numpy as np

from n2gdb.core.arrays import Float64Array, Int64Array
from n2gdb.core.deadline import check_time, timed
from n2gdb.query.columnar.units import Column, Words

__all__ = ["in_order", "sampled"]


def in_order(keys: Sequence[tuple[Column, bool]], ties: Sequence[Int64Array]) -> Int64Array:
    """Return the order of rows by keys, each a column and whether it falls, then by what settles a tie."""
    levels: list[Int64Array | Float64Array] = []
    for column, descending in keys:
        check_time()  # of a million rows each key takes a tenth of a second
        values: Float64Array = column.codes.astype(np.float64) if isinstance(column, Words) else column
        missing = values < 0 if isinstance(column, Words) else np.isnan(values)
        levels += [missing.astype(np.int64), np.where(missing, 0.0, -values if descending else values)]
    telling = [level for level in (*levels, *ties) if len(level) and (level != level[0]).any()]
    if not telling:
        return np.arange(len(ties[0]))
    check_time()
    return np.lexsort(telling[::-1])


def sampled(names: Sequence[str], number: int, seed: int) -> list[int]:
    """Return the places of so many of some names, drawn by a seed and in the order in which they stand.

    A name is drawn or not whatever others there are, so that a larger sample holds the smaller one.
    """
    lots = [(_lot(name, seed), name, place) for place, name in enumerate(timed(names))]
    return sorted(place for _, _, place in nsmallest(number, lots))


def _lot(name: str, seed: int) -> bytes:
    return blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
