"""Columns of neurons, derived from the registry of fields, and the words that other columns hold."""

from __future__ import annotations

from n2gdb.grammar.fields import FIELDS, Kind, Origin

__all__ = [
    "ANSWER_COLUMNS",
    "BANDS",
    "COUNTED",
    "FIGURES",
    "LEARNED",
    "PREDICTORS",
    "STATISTICS",
    "STORED_COLUMNS",
    "TEXTS",
    "column_kind",
]

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


#: What a neuron's graph is compared with, by the text that they are judged on: its evidence, or the graph
#: itself where it has none; the graph before refinement; a token and an n-gram look-up. On held-out text the
#: graph, ``n2g``, is among them; on the test half of the top examples its figures are the neuron's own.
PREDICTORS = {
    "test": ("evidence", "plain", "lookup", "ngram"),
    "heldout": ("n2g", "evidence", "lookup"),
    "active": ("n2g",),
}

#: The texts that predictions are judged on: the test half of each neuron's top examples, text that was kept
#: out of everything, and once more the test half, for latents, where any activation above zero is a firing.
TEXTS = tuple(PREDICTORS)

#: What examples show: the top windows; activations from so large a share of the maximum on, up to the next;
#: and near misses, from four fifths of the fire threshold up to it.
BANDS = ("top", "0.75", "0.5", "0.25", "0.125", "near")


def column_kind(name: str) -> Kind | None:
    """Return what values a column takes; None if it is not a field."""
    field = FIELDS.get(name)
    return None if field is None else field.kind
