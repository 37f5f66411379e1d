"""Column types of answers, declared so that they do not depend on the values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from n2gdb.grammar.fields import FIELDS, Kind

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMN_KINDS", "arrow_table", "arrow_type"]

#: What every column of an answer holds: that of a field is the registry's, here are the others.
COLUMN_KINDS: Mapping[str, Kind] = {
    **{field.name: field.kind for field in FIELDS.values()},
    **dict.fromkeys(
        ("neuron", "model", "path", "first", "first_model", "second", "second_model"), Kind.CHOICE
    ),
    **dict.fromkeys(("role", "token", "predictor", "text", "step", "cypher", "parameters"), Kind.CHOICE),
    **dict.fromkeys(("size", "count", "rows", "least_rows", "most_rows", "reads", "neurons"), Kind.WHOLE),
    **dict.fromkeys(("similarity", "milliseconds", "nodes", "base_rate", "f1_low", "f1_high"), Kind.REAL),
    "group": Kind.CHOICE,  # of a count by layer whole numbers, which that answer says
}


def arrow_type(kind: Kind) -> pa.DataType:
    """Return the Arrow type of what a column holds: int64, float64 or string."""
    import pyarrow as pa

    return {Kind.WHOLE: pa.int64(), Kind.REAL: pa.float64(), Kind.CHOICE: pa.string()}[kind]


def arrow_table(columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, Kind]) -> pa.Table:
    """Return columns of plain values as an Arrow table; one without a kind gets the type of its values.

    A mapping, as a statement's parameters are, is written as JSON.
    """
    import pyarrow as pa

    arrays = [
        pa.array([_cell(value) for value in values], arrow_type(kinds[name]) if name in kinds else None)
        for name, values in columns.items()
    ]
    return pa.table(arrays, names=list(columns))


def _cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, Mapping) else value
