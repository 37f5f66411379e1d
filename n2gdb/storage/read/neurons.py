"""One neuron's graph and top examples, read from the database."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from n2gdb.core.readings import Example
from n2gdb.storage.connection import Connection

if TYPE_CHECKING:
    from n2gdb.core.graph import NeuronGraph

__all__ = ["load_examples", "load_graph"]


def load_graph(connection: Connection, key: int) -> NeuronGraph:
    """Rebuild the graph of the neuron with this key from its relationships."""
    import numpy as np  # 0.1 s: only where a graph is asked for

    from n2gdb.core.graph import NeuronGraph

    roots = connection.rows(
        "MATCH (n:Neuron)-[a:ACTIVATES_ON]->(t:Token) WHERE n.id = $key RETURN a.pre, t.token, a.`end`",
        {"key": key},
    )
    context = connection.rows(
        "MATCH (n:Neuron)-[c:CONTEXT]->(t:Token) WHERE n.id = $key"
        " RETURN c.pre, t.token, c.`end`, c.depth, c.parent, c.importance",
        {"key": key},
    )
    rows = sorted([*((*root, 0, -1, 1.0) for root in roots), *context])
    _, token, end, depth, parent, importance = zip(*rows, strict=True) if rows else ((),) * 6
    return NeuronGraph(
        np.array(token, np.int32),
        np.array(depth, np.int32),
        np.array(parent, np.int32),
        np.array(importance, np.float32),
        np.array([float("nan") if mark is None else mark for mark in end], np.float32),
    )


def load_examples(connection: Connection, key: int) -> tuple[Example, ...]:
    """Read the top examples of the neuron with this key, strongest first."""
    rows = connection.rows(
        "MATCH (n:Neuron)-[e:TOP_EXAMPLE]->(w:Window) WHERE n.id = $key"
        " RETURN e.rank, w.tokens, e.pivot, e.activation, e.split, e.start, e.trace ORDER BY e.rank",
        {"key": key},
    )
    return tuple(
        Example(rank, tuple(tokens), pivot, activation, split, start, _float16(trace))
        for rank, tokens, pivot, activation, split, start, trace in rows
    )


def _float16(raw: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(raw) // 2}e", raw)
