"""How much of an ingest is forward passes, and how near they come to bare ones.

    python -m benchmarks.throughput [--model demo] [--device auto] [--neurons 64] [--tokens 200000]

Every pass that the ingest asks of the model's trunk is recorded: batches of windows by the scan and for
random text, trees of prompts by N2G. Two shares of a stage's wall time are printed. "passes" is the time
spent in passes, on CPUs a mean over the cores that run them, on a GPU the time in which one is under way
there: the rest is everything else, waiting included. "bare" is the time that the same passes take
afterwards, as many at once, while nothing is packed, gathered, copied back, kept or learned. "start" is all
before the corpus is read: the interpreter, torch, TransformerLens, the model. All neurons and the whole
corpus (--neurons 0 --tokens 0) take twice an ingest.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import psutil
import torch
import typer

from n2gdb.core.arrays import IndexArray
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.inference.threads import on_cores
from n2gdb.ingest.models.subject import SubjectModel, default_corpus, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.ingest.trunk.packing import Packed
from n2gdb.ingest.trunk.trunk import Trunk
from n2gdb.ingest.workers.processes import start_ahead


class Clock:
    """Seconds in which something runs: on a CPU added up, on a GPU those in which at least one is at it."""

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []
        self.events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        if torch.cuda.is_initialized():
            event = (torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True))
            event[0].record()
            yield
            event[1].record()
            self.events.append(event)
        else:
            begun = time.perf_counter()
            yield
            self.spans.append((begun, time.perf_counter()))

    def seconds(self, lanes: int) -> float:
        if not self.events:
            return sum(end - begun for begun, end in self.spans) / lanes
        torch.cuda.synchronize()
        first = self.events[0][0]
        spans = sorted(tuple(first.elapsed_time(each) for each in event) for event in self.events)
        taken, until = 0.0, -1e9
        for begun, end in spans:
            taken += max(0.0, end - max(begun, until))
            until = max(until, end)
        return taken / 1e3


@dataclass
class Recorder:
    """A trunk that remembers what it was asked to run."""

    trunk: Trunk
    windows: list[tuple[Any, ...]] = field(default_factory=list)
    trees: list[tuple[Any, ...]] = field(default_factory=list)
    of_windows: Clock = field(default_factory=Clock)
    of_trees: Clock = field(default_factory=Clock)

    def along_windows(self, tokens: torch.Tensor, layers: Any) -> list[torch.Tensor]:
        self.windows.append((tokens, layers))
        with self.of_windows.running():
            return self.trunk.along_windows(tokens, layers)

    def at_nodes(self, packed: Packed, layer: int, asked: IndexArray) -> torch.Tensor:
        self.trees.append((packed, layer, asked))
        with self.of_trees.running():
            return self.trunk.at_nodes(packed, layer, asked)

    gathered = Trunk.gathered


@dataclass
class Stopwatch:
    """A report that notes how long each stage takes, and how much of all cores' time in this process."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    stage: str = "start"
    begun: float = field(default_factory=lambda: psutil.Process().create_time())
    spent: float = field(default_factory=time.process_time)

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now, spent = time.time(), time.process_time()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self.begun
        self.cpu[self.stage] = self.cpu.get(self.stage, 0.0) + spent - self.spent
        self.stage, self.begun, self.spent = "load" if stage.startswith("load") else stage, now, spent


def main(
    model: str = "demo",
    device: str = "auto",
    precision: str = "float32",
    neurons: int = 64,
    tokens: int = 200_000,
    augment: str = "embedding",
    refine: bool = True,
    processes: Annotated[int | None, typer.Option(help="As of n2gdb ingest.")] = None,
) -> None:
    if processes != 0:
        start_ahead(device)
    subject = load_model(model, device, precision)
    if subject.trunk is None:
        raise typer.BadParameter(f"{model} has no trunk: only its own hooked passes can run it")
    recorder, watch, lanes = Recorder(subject.trunk), Stopwatch(), torch.get_num_threads()
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
        ingest(recorded, source, Path(folder) / "bench.n2gdb", config, selection, watch, processes=processes)
    watch("end", 0, None)
    most = torch.cuda.max_memory_allocated() if subject.device.type == "cuda" else 0
    wall = watch.seconds
    of_windows = bare(subject, subject.trunk.along_windows, recorder.windows)
    of_trees = bare(subject, subject.trunk.at_nodes, recorder.trees)
    scanned = sum(tokens.numel() for tokens, _ in recorder.windows)
    nodes = sum(len(packed) for packed, _, _ in recorder.trees)
    whole = sum(wall.values())
    name = torch.cuda.get_device_name() if subject.device.type == "cuda" else "cpu"
    print(f"{name}, {precision}: {scanned:,} tokens of windows, {nodes:,} nodes of prompts")
    print("stage                  wall s   passes   bare   a second, bare")
    reading = wall.get("scan", 0.0) + wall.get("random text", 0.0)
    in_windows, in_trees = (each.seconds(lanes) for each in (recorder.of_windows, recorder.of_trees))
    print_row("scan, random text", reading, in_windows, of_windows, scanned)
    print_row("neurons", wall.get("neurons", 0.0), in_trees, of_trees, nodes)
    for stage in ("start", "tokenise", "load"):
        print(f"{stage:<20} {wall.get(stage, 0.0):>8.1f}")
    print_row("all", whole, in_windows + in_trees, of_windows + of_trees, scanned + nodes)
    if most:
        print(f"{most / 1e9:.2f} GB of GPU memory at the peak")


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
