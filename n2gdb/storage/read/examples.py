"""Top examples of many neurons, and the data that evaluating them needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from n2gdb.storage.connection import Connection

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "deepest_context",
    "firing_neurons",
    "read_max_activations",
    "read_window_tokens",
    "strongest_examples",
    "training_windows",
]


def deepest_context(connection: Connection, model: int) -> int:
    """Return how far back the deepest stored pattern of a model reaches; 0 where none has context."""
    ((depth,),) = connection.rows(
        "MATCH (n:Neuron)-[c:CONTEXT]->(:Token) WHERE n.model = $model RETURN max(c.depth)", {"model": model}
    )
    return depth or 0


def read_max_activations(connection: Connection, model: int) -> pa.Table:
    """Return the max activation of every MLP neuron: ``layer``, ``unit``, which is its key, ``largest``."""
    return connection.table(
        "MATCH (n:Neuron) WHERE n.model = $model AND n.kind = 'mlp'"
        " RETURN n.layer AS layer, n.id AS unit, n.max_activation AS largest",
        {"model": model},
    )


def training_windows(connection: Connection, model: int) -> list[tuple[int, int, int]]:
    """Return layer, key and window of every example that an MLP neuron's graph was learned from."""
    rows = connection.rows(
        "MATCH (n:Neuron)-[x:TOP_EXAMPLE]->(w:Window) WHERE n.model = $model AND x.split = 'train'"
        " AND n.kind = 'mlp' RETURN n.layer, n.id, w.window",
        {"model": model},
    )
    return [(layer, key, window) for layer, key, window in rows]


def read_window_tokens(connection: Connection, model: int) -> dict[int, list[int]]:
    """Return the tokens of every stored window of a model."""
    return dict(
        connection.rows("MATCH (w:Window) WHERE w.model = $model RETURN w.window, w.tokens", {"model": model})
    )


def firing_neurons(connection: Connection, model: int) -> list[tuple[int, int]]:
    """Return layer and key of every MLP neuron of a model that fires, in order."""
    rows = connection.rows(
        "MATCH (n:Neuron)-[e:TOP_EXAMPLE]->(:Window)"
        " WHERE n.model = $model AND n.kind = 'mlp' AND n.max_activation > 0 AND e.rank = 0"
        " RETURN n.layer, n.id ORDER BY n.layer, n.id",
        {"model": model},
    )
    return [(layer, key) for layer, key in rows]


def strongest_examples(
    connection: Connection, keys: Sequence[int], most: int
) -> list[tuple[int, list[int], int, float, float]]:
    """Return the strongest examples of neurons of one layer, by neuron and rank.

    Each is the neuron's key, the window's tokens, the pivot, its activation, and the neuron's largest.
    """
    rows = connection.rows(
        "MATCH (n:Neuron)-[e:TOP_EXAMPLE]->(w:Window) WHERE n.id IN $keys AND e.rank < $most"
        " RETURN n.id, w.tokens, e.pivot, e.activation, n.max_activation ORDER BY n.id, e.rank",
        {"keys": list(keys), "most": most},
    )
    return [(key, tokens, pivot, activation, largest) for key, tokens, pivot, activation, largest in rows]
