"""What benchmarks judge predictions of neurons by: their test examples, and where they fire in other text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.progress import silent
from n2gdb.core.units import unit_key
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.documents import Windows, read_documents
from n2gdb.ingest.evaluation.heldout import HeldoutText
from n2gdb.ingest.models.stored import load_stored_model, stored_config
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.baselines import NgramTable
from n2gdb.ingest.n2g.judge import Verdict, judge, predict_windows
from n2gdb.ingest.n2g.learn import BASELINES
from n2gdb.ingest.n2g.random_text import find_firings, split_firings
from n2gdb.ingest.scan.arrays_file import save_arrays
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.shards import RunFolder, run_folders

#: Seeds the draw of neurons, of windows, and the bootstrap.
SEED = 0
#: Means that an interval is taken from.
DRAWS = 1000

#: Where something predicts firings: on held-out text, and in test examples; (window, position) each.
Predicted = tuple[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """A neuron's own text: tokens and normalised activation (window, position), to learn from and to test."""

    train: Any
    train_activation: Any
    test: Any
    test_activation: Any


@dataclass(frozen=True, eq=False)
class Judging:
    """A database's scan, and held-out text with the model's firings there, which the cache keeps."""

    model: SubjectModel
    config: N2GConfig
    run: RunFolder
    heldout: HeldoutText
    cache: Path | None

    @classmethod
    def of(cls, database: Path, heldout: str, cache: Path | None, n_windows: int) -> Self:
        """Read a database with its shards, and so many windows of a text, drawn; all if 0."""
        with n2gdb.open(database) as opened:
            info = opened.model()
        config, model = stored_config(info), load_stored_model(info, "cpu")
        (run,) = run_folders(database)
        width = min(config.window, model.n_ctx)
        windows = np.concatenate(list(Windows.of(read_documents(heldout), model, length=width)))
        if n_windows:
            drawn = np.random.default_rng(SEED).permutation(len(windows))[:n_windows]
            windows = windows[np.sort(drawn)]
        counted = (windows != PAD) & ~np.isin(windows, sorted(model.special))
        return cls(model, config, run, HeldoutText(windows, counted), cache)

    @cached_property
    def corpus(self) -> Any:
        """The windows that were scanned: (window, position)."""
        width = self.heldout.windows.shape[1]
        return np.fromfile(self.run.path / "corpus.windows", np.int32).reshape(-1, width)

    def layers(self, chosen: str) -> list[int]:
        """Layers as an option names them, such as 0,3; all if it is empty."""
        return [int(layer) for layer in chosen.split(",") if layer] or list(range(self.model.n_layers))

    def drawn(self, layer: int) -> Any:
        """All living neurons of a layer as they are drawn: constants were chosen on the first."""
        alive = np.flatnonzero(layer_scan(self.run.path, layer).load().max_activation > 0)
        return np.random.default_rng((SEED, layer)).permutation(alive)

    def graphs(self, layer: int, run: RunFolder | None = None) -> dict[int, NeuronGraph]:
        """The graphs of a layer's neurons, those of another run if one is given."""
        found = self._graphs(run or self.run)
        units = ((unit, unit_key(0, layer, unit)) for unit in range(self.model.d_mlp))
        return {unit: found.get(number, NeuronGraph.empty()) for unit, number in units}

    def _graphs(self, run: RunFolder) -> Mapping[int, NeuronGraph]:
        if run.path not in self._read:
            self._read[run.path] = graphs_from(run.nodes())
        return self._read[run.path]

    @cached_property
    def _read(self) -> dict[Path, Mapping[int, NeuronGraph]]:
        return {}

    def example_windows(self, layer: int) -> dict[int, tuple[Any, Any]]:
        """Training and test windows of every neuron of a layer."""
        of, window, split = self._example_rows
        found = {}
        for unit in range(self.model.d_mlp):
            own = slice(*np.searchsorted(of, unit_key(0, layer, unit) + np.arange(2)))
            # Examples below the top ones are neither.
            found[unit] = (window[own][split[own] == "train"], window[own][split[own] == "test"])
        return found

    @cached_property
    def _example_rows(self) -> tuple[Any, Any, Any]:
        table = self.run.examples()
        of = table["unit"].to_numpy()
        order = np.argsort(of, kind="stable")
        return of[order], table["window"].to_numpy()[order], np.array(table["split"])[order]

    def examples(self, layer: int, units: Sequence[int]) -> dict[int, Examples]:
        """The texts of some neurons' top examples."""
        scan, windows = layer_scan(self.run.path, layer).load(), self.example_windows(layer)
        found = {}
        for unit in units:
            tokens = self.corpus[np.maximum(scan.window[unit], 0)]
            normalised = scan.trace[unit] / np.float32(scan.max_activation[unit])
            test = (scan.window[unit] >= 0) & np.isin(scan.window[unit], windows[unit][1])
            train = (scan.window[unit] >= 0) & ~test
            found[unit] = Examples(tokens[train], normalised[train], tokens[test], normalised[test])
        return found

    def by_graph(self, graph: NeuronGraph, own: Examples) -> Predicted:
        """Where a graph predicts firings."""
        threshold = self.config.fire_threshold
        return self.heldout.predicted(graph, threshold), predict_windows(graph, own.test) >= threshold

    def by_look_up(self, own: Examples) -> dict[str, Predicted]:
        """Where look-ups of the training examples predict firings."""
        threshold, found = self.config.fire_threshold, {}
        for name, n in BASELINES.items():
            table = NgramTable.learn(n, own.train, own.train_activation)
            found[name] = (self.heldout.ngrams.fires(table, threshold), table.predict(own.test) >= threshold)
        return found

    def verdicts(self, predicted: Predicted, own: Examples, firings: Any) -> tuple[Verdict, Verdict]:
        """Judge on held-out text and on test examples."""
        on_text, on_test = predicted
        judged = judge(on_test.astype(np.float32), own.test_activation, self.config.fire_threshold)
        return self.heldout.verdict(on_text, firings), judged

    def firings(self, layer: int) -> dict[int, Any]:
        """Where neurons of a layer fire in the held-out text."""
        return split_firings(*self._all_firings[layer])

    @cached_property
    def _all_firings(self) -> Mapping[int, tuple[Any, Any]]:
        """Where neurons fire in the held-out text, by layer: one pass over it."""
        layers = range(self.model.n_layers)
        key = hashlib.sha256(self.heldout.windows.tobytes()).hexdigest()[:12]
        file = self.cache / f"heldout-{key}.npz" if self.cache else None
        if file is not None and file.exists():
            with np.load(file) as arrays:
                return {each: (arrays[f"neuron-{each}"], arrays[f"position-{each}"]) for each in layers}
        largest = {each: layer_scan(self.run.path, each).load().max_activation for each in layers}
        windows, threshold = self.heldout.windows, self.config.fire_threshold
        found = find_firings(self.model, windows, largest, threshold, silent)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            neurons = {f"neuron-{each}": neuron for each, (neuron, _) in found.items()}
            save_arrays(file, **neurons, **{f"position-{each}": where for each, (_, where) in found.items()})
        return found


def print_verdicts(found: Mapping[str, Sequence[tuple[Verdict, ...]]], some: Any, beside: str) -> None:
    """Print means over some neurons with intervals, and the paired gains over one of the predictors.

    ``found`` has each neuron's verdicts, on held-out text and on test examples. It counts where it fires.
    """
    width = max(map(len, found))
    for name, verdicts in found.items():
        figures = []
        for number, text in enumerate(("held-out", "test")[: len(verdicts[0])]):
            judged = [each for each in some.tolist() if verdicts[each][number].true_firings]
            own = [verdicts[each][number] for each in judged]
            f1 = np.array([each.f1 for each in own])
            gain = f1 - np.array([found[beside][each][number].f1 for each in judged])
            figures.append(
                f"{text} {len(judged):>4} P {np.mean([each.precision for each in own]):.3f}"
                f" R {np.mean([each.recall for each in own]):.3f} F1 {f1.mean():.3f} {interval(f1)}"
                f" gain {gain.mean():+.3f} {interval(gain)}"
                if judged
                else f"{text} none fires"
            )
        print(f"  {name:<{width}} " + "   ".join(figures), flush=True)


def interval(values: Any) -> str:
    """The 95 % interval of a mean."""
    rng = np.random.default_rng(SEED)
    means = values[rng.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"[{low:.3f} {high:.3f}]"
