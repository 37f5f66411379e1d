"""N2G's forward passes beside bare ones over the same batches, and where the rest of the time goes.

    python -m benchmarks.throughput [--neurons-per-layer 64] [--tokens 200000]

Every batch that N2G runs is recorded; afterwards the same batches are run bare, as the loader gives the
model: no sharing, no gathering, no copying back. The ratio is the bare time over N2G's time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import typer

from n2gdb.ingest.augment import load_helpers
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus import Windows, read_documents
from n2gdb.ingest.engine import Engine
from n2gdb.ingest.models import SubjectModel, default_corpus, load_model
from n2gdb.ingest.n2g import Block, learn, split_examples, verdict_of
from n2gdb.ingest.scan import Scan


@dataclass
class Recorder:
    """A model that remembers what it was asked to run."""

    model: SubjectModel
    batches: list[tuple[torch.Tensor, int]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def activations(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        self.batches.append((tokens.clone(), layer))
        return self.model.activations(tokens, layer)


def main(
    model: str = "demo", device: str = "auto", neurons_per_layer: int = 64, tokens: int = 200_000
) -> None:
    subject = load_model(model, device)
    config = N2GConfig(tokens=tokens)
    windows = np.concatenate(
        list(
            Windows.of(
                read_documents(default_corpus(model)),
                subject,
                length=min(config.window, subject.n_ctx),
                max_tokens=tokens,
            )
        )
    )
    scan = timed_scan(subject, windows, config)
    recorder = Recorder(subject)
    engine = Engine(recorder)  # type: ignore[arg-type]
    helpers = load_helpers(config.augment, engine)
    print(f"{subject.device}, {engine.batch_tokens} tokens a batch")
    print("layer   N2G s  forward s   bare s  tokens run  asked for  bare/N2G passes  bare/all of N2G")
    totals = np.zeros(3)
    for layer in range(subject.n_layers):
        block = block_of(scan, layer, neurons_per_layer, windows, config)
        recorder.batches.clear()
        engine.tokens_run = engine.tokens_asked = 0
        engine.seconds = 0.0
        start = time.perf_counter()
        train = split_examples(block, config.seed)
        graphs = learn(engine, block, train, helpers, config).graphs
        test = block.exists & ~train
        for row, graph in enumerate(graphs):
            verdict_of(graph, block, row, test[row], config)
        whole = time.perf_counter() - start
        bare = run_bare(subject, recorder.batches)
        totals += (whole, engine.seconds, bare)
        print(
            f"{layer:>5} {whole:>7.2f} {engine.seconds:>10.2f} {bare:>8.2f} {engine.tokens_run:>11,} "
            f"{engine.tokens_asked:>10,} {bare / engine.seconds:>16.2f} {bare / whole:>16.2f}",
            flush=True,
        )
    whole, passes, bare = totals
    print(f"  all {whole:>7.2f} {passes:>10.2f} {bare:>8.2f} {bare / passes:>40.2f} {bare / whole:>16.2f}")


def timed_scan(model: SubjectModel, windows: np.ndarray[Any, Any], config: N2GConfig) -> Scan:
    """Scan the windows, and say how its rate compares with bare passes over the same batches."""
    layers = range(model.n_layers)
    scan = Scan(model, layers, windows.shape[1], config)
    batches = [windows[i : i + scan.batch_windows] for i in range(0, len(windows), scan.batch_windows)]
    start = time.perf_counter()
    for batch in batches:
        scan.add(batch)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    for batch in batches:
        model.all_activations(torch.from_numpy(batch.astype(np.int64)).clamp(min=0).to(model.device), layers)
    synchronise(model)
    bare = time.perf_counter() - start
    print(f"scan: {windows.size / seconds:,.0f} tokens/s, {bare / seconds:.2f} of bare passes")
    return scan


def block_of(scan: Scan, layer: int, neurons: int, windows: np.ndarray[Any, Any], config: N2GConfig) -> Block:
    found = scan.examples(layer, lambda number: windows[number], config)
    tokens = windows[np.maximum(found.window[:neurons], 0)]
    tokens[found.window[:neurons] < 0] = -1
    return Block(
        layer,
        np.arange(len(tokens)),
        found.max_activation[:neurons],
        tokens,
        found.pivot[:neurons],
        found.trace[:neurons],
    )


def run_bare(model: SubjectModel, batches: list[tuple[torch.Tensor, int]]) -> float:
    """Seconds of the passes alone."""
    synchronise(model)
    start = time.perf_counter()
    for tokens, layer in batches:
        model.activations(tokens, layer)
    synchronise(model)
    return time.perf_counter() - start


def synchronise(model: SubjectModel) -> None:
    if model.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    typer.run(main)
