"""Latents of a dictionary through the whole pipeline: time, memory, density, F1; or the scan of random ones.

    python -m benchmarks.latents ../shared/demo-sae
    python -m benchmarks.latents --random 131072
    python -m benchmarks.latents --stored sae.n2gdb

The last prints what predicts the latents of a database that `ingest` made, on held-out text and on test
examples, all on the same latents: with 95 % intervals and gains over graphs, paired.

The published figures are Garde's (2024) of N2G on the latents of gelu-1l's SAE, on test windows: precision
.251, recall .367, F1 .256; of latents of density below .06: F1 .6, a median of 5 nodes.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
import typer

from benchmarks.judging import interval
from n2gdb.core.progress import silent
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.models.read_units import with_units
from n2gdb.ingest.models.subject import default_corpus, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.ingest.scan.layers import scan_layers
from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.formats import read_dictionaries
from n2gdb.ingest.sources.places import dictionary_places
from n2gdb.storage.shards import RunFolder, run_folders

#: Latents at or above this density are told apart, as the published figures do.
DENSE = 0.06


def main(
    place: Annotated[str, typer.Argument(help="A dictionary of the demo model.")] = "",
    random: Annotated[int, typer.Option(help="Scan so many random latents in its place.")] = 0,
    tokens: int = 1_000_000,
    top_k: int = 20,
    latents: Annotated[int, typer.Option(help="Of each dictionary; all by default.")] = 0,
    stored: Annotated[Path | None, typer.Option(help="A database, to print its predictors.")] = None,
) -> None:
    if stored is not None:
        _print_stored(run_folders(stored)[0])
        return
    config = N2GConfig(tokens=tokens, top_k=top_k)
    before = _peak()
    chosen = tuple(range(latents)) if latents else None
    with tempfile.TemporaryDirectory() as folder:
        if random:
            _scan(_random(random), config, Path(folder))
        else:
            _ingest(read_dictionaries(place), config, Selection(latents=chosen), Path(folder))
    print(f"peak memory {_peak() / 1e9:.2f} GB, of which {before / 1e9:.2f} GB before anything was read")


def _print_stored(run: RunFolder) -> None:
    """Print the means of each predictor of a run's units; a graph stands in where there is no evidence."""
    rows = run.neurons().to_pylist()
    judged = {(each["unit"], each["text"], each["predictor"]): each for each in run.scores().to_pylist()}
    judged |= {(each["unit"], "test", "n2g"): each for each in rows}
    live = sum(each["state"] == "live" for each in rows)
    with_evidence = sum(each["base"] is not None for each in rows)
    print(f"{len(rows):,} units, {live:,} live, {with_evidence:,} have evidence")
    for text in ("heldout", "test"):
        fire = [each["unit"] for each in rows if judged[each["unit"], text, "n2g"]["true_firings"]]
        firings = np.median([judged[unit, text, "n2g"]["true_firings"] for unit in fire])
        print(f"{text}: {len(fire)} fire, the median {firings:.0f} times")
        graph = _figures([judged[unit, text, "n2g"] for unit in fire])
        for name in dict.fromkeys(name for _, of, name in judged if of == text):
            own = _figures([judged[unit, text, name] for unit in fire])
            precision, recall, f1 = own
            print(
                f"  {name:<9} P {precision.mean():.3f} R {recall.mean():.3f} F1 {f1.mean():.3f}"
                f" {interval(f1)} gain {(f1 - graph[2]).mean():+.3f} {interval(f1 - graph[2])}",
                flush=True,
            )


def _figures(scores: list[dict[str, Any]]) -> npt.NDArray[np.float64]:
    """Precision, recall and F1: (3, unit)."""
    return np.array([[each[name] or 0.0 for each in scores] for name in ("precision", "recall", "f1")])


def _random(latents: int, width: int = 192) -> Dictionary:
    """Random latents, each active on 12 % of the tokens: many more than a trained dictionary's are."""
    generator = torch.Generator().manual_seed(0)
    encoder = torch.randn((width, latents), generator=generator) / width**0.5
    return Dictionary(
        name="random",
        hook="blocks.3.hook_resid_post",
        kind="sae",
        activation="jumprelu",
        encoder=encoder,
        bias=torch.zeros(latents),
        decoder=torch.zeros((latents, 1)),
        threshold=torch.full((latents,), 4.0),
        architecture="jumprelu",
        origin="random",
    )


def _scan(dictionary: Dictionary, config: N2GConfig, folder: Path) -> None:
    model = with_units(load_model("demo", "cpu"), "+", dictionary_places([dictionary]))
    corpus = CorpusStore.tokenise(default_corpus("demo"), "text", model, config, folder, silent)
    (folder / "run").mkdir()
    corpus = corpus.move_into(folder / "run")
    started = time.monotonic()
    scan_layers(model, corpus, folder / "run", [part.place for part in model.latents], config, silent)
    seconds = time.monotonic() - started
    print(f"{dictionary.d_sae:,} latents over {corpus.n_tokens:,} tokens: scanned in {seconds:.0f} s")


def _ingest(dictionaries: list[Dictionary], config: N2GConfig, selection: Selection, folder: Path) -> None:
    model = load_model("demo", "cpu")
    path, layers = folder / "x.n2gdb", tuple(sorted({one.layer for one in dictionaries}))
    for what, chosen, read in (
        ("latents", selection, dictionaries),
        ("MLP neurons of the same layer", Selection(layers=layers), []),
    ):
        stages: dict[str, float] = {}
        last = [time.monotonic(), "start"]

        def report(
            stage: str,
            done: int,
            total: int | None,
            stages: dict[str, float] = stages,
            last: list[Any] = last,
        ) -> None:
            now = time.monotonic()
            stages[last[1]] = stages.get(last[1], 0.0) + now - last[0]
            last[:] = [now, stage]

        started = time.monotonic()
        source = Source(default_corpus("demo"))
        run = ingest(model, source, path, config, chosen, report, dictionaries=read)
        seconds = time.monotonic() - started
        spent = ", ".join(f"{name} {spent:.0f} s" for name, spent in stages.items() if spent >= 1)
        print(f"\n{what}: {seconds:.0f} s ({spent}), peak memory {_peak() / 1e9:.2f} GB", flush=True)
        rows = run.neurons()
        is_mlp = np.array(rows["kind"].to_pylist()) == "mlp"
        _print_figures(rows.filter(is_mlp != bool(read)), run.scores())


def _print_figures(rows: pa.Table, scores: pa.Table) -> None:
    """Print the density of units, and how well their graphs predict them by either count of firings."""
    state = np.array(rows["state"].to_pylist())
    density = _reals(rows, "density")
    alive = state != "dead"
    counted = ", ".join(f"{(state == name).sum():,} {name}" for name in np.unique(state).tolist())
    quantiles = np.nanquantile(density[alive], [0.05, 0.5, 0.95])
    print(f"{len(rows):,} units: {counted}")
    print("density, 5 %, median, 95 %: " + " ".join(f"{value:.1e}" for value in quantiles))
    above = scores.filter(np.array(scores["text"].to_pylist()) == "active")
    found = {"at half of the maximum": rows}
    if set(above["unit"].to_pylist()) & set(rows["unit"].to_pylist()):
        found["above 0"] = rows.select(["unit", "density", "n_nodes"]).join(above.drop(["n_nodes"]), "unit")
    for name, judged in found.items():
        f1, rare = _reals(judged, "f1"), _reals(judged, "density") < DENSE
        for part, which in (("all", ~np.isnan(f1)), (f"density < {DENSE}", ~np.isnan(f1) & rare)):
            means = " ".join(
                f"{figure} {_reals(judged, figure)[which].mean():.3f}"
                for figure in ("precision", "recall", "f1")
            )
            nodes = np.median(_reals(judged, "n_nodes")[which])
            print(
                f"{name}, {part}: {which.sum():,} judged, {means}, "
                f"{(f1[which] > 0.5).mean():.0%} with F1 above 0.5, median nodes {nodes:.0f}",
                flush=True,
            )


def _reals(rows: pa.Table, name: str) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = rows[name].to_numpy(zero_copy_only=False).astype(float)
    return found


def _peak() -> int:
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    typer.run(main)
