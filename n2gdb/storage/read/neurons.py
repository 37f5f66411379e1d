"""Single neurons: their figures, graphs and top examples, read from the database."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from n2gdb.core.readings import Example
from n2gdb.storage.columns import BANDS
from n2gdb.storage.connection import Connection

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.core.arrays import FloatArray
    from n2gdb.core.graph import NeuronGraph

__all__ = [
    "count_neurons",
    "knows_heldout",
    "load_examples",
    "load_graph",
    "neuron_keys",
    "read_figures",
    "read_places",
]


def count_neurons(connection: Connection) -> int:
    """Count the neurons of all models."""
    ((count,),) = connection.rows("MATCH (n:Neuron) RETURN count(n.id)")
    return int(count)


def knows_heldout(rows: Callable[[str, dict[str, Any]], Sequence[object]]) -> bool:
    """Return whether the database knows how well neurons are predicted on held-out text."""
    return bool(rows("MATCH (n:Neuron) WHERE n.heldout_firings IS NOT NULL RETURN n.id LIMIT 1", {}))


def neuron_keys(connection: Connection, model: int, layer: int | None = None) -> list[int]:
    """Return the keys of a model's neurons, or of one layer's, in order."""
    kept = "" if layer is None else " AND n.layer = $layer"
    given = {"model": model} if layer is None else {"model": model, "layer": layer}
    rows = connection.rows(f"MATCH (n:Neuron) WHERE n.model = $model{kept} RETURN n.id ORDER BY n.id", given)
    return [key for (key,) in rows]


def read_places(connection: Connection) -> pa.Table:
    """Return where every unit of a database is: columns model, which is its number, and key."""
    return connection.table("MATCH (n:Neuron) RETURN n.model AS model, n.id AS key")


def read_figures(connection: Connection, key: int, names: Sequence[str]) -> tuple[Any, ...] | None:
    """Return the figures of the neuron with this key in the order of their column names; None without one."""
    fields = ", ".join(f"n.{name}" for name in names)
    rows = connection.rows(f"MATCH (n:Neuron) WHERE n.id = $key RETURN {fields}", {"key": key})
    return tuple(rows[0]) if rows else None


def load_graph(connection: Connection, key: int) -> NeuronGraph:
    """Rebuild the graph of the neuron with this key from its relationships."""
    import numpy as np  # 0.1 s: only where a graph is asked for

    from n2gdb.core.graph import NeuronGraph

    roots = connection.rows(
        "MATCH (n:Neuron)-[a:ACTIVATES_ON]->(t:Token) WHERE n.id = $key"
        " RETURN a.pre, t.token, a.`end`, a.support, a.confidence",
        {"key": key},
    )
    context = connection.rows(
        "MATCH (n:Neuron)-[c:CONTEXT]->(t:Token) WHERE n.id = $key"
        " RETURN c.pre, t.token, c.`end`, c.support, c.confidence, c.depth, c.parent, c.importance",
        {"key": key},
    )
    rows = sorted([*((*root, 0, -1, 1.0) for root in roots), *context])
    columns = zip(*rows, strict=True) if rows else ((),) * 8
    _, token, end, support, confidence, depth, parent, importance = columns
    counted = bool(rows) and support[0] is not None
    return NeuronGraph(
        np.array(token, np.int32),
        np.array(depth, np.int32),
        np.array(parent, np.int32),
        np.array(importance, np.float32),
        _reals(end),
        np.array(support, np.int64) if counted else None,
        _reals(confidence) if counted else None,
    )


def _reals(values: Sequence[float | None]) -> FloatArray:
    import numpy as np

    return np.array([float("nan") if value is None else value for value in values], np.float32)


def load_examples(connection: Connection, key: int) -> tuple[Example, ...]:
    """Read the top examples of the neuron with this key, strongest first."""
    return _examples(connection, key, "TOP_EXAMPLE", ("top",))


def load_range(connection: Connection, key: int) -> tuple[Example, ...]:
    """Read its examples of lesser strength, by falling band, and its near misses last."""
    return _examples(connection, key, "EXAMPLE", BANDS[1:])


def _examples(connection: Connection, key: int, relation: str, bands: Sequence[str]) -> tuple[Example, ...]:
    band = "e.band" if len(bands) > 1 else f"'{bands[0]}'"
    rows = connection.rows(
        f"MATCH (n:Neuron)-[e:{relation}]->(w:Window) WHERE n.id = $key"
        f" RETURN e.rank, w.tokens, e.pivot, e.activation, e.split, e.start, e.trace, {band} ORDER BY e.rank",
        {"key": key},
    )
    found = (
        Example(rank, tuple(tokens), pivot, activation, split, start, _float16(trace), band)
        for rank, tokens, pivot, activation, split, start, trace, band in rows
    )
    return tuple(sorted(found, key=lambda example: bands.index(example.band)))


def _float16(raw: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(raw) // 2}e", raw)
