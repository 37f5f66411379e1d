"""Array type aliases, defined once for every module."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "BoolArray",
    "Float64Array",
    "FloatArray",
    "IndexArray",
    "Int64Array",
    "IntArray",
    "IntegerArray",
    "KeyArray",
]

FloatArray = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
IntegerArray = npt.NDArray[np.integer]
IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]
KeyArray = npt.NDArray[np.uint64]
