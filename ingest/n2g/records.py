"""Records: the rows that a block of finished neurons leaves in its shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import SIDES
from n2gdb.ingest.n2g.judge import Verdict
from n2gdb.ingest.n2g.learn import Block
from n2gdb.ingest.n2g.learn import is_dead as dead_units
from n2gdb.ingest.sources.places import UnitPlaceOf
from n2gdb.storage import schema

__all__ = ["TRACE_AFTER", "TRACE_BEFORE", "examples_table", "figures", "neuron_rows", "scores_table"]

#: Positions before and after the pivot that an example's trace keeps.
TRACE_BEFORE, TRACE_AFTER = 31, 16


def neuron_rows(
    block: Block,
    units: UnitPlaceOf,
    graphs: Sequence[NeuronGraph],
    verdicts: Sequence[Verdict],
    density: FloatArray,
    dense: BoolArray,
) -> list[dict[str, object]]:
    """What a block's graphs say of its units: parts of rows of ``schema.NEURONS``.

    density (unit,); dense (unit,) whether so large that no graph was learned.
    """
    named = _named(block, units)
    return [
        {
            **named[place],
            "source": units.name,
            "kind": units.kind,
            "side": SIDES[int(units.side(block.neuron[place : place + 1])[0])],
            "density": float(density[place]),
            "state": "dense" if dense[place] else _state(graph, verdict, is_dead),
            "max_activation": largest,
            **figures(verdict),
            "true_firings": verdict.true_firings,
            "predicted_firings": verdict.predicted_firings,
            "n_patterns": graph.n_patterns,
            "n_nodes": len(graph),
            "n_activating": len(np.unique(graph.token[graph.depth == 0])),
            "n_context": len(np.unique(graph.token[graph.depth > 0])),
        }
        for place, (largest, graph, verdict, is_dead) in enumerate(
            zip(
                block.max_activation.tolist(),
                graphs,
                verdicts,
                dead_units(block.max_activation).tolist(),
                strict=True,
            )
        )
    ]


def scores_table(
    block: Block,
    units: UnitPlaceOf,
    predictor: str,
    verdicts: Sequence[Verdict],
    nodes: Sequence[int | None],
    text: str = "test",
) -> pa.Table:
    """How a predictor of a block's units was judged on a text: ``schema.SCORES``."""
    rows = [
        {
            **name,
            "text": text,
            "predictor": predictor,
            **figures(verdict),
            "true_firings": verdict.true_firings,
            "predicted_firings": verdict.predicted_firings,
            "n_nodes": n_nodes,
        }
        for name, verdict, n_nodes in zip(_named(block, units), verdicts, nodes, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema.SCORES)


def _named(block: Block, units: UnitPlaceOf) -> list[dict[str, object]]:
    """Number, layer and index of every unit of a block."""
    keys, index = units.keys(block.neuron).tolist(), units.index(block.neuron).tolist()
    return [
        {"unit": key, "layer": units.layer, "index": number} for key, number in zip(keys, index, strict=True)
    ]


def figures(verdict: Verdict) -> dict[str, float | None]:
    """Precision, recall and F1 of a verdict, None where there is no firing to judge by."""
    judged = verdict.true_firings > 0
    return {
        "precision": verdict.precision if judged else None,
        "recall": verdict.recall if judged else None,
        "f1": verdict.f1 if judged else None,
    }


def _state(graph: NeuronGraph, verdict: Verdict, is_dead: bool) -> str:
    if is_dead:
        return "dead"
    return "live" if verdict.predicted_firings else "unpredicted"


def examples_table(block: Block, keys: Int64Array, window: Int64Array, train: BoolArray) -> pa.Table:
    """A block's top examples, each with the activations around its pivot: ``schema.EXAMPLES``.

    keys (neuron,) number the units, window (neuron, example) holds the windows' numbers in the corpus.
    """
    return pa.Table.from_pylist(list(_examples(block, keys, window, train)), schema.EXAMPLES)


def _examples(
    block: Block, keys: Int64Array, window: Int64Array, train: BoolArray
) -> Iterator[dict[str, object]]:
    for row, place in zip(*np.nonzero(block.exists), strict=True):
        pivot = int(block.pivot[row, place])
        start = max(0, pivot - TRACE_BEFORE)
        trace = block.trace[row, place, start : pivot + TRACE_AFTER + 1]
        scale = block.max_activation[row] if block.max_activation[row] > 0 else 1.0
        normalised = np.where(np.isfinite(trace), trace, 0) / scale
        yield {
            "unit": int(keys[row]),
            "band": "top",
            "rank": int(place),
            "window": int(window[row, place]),
            "pivot": pivot,
            "activation": float(block.trace[row, place, pivot]),
            "split": "train" if train[row, place] else "test",
            "start": start,
            "trace": normalised.astype("<f2").tobytes(),
        }
