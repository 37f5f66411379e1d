"""DDL: the statements that create the database's tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa

from n2gdb.storage import schema

__all__ = ["NODE_TABLES", "RELATIONSHIPS", "Relationship"]

_TYPES = {
    pa.string(): "STRING",
    pa.int32(): "INT32",
    pa.int64(): "INT64",
    pa.float32(): "DOUBLE",  # as decimals: see reals.py. The engine holds no 32-bit reals
    pa.bool_(): "BOOL",
    pa.binary(): "BLOB",
}


@dataclass(frozen=True, slots=True)
class Relationship:
    """A table of relationships from Neuron; ``columns`` in order, by name, with the engine's types.

    The engine stores relationships once from each end; those that are only followed ``from_neurons`` once.
    """

    target: str
    columns: Mapping[str, str]
    from_neurons: bool = False

    def create(self, name: str, without: Collection[str] = ()) -> str:
        """Return the statement that creates the table, without some of its columns."""
        kept = ", ".join(f"`{each}` {kind}" for each, kind in self.columns.items() if each not in without)
        stored = " WITH (storage_direction='fwd')" if self.from_neurons else ""
        return f"CREATE REL TABLE {name}(FROM Neuron TO {self.target}, {kept}){stored}"

    def add(self, name: str, column: str) -> str:
        """Return the statement that gives the table a column that it was created without, null throughout."""
        return f"ALTER TABLE {name} ADD `{column}` {self.columns[column]}"


def _types(table: pa.Schema, without: tuple[str, ...] = ()) -> dict[str, str]:
    return {field.name: _type(field.type) for field in table if field.name not in without}


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"{_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):  # whose names the engine would take with their quotes
        return f"STRUCT({', '.join(f'{field.name} {_type(field.type)}' for field in kind)})"
    return _TYPES[kind]


def _columns(table: pa.Schema, without: tuple[str, ...] = ()) -> str:
    return ", ".join(f"`{name}` {kind}" for name, kind in _types(table, without).items())


_OWNER = ("unit", "window")

#: The statements that create the tables of nodes. Columns are filled by position. Each table costs 4 ms and
#: 7 MB whenever the database is opened, for the index of its keys, whatever is in it: hence so few.
NODE_TABLES = (
    f"CREATE NODE TABLE Model(id INT64 PRIMARY KEY, {_columns(schema.MODEL)},"
    f" sources {_type(pa.struct(list(schema.SOURCES)))}[], schema_version INT64)",
    f"CREATE NODE TABLE Token(id INT64 PRIMARY KEY, model INT64, {_columns(schema.TOKENS)},"
    " text_key INT64, norm_key INT64, classes INT64)",
    f"CREATE NODE TABLE Neuron(id INT64 PRIMARY KEY, model INT64, {_columns(schema.NEURONS, _OWNER)},"
    f" {_columns(schema.COUNTS)}, {_columns(schema.RECORDS, _OWNER)})",
    f"CREATE NODE TABLE Window(id INT64 PRIMARY KEY, model INT64, {_columns(schema.WINDOWS)})",
    f"CREATE NODE TABLE TokenClass(id INT64 PRIMARY KEY, model INT64, {_columns(schema.CLASSES)})",
)

_MARKS = {"written": "DOUBLE", "support": "INT64", "confidence": "DOUBLE"}

#: By name; the first two columns of their rows are the keys of both ends.
RELATIONSHIPS = {
    "ACTIVATES_ON": Relationship(
        "Token",
        {"pre": "INT32", "last": "INT32", "activation": "DOUBLE", "end": "DOUBLE", **_MARKS},
    ),
    "CONTEXT": Relationship(
        "Token",
        {
            "act_token": "INT64",
            "depth": "INT32",
            "importance": "DOUBLE",
            **dict.fromkeys(("pre", "last", "parent"), "INT32"),
            "repeats": "BOOL",
            **dict.fromkeys(("activation", "end", "least"), "DOUBLE"),
            **_MARKS,
        },
    ),
    "EVIDENCE": Relationship("Token", {"depth": "INT32", "weight": "DOUBLE"}),
    "CLASS_EVIDENCE": Relationship("TokenClass", {"depth": "INT32", "weight": "DOUBLE"}),
    "SCORE": Relationship("Model", _types(schema.SCORES, (*_OWNER, "layer", "index")), from_neurons=True),
    "WRITES": Relationship("Token", {"rank": "INT32", "logit": "DOUBLE"}),
    "TOP_EXAMPLE": Relationship("Window", _types(schema.EXAMPLES, (*_OWNER, "band")), from_neurons=True),
    "EXAMPLE": Relationship("Window", _types(schema.EXAMPLES, _OWNER), from_neurons=True),
}
