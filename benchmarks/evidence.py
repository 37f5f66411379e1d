"""How well refined tries, evidence and look-ups tell where neurons fire, on ordinary text and top examples.

    python -m benchmarks.evidence DATABASE HELDOUT [--neurons 30] [--seed 0] [--layers 0,3] [--cache FOLDER]

DATABASE is one that `ingest` made, its shards beside it; HELDOUT is text that was never scanned. The record
of the scanned corpus is made anew, or read from the cache. A mean is over the neurons that fire on that
text; the gain over the trie is paired, with twice its standard error.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

import n2gdb
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
from n2gdb.ingest.n2g.random_text import find_firings, split_firings
from n2gdb.ingest.scan.arrays_file import save_arrays
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.ingest.scan.record import ActivationRecord, Recorder, merged
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.shards import RunFolder, run_folders

#: Neurons whose evidence is learned together.
TOGETHER = 48
PREDICTORS = ("trie", "evidence", "look-up")


def main(
    database: Path,
    heldout: str,
    neurons: Annotated[int, typer.Option(help="Drawn of each layer; 0 for all.")] = 30,
    seed: int = 0,
    layers: Annotated[str, typer.Option(help="Layers, such as 0,3.")] = "",
    cache: Annotated[Path | None, typer.Option(help="Folder of records and held-out firings.")] = None,
    but: Annotated[int, typer.Option(help="Leave out so many neurons drawn of each layer.")] = 0,
) -> None:
    with n2gdb.open(database) as opened:
        info = opened.model()
    bench = _Bench.of(database, heldout, stored_config(info), load_stored_model(info, "cpu"), cache)
    chosen = [int(layer) for layer in layers.split(",") if layer] or list(range(bench.model.n_layers))
    print(
        "layer  predictor   n   held-out P     R    F1    gain, paired      n   test F1  gain, paired     ms"
    )
    for layer in chosen:
        bench.print_layer(layer, neurons, but, seed, EvidenceConfig())


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

    @classmethod
    def of(
        cls, database: Path, heldout: str, config: N2GConfig, model: SubjectModel, cache: Path | None
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
        )

    def print_layer(self, layer: int, neurons: int, but: int, seed: int, config: EvidenceConfig) -> None:
        scan = layer_scan(self.run.path, layer).load()
        alive = np.random.default_rng((seed, layer)).permutation(np.flatnonzero(scan.max_activation > 0))
        units = np.sort(alive[but : but + neurons] if neurons else alive[but:])
        record = self._record(layer)
        firings = self._firings(layer, scan.max_activation)
        graphs = graphs_from(self.run.nodes())
        examples = self._examples(layer)
        graphs_of = {
            unit: graphs.get(mlp_unit(NeuronName(layer, unit)), NeuronGraph.empty())
            for unit in units.tolist()
        }
        start = time.process_time()
        evidence = self._learn(record, units.tolist(), examples, graphs_of, config)
        milliseconds = 1000 * (time.process_time() - start) / len(units)
        on_text: dict[str, list[Verdict]] = {name: [] for name in PREDICTORS}
        on_test: dict[str, list[Verdict]] = {name: [] for name in PREDICTORS}
        for unit in units.tolist():
            graph = graphs_of[unit]
            where = firings.get(unit, np.zeros(0, np.intp))
            own, threshold = evidence.get(unit), self.config.fire_threshold
            kept = scan.window[unit] >= 0
            tokens = self.text.tokens.reshape(-1, self.text.width)[np.maximum(scan.window[unit], 0)]
            test = kept & np.isin(scan.window[unit], examples[unit][1])
            train = kept & ~test
            normalised = scan.trace[unit] / np.float32(scan.max_activation[unit])
            table = NgramTable.learn(1, tokens[train], normalised[train])
            trie = self.heldout.predicted(graph, threshold)
            by_name = {
                "trie": (trie, predict_windows(graph, tokens[test])),
                "look-up": (self.heldout.ngrams.fires(table, threshold), table.predict(tokens[test])),
            }
            by_name["evidence"] = (
                by_name["trie"]
                if own is None
                else (
                    self._fires(own, self.heldout.windows, trie),
                    self._fires(own, tokens[test], by_name["trie"][1] >= threshold).astype(np.float32),
                )
            )
            for name, (said, predicted) in by_name.items():
                on_text[name].append(self.heldout.verdict(said, where))
                on_test[name].append(judge(predicted, normalised[test], threshold))
        for name in PREDICTORS:
            taken = f"{milliseconds:6.1f}" if name == "evidence" else ""
            figures = f"{_line(on_text[name], on_text['trie'])} {_f1(on_test[name], on_test['trie'])}"
            print(f"{layer:>5}  {name:<9} {figures} {taken}", flush=True)

    def _learn(
        self,
        record: ActivationRecord,
        units: Sequence[int],
        examples: Mapping[int, Any],
        graphs: Mapping[int, NeuronGraph],
        config: EvidenceConfig,
    ) -> dict[int, UnitEvidence | None]:
        threshold = self.config.fire_threshold
        source = RowSource(self.text, record, threshold, config.tokens, config.near, config.drawn)
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
                    self.text,
                    list(rows.values()),
                    list(windows.values()),
                    own_graphs,
                    threshold,
                    config,
                    self.classes,
                )
                found.update(zip(rows, learned, strict=True))
        return found

    def _fires(self, evidence: UnitEvidence, windows: Any, matched: Any) -> Any:
        """Where evidence predicts firings in windows, given where the graph does: (window, position) each."""
        reach = evidence.reach
        laid, graph = (
            np.pad(each, ((0, 0), (reach, 0)), constant_values=filling)
            for each, filling in ((windows, -1), (matched, False))
        )
        fires = evidence.fires(laid.ravel(), self.classes, graph.ravel()).reshape(laid.shape)[:, reach:]
        return fires & ~np.isin(windows, sorted(self.model.special))

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
        file = self.cache / f"heldout-{layer:03d}.npz" if self.cache else None
        if file is None or not file.exists():
            windows, threshold = self.heldout.windows, self.config.fire_threshold
            neuron, position = find_firings(self.model, windows, {layer: largest}, threshold, silent)[layer]
            if file is None:
                return split_firings(neuron, position)
            save_arrays(file, neuron=neuron, position=position)
        with np.load(file) as arrays:
            return split_firings(arrays["neuron"], arrays["position"])


def _line(verdicts: Sequence[Verdict], trie: Sequence[Verdict]) -> str:
    judged = [each for each in verdicts if each.true_firings]
    precision, recall = (
        np.mean([getattr(each, name) for each in judged]) for name in ("precision", "recall")
    )
    count, *rest = _f1(verdicts, trie).split(None, 1)
    return f"{count:>4}       {precision:5.3f} {recall:5.3f} {rest[0]}"


def _f1(verdicts: Sequence[Verdict], trie: Sequence[Verdict]) -> str:
    pairs = [(each.f1, other.f1) for each, other in zip(verdicts, trie, strict=True) if each.true_firings]
    f1, before = np.array(pairs).T
    gain = f1 - before
    return f"{len(f1):>5} {f1.mean():5.3f} {gain.mean():+.3f} +- {2 * gain.std() / len(gain) ** 0.5:.3f}"


if __name__ == "__main__":
    typer.run(main)
