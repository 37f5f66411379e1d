"""Our graphs beside the published code's, on the same neurons and the same train and test examples.

    python -m benchmarks.reference REFERENCE.npz [--augment embedding] [--refine] [--repeats 5] [--each]

REFERENCE.npz holds neurons (n, 2), windows (w, 256), examples (n, 20) rows of windows, max_activation (n),
train and test (10) places among the 20, and reference (n, 4): the published code's precision, recall,
F1 and number of true firings, NaN where there is none.

Seconds a neuron are those of steps 3 to 8, as there: without the scan, and without the pass over random
text that refinement shares among all neurons. Random text never overlaps a neuron's examples: a window
that has a run of 16 tokens in common with one of them is left out.

The last two columns are of the same test windows without their BOS and their first token, where the neurons
do something else: the published code's look-up is made and judged there, while its graphs are judged behind
a BOS, as all else here. Ours are the graphs learned behind a BOS, run on those windows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from n2gdb.core.graph import NeuronGraph
from n2gdb.core.progress import silent
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.documents import Windows, read_documents
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.subject import SubjectModel, default_corpus, load_model
from n2gdb.ingest.n2g.augment import Helper, load_helpers
from n2gdb.ingest.n2g.judge import Verdict
from n2gdb.ingest.n2g.learn import Block, baseline_verdicts, learn, normalised, refine_graphs, verdict_of
from n2gdb.ingest.n2g.random_text import draw_windows, find_firings, split_firings
from n2gdb.ingest.n2g.text import RandomText

#: Tokens in common that make two windows overlap.
RUN = 16


def main(
    reference: Path,
    augment: Annotated[str, typer.Option(help="Helpers, or none.")] = "none",
    refine: Annotated[bool, typer.Option(help="Refine the graphs.")] = False,
    model: str = "demo",
    neurons_per_layer: int = 10_000,
    repeats: Annotated[int, typer.Option(help="Runs of each layer, of which the median is timed.")] = 1,
    each: Annotated[bool, typer.Option(help="Print every judged neuron as well.")] = False,
) -> None:
    data = dict(np.load(reference))
    subject = load_model(model, "cpu")
    engine = Engine(subject)
    helpers_named = () if augment == "none" else tuple(augment.split(","))
    config = N2GConfig(augment=helpers_named, refine_rounds=4 if refine else 0)
    helpers = load_helpers(config.augment, engine)
    random = random_windows(subject, N2GConfig()) if refine else np.zeros((0, 256), np.int32)
    print("layer neurons   precision      recall                 F1        s/neuron   F1 without BOS")
    print("                ours  ref   ours  ref   ours   ref  lookup  ngram            ours   lookup")
    taken, layers = [], []
    for layer in range(subject.n_layers):
        rows = np.flatnonzero(data["neurons"][:, 0] == layer)[:neurons_per_layer]
        block = read_block(subject, data, layer, rows)
        train = training_half(block, data)
        text = random_text(subject, block, random, config) if refine else None
        layers.append((engine, block, train, helpers, text, config))
        seconds, ((graphs, verdicts),) = timed(layers[-1:], repeats)
        taken.append(seconds / len(rows))
        tables = [baseline_verdicts(block, row, train[row], ~train[row], config) for row in range(len(rows))]
        theirs = data["reference"][rows]
        judged = np.array([v.true_firings > 0 for v in verdicts]) & ~np.isnan(theirs[:, 2])
        if each:
            print_each(block, train, verdicts, tables, theirs[:, 2], judged)
        ours, means = _mean(verdicts, judged), theirs[judged, :3].mean(axis=0)
        pairs = "  ".join(f"{a:.2f} {b:.2f}" for a, b in zip(ours[:2], means[:2], strict=True))
        baselines = "  ".join(
            f"{_mean([table[name] for table in tables], judged)[2]:.3f}" for name in ("lookup", "ngram")
        )
        f1 = f"{ours[2]:.3f} {means[2]:.3f}   {baselines}"
        there = " ".join(f"{mean:>7.3f}" for mean in without_bos(subject, data, layer, rows, graphs, config))
        print(f"{layer:>5} {judged.sum():>7}   {pairs}   {f1}   {taken[-1]:.4f}   {there}", flush=True)
    together, _ = timed(layers, repeats)
    neurons = sum(len(block.neuron) for _, block, *_ in layers)
    print(f"{np.mean(taken):.4f} s a neuron in the mean of the layers, one after another")
    print(f"{together / neurons:.4f} s a neuron in all, {engine.askers} layers at a time, as in an ingest")


def timed(
    layers: Sequence[tuple[Any, ...]], repeats: int
) -> tuple[float, list[tuple[list[NeuronGraph], list[Verdict]]]]:
    """Learn and judge layers: the median of the seconds, and their graphs and verdicts."""
    seconds = []
    with ThreadPoolExecutor(layers[0][0].askers) as pool:
        for _ in range(repeats):
            start = time.perf_counter()
            judged = list(pool.map(lambda layer: judged_graphs(*layer), layers))
            seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), judged


def judged_graphs(
    engine: Engine,
    block: Block,
    train: np.ndarray[Any, Any],
    helpers: Sequence[Helper],
    text: tuple[RandomText, np.ndarray[Any, Any]] | None,
    config: N2GConfig,
) -> tuple[list[NeuronGraph], list[Verdict]]:
    """Learn the graphs of a block, refine them where there is random text, and judge them."""
    learned = learn(engine, block, train, helpers, config)
    graphs = learned.graphs
    if text is not None:
        random, overlaps = text
        graphs = refine_graphs(learned, block, train, overlaps, random, config)
    verdicts = [verdict_of(graph, block, row, ~train[row], config) for row, graph in enumerate(graphs)]
    return graphs, verdicts


def training_half(block: Block, data: Any) -> np.ndarray[Any, Any]:
    """Which examples are learned from: (neuron, example)."""
    train = np.zeros(block.tokens.shape[:2], bool)
    train[:, data["train"]] = True
    return train


def without_bos(
    model: SubjectModel,
    data: Any,
    layer: int,
    rows: np.ndarray[Any, Any],
    graphs: Sequence[NeuronGraph],
    config: N2GConfig,
) -> tuple[float, float]:
    """Mean F1 of graphs, and of the token look-up, on windows that begin without a BOS.

    Over the neurons that the published code judged and that fire there.
    """
    bare = {**data, "windows": data["windows"][:, 1:]}
    block = read_block(model, bare, layer, rows)
    block.trace[:, :, 0] = -np.inf
    train = training_half(block, data)
    ours = [verdict_of(graph, block, row, ~train[row], config) for row, graph in enumerate(graphs)]
    tables = [baseline_verdicts(block, row, train[row], ~train[row], config) for row in range(len(rows))]
    judged = np.array([v.true_firings > 0 for v in ours]) & ~np.isnan(data["reference"][rows, 2])
    return float(_mean(ours, judged)[2]), float(_mean([table["lookup"] for table in tables], judged)[2])


def print_each(
    block: Block,
    train: np.ndarray[Any, Any],
    verdicts: list[Verdict],
    tables: list[dict[str, Verdict]],
    published: np.ndarray[Any, Any],
    judged: np.ndarray[Any, Any],
) -> None:
    """Print every judged neuron; known are the firings in the test half on tokens that fire in training."""
    print("  neuron  train  test  known   graph P R F1        lookup P R F1       published F1")
    for row in np.flatnonzero(judged).tolist():
        fires = {half: _fired(block, row, train[row] == half) for half in (True, False)}
        known = int(np.isin(fires[False], fires[True]).sum())
        ours, lookup = verdicts[row], tables[row]["lookup"]
        figures = "   ".join(f"{v.precision:.2f} {v.recall:.2f} {v.f1:.3f}" for v in (ours, lookup))
        counts = f"{len(fires[True]):>6} {len(fires[False]):>5} {known:>6}"
        print(f"  {f'L{block.layer}N{block.neuron[row]}':<7}{counts}   {figures}   {published[row]:.3f}")


def _fired(block: Block, row: int, examples: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The tokens that a neuron fires on in some of its examples, each as often as it does: (firing,)."""
    tokens: np.ndarray[Any, Any] = block.tokens[row, examples][normalised(block, row, examples) >= 0.5]
    return tokens


def _mean(verdicts: list[Verdict], judged: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    figures = np.array([(v.precision, v.recall, v.f1) for v in verdicts])
    mean: np.ndarray[Any, Any] = figures[judged].mean(axis=0)
    return mean


def random_windows(model: SubjectModel, config: N2GConfig) -> np.ndarray[Any, Any]:
    """Random windows of the model's own corpus: (window, position)."""
    documents = read_documents(default_corpus("demo"))
    windows = np.concatenate(list(Windows.of(documents, model, length=config.window)))
    drawn: np.ndarray[Any, Any] = windows[draw_windows(len(windows), config)]
    return drawn


def random_text(
    model: SubjectModel, block: Block, windows: np.ndarray[Any, Any], config: N2GConfig
) -> tuple[RandomText, np.ndarray[Any, Any]]:
    """Where the block's neurons fire in random windows, and which of these overlap each one's examples.

    The second is (neuron, overlap), filled up with -1: numbers of random windows.
    """
    largest = np.zeros(model.d_mlp, np.float32)
    largest[block.neuron] = block.max_activation
    found = find_firings(model, windows, {block.layer: largest}, config.fire_threshold, silent)
    text = RandomText(
        np.arange(len(windows)), windows, config.prune_limit, split_firings(*found[block.layer])
    )
    runs: dict[bytes, set[int]] = {}
    for number, window in enumerate(windows):
        for run in _runs(window):
            runs.setdefault(run, set()).add(number)
    own = [
        sorted(set().union(*(runs.get(run, ()) for window in examples for run in _runs(window))))
        for examples in block.tokens
    ]
    overlaps = np.full((len(own), max(1, *map(len, own))), -1, np.int64)
    for row, numbers in enumerate(own):
        overlaps[row, : len(numbers)] = numbers
    return text, overlaps


def _runs(window: np.ndarray[Any, Any]) -> set[bytes]:
    """Every run of RUN tokens of a window, as bytes."""
    tokens = np.ascontiguousarray(window, np.int32)
    return {tokens[start : start + RUN].tobytes() for start in range(len(tokens) - RUN + 1)}


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
    trace[~model.counted(tokens)] = -np.inf
    return Block(layer, index, data["max_activation"][rows], tokens, trace.argmax(axis=2), trace)


if __name__ == "__main__":
    typer.run(main)
