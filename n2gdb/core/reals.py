"""Real numbers as they are stored: the shortest decimals of 32-bit floats.

A run's shards keep reals in 32 bits. There 0.9 is 0.89999998, and read as a 64-bit number it would be less
than the 0.9 that a query asks for. So a database holds 64-bit numbers, each the shortest decimal that the
32 bits stand for: what was written as 0.9 is 0.9 in every comparison, in arithmetic and in every answer.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["as_decimal", "as_stored", "decimals"]

#: Significant digits: nine tell any two 32-bit numbers apart.
_DIGITS = range(1, 10)


def as_stored(value: int | float) -> float:
    """Round a number to what a real field can hold: about seven digits, and written like them.

    >>> as_stored(0.9), as_stored(5 / 6)
    (0.9, 0.8333333)
    """
    try:
        return as_decimal(array("f", [value])[0])  # not numpy's float32: loading numpy doubles a query's time
    except OverflowError:
        return math.copysign(math.inf, value)


def as_decimal(value: float) -> float:
    """Return the shortest decimal that rounds to the same 32-bit number as ``value``, itself one of them."""
    for digits in _DIGITS:
        decimal = float(f"{value:.{digits}g}")
        if array("f", [decimal])[0] == value:
            return decimal
    return value


def decimals(table: pa.Table) -> pa.Table:
    """Return a table with every float32 column as float64, each value the shortest decimal: (rows,)."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if field.type == pa.float32():
            written = table.column(place).cast(pa.string()).cast(pa.float64())
            table = table.set_column(place, field.name, written)
    return table
