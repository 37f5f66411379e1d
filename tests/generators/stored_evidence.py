"""The evidence that lies in a run's shards, as the oracle takes it."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa

from n2gdb.storage.shards import RunFolder
from tests.oracle.world import Classes, Evidence

__all__ = ["classes_of", "evidence_of"]


def classes_of(table: pa.Table) -> Classes:
    """Return the class of every token, of each kind in the order in which classes are numbered."""
    kinds: dict[str, dict[int, int]] = {}
    for row in table.sort_by("class").to_pylist():
        kinds.setdefault(row["kind"], {}).update(dict.fromkeys(row["tokens"], row["class"]))
    return tuple(kinds.values())


def evidence_of(run: RunFolder) -> dict[int, Evidence]:
    """Return the evidence of each unit that has any, by its number."""
    weights: dict[int, dict[tuple[int, int], float]] = defaultdict(dict)
    for row in run.evidence().to_pylist():
        weights[row["unit"]][row["depth"], row["token"]] = row["weight"]
    return {
        row["unit"]: Evidence(
            row["base"], row["evidence_threshold"], weights[row["unit"]], row["graph_weight"]
        )
        for row in run.neurons().to_pylist()
        if row["evidence_threshold"] is not None
    }
