"""Runs texts over columns: the units that fire, and the nodes of their graphs that may match."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from n2gdb.core.arrays import Int64Array, IntArray
from n2gdb.core.reals import as_decimal
from n2gdb.core.units import token_key
from n2gdb.prediction.firing import FiringNodes, Predictor, fired_nodes, firing_statements
from n2gdb.query.columnar.columns import Columns
from n2gdb.query.columnar.search import Loose
from n2gdb.query.columnar.tries import Table

__all__ = ["Fired", "fired_on"]

#: Where units fire on a text: by graphs, the rows where patterns end, one a position; and without a pattern.
Fired = tuple[IntArray, Loose]


def fired_on(
    read: Table,
    columns: Columns,
    tokens: Sequence[int],
    model: int,
    *,
    threshold: float,
    positions: Sequence[int] | None,
    by: Predictor,
) -> Fired:
    """Return which units of a model fire on a text, and where: see ``prediction.firing.read_firings``."""
    nodes, rows = (_read if columns.is_outlined else _chosen)(read, columns, tokens, model, positions)
    node, position, by_evidence = fired_nodes(
        read,
        nodes,
        tokens,
        model,
        threshold=threshold,
        positions=positions,
        by=by if columns.units.weighed.any() else "graph",  # which asks the engine for no weights
    )
    order = np.lexsort((position, nodes.neuron[node]))
    by_evidence.sort(key=lambda each: (each.unit, each.position))
    loose = Loose(
        columns.units.places([each.unit for each in by_evidence]),
        np.array([as_decimal(each.activation) for each in by_evidence], np.float64),
        tuple(each.steps for each in by_evidence),
    )
    return rows[node[order]].astype(np.int32), loose


def _read(
    read: Table, columns: Columns, tokens: Sequence[int], model: int, positions: Sequence[int] | None
) -> tuple[FiringNodes, Int64Array]:
    """Read the nodes that may match, and return their rows."""
    nodes = FiringNodes.of([read(*each) for each in firing_statements(tokens, model, positions)])
    return nodes, columns.tries.first[columns.units.places(nodes.neuron)] + nodes.pre


def _chosen(
    read: Table, columns: Columns, tokens: Sequence[int], model: int, positions: Sequence[int] | None
) -> tuple[FiringNodes, Int64Array]:
    """Return the same of columns that are all in memory."""
    tries, weighed = columns.tries, columns.units.weighed
    ids = [token_key(model, 0) | int(token) for token in tokens]
    places = range(len(ids)) if positions is None else positions
    named = tries.vocabulary_rows(sorted(set(ids)))
    activating = np.zeros(len(tries.vocabulary), np.bool_)
    activating[tries.vocabulary_rows(sorted({ids[place] for place in places}))] = True
    found = tries.rows_of(named)
    found = found[activating[tries.token[tries.root[found]]]]
    rows = found[tries.depth[found] <= max(places, default=0)].astype(np.int64)
    key = tries.vocabulary["id"].to_numpy()
    above = np.where(tries.is_root[rows], rows, tries.parent[rows])
    place = np.searchsorted(rows, above).clip(max=max(len(rows) - 1, 0))
    owner = tries.owner[rows]
    nodes = FiringNodes(
        columns.units.ids[owner],
        rows - tries.first[owner],
        np.where(rows[place] == above, place, -1) if len(rows) else place,
        key[tries.token[tries.root[rows]]],
        key[tries.token[rows]],
        tries.depth[rows].astype(np.int64),
        tries.end[rows],
        tries.least[rows],
        tries.support[rows],
        tries.confidence[rows],
        columns.units.ids[weighed],
    )
    return nodes, rows
