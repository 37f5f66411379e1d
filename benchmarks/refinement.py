"""Refined graphs beside plain ones and the look-up tables, on test examples and on held-out text.

    python -m benchmarks.refinement DATABASE HELDOUT [--neurons-per-layer 100]

DATABASE is one that `n2gdb ingest MODEL` made, its shards beside it: their scan gives the top examples.
HELDOUT is a corpus that the model was never trained on. Every row is one change of the configuration, or of
the number of top examples; all others are learned from the same training examples, and all are judged on the
same test examples, half of the first 20, and on the same text. A row's figures are means over the judged
neurons of a layer. Rows of more examples need a database that was ingested with as many: --top-k 80.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.progress import silent
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.documents import Windows, read_documents
from n2gdb.ingest.evaluation.heldout import HeldoutText
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.stored import load_stored_model, stored_config
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.augment import load_helpers
from n2gdb.ingest.n2g.learn import Block, baseline_verdicts, learn, refine_graphs, split_examples, verdict_of
from n2gdb.ingest.n2g.random_text import draw_windows, find_firings, split_firings
from n2gdb.ingest.n2g.text import RandomText
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.storage.shards import run_folders

#: Top examples that are parted into those to learn from and those to judge by; further ones are learned from.
EXAMPLES = 20

#: Every row of the table: its name, and what it changes of the configuration, or the number of ``examples``.
ROWS: dict[str, dict[str, Any]] = {
    "paper, no augmentation": {"augment": (), "refine_rounds": 0},
    "plain: embedding": {"refine_rounds": 0},
    "plain: model": {"augment": ("model",), "refine_rounds": 0},
    "plain: both helpers": {"augment": ("embedding", "model"), "refine_rounds": 0},
    "plain: embedding, form": {"augment": ("embedding", "form"), "refine_rounds": 0},
    "plain: 20 substitutes": {"substitutes": 20, "refine_rounds": 0},
    "plain: variants measured": {"measure_variants": True, "refine_rounds": 0},
    "plain: importance 0.9": {"importance_threshold": 0.9, "refine_rounds": 0},
    "plain: importance 0.5": {"importance_threshold": 0.5, "refine_rounds": 0},
    "plain: importance 0.3": {"importance_threshold": 0.3, "refine_rounds": 0},
    "plain: prune ratio 0.8": {"prune_ratio": 0.8, "refine_rounds": 0},
    "plain: 40 examples": {"examples": 40, "refine_rounds": 0},
    "plain: 80 examples": {"examples": 80, "refine_rounds": 0},
    "refined, no augmentation": {"augment": ()},
    "refined: embedding, form": {"augment": ("embedding", "form")},
    "refined: one round": {"refine_rounds": 1},
    "refined: drop and add alone": {"refine_thresholds": ()},
    "refined: 0.5 alone": {"refine_thresholds": (0.5,)},
    "refined": {},
    "refined: 128 random windows": {"refine_windows": 128},
    "refined: 2,048 random windows": {"refine_windows": 2048},
    "refined: half the nodes": {"refine_nodes": 1.0},
    "refined: 40 examples": {"examples": 40},
    "refined: 80 examples": {"examples": 80},
}


def main(
    database: Path,
    heldout: str,
    neurons_per_layer: Annotated[int, typer.Option(help="Drawn of each layer.")] = 100,
    only: Annotated[str, typer.Option(help="Rows whose name matches this expression.")] = "",
    layers: Annotated[str, typer.Option(help="Layers, such as 0,3.")] = "",
    heldout_tokens: int | None = None,
    batch_tokens: int | None = None,
) -> None:
    with n2gdb.open(database) as opened:
        info = opened.model()
    config = stored_config(info)
    model = load_stored_model(info, "cpu")
    (run,) = run_folders(database)
    width = min(config.window, model.n_ctx)
    corpus = np.memmap(run.path / "corpus.windows", np.int32, mode="r").reshape(-1, width)
    engine = Engine(model, batch_tokens)
    windows = np.concatenate(
        list(Windows.of(read_documents(heldout), model, length=width, max_tokens=heldout_tokens))
    )
    text = HeldoutText(windows, model.counted(windows))
    chosen = [int(layer) for layer in layers.split(",") if layer] or list(range(model.n_layers))
    largest = {layer: layer_scan(run.path, layer).load().max_activation for layer in chosen}
    true = find_firings(model, windows, largest, config.fire_threshold, silent)
    print(
        "layer  graphs                            test P     R    F1   held-out P     R    F1"
        "  nodes  ms/neuron"
    )
    for layer in chosen:
        bench = _Bench(
            model, engine, run.path, corpus, layer, neurons_per_layer, text, split_firings(*true[layer])
        )
        bench.print_baselines(config)
        for name, change in ROWS.items():
            examples = change.get("examples", EXAMPLES)
            if re.search(only, name) and examples <= config.top_k:
                changed = {"refine_rounds": 4, **change}
                changed.pop("examples", None)
                bench.print_row(name, replace(config, **changed), examples)


class _Bench:
    """The neurons of one layer, their examples, and what every row of the table is judged on."""

    def __init__(
        self,
        model: SubjectModel,
        engine: Engine,
        folder: Path,
        corpus: np.ndarray[Any, Any],
        layer: int,
        neurons: int,
        text: HeldoutText,
        firings: dict[int, Any],
    ) -> None:
        self.model, self.engine, self.corpus, self.layer = model, engine, corpus, layer
        self.text, self.firings = text, firings
        scan = layer_scan(folder, layer).load()
        self.largest = scan.max_activation
        alive = np.flatnonzero(self.largest > 0)
        drawn = np.random.default_rng(layer).choice(alive, min(neurons, len(alive)), replace=False)
        index = np.sort(drawn)
        self.window = scan.window[index]
        tokens = np.asarray(corpus[np.maximum(self.window, 0)])
        tokens[self.window < 0] = PAD
        self.block = Block(layer, index, self.largest[index], tokens, scan.pivot[index], scan.trace[index])
        self.random: dict[int, RandomText] = {}

    def print_baselines(self, config: N2GConfig) -> None:
        train, test = self._split(config, EXAMPLES)
        tables = [
            baseline_verdicts(self.block, row, train[row], test[row], config) for row in range(len(train))
        ]
        for name, title in (("lookup", "token look-up"), ("ngram", "5-gram look-up")):
            judged = [table[name] for table in tables if table[name].true_firings]
            print(_line(self.layer, title, [(v.precision, v.recall, v.f1) for v in judged], [], [], None))

    def print_row(self, name: str, config: N2GConfig, examples: int) -> None:
        train, test = self._split(config, examples)
        helpers = load_helpers(config.augment, self.engine)
        if config.refine_rounds:
            self._random_text(config)
        start = time.perf_counter()
        learned = learn(self.engine, self.block, train, helpers, config)
        graphs = learned.graphs
        if config.refine_rounds:
            random = self._random_text(config)
            graphs = refine_graphs(learned, self.block, train, self.window, random, config)
        seconds = time.perf_counter() - start
        self._judge(name, graphs, test, config, seconds)

    def _split(self, config: N2GConfig, examples: int) -> tuple[Any, Any]:
        """Which examples are learned from and which are judged by: (neuron, example) each."""
        block = self.block
        first = Block(
            block.layer,
            block.neuron,
            block.max_activation,
            block.tokens[:, :EXAMPLES],
            block.pivot[:, :EXAMPLES],
            block.trace[:, :EXAMPLES],
        )
        train, test = np.zeros_like(block.exists), np.zeros_like(block.exists)
        train[:, :EXAMPLES] = split_examples(first, config.seed)
        test[:, :EXAMPLES] = first.exists & ~train[:, :EXAMPLES]
        train[:, EXAMPLES:examples] = block.exists[:, EXAMPLES:examples]
        return train, test

    def _judge(
        self, name: str, graphs: Sequence[NeuronGraph], test: Any, config: N2GConfig, seconds: float
    ) -> None:
        on_test, on_text, nodes = [], [], []
        for row, (graph, neuron) in enumerate(zip(graphs, self.block.neuron.tolist(), strict=True)):
            verdict = verdict_of(graph, self.block, row, test[row], config)
            if verdict.true_firings:
                on_test.append((verdict.precision, verdict.recall, verdict.f1))
                nodes.append(len(graph))
            firings = self.firings.get(neuron)
            if firings is not None:
                predicted = self.text.predicted(graph, config.fire_threshold)
                verdict = self.text.verdict(predicted, firings)
                on_text.append((verdict.precision, verdict.recall, verdict.f1))
        print(_line(self.layer, name, on_test, on_text, nodes, 1000 * seconds / len(graphs)), flush=True)

    def _random_text(self, config: N2GConfig) -> RandomText:
        if config.refine_windows not in self.random:
            number = draw_windows(len(self.corpus), config)
            windows = np.asarray(self.corpus[number])
            found = find_firings(
                self.model, windows, {self.layer: self.largest}, config.fire_threshold, silent
            )
            self.random[config.refine_windows] = RandomText(
                number, windows, config.prune_limit, split_firings(*found[self.layer])
            )
        return self.random[config.refine_windows]


def _line(
    layer: int,
    name: str,
    on_test: Sequence[tuple[float, float, float]],
    on_text: Sequence[tuple[float, float, float]],
    nodes: Sequence[int],
    milliseconds: float | None,
) -> str:
    def means(rows: Sequence[tuple[float, float, float]]) -> str:
        if not rows:
            return "    -     -     -"
        precision, recall, f1 = np.mean(rows, axis=0)
        return f"{precision:5.2f} {recall:5.2f} {f1:5.3f}"

    size = f"{np.mean(nodes):5.1f}" if nodes else "    -"
    taken = "-" if milliseconds is None else f"{milliseconds:.0f}"
    return f"{layer:>5}  {name:<32} {means(on_test)}       {means(on_text)}  {size}  {taken:>9}"


if __name__ == "__main__":
    typer.run(main)
