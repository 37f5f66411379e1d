"""DDL: the statements that create the database's tables."""

from __future__ import annotations

import pyarrow as pa

from n2gdb.storage import schema

__all__ = ["DEFINITIONS"]

_TYPES = {
    pa.string(): "STRING",
    pa.int32(): "INT32",
    pa.int64(): "INT64",
    pa.float32(): "DOUBLE",  # as decimals: see reals.py. The engine holds no 32-bit reals
    pa.bool_(): "BOOL",
    pa.binary(): "BLOB",
    pa.list_(pa.int32()): "INT32[]",
    pa.list_(pa.int64()): "INT64[]",
}


def _columns(table: pa.Schema, without: tuple[str, ...] = ()) -> str:
    return ", ".join(f"`{field.name}` {_TYPES[field.type]}" for field in table if field.name not in without)


_OWNER = ("unit", "window")

#: In order: nodes before the relationships between them. Columns are filled by position.
DEFINITIONS = (
    "CREATE NODE TABLE Meta(key STRING PRIMARY KEY, value STRING)",
    f"CREATE NODE TABLE Model(id INT64 PRIMARY KEY, {_columns(schema.MODEL)})",
    f"CREATE NODE TABLE Source(id INT64 PRIMARY KEY, model INT64, {_columns(schema.SOURCES)})",
    f"CREATE NODE TABLE Token(id INT64 PRIMARY KEY, model INT64, {_columns(schema.TOKENS)},"
    " text_key INT64, norm_key INT64, classes INT64)",
    f"CREATE NODE TABLE Neuron(id INT64 PRIMARY KEY, model INT64, {_columns(schema.NEURONS, _OWNER)},"
    f" {_columns(schema.COUNTS)}, weight DOUBLE)",
    f"CREATE NODE TABLE Score(id INT64 PRIMARY KEY, model INT64, {_columns(schema.SCORES, _OWNER)})",
    f"CREATE NODE TABLE Window(id INT64 PRIMARY KEY, model INT64, {_columns(schema.WINDOWS)})",
    f"CREATE NODE TABLE TokenClass(id INT64 PRIMARY KEY, model INT64, {_columns(schema.CLASSES)})",
    f"CREATE NODE TABLE Record(id INT64 PRIMARY KEY, model INT64, {_columns(schema.RECORDS, _OWNER)})",
    "CREATE NODE TABLE Path(id INT64 PRIMARY KEY)",
    "CREATE REL TABLE ACTIVATES_ON(FROM Neuron TO Token,"
    " pre INT32, last INT32, activation DOUBLE, `end` DOUBLE, written DOUBLE,"
    " support INT64, confidence DOUBLE)",
    "CREATE REL TABLE CONTEXT(FROM Neuron TO Token,"
    " act_token INT64, depth INT32, importance DOUBLE, pre INT32, last INT32, parent INT32, repeats BOOL,"
    " activation DOUBLE, `end` DOUBLE, least DOUBLE, written DOUBLE, support INT64, confidence DOUBLE)",
    "CREATE REL TABLE PASSES(FROM Neuron TO Path, weight DOUBLE)",
    "CREATE REL TABLE EVIDENCE(FROM Neuron TO Token, depth INT32, weight DOUBLE)",
    "CREATE REL TABLE CLASS_EVIDENCE(FROM Neuron TO TokenClass, depth INT32, weight DOUBLE)",
    "CREATE REL TABLE WRITES(FROM Neuron TO Token, rank INT32, logit DOUBLE)",
    f"CREATE REL TABLE TOP_EXAMPLE(FROM Neuron TO Window, {_columns(schema.EXAMPLES, (*_OWNER, 'band'))})",
    f"CREATE REL TABLE EXAMPLE(FROM Neuron TO Window, {_columns(schema.EXAMPLES, _OWNER)})",
)
