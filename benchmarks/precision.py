"""What lower matrix-product precision changes in the graphs, and how much time it saves.

    python -m benchmarks.precision bfloat16 [--model demo] [--device auto] [--neurons 32] [--tokens 100000]

The whole ingest is run twice, in float32 and as asked: scan, N2G, refinement. A pattern is the same where
its tokens stand at the same distances.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import typer

from n2gdb.core.graph import NeuronGraph
from n2gdb.core.progress import silent
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import default_corpus, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.shards import RunFolder


def main(
    precision: str, model: str = "demo", device: str = "auto", neurons: int = 32, tokens: int = 100_000
) -> None:
    config = N2GConfig(tokens=tokens or None)
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        for each in ("float32", precision):
            subject = load_model(model, device, each)
            start = time.perf_counter()
            runs[each] = ingest(
                subject,
                Source(default_corpus(model)),
                Path(folder) / f"{each}.n2gdb",
                replace(config, precision=each),
                Selection(neurons=tuple(range(neurons)) if neurons else None),
                silent,
            )
            print(f"{each:<10} {time.perf_counter() - start:8.1f} s   F1 by layer: {f1_by_layer(runs[each])}")
        before, after = (graphs_from(run.nodes()) for run in runs.values())
    names = sorted(before.keys() | after.keys())
    pairs = [(patterns_of(before, name), patterns_of(after, name)) for name in names]
    kept = sum(len(one & other) for one, other in pairs)
    print(
        f"{np.mean([one == other for one, other in pairs]):.1%} of {len(pairs)} graphs are the same;"
        f" of {sum(len(one) for one, _ in pairs):,} patterns {kept:,} are there in both,"
        f" {sum(len(other) for _, other in pairs) - kept:,} are new"
    )


def patterns_of(graphs: dict[int, NeuronGraph], name: int) -> set[tuple[tuple[int, int], ...]]:
    """The patterns of a neuron, as distances and tokens; none where it has no graph."""
    graph = graphs.get(name, NeuronGraph.empty())
    return {tuple((step.depth, step.token) for step in pattern.steps) for pattern in graph.patterns()}


def f1_by_layer(run: RunFolder) -> str:
    """Mean F1 of each layer's neurons that fire in their test examples."""
    table = run.neurons()
    layer, f1 = table["layer"].to_numpy(), table["f1"].to_numpy(zero_copy_only=False).astype(float)
    return " ".join(f"{np.nanmean(f1[layer == each]):.3f}" for each in np.unique(layer))


if __name__ == "__main__":
    typer.run(main)
