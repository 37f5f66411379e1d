"""The demo model for tests: loaded once, with a block of top examples from a slice of its corpus."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from n2gdb.core.progress import Report, silent
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.documents import Windows, read_documents
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.subject import SubjectModel, default_corpus, load_model
from n2gdb.ingest.n2g.learn import Block
from n2gdb.ingest.scan.top_windows import Scan
from n2gdb.storage.shards import RunFolder, run_folders

#: Tokens of the demo corpus that the tests scan.
TOKENS = 40_000


@cache
def demo_model() -> SubjectModel:
    return load_model("demo", "cpu")


@cache
def demo_engine() -> Engine:
    return Engine(demo_model(), batch_tokens=1024)


@cache
def demo_windows() -> npt.NDArray[np.int32]:
    documents = read_documents(default_corpus("demo"))
    return np.concatenate(list(Windows.of(documents, demo_model(), length=128, max_tokens=TOKENS)))


@cache
def demo_block(layer: int, neurons: int = 24) -> Block:
    """The first neurons of a layer with their top examples."""
    config = N2GConfig(top_k=6)
    windows = demo_windows()
    scan = Scan(demo_model(), [layer], windows.shape[1], config)
    for start in range(0, len(windows), 16):
        scan.add(windows[start : start + 16])
    found, _ = scan.examples(layer, lambda number: windows[number], config)
    tokens = windows[np.maximum(found.window, 0)]
    tokens[found.window < 0] = -1
    chosen = slice(0, neurons)
    return Block(
        layer,
        np.arange(neurons),
        found.max_activation[chosen],
        tokens[chosen],
        found.pivot[chosen],
        found.trace[chosen],
    )


def true_activations(layer: int, neuron: int, tokens: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """Run the model on one text alone: (position,) -> (position,)."""
    found = demo_model().activations(torch.from_numpy(tokens.astype(np.int64))[None], layer)
    values: npt.NDArray[np.float32] = found[0, :, neuron].numpy().copy()
    return values


def ingest_demo(
    folder: Path,
    name: str = "demo.n2gdb",
    *,
    sample: int = 36,
    tokens: int = 30_000,
    refine: bool = True,
    report: Report = silent,
) -> Path:
    """Ingest a sample of the demo model's neurons from a slice of its corpus."""
    from n2gdb.ingest.config import Selection
    from n2gdb.ingest.pipeline import Source, ingest

    path = folder / name
    config = N2GConfig(tokens=tokens, window=128, top_k=8)
    if not refine:
        config = replace(config, refine_rounds=0)
    source = Source(default_corpus("demo"))
    ingest(demo_model(), source, path, config, Selection(sample=sample), report, batch_tokens=1024)
    return path


def only_run(database: Path) -> RunFolder:
    (run,) = run_folders(database)
    return run


def assert_same(run: RunFolder, other: RunFolder) -> None:
    assert run.neurons().equals(other.neurons())
    assert run.nodes().equals(other.nodes())
    assert run.examples().equals(other.examples())
    assert run.scores().equals(other.scores())
    assert run.evidence().equals(other.evidence())
    assert run.records().equals(other.records())
    assert run.classes().equals(other.classes())
    assert run.windows().equals(other.windows())


@cache
def demo_documents() -> tuple[str, ...]:
    """The documents of the demo's corpus."""
    return tuple(read_documents(default_corpus("demo")))
