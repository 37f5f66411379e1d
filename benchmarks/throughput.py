"""How much of an ingest is forward passes, and how near they come to bare ones.

    python -m benchmarks.throughput [--model demo] [--device auto] [--neurons 64] [--tokens 200000]

Every pass that the ingest asks of the model's trunk is recorded: batches of windows by the scan and for
random text, trees of prompts by N2G. Two shares of a stage's wall time are printed. "passes" is the time
spent in passes, a mean over the cores that run them (of a GPU, whose passes return before they end, it says
little): the rest is everything else, waiting included. "bare" is the time that the same passes take
afterwards, as many at once, while nothing is packed, gathered, copied back, kept or learned. All neurons and
the whole corpus (--neurons 0 --tokens 0) take twice an ingest.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import typer

from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.cores import lanes, on_cores
from n2gdb.ingest.models import SubjectModel, default_corpus, load_model
from n2gdb.ingest.packing import Packed
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.ingest.trunk import IndexArray, Trunk


@dataclass
class Recorder:
    """A trunk that remembers what it was asked to run."""

    trunk: Trunk
    windows: list[tuple[Any, ...]] = field(default_factory=list)
    trees: list[tuple[Any, ...]] = field(default_factory=list)
    of_windows: list[float] = field(default_factory=list)
    of_trees: list[float] = field(default_factory=list)

    def along_windows(self, tokens: torch.Tensor, layers: Any) -> list[torch.Tensor]:
        self.windows.append((tokens, layers))
        with timed(self.of_windows):
            return self.trunk.along_windows(tokens, layers)

    def at_nodes(self, packed: Packed, layer: int, asked: IndexArray) -> torch.Tensor:
        self.trees.append((packed, layer, asked))
        with timed(self.of_trees):
            return self.trunk.at_nodes(packed, layer, asked)

    gathered = Trunk.gathered


@contextmanager
def timed(seconds: list[float]) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - begun)


@dataclass
class Stopwatch:
    """A report that notes how long each stage takes."""

    seconds: dict[str, float] = field(default_factory=dict)
    stage: str = "start"
    begun: float = field(default_factory=time.perf_counter)

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = time.perf_counter()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self.begun
        self.stage, self.begun = "load" if stage.startswith("load") else stage, now


def main(
    model: str = "demo",
    device: str = "auto",
    precision: str = "float32",
    neurons: int = 64,
    tokens: int = 200_000,
    augment: str = "embedding",
    refine: bool = True,
) -> None:
    subject = load_model(model, device, precision)
    if subject.trunk is None:
        raise typer.BadParameter(f"{model} has no trunk: only its own hooked passes can run it")
    recorder, watch = Recorder(subject.trunk), Stopwatch()
    config = N2GConfig(
        tokens=tokens or None,
        precision=precision,
        augment=() if augment == "none" else tuple(augment.split(",")),
        refine_rounds=N2GConfig().refine_rounds if refine else 0,
    )
    selection = Selection(neurons=tuple(range(neurons)) if neurons else None)
    with tempfile.TemporaryDirectory() as folder:
        source = Source(default_corpus(model))
        recorded = replace(subject, trunk=recorder)  # type: ignore[arg-type]
        ingest(recorded, source, Path(folder) / "bench.n2gdb", config, selection, watch)
    watch("end", 0, None)
    wall = watch.seconds
    of_windows = bare(subject, subject.trunk.along_windows, recorder.windows)
    of_trees = bare(subject, subject.trunk.at_nodes, recorder.trees)
    scanned = sum(tokens.numel() for tokens, _ in recorder.windows)
    nodes = sum(len(packed) for packed, _, _ in recorder.trees)
    whole = sum(wall.values())
    print(f"{subject.device}: {scanned:,} tokens of windows, {nodes:,} nodes of prompts")
    print("stage                  wall s   passes   bare   a second, bare")
    reading = wall.get("scan", 0.0) + wall.get("random text", 0.0)
    in_windows, in_trees = (sum(each) / lanes(subject) for each in (recorder.of_windows, recorder.of_trees))
    print_row("scan, random text", reading, in_windows, of_windows, scanned)
    print_row("neurons", wall.get("neurons", 0.0), in_trees, of_trees, nodes)
    for stage in ("start", "tokenise", "load"):
        print(f"{stage:<20} {wall.get(stage, 0.0):>8.1f}")
    print_row("all", whole, in_windows + in_trees, of_windows + of_trees, scanned + nodes)
    if subject.device.type == "cuda":
        print(f"{torch.cuda.max_memory_allocated() / 1e9:.2f} GB of GPU memory at the peak")


def print_row(stage: str, wall: float, passes: float, bare: float, tokens: int) -> None:
    print(f"{stage:<20} {wall:>8.1f} {passes / wall:>8.2f} {bare / wall:>6.2f} {tokens / bare:>16,.0f}")


def bare(subject: SubjectModel, run: Callable[..., Any], calls: list[tuple[Any, ...]]) -> float:
    """Seconds that the passes take alone."""
    synchronise(subject)
    start = time.perf_counter()
    for _ in on_cores(subject, lambda call: run(*call), calls):
        pass
    synchronise(subject)
    return time.perf_counter() - start


def synchronise(subject: SubjectModel) -> None:
    if subject.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    typer.run(main)
