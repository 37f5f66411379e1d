"""How well refined tries, evidence and look-ups tell where neurons fire, on ordinary text and top examples.

    python -m benchmarks.evidence DATABASE HELDOUT [--neurons 30] [--layers 0,3] [--cache FOLDER] [--but 100]
        [--plain DATABASE] [--set reach=0 --set weights=16] [--no-classes] [--share 0.1]

DATABASE is one that `ingest` made, its shards beside it; HELDOUT is text that was never scanned. The record
of the scanned corpus is made anew, or read from the cache. A mean is over the neurons that fire on that
text; behind it is a 95 % interval of the mean (bootstrap over neurons), and that of its gain over the trie.
`--set` changes parameters of evidence; `--share` learns from a part of the corpus. Reliability is of
evidence's probabilities on held-out text: predicted and true share of firings, by predicted share.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

import n2gdb
from n2gdb.core.arrays import position_hash
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.progress import silent
from n2gdb.core.units import NeuronName, mlp_unit
from n2gdb.evidence.weights import UnitEvidence
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.documents import Windows, read_documents
from n2gdb.ingest.evaluation.heldout import HeldoutText
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.fit import EvidenceConfig, learn_evidence
from n2gdb.ingest.evidence.rows import RowSource, TopWindows
from n2gdb.ingest.evidence.token_classes import token_classes
from n2gdb.ingest.inference.memory import window_batch
from n2gdb.ingest.models.stored import load_stored_model, stored_config
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.baselines import NgramTable
from n2gdb.ingest.n2g.judge import Verdict, judge, predict_windows
from n2gdb.ingest.n2g.learn import BASELINES
from n2gdb.ingest.n2g.random_text import find_firings, split_firings
from n2gdb.ingest.scan.arrays_file import save_arrays
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.ingest.scan.record import ActivationRecord, Recorder, merged
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.shards import RunFolder, run_folders

#: Neurons whose evidence is learned together.
TOGETHER = 16
#: Neurons drawn first of each layer are those that constants were chosen on.
SEED = 0
DRAWS = 1000
BINS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


def main(
    database: Path,
    heldout: str,
    neurons: Annotated[int, typer.Option(help="Drawn of each layer; 0 for all.")] = 30,
    layers: Annotated[str, typer.Option(help="Layers, such as 0,3.")] = "",
    cache: Annotated[Path | None, typer.Option(help="Folder of records and held-out firings.")] = None,
    but: Annotated[int, typer.Option(help="Print again without so many of each layer, drawn first.")] = 0,
    plain: Annotated[Path | None, typer.Option(help="Database of graphs that were not refined.")] = None,
    changed: Annotated[list[str] | None, typer.Option("--set", help="Such as reach=0.")] = None,
    classes: Annotated[bool, typer.Option(help="Whether classes of tokens are context.")] = True,
    share: Annotated[float, typer.Option(help="Share of the corpus that is learned from.")] = 1.0,
) -> None:
    with n2gdb.open(database) as opened:
        info = opened.model()
    bench = _Bench.of(database, heldout, stored_config(info), load_stored_model(info, "cpu"), cache, plain)
    if not classes:
        bench = replace(bench, classes=bench.classes[:0])
    values = dict(each.split("=", 1) for each in changed or ())
    config = replace(EvidenceConfig(), **{name: ast.literal_eval(value) for name, value in values.items()})
    chosen = [int(layer) for layer in layers.split(",") if layer] or list(range(bench.model.n_layers))
    print(f"{len(bench.heldout.windows):,} windows of held-out text; {values or 'as it stands'}")
    for layer in chosen:
        bench.print_layer(layer, neurons, but, config, share)


@dataclass(frozen=True, eq=False)
class _Bench:
    model: SubjectModel
    config: N2GConfig
    run: RunFolder
    text: CorpusText
    heldout: HeldoutText
    heldout_text: CorpusText
    classes: np.ndarray[Any, Any]
    cache: Path | None
    plain: Mapping[int, NeuronGraph]

    @classmethod
    def of(
        cls,
        database: Path,
        heldout: str,
        config: N2GConfig,
        model: SubjectModel,
        cache: Path | None,
        plain: Path | None,
    ) -> _Bench:
        (run,) = run_folders(database)
        width = min(config.window, model.n_ctx)
        corpus = np.fromfile(run.path / "corpus.windows", np.int32).reshape(-1, width)
        windows = np.concatenate(list(Windows.of(read_documents(heldout), model, length=width)))
        special = sorted(model.special)
        counted = (windows != PAD) & ~np.isin(windows, special)
        return cls(
            model,
            config,
            run,
            CorpusText.of(corpus, special),
            HeldoutText(windows, counted),
            CorpusText.of(windows, special),
            token_classes(model.embedding().cpu().numpy(), model.token_texts()),
            cache,
            graphs_from(run_folders(plain)[0].nodes()) if plain else {},
        )

    def print_layer(self, layer: int, neurons: int, but: int, config: EvidenceConfig, share: float) -> None:
        scan = layer_scan(self.run.path, layer).load()
        drawn = np.random.default_rng((SEED, layer)).permutation(np.flatnonzero(scan.max_activation > 0))
        units = np.sort(drawn[:neurons] if neurons else drawn)
        record = _part(self._record(layer), share, self.text.width)
        text = _part_text(self.text, share)
        firings = self._firings(layer, scan.max_activation)
        graphs = graphs_from(self.run.nodes())
        examples = self._examples(layer)
        graphs_of = {
            unit: graphs.get(mlp_unit(NeuronName(layer, unit)), NeuronGraph.empty())
            for unit in units.tolist()
        }
        start = time.process_time()
        evidence = self._learn(text, record, units.tolist(), examples, graphs_of, config)
        milliseconds = 1000 * (time.process_time() - start) / len(units)
        on_text: dict[str, list[Verdict]] = {}
        on_test: dict[str, list[Verdict]] = {}
        predicted, true, count = np.zeros((3, len(BINS) - 1))
        for unit in units.tolist():
            graph = graphs_of[unit]
            where = firings.get(unit, np.zeros(0, np.intp))
            own, threshold = evidence.get(unit), self.config.fire_threshold
            kept = scan.window[unit] >= 0
            tokens = self.text.tokens.reshape(-1, self.text.width)[np.maximum(scan.window[unit], 0)]
            test = kept & np.isin(scan.window[unit], examples[unit][1])
            train = kept & ~test
            normalised = scan.trace[unit] / np.float32(scan.max_activation[unit])
            trie, trie_test = self._both(graph, tokens[test])
            by_name = {"refined": (trie, trie_test), "evidence": (trie, trie_test)}
            if own is not None:
                odds = self._log_odds(own, self.heldout.windows, trie)
                by_name["evidence"] = (
                    odds >= own.threshold,
                    self._log_odds(own, tokens[test], trie_test) >= own.threshold,
                )
                reliability = _reliability(odds, where)
                predicted, true, count = (
                    sum_ + part for sum_, part in zip((predicted, true, count), reliability, strict=True)
                )
            if self.plain:
                number = mlp_unit(NeuronName(layer, unit))
                by_name["plain"] = self._both(self.plain.get(number, NeuronGraph.empty()), tokens[test])
            for name, n in BASELINES.items():
                table = NgramTable.learn(n, tokens[train], normalised[train])
                fires = self.heldout.ngrams.fires(table, threshold)
                by_name[name] = (fires, table.predict(tokens[test]) >= threshold)
            for name, (said, on_examples) in by_name.items():
                on_text.setdefault(name, []).append(self.heldout.verdict(said, where))
                judged = judge(on_examples.astype(np.float32), normalised[test], threshold)
                on_test.setdefault(name, []).append(judged)
        median = np.median([len(firings.get(unit, ())) for unit in units.tolist()])
        print(
            f"layer {layer}: {len(units)} neurons, {median:.0f} firings of the median one,"
            f" {milliseconds:.1f} ms a unit, {len(evidence)} learned,"
            f" {sum(each is not None for each in evidence.values())} have evidence"
        )
        _print(on_text, on_test, np.arange(len(units)))
        if but:
            others = np.flatnonzero(~np.isin(units, drawn[:but]))
            print(f"layer {layer} without {but} neurons drawn first:")
            _print(on_text, on_test, others)
        shares = " ".join(
            f"{said / n:.3f}:{fired / n:.3f}"
            for said, fired, n in zip(predicted, true, count, strict=True)
            if n >= 50
        )
        print(f"  reliability {shares}", flush=True)

    def _both(self, graph: NeuronGraph, tokens: Any) -> tuple[Any, Any]:
        """Where a graph predicts firings on held-out text, and in windows."""
        threshold = self.config.fire_threshold
        return self.heldout.predicted(graph, threshold), predict_windows(graph, tokens) >= threshold

    def _learn(
        self,
        text: CorpusText,
        record: ActivationRecord,
        units: Sequence[int],
        examples: Mapping[int, Any],
        graphs: Mapping[int, NeuronGraph],
        config: EvidenceConfig,
    ) -> dict[int, UnitEvidence | None]:
        threshold = self.config.fire_threshold
        source = RowSource(text, record, threshold, config.tokens, config.near, config.drawn)
        found: dict[int, UnitEvidence | None] = {}
        for start in range(0, len(units), TOGETHER):
            windows, rows = {}, {}
            for unit in units[start : start + TOGETHER]:
                train, test = examples[unit]
                others = source.other_windows(unit, np.concatenate([train, test]), config.windows)
                own = TopWindows(train, test, others)
                each = source.rows(unit, own)
                if each is not None and np.count_nonzero(each.activation >= threshold) >= config.firings:
                    windows[unit], rows[unit] = own, each
            if rows:
                own_graphs = [graphs[unit] for unit in rows]
                learned = learn_evidence(
                    text,
                    list(rows.values()),
                    list(windows.values()),
                    own_graphs,
                    threshold,
                    config,
                    self.classes,
                )
                found.update(zip(rows, learned, strict=True))
        return found

    def _log_odds(self, evidence: UnitEvidence, windows: Any, matched: Any) -> Any:
        """Log odds of firing in windows, given where the graph predicts it: (window, position) each."""
        reach = evidence.reach
        laid, graph = (
            np.pad(each, ((0, 0), (reach, 0)), constant_values=filling)
            for each, filling in ((windows, -1), (matched, False))
        )
        odds = evidence.log_odds(laid.ravel(), self.classes, graph.ravel()).reshape(laid.shape)[:, reach:]
        return np.where(np.isin(windows, sorted(self.model.special)), -np.inf, odds)

    def _examples(self, layer: int) -> dict[int, tuple[Any, Any]]:
        """Training and test windows of every neuron of a layer."""
        table = self.run.examples()
        of, window = (table[name].to_numpy() for name in ("unit", "window"))
        train = np.array(table["split"]) == "train"
        found = {}
        for unit in range(self.model.d_mlp):
            own = of == mlp_unit(NeuronName(layer, unit))
            found[unit] = (window[own & train], window[own & ~train])
        return found

    def _record(self, layer: int) -> ActivationRecord:
        """The record of a layer; all layers are scanned at once."""
        n_layers, units = self.model.n_layers, self.model.d_mlp
        files = [self.cache / f"record-{each:03d}.npz" if self.cache else None for each in range(n_layers)]
        if files[layer] is None or not files[layer].exists():
            windows = self.text.tokens.reshape(-1, self.text.width)
            recorders = [Recorder(units) for _ in range(n_layers)]
            special = torch.tensor(sorted(self.model.special))
            size = window_batch("cpu", self.text.width)
            for first in range(0, len(windows), size):
                tokens = torch.from_numpy(windows[first : first + size].astype(np.int64))
                skip = (tokens == PAD) | torch.isin(tokens, special)
                sites = self.model.all_activations(tokens.clamp(min=0))
                for recorder, site in zip(recorders, sites, strict=True):
                    site[skip] = -torch.inf
                    recorder.add(site.flatten(0, 1), first * self.text.width)
            if self.cache is None:
                return recorders[layer].record()
            for file, recorder in zip(files, recorders, strict=True):
                save_arrays(file, **recorder.state())
        with np.load(files[layer]) as arrays:
            return merged(units, [dict(arrays)]).record()

    def _firings(self, layer: int, largest: Any) -> dict[int, Any]:
        file = self.cache / f"heldout-{len(self.heldout.windows)}-{layer:03d}.npz" if self.cache else None
        if file is None or not file.exists():
            windows, threshold = self.heldout.windows, self.config.fire_threshold
            neuron, position = find_firings(self.model, windows, {layer: largest}, threshold, silent)[layer]
            if file is None:
                return split_firings(neuron, position)
            save_arrays(file, neuron=neuron, position=position)
        with np.load(file) as arrays:
            return split_firings(arrays["neuron"], arrays["position"])


def _part(record: ActivationRecord, share: float, width: int) -> ActivationRecord:
    """A record of a share of the corpus' windows: what is recorded there, and counts in proportion."""
    if share == 1:
        return record
    kept = _windows_kept(record.position // width, share)
    count = np.zeros_like(record.count)
    np.add.at(count, (record.unit[kept], record.bins()[kept]), 1)
    scaled = np.maximum(count, np.round(record.count * share).astype(np.int64) * (count > 0))
    return replace(
        record,
        unit=record.unit[kept],
        position=record.position[kept],
        activation=record.activation[kept],
        count=np.where(record.limit == np.iinfo(np.uint64).max, count, scaled),
    )


def _part_text(text: CorpusText, share: float) -> CorpusText:
    if share == 1:
        return text
    kept = _windows_kept(np.arange(len(text.tokens)) // text.width, share)
    return CorpusText(text.tokens, text.width, text.counted & kept)


def _windows_kept(window: Any, share: float) -> Any:
    return position_hash(window + (1 << 40)) < np.uint64(int(share * 2**64))


def _reliability(odds: Any, firings: Any) -> tuple[Any, Any, Any]:
    """Sums of predicted probabilities, firings and positions by predicted probability: (bin,) each."""
    probability = np.reciprocal(1 + np.exp(-np.maximum(odds.ravel(), -80.0)))
    told = np.isfinite(odds.ravel())
    fires = np.zeros(len(told), np.float64)
    fires[firings] = 1
    bins = np.digitize(probability[told], BINS[1:-1])
    size = len(BINS) - 1
    return (
        np.bincount(bins, probability[told], size),
        np.bincount(bins, fires[told], size),
        np.bincount(bins, minlength=size),
    )


def _print(on_text: Mapping[str, list[Verdict]], on_test: Mapping[str, list[Verdict]], some: Any) -> None:
    for name in on_text:
        figures = []
        for verdicts in (on_text, on_test):
            judged = [each for each in some.tolist() if verdicts[name][each].true_firings]
            own = np.array([verdicts[name][each].f1 for each in judged])
            gain = own - np.array([verdicts["refined"][each].f1 for each in judged])
            precision = np.mean([verdicts[name][each].precision for each in judged])
            recall = np.mean([verdicts[name][each].recall for each in judged])
            figures.append(
                f"{len(judged):>4} P {precision:.3f} R {recall:.3f} F1 {own.mean():.3f} {interval(own)}"
                f" gain {gain.mean():+.3f} {interval(gain)}"
            )
        print(f"  {name:<9} held-out {figures[0]}   test {figures[1]}", flush=True)


def interval(values: Any) -> str:
    """The 95 % interval of a mean."""
    rng = np.random.default_rng(SEED)
    means = values[rng.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"[{low:.3f} {high:.3f}]"


if __name__ == "__main__":
    typer.run(main)
