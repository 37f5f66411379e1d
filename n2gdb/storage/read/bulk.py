"""Bulk reads of whole models: figures, nodes as columns, graphs in blocks, a token matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import Float64Array, Int64Array
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName
from n2gdb.errors import MissingDependencyError
from n2gdb.storage.connection import Connection
from n2gdb.storage.read.catalog import ModelInfo
from n2gdb.storage.read.export import graphs_between
from n2gdb.storage.read.names import neuron_of
from n2gdb.storage.read.neurons import neuron_keys

__all__ = ["Role", "TokenMatrix", "read_graphs", "read_neurons", "read_node_table", "read_token_matrix"]

Role = Literal["activating", "context"]

_RELATIONS = {"activating": "ACTIVATES_ON", "context": "CONTEXT"}
_TOGETHER = 2048  # neurons of a block

_WITHIN = "n.model = $model AND n.id >= $first AND n.id <= $last"

#: What the nodes of a role do not store: an activating token is a root.
_IN_TRIE = {
    "activating": "0 AS depth, -1 AS parent, 1.0 AS importance",
    "context": "x.depth AS depth, x.parent AS parent, x.importance AS importance",
}

#: The columns of a table of nodes.
_NODE_TYPES = {
    "neuron": pa.string(),
    "layer": pa.int64(),
    "index": pa.int64(),
    "role": pa.string(),
    "pre": pa.int64(),
    "parent": pa.int64(),
    "depth": pa.int64(),
    "token": pa.int64(),
    "text": pa.string(),
    "importance": pa.float64(),
    "activation": pa.float64(),
    "end": pa.float64(),
}
_STORED = tuple(name for name in _NODE_TYPES if name not in ("neuron", "text"))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TokenMatrix:
    """Units by tokens, sparse, row by row: which tokens each unit has in a role, and how strongly.

    A row is a unit of ``neurons``, a column a token id, whose text ``texts`` has. A value is the largest
    activation of the unit's patterns that have the token in the role; a token without an entry has none.

    data     (entries,)   float64  normalised activation
    indices  (entries,)   int64    token id, rising within a row
    indptr   (units + 1,) int64    where the entries of each row begin

    >>> matrix = db.token_matrix("activating", layer=4)
    >>> matrix.shape[0], [matrix.texts[token] for token in matrix.indices[: matrix.indptr[1]]]
    (3, [' other', ' end'])
    """

    role: Role
    neurons: tuple[NeuronName, ...]
    texts: tuple[str, ...]
    data: Float64Array
    indices: Int64Array
    indptr: Int64Array

    @property
    def shape(self) -> tuple[int, int]:
        """The number of units, and of tokens.

        >>> db.token_matrix().shape
        (7, 4096)
        """
        return len(self.neurons), len(self.texts)

    def to_scipy(self) -> Any:
        """Return the matrix as a ``scipy.sparse.csr_array``.

        Raises MissingDependencyError if scipy is not installed.

        >>> db.token_matrix().to_scipy().nnz
        7
        """
        try:
            sparse = import_module("scipy.sparse")
        except ImportError as error:
            raise MissingDependencyError(
                "scipy is not installed: run pip install 'n2gdb[scipy]', or use data, indices and indptr"
            ) from error
        return sparse.csr_array((self.data, self.indices, self.indptr), shape=self.shape)

    def __repr__(self) -> str:
        units, tokens = self.shape
        return f"<TokenMatrix {self.role}: {units:,} units, {tokens:,} tokens, {len(self.data):,} entries>"


def read_neurons(
    connection: Connection, model: ModelInfo, layer: int | None, figures: Sequence[str]
) -> Iterator[tuple[int, NeuronName, dict[str, Any]]]:
    """Yield key, name and figures of a model's neurons, or of one layer's, in order; read in blocks."""
    columns = ", ".join(f"n.`{name}` AS `{name}`" for name in ("id", *figures))
    for block in _blocks(connection, model.number, layer):
        table = connection.table(
            f"MATCH (n:Neuron) WHERE {_WITHIN} RETURN {columns} ORDER BY n.id", _ends(model.number, block)
        )
        for key, *values in zip(*(each.to_pylist() for each in table.columns), strict=True):
            yield key, neuron_of([model], key)[1], dict(zip(figures, values, strict=True))


def read_graphs(connection: Connection, model: int, layer: int | None) -> Iterator[tuple[int, NeuronGraph]]:
    """Yield key and graph of a model's neurons, or of one layer's, in order; read in blocks."""
    for block in _blocks(connection, model, layer):
        graphs = graphs_between(connection, {"first": block[0], "last": block[-1]})
        for key in block:
            yield key, graphs[key] if key in graphs else NeuronGraph.empty()


def read_node_table(connection: Connection, model: ModelInfo, layer: int | None) -> pa.Table:
    """Return every node of a model's graphs, or of one layer's, as ``Database.nodes`` describes it."""
    keys = neuron_keys(connection, model.number, layer)
    parts = [_nodes(connection, model.number, keys, role) for role in _RELATIONS] if keys else []
    if not parts:
        return pa.schema(list(_NODE_TYPES.items())).empty_table()
    nodes = pa.concat_tables(parts).sort_by([("id", "ascending"), ("pre", "ascending")])
    texts = pa.array(_texts(connection, model.number), pa.string())
    columns = {name: nodes[name] for name in _STORED} | {
        "neuron": _names(model, nodes["id"].to_numpy(), keys),
        "text": texts.take(nodes["token"].combine_chunks()),
    }
    return pa.table({name: columns[name] for name in _NODE_TYPES})


def read_token_matrix(connection: Connection, model: ModelInfo, layer: int | None, role: Role) -> TokenMatrix:
    """Return the tokens that each neuron of a model, or of one layer, has in a role."""
    keys = neuron_keys(connection, model.number, layer)
    texts = _texts(connection, model.number)
    names = tuple(neuron_of([model], key)[1] for key in keys)
    if not keys:
        nothing = np.zeros(0, np.int64)
        return TokenMatrix(role, names, texts, np.zeros(0), nothing, np.zeros(1, np.int64))
    nodes = _nodes(connection, model.number, keys, role)
    row = np.searchsorted(np.array(keys), nodes["id"].to_numpy())
    token, activation = nodes["token"].to_numpy(), nodes["activation"].to_numpy()
    place, entry = np.unique(row * len(texts) + token, return_inverse=True)
    data = np.zeros(len(place))
    np.maximum.at(data, entry, activation)
    indptr = np.searchsorted(place, np.arange(len(keys) + 1) * len(texts))
    return TokenMatrix(role, names, texts, data, place % len(texts), indptr)


def _nodes(connection: Connection, model: int, keys: Sequence[int], role: str) -> pa.Table:
    """Return the nodes of a role as the columns ``id`` and ``_STORED``."""
    table = connection.table(
        f"MATCH (n:Neuron)-[x:{_RELATIONS[role]}]->(t:Token) WHERE {_WITHIN} RETURN n.id AS id,"
        f" n.layer AS layer, n.`index` AS `index`, '{role}' AS role, x.pre AS pre, t.token AS token,"
        f" x.activation AS activation, x.`end` AS `end`, {_IN_TRIE[role]}",
        _ends(model, keys),
    )
    types = {"id": pa.int64(), **_NODE_TYPES}
    return pa.table({name: table[name].cast(types[name]) for name in ("id", *_STORED)})


def _names(model: ModelInfo, keys: Int64Array, there: Sequence[int]) -> pa.Array:
    """Return the name of each of ``keys``, which are among the rising ones ``there``."""
    names = pa.array([str(neuron_of([model], key)[1]) for key in there], pa.string())
    return names.take(pa.array(np.searchsorted(np.array(there), keys)))


def _texts(connection: Connection, model: int) -> tuple[str, ...]:
    """Return the text of every token id of a model."""
    rows = connection.rows("MATCH (t:Token) WHERE t.model = $model RETURN t.token, t.text", {"model": model})
    texts = [""] * (1 + max((token for token, _ in rows), default=-1))
    for token, text in rows:
        texts[token] = text
    return tuple(texts)


def _blocks(connection: Connection, model: int, layer: int | None) -> Iterator[list[int]]:
    keys = neuron_keys(connection, model, layer)
    return (keys[start : start + _TOGETHER] for start in range(0, len(keys), _TOGETHER))


def _ends(model: int, keys: Sequence[int]) -> dict[str, int]:
    return {"model": model, "first": keys[0], "last": keys[-1]}
