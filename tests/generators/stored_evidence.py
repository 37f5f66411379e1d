"""The evidence that lies in a run's shards, as the oracle takes it."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa

from n2gdb.storage.shards import RunFolder
from tests.oracle.world import Classes, Evidence

__all__ = ["classes_of", "evidence_of", "firings_of"]


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


def firings_of(run: RunFolder, threshold: float) -> dict[int, tuple[int, ...]]:
    """Return where the units of a run fire: recorded positions, else those of examples, windows included."""
    records = {row["unit"]: row["firings"] for row in run.records().to_pylist()}
    if any(firings is not None for firings in records.values()):
        return {unit: tuple(firings) for unit, firings in records.items()}
    found: dict[int, set[int]] = {}
    for row in run.examples().to_pylist():
        trace = np.frombuffer(row["trace"], np.float16)
        fires = np.flatnonzero((trace >= threshold) & (trace > 0)) + row["start"]
        found.setdefault(row["unit"], set()).update((row["window"] * 2**24 + fires).tolist())
    return {unit: tuple(sorted(firings)) for unit, firings in found.items()}
