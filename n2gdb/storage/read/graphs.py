"""The graphs of many units, read at once: of a layer, or of any that are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from n2gdb.core.graph import NeuronGraph
from n2gdb.storage.connection import Connection
from n2gdb.storage.graph_rows import graphs_from

__all__ = ["read_graphs", "read_layer_graphs"]

_COLUMNS = ("unit", "pre", "token", "depth", "parent", "importance", "end", "support", "confidence")

_ROOTS = (
    "MATCH (n:Neuron)-[a:ACTIVATES_ON]->(t:Token) WHERE {which}"
    " RETURN n.id AS unit, a.pre AS pre, t.token AS token, 0 AS depth, -1 AS parent,"
    " 1.0 AS importance, a.`end` AS `end`, a.support AS support, a.confidence AS confidence"
)
_CONTEXT = (
    "MATCH (n:Neuron)-[c:CONTEXT]->(t:Token) WHERE {which}"
    " RETURN n.id AS unit, c.pre AS pre, t.token AS token, c.depth AS depth,"
    " c.parent AS parent, c.importance AS importance, c.`end` AS `end`, c.support AS support,"
    " c.confidence AS confidence"
)
_TYPES = {
    "pre": pa.int32(),
    "token": pa.int32(),
    "depth": pa.int32(),
    "parent": pa.int32(),
    "importance": pa.float32(),
    "end": pa.float32(),
    "confidence": pa.float32(),
}


def read_layer_graphs(connection: Connection, model: int, layer: int) -> dict[int, NeuronGraph]:
    """Return the graphs of a layer's units that have one, by Neuron.id; ``model`` is its model's number."""
    given = {"model": model, "layer": layer}
    return _read(connection, "n.model = $model AND n.layer = $layer", given)


def read_graphs(connection: Connection, keys: Iterable[int]) -> dict[int, NeuronGraph]:
    """Return the graphs of the units with these Neuron.ids that have one, by it."""
    return _read(connection, "n.id IN $keys", {"keys": list(keys)})


def _read(connection: Connection, which: str, given: Mapping[str, object]) -> dict[int, NeuronGraph]:
    parts = [_typed(connection.table(cypher.format(which=which), given)) for cypher in (_ROOTS, _CONTEXT)]
    return graphs_from(pa.concat_tables(parts))


def _typed(table: pa.Table) -> pa.Table:
    columns = {name: pc.cast(table[name], _TYPES.get(name, pa.int64())) for name in _COLUMNS}
    return pa.table(columns)
