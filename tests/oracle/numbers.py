"""Numbers as queries compute with them: doubles, whatever width they are stored in.

A real field is stored in 32 bits. It counts as the double that its shortest decimal reads as: what is
stored for 0.9 is 0.9, not 0.89999998. So ``recall >= 0.9`` and ``1 - recall <= 0.1`` mean the same. Such a
field holds some seven digits: a number that it is compared with by itself is rounded to what the field can
hold, so that 0.8333333333 finds what is stored for 5 / 6. Arithmetic rounds nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

__all__ = ["alike", "decimal", "number", "rounded"]

Value = TypeVar("Value")


def number(value: Value) -> Value | float:
    """Return what a stored value counts as; whole numbers, texts and None are themselves."""
    return _double(value) if isinstance(value, float) else value


def rounded(value: float) -> float:
    """Round a number to what a real field can hold."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def decimal(value: float) -> str:
    """Write a stored real number by the fewest digits that read as it."""
    return str(np.float32(value))


def alike(one: Any, other: Any) -> bool:
    """Tell whether two values, of which either may come in 32 bits, are the same."""
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.float32(one) == np.float32(other))
    return bool(one == other)


@lru_cache(maxsize=1_000_000)
def _double(stored: float) -> float:
    return float(decimal(stored))
