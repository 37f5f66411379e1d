"""Order of a query's rows: by columns, missing values last; and the rows that SAMPLE draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from heapq import nsmallest

import numpy as np

from n2gdb.core.arrays import Float64Array, Int64Array
from n2gdb.core.deadline import check_time, timed
from n2gdb.query.columnar.units import Column, Words

__all__ = ["in_order", "sampled"]


def in_order(
    keys: Sequence[tuple[Column, bool]],
    ties: Sequence[Callable[[Int64Array], Int64Array]],
    rows: int,
    most: int | None = None,
) -> Int64Array:
    """Return the order of rows, or of the first ``most``, by keys: each a column and whether it falls.

    Then comes what settles a tie, which returns whole numbers of some rows.
    """
    levels: list[Callable[[Int64Array], Int64Array | Float64Array]]
    rising = [_rising(*key) for key in keys]
    levels = [*(each.__getitem__ for each in rising), *ties]
    left = rows if most is None else most
    if rising and 0 < left < rows:
        chosen = np.flatnonzero(rising[0] <= np.partition(rising[0], left - 1)[left - 1])
    else:
        chosen = np.arange(rows)
    first = []
    for level in levels:  # leaves what is certainly not among the first
        if not 0 < left < len(chosen):
            break
        check_time()
        values = level(chosen)
        last = np.partition(values, left - 1)[left - 1]
        first.append(chosen[values < last])
        chosen = chosen[values == last]
        left -= len(first[-1])
    chosen = np.concatenate([*first, chosen])
    telling = []
    for level in levels:
        check_time()  # of a million rows each key takes a tenth of a second
        values = level(chosen)
        if (values != values[:1]).any():
            telling.append(values)
    return chosen[np.lexsort(telling[::-1])][:most] if telling else chosen[:most]


def _rising(column: Column, falls: bool) -> Float64Array:
    """Return numbers in whose order rows stand, what is missing last."""
    check_time()
    missing = column.codes < 0 if isinstance(column, Words) else np.isnan(column)
    values: Float64Array = np.array(column.codes if isinstance(column, Words) else column, np.float64)
    if falls:
        np.negative(values, out=values)
    values[missing] = np.inf
    return values


def sampled(names: Sequence[str], number: int, seed: int) -> list[int]:
    """Return the places of so many of some names, drawn by a seed and in the order in which they stand.

    A name is drawn or not whatever others there are, so that a larger sample holds the smaller one.
    """
    lots = [(_lot(name, seed), name, place) for place, name in enumerate(timed(names))]
    return sorted(place for _, _, place in nsmallest(number, lots))


def _lot(name: str, seed: int) -> bytes:
    return blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
