"""Graphs as rows of a table of nodes, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from n2gdb.core.graph import NeuronGraph
from n2gdb.storage import schema

__all__ = ["graphs_from", "nodes_table"]


def nodes_table(graphs: Sequence[tuple[int, NeuronGraph]]) -> pa.Table:
    """Lay graphs out, each with its unit's number, as rows of ``schema.NODES``; an empty graph has none."""
    if not graphs:
        return schema.NODES.empty_table()
    sizes = [len(graph) for _, graph in graphs]
    end = np.concatenate([graph.end for _, graph in graphs])
    columns = [
        np.repeat(np.array([unit for unit, _ in graphs], np.int64), sizes),
        np.concatenate([np.arange(size, dtype=np.int32) for size in sizes]),
        np.concatenate([graph.token for _, graph in graphs]),
        np.concatenate([graph.depth for _, graph in graphs]),
        np.concatenate([graph.parent for _, graph in graphs]),
        np.concatenate([graph.importance for _, graph in graphs]),
        pa.array(end, pa.float32(), mask=np.isnan(end)),
        pa.chunked_array([_support(graph) for _, graph in graphs], pa.int64()),
        pa.chunked_array([_confidence(graph) for _, graph in graphs], pa.float32()),
    ]
    return pa.table(columns, schema=schema.NODES)


def _support(graph: NeuronGraph) -> pa.Array:
    return pa.nulls(len(graph), pa.int64()) if graph.support is None else pa.array(graph.support, pa.int64())


def _confidence(graph: NeuronGraph) -> pa.Array:
    if graph.confidence is None:
        return pa.nulls(len(graph), pa.float32())
    return pa.array(graph.confidence, pa.float32(), mask=np.isnan(graph.confidence))


def graphs_from(table: pa.Table) -> dict[int, NeuronGraph]:
    """Rebuild graphs by unit from rows of ``schema.NODES`` in any order; the inverse of ``nodes_table``."""
    rows = table.sort_by([("unit", "ascending"), ("pre", "ascending")])
    unit = rows["unit"].to_numpy()
    token, depth, parent, importance = (
        rows[key].to_numpy() for key in ("token", "depth", "parent", "importance")
    )
    end, confidence = (pc.fill_null(rows[key], float("nan")).to_numpy() for key in ("end", "confidence"))
    support, uncounted = pc.fill_null(rows["support"], -1).to_numpy(), rows["support"].is_null().to_numpy()
    first = np.flatnonzero(np.diff(unit, prepend=-1))
    stops = np.append(first, len(unit))[1:]
    return {
        int(unit[start]): NeuronGraph(
            token[start:stop],
            depth[start:stop],
            parent[start:stop],
            importance[start:stop],
            end[start:stop],
            None if uncounted[start] else support[start:stop],
            None if uncounted[start] else confidence[start:stop],
        )
        for start, stop in zip(first, stops, strict=True)
    }
