"""Columns of neurons, derived from the registry of fields."""

from __future__ import annotations

from n2gdb.grammar.fields import FIELDS, Kind, Origin

__all__ = ["ANSWER_COLUMNS", "COUNTED", "FIGURES", "LEARNED", "STATISTICS", "STORED_COLUMNS", "column_kind"]

#: What a shard says of a neuron, in the order of its columns.
LEARNED = tuple(field.name for field in FIELDS.values() if field.origin is Origin.LEARNED)

#: What the load counts from the graphs, in the order of the database's columns, which follow those above.
COUNTED = tuple(field.name for field in FIELDS.values() if field.origin is Origin.COUNTED)

#: Everything that is known of a neuron, its name among it.
STATISTICS = (*LEARNED, *COUNTED)

#: The same without layer and index, which its name says.
FIGURES = tuple(name for name in STATISTICS if name not in ("layer", "index"))

#: The columns of an answer's rows: how a neuron is keyed, whose it is, and all that is known of it.
ANSWER_COLUMNS = ("id", "model", *STATISTICS)

#: Those that are read from the database. The others follow from the id and the model's sources; reading a
#: text for every neuron found takes as long as reading several numbers.
STORED_COLUMNS = tuple(name for name in ANSWER_COLUMNS if name not in ("source", "kind", "side"))


def column_kind(name: str) -> Kind | None:
    """Return what values a column takes; None if it is not a field."""
    field = FIELDS.get(name)
    return None if field is None else field.kind
