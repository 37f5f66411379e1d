"""Our graphs beside the published code's, on the same neurons and the same train and test examples.

    python -m benchmarks.reference REFERENCE.npz [--augment embedding] [--neurons-per-layer 36]

REFERENCE.npz holds neurons (n, 2), windows (w, 256), examples (n, 20) rows of windows, max_activation (n),
train and test (10) places among the 20, and reference (n, 4): the published code's precision, recall,
F1 and number of true firings, NaN where there is none.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from n2gdb.ingest.augment import load_helpers
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.engine import Engine
from n2gdb.ingest.models import SubjectModel, load_model
from n2gdb.ingest.n2g import Block, learn, verdict_of


def main(
    reference: Path,
    augment: Annotated[str, typer.Option(help="Helpers, or none.")] = "none",
    model: str = "demo",
    neurons_per_layer: int = 10_000,
) -> None:
    data = np.load(reference)
    subject = load_model(model, "cpu")
    engine = Engine(subject)
    config = N2GConfig(augment=() if augment == "none" else tuple(augment.split(",")))
    helpers = load_helpers(config.augment, engine)
    print("layer neurons   precision      recall          F1     s/neuron")
    print("                ours  ref   ours  ref   ours  ref")
    for layer in range(subject.n_layers):
        rows = np.flatnonzero(data["neurons"][:, 0] == layer)[:neurons_per_layer]
        block = read_block(subject, data, layer, rows)
        train = np.zeros(data["examples"][rows].shape, bool)
        train[:, data["train"]] = True
        start = time.perf_counter()
        graphs = learn(engine, block, train, helpers, config).graphs
        verdicts = [verdict_of(graph, block, row, ~train[row], config) for row, graph in enumerate(graphs)]
        seconds = (time.perf_counter() - start) / len(rows)
        judged = np.array([v.true_firings > 0 for v in verdicts]) & ~np.isnan(data["reference"][rows, 2])
        ours = np.array([(v.precision, v.recall, v.f1) for v in verdicts])[judged].mean(axis=0)
        theirs = data["reference"][rows][judged, :3].mean(axis=0)
        pairs = "  ".join(f"{a:.2f} {b:.2f}" for a, b in zip(ours, theirs, strict=True))
        print(f"{layer:>5} {judged.sum():>7}   {pairs}   {seconds:.4f}", flush=True)


def read_block(model: SubjectModel, data: Any, layer: int, rows: np.ndarray[Any, Any]) -> Block:
    """The listed neurons of a layer with their listed examples."""
    index, examples = data["neurons"][rows, 1].astype(np.intp), data["examples"][rows]
    windows = data["windows"].astype(np.int32)
    trace = np.zeros((*examples.shape, windows.shape[1]), np.float32)
    wanted = np.unique(examples)
    for start in range(0, len(wanted), 8):
        part = wanted[start : start + 8]
        site = model.activations(torch.from_numpy(windows[part].astype(np.int64)), layer)[..., index]
        for number, activations in zip(part, site.numpy(), strict=True):
            neuron, place = np.nonzero(examples == number)
            trace[neuron, place] = activations[:, neuron].T
    tokens = windows[examples]
    trace[np.isin(tokens, list(model.special))] = -np.inf
    return Block(layer, index, data["max_activation"][rows], tokens, trace.argmax(axis=2), trace)


if __name__ == "__main__":
    typer.run(main)
