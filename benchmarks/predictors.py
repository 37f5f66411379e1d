"""All that predicts a database's neurons, judged on any amount of ordinary text and on top examples.

    python -m benchmarks.predictors DATABASE HELDOUT [--refined DATABASE] [--plain] [--windows 8000]
        [--neurons 0] [--but 180] [--layers 0,3] [--cache FOLDER]

DATABASE is one that `ingest` made, its shards beside it: its graphs are revised, and its evidence is judged
as it is stored. ``--refined`` names a database of the same corpus, made with `--no-revise`; ``--plain``
learns the graphs once more without refinement. HELDOUT is text that was never scanned, or some of its
windows, drawn. Where neurons fire there is kept in the cache. Behind each mean is its 95 % interval
(bootstrap over neurons), and the gain over revised graphs, paired, with its own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import n2gdb
from benchmarks.judging import Examples, Judging, Predicted, print_verdicts
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import unit_key
from n2gdb.evidence.weights import UnitEvidence
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.n2g.augment import load_helpers
from n2gdb.ingest.n2g.judge import Verdict
from n2gdb.ingest.n2g.learn import Block, learn
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.storage.read.evidence import read_model_evidence, read_token_classes
from n2gdb.storage.shards import run_folders

#: Neurons whose graphs are learned together.
TOGETHER = 64


def main(
    database: Path,
    heldout: str,
    refined: Annotated[Path | None, typer.Option(help="Database of graphs that were not revised.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Learn graphs without refinement.")] = False,
    windows: Annotated[int, typer.Option(help="Windows of held-out text, drawn; 0 for all.")] = 0,
    neurons: Annotated[int, typer.Option(help="Drawn of each layer; 0 for all.")] = 0,
    but: Annotated[int, typer.Option(help="Print again without so many of each layer, drawn first.")] = 0,
    layers: Annotated[str, typer.Option(help="Layers, such as 0,3.")] = "",
    cache: Annotated[Path | None, typer.Option(help="Folder of held-out firings.")] = None,
) -> None:
    bench = Judging.of(database, heldout, cache, windows)
    print(f"{len(bench.heldout.windows):,} windows of held-out text, {bench.heldout.counted.sum():,} tokens")
    with n2gdb.open(database) as opened:
        info = opened.model()
        evidence = read_model_evidence(opened.connection, info.number)
        classes = read_token_classes(opened.connection, info.number)
    unrevised = run_folders(refined)[0] if refined else None
    for layer in bench.layers(layers):
        drawn = bench.drawn(layer)
        units = (drawn[:neurons] if neurons else drawn).tolist()
        firings, examples = bench.firings(layer), bench.examples(layer, units)
        graphs: dict[str, dict[int, NeuronGraph]] = {}
        if plain:
            graphs["plain"] = plain_graphs(bench, layer, units)
        if unrevised is not None:
            graphs["refined"] = bench.graphs(layer, unrevised)
        graphs["revised"] = bench.graphs(layer)
        found: dict[str, list[tuple[Verdict, Verdict]]] = {}
        for unit in units:
            own = examples[unit]
            said = {name: bench.by_graph(of_layer[unit], own) for name, of_layer in graphs.items()}
            stored = evidence.get(unit_key(0, layer, unit))
            said["evidence"] = foreseen(bench, stored, classes, said["revised"], own)
            for name, predicted in (said | bench.by_look_up(own)).items():
                verdicts = bench.verdicts(predicted, own, firings.get(unit, np.zeros(0, np.intp)))
                found.setdefault(name, []).append(verdicts)
        counts = [len(firings.get(unit, ())) for unit in units]
        nodes = {name: np.mean([len(each[unit]) for unit in units]) for name, each in graphs.items()}
        print(f"layer {layer}: {len(units)} neurons, {np.median(counts):.0f} firings of the median one")
        print("  nodes " + " ".join(f"{name} {mean:.2f}" for name, mean in nodes.items()))
        print_verdicts(found, np.arange(len(units)), "revised")
        if but:
            print(f"layer {layer} without {but} neurons drawn first:")
            print_verdicts(found, np.arange(but, len(units)), "revised")


def plain_graphs(bench: Judging, layer: int, units: list[int]) -> dict[int, NeuronGraph]:
    """Learn graphs from the same training examples without refinement."""
    scan, windows = layer_scan(bench.run.path, layer).load(), bench.example_windows(layer)
    config, engine = replace(bench.config, refine_rounds=0), Engine(bench.model)
    helpers = load_helpers(config.augment, engine)
    found: dict[int, NeuronGraph] = {}
    for start in range(0, len(units), TOGETHER):
        index = np.array(units[start : start + TOGETHER])
        window = scan.window[index]
        tokens = bench.corpus[np.maximum(window, 0)]
        tokens[window < 0] = PAD
        largest = scan.max_activation[index]
        block = Block(layer, index, largest, tokens, scan.pivot[index], scan.trace[index])
        train = np.stack(
            [np.isin(own, windows[unit][0]) for unit, own in zip(index.tolist(), window, strict=True)]
        )
        found |= zip(index.tolist(), learn(engine, block, train, helpers, config).graphs, strict=True)
    return found


def foreseen(
    bench: Judging, evidence: UnitEvidence | None, classes: Any, by_graph: Predicted, own: Examples
) -> Predicted:
    """Where evidence predicts firings, the graph where there is none."""
    if evidence is None:
        return by_graph
    return (
        bench.heldout.foreseen(evidence, classes, by_graph[0]),
        log_odds(bench, evidence, classes, own.test, by_graph[1]) >= evidence.threshold,
    )


def log_odds(bench: Judging, evidence: UnitEvidence, classes: Any, windows: Any, matched: Any) -> Any:
    """Log odds of firing in windows, given where the graph predicts it: (window, position) each."""
    reach = evidence.reach
    laid, graph = (
        np.pad(each, ((0, 0), (reach, 0)), constant_values=filling)
        for each, filling in ((windows, -1), (matched, False))
    )
    odds = evidence.log_odds(laid.ravel(), classes, graph.ravel()).reshape(laid.shape)[:, reach:]
    return np.where(np.isin(windows, sorted(bench.model.special)), -np.inf, odds)


if __name__ == "__main__":
    typer.run(main)
