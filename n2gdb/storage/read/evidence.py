"""The evidence of units, read from the database: their weights, and the classes of tokens among these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from n2gdb.storage.connection import Connection

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.core.arrays import Int64Array
    from n2gdb.evidence.weights import UnitEvidence

__all__ = [
    "read_class_names",
    "read_evidence",
    "read_evidence_between",
    "read_model_evidence",
    "read_token_classes",
]

#: Relationships that weights are, and what numbers the node at their end.
_WEIGHTS = (("EVIDENCE", "token"), ("CLASS_EVIDENCE", "class"))
_OF_MODEL = "n.model = $model"
_BETWEEN = "n.id >= $first AND n.id <= $last"


def read_evidence(connection: Connection, key: int) -> UnitEvidence | None:
    """Return the evidence of the unit with this key; None where it has none.

    Read by rows: loading pyarrow takes longer than most that is asked of one unit.
    """
    figures = connection.rows(
        "MATCH (n:Neuron) WHERE n.id = $key AND n.base IS NOT NULL"
        " RETURN n.base, n.evidence_threshold, n.graph_weight",
        {"key": key},
    )
    if not figures:
        return None
    import numpy as np

    from n2gdb.evidence.weights import UnitEvidence

    weights = sorted(
        row
        for relation, number in _WEIGHTS
        for row in connection.rows(
            f"MATCH (n:Neuron)-[e:{relation}]->(t) WHERE n.id = $key RETURN e.depth, t.{number}, e.weight",
            {"key": key},
        )
    )
    ((base, threshold, graph),) = figures
    depth, token, weight = zip(*weights, strict=True) if weights else ((), (), ())
    return UnitEvidence(
        base,
        threshold,
        np.array(depth, np.int32),
        np.array(token, np.int32),
        np.array(weight, np.float32),
        graph or 0.0,
    )


def read_evidence_between(connection: Connection, first: int, last: int) -> dict[int, UnitEvidence]:
    """Return the evidence of the units whose keys lie between two, both included; without those of none."""
    return _read(connection, _BETWEEN, {"first": first, "last": last})


def read_model_evidence(
    connection: Connection, model: int, layer: int | None = None
) -> dict[int, UnitEvidence]:
    """Return the evidence of every unit of a model, or of one layer, by Neuron.id; without those of none."""
    if layer is None:
        return _read(connection, _OF_MODEL, {"model": model})
    return _read(connection, f"{_OF_MODEL} AND n.layer = $layer", {"model": model, "layer": layer})


def read_token_classes(connection: Connection, model: int) -> Int64Array | None:
    """Return the classes of every token of a model, (kinds, tokens); None where evidence has none.

    They are what ``UnitEvidence.log_odds`` takes beside a text.
    """
    import numpy as np

    rows = connection.rows(
        "MATCH (c:TokenClass) WHERE c.model = $model RETURN c.kind, c.class, c.tokens ORDER BY c.class",
        {"model": model},
    )
    if not rows:
        return None
    kinds = list(dict.fromkeys(kind for kind, _, _ in rows))
    size = 1 + max((token for _, _, tokens in rows for token in tokens), default=-1)
    found = np.full((len(kinds), size), -1, np.int64)
    for kind, number, tokens in rows:
        found[kinds.index(kind), tokens] = number
    return found


def read_class_names(connection: Connection, model: int) -> dict[int, str]:
    """Return the name of every class of tokens of a model, by its number."""
    rows = connection.rows(
        "MATCH (c:TokenClass) WHERE c.model = $model RETURN c.class, c.name", {"model": model}
    )
    return dict(rows)


def _read(connection: Connection, where: str, given: dict[str, int]) -> dict[int, UnitEvidence]:
    import numpy as np
    import pyarrow as pa

    from n2gdb.evidence.weights import UnitEvidence

    figures = connection.rows(
        f"MATCH (n:Neuron) WHERE {where} AND n.base IS NOT NULL"
        " RETURN n.id, n.base, n.evidence_threshold, n.graph_weight ORDER BY n.id",
        given,
    )
    if not figures:
        return {}
    tables = [
        connection.table(
            f"MATCH (n:Neuron)-[e:{relation}]->(t:{node}) WHERE {where}"
            f" RETURN n.id AS unit, t.{number} AS token, e.depth AS depth, e.weight AS weight",
            given,
        )
        for relation, node, number in (
            ("EVIDENCE", "Token", "token"),
            ("CLASS_EVIDENCE", "TokenClass", "class"),
        )
    ]
    unit, token, depth = (_numbers(tables, name, pa.int64()) for name in ("unit", "token", "depth"))
    weight = _numbers(tables, "weight", pa.float32())
    order = np.lexsort((token, depth, unit))
    keys = np.array([key for key, *_ in figures], np.int64)
    starts = np.searchsorted(unit[order], keys)
    stops = np.searchsorted(unit[order], keys, side="right")
    found = {}
    for (key, base, threshold, graph), start, stop in zip(figures, starts, stops, strict=True):
        own = order[start:stop]
        found[key] = UnitEvidence(
            base,
            threshold,
            depth[own].astype(np.int32),
            token[own].astype(np.int32),
            weight[own],
            graph or 0.0,
        )
    return found


def _numbers(tables: Sequence[pa.Table], name: str, kind: pa.DataType) -> Any:
    import numpy as np

    return np.concatenate([table[name].cast(kind).to_numpy() for table in tables])
