"""Both sides of a gated model's neurons: which is stronger, how well each is predicted, and what both cost.

    python -m benchmarks.sides MODEL CORPUS --layers 2,10 --tokens 30000 --neurons 48
    python -m benchmarks.sides MODEL CORPUS --layers 1,3 --tokens 200000 --neurons 0 --window 256

Every neuron of the layers is scanned on both sides; graphs are learned of some. The same neurons are then
ingested on the positive side alone.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import SubjectModel, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.storage.shards import RunFolder

#: Negative sides that are printed.
SHOWN = 12


def main(
    model: str,
    corpus: str,
    layers: str = "2,10",
    tokens: int = 30_000,
    neurons: Annotated[int, typer.Option(help="Of each layer, spread over it; 0 for all.")] = 48,
    window: int = 128,
) -> None:
    started = time.monotonic()
    subject = load_model(model, "cpu")
    print(f"{subject.name}: loaded in {time.monotonic() - started:.0f} s", flush=True)
    chosen_layers = tuple(map(int, layers.split(",")))
    step = subject.d_mlp // neurons if neurons else 1
    chosen = tuple(range(0, step * (neurons or subject.d_mlp), step))
    config = N2GConfig(tokens=tokens, window=window)
    seconds, cpu = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for sides in ("both", "+"):
            path = Path(folder) / f"{sides}.n2gdb"
            selection = Selection(layers=chosen_layers, neurons=chosen, sides=sides)
            started, spent = time.monotonic(), time.process_time()
            run = ingest(subject, Source(corpus), path, config, selection, silent)
            seconds[sides], cpu[sides] = time.monotonic() - started, time.process_time() - spent
            print(
                f"sides {sides}: {len(run.neurons())} units in {seconds[sides]:.0f} s, "
                f"{cpu[sides]:.0f} s of all cores",
                flush=True,
            )
            if sides == "both":
                _print_sides(run, subject, chosen_layers)
                _print_negative(path)
    print(
        f"both sides take {seconds['both'] / seconds['+']:.2f} times as long as one, "
        f"and {cpu['both'] / cpu['+']:.2f} times the cores' time"
    )


def _print_sides(run: RunFolder, model: SubjectModel, layers: tuple[int, ...]) -> None:
    rows = run.neurons().to_pylist()
    for layer in layers:
        positive, negative = layer_scan(run.path, layer).load().max_activation.reshape(2, model.d_mlp)
        print(
            f"layer {layer}: of {model.d_mlp:,} neurons the negative side is stronger in "
            f"{np.mean(negative > positive):.0%}, and reaches half of the positive one in "
            f"{np.mean(negative >= positive / 2):.0%}"
        )
        for side in ("+", "-"):
            of_side = [row for row in rows if (row["layer"], row["side"]) == (layer, side)]
            for text, field in (("top examples", "f1"), ("held-out text", "heldout_f1")):
                known = [row[field] for row in of_side if row[field] is not None]
                print(f"  side {side}, {text}: {len(known)} judged, F1 {np.mean(known):.3f}")


def _print_negative(path: Path) -> None:
    asked = f"patterns MATCHING ... WHERE side = '-' AND f1 >= 0.6 ORDER BY f1 DESC LIMIT {SHOWN * 8}"
    with n2gdb.open(path) as database:
        found: dict[str, list[str]] = {}
        for hit in database.query(asked):
            found.setdefault(f"{hit.neuron} (F1 {hit.f1:.2f})", []).append(str(hit.path))
    for name, paths in list(found.items())[:SHOWN]:
        print(f"  {name}: {'; '.join(paths[:6])}")


if __name__ == "__main__":
    typer.run(main)
