"""Rows of a shard for the measurements of a work unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array, KeyArray, position_hash
from n2gdb.evidence.weights import UnitEvidence
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.n2g.judge import Verdict
from n2gdb.ingest.n2g.learn import Block
from n2gdb.ingest.n2g.records import TRACE_AFTER, TRACE_BEFORE, figures, neuron_rows, scores_table
from n2gdb.ingest.scan.record import ActivationRecord
from n2gdb.ingest.sources.places import UnitPlaceOf
from n2gdb.ingest.workers.measure import Findings
from n2gdb.storage import schema

__all__ = ["evidence_table", "measured_scores", "neurons_table", "range_table", "records_table"]

#: Examples of each band but the top ones.
_EACH = 2

#: A near miss reaches so large a share of the fire threshold.
_NEAR = 0.8


def neurons_table(
    block: Block,
    units: UnitPlaceOf,
    verdicts: Sequence[Verdict],
    measured: Findings,
    density: FloatArray,
    dense: BoolArray,
) -> pa.Table:
    """Every statistic of a block's units: ``schema.NEURONS``.

    density (unit,); dense (unit,) whether so large that no graph was learned.
    """
    rows = neuron_rows(block, units, measured.graphs, verdicts, density, dense)
    for place, (row, evidence) in enumerate(zip(rows, measured.evidence, strict=True)):
        if evidence is not None:
            row |= {
                "base": evidence.base,
                "evidence_threshold": evidence.threshold,
                "graph_weight": evidence.graph,
            }
        if measured.heldout:
            verdict = measured.heldout.get("evidence", measured.heldout["n2g"])[place]
            own = figures(verdict)
            row |= {f"heldout_{name}": own[name] for name in ("precision", "recall", "f1")}
            row["heldout_firings"] = verdict.true_firings
    return pa.Table.from_pylist(rows, schema.NEURONS)


def measured_scores(block: Block, units: UnitPlaceOf, measured: Findings) -> pa.Table:
    """How evidence does on test examples, and every predictor on held-out text: ``schema.SCORES``."""
    by_text = {("test", "evidence"): measured.by_evidence} if measured.by_evidence else {}
    by_text |= {("heldout", name): verdicts for name, verdicts in measured.heldout.items()}
    tables = [schema.SCORES.empty_table()]
    for (text, name), verdicts in by_text.items():
        nodes = [len(graph) if name == "n2g" else None for graph in measured.graphs]
        tables.append(scores_table(block, units, name, verdicts, nodes, text))
    return pa.concat_tables(tables)


def evidence_table(keys: Int64Array, evidence: Sequence[UnitEvidence | None]) -> pa.Table:
    """The weights of every unit that has any: ``schema.EVIDENCE``; keys (unit,)."""
    there = [(key, each) for key, each in zip(keys.tolist(), evidence, strict=True) if each is not None]
    if not there:
        return schema.EVIDENCE.empty_table()
    columns = [
        np.repeat(np.array([key for key, _ in there], np.int64), [len(each) for _, each in there]),
        np.concatenate([each.token for _, each in there]),
        np.concatenate([each.depth for _, each in there]),
        np.concatenate([each.weight for _, each in there]),
    ]
    return pa.table(list(map(pa.array, columns)), schema=schema.EVIDENCE)


def records_table(keys: Int64Array, record: ActivationRecord, threshold: float) -> pa.Table:
    """How the activations of every unit are spread, and where it fires: ``schema.RECORDS``; keys (unit,).

    A unit fires from so large a share of its maximum on as ``threshold``.
    """
    columns = [
        keys,
        np.full(len(keys), record.n_positions, np.int64),
        record.active,
        record.maximum,
        list(record.count),
        [_firings(record, unit, threshold) for unit in range(len(keys))],
    ]
    return pa.table([pa.array(column) for column in columns], schema=schema.RECORDS)


def _firings(record: ActivationRecord, unit: int, threshold: float) -> Int64Array:
    """Return the positions with the smallest hashes on which a unit fires; the record has them all."""
    own = record.of(unit)
    fires = record.activation[own] >= np.float32(threshold) * record.maximum[unit]
    position = record.position[own][fires]
    least: Int64Array = position[np.argsort(position_hash(position), kind="stable")][: schema.MOST_FIRINGS]
    return least


def range_table(record: ActivationRecord, keys: Int64Array, width: int, config: N2GConfig) -> pa.Table:
    """A few examples of every strength below the top: ``schema.EXAMPLES``; windows of ``width`` tokens.

    They lie in the windows with the smallest hashes, so that units share them. Their traces hold what was
    recorded: activations that are weaker than all of these, or were not drawn, are 0.
    """
    rows = [
        row for place, key in enumerate(keys.tolist()) for row in _examples(record, place, key, width, config)
    ]
    return pa.Table.from_pylist(rows, schema.EXAMPLES)


def _examples(
    record: ActivationRecord, place: int, key: int, width: int, config: N2GConfig
) -> Iterator[dict[str, object]]:
    own = record.of(place)
    position, activation = record.position[own], record.activation[own]
    if not len(position):
        return
    share = activation / record.maximum[place]
    lot = position_hash(~(position // width))
    for band, (low, high) in _bands(config.fire_threshold).items():
        inside = np.flatnonzero((share >= low) & (share < high))
        chosen = inside[_least_windows(lot[inside])]
        for rank, at in enumerate(chosen[np.argsort(-activation[chosen], kind="stable")].tolist()):
            window, pivot = divmod(int(position[at]), width)
            start = max(0, pivot - TRACE_BEFORE)
            trace = np.zeros(min(width, pivot + TRACE_AFTER + 1) - start, np.float32)
            where = position - window * width - start
            shown = (where >= 0) & (where < len(trace))
            trace[where[shown]] = share[shown]
            yield {
                "unit": key,
                "band": band,
                "rank": rank,
                "window": window,
                "pivot": pivot,
                "activation": float(activation[at]),
                "split": "",
                "start": start,
                "trace": trace.astype("<f2").tobytes(),
            }


def _bands(threshold: float) -> dict[str, tuple[float, float]]:
    """From and up to which share of the maximum each band of examples reaches."""
    lower = [band for band in schema.BANDS if band not in ("top", "near")]
    edges = [1.0, *map(float, lower)]
    bands = {band: (edges[at + 1], edges[at]) for at, band in enumerate(lower)}
    return {**bands, "near": (_NEAR * threshold, threshold)}


def _least_windows(lot: KeyArray) -> Int64Array:
    """Which entries lie in the windows with the smallest lots, one of each: their places."""
    known, first = np.unique(lot, return_index=True)
    return first[: min(_EACH, len(known))].astype(np.int64)
