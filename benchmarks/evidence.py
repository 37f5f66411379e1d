"""How well evidence and revised graphs, learned anew, tell where neurons fire, and what parts are worth.

    python -m benchmarks.evidence DATABASE HELDOUT [--neurons 30] [--but 100] [--layers 0,3] [--cache FOLDER]
        [--windows 2000] [--revise] [--no-evidence] [--set weights=16 --set revise.deepen=False] [--share 0.1]
    python -m benchmarks.evidence DATABASE HELDOUT --parts [--only 'weights'] [--neurons 100] [--but 180]

DATABASE is one that `ingest` made, its shards beside it; HELDOUT is text that was never scanned, or some of
its windows, drawn. Where they fire there is kept in the cache. ``--but`` leaves out neurons drawn first of
each layer, on which constants were chosen. A mean is over the neurons that fire on that text; behind it is a
95 % interval of the mean (bootstrap over neurons), and that of its gain over graphs, paired. ``--revise``
revises graphs that `ingest --no-revise` stored, and learns evidence with those. ``--set`` changes parameters
of evidence, or of the revision; ``--share`` learns from a part of the corpus. Reliability is of evidence's
probabilities on held-out text: predicted and true share of firings, by predicted share.

``--parts`` learns the same neurons' evidence once for each of its parts, without it, and shows the change
against evidence as it stands, paired. Rows are drawn once for all of them.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.judging import Examples, Judging, Predicted, print_verdicts
from benchmarks.predictors import foreseen, log_odds
from n2gdb.core.arrays import position_hash
from n2gdb.core.graph import NeuronGraph
from n2gdb.evidence.weights import UnitEvidence
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.fit import EvidenceConfig, learn_evidence
from n2gdb.ingest.evidence.revise import RevisionConfig, revised_graph
from n2gdb.ingest.evidence.rows import RowSource, TopWindows, UnitRows
from n2gdb.ingest.evidence.token_classes import token_classes
from n2gdb.ingest.n2g.judge import Verdict
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.ingest.scan.record import ActivationRecord

#: Neurons whose evidence is learned together.
TOGETHER = 16
BINS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)

#: Each part of evidence by what is changed without it: parameters, ``share`` of the corpus, or ``classes``.
PARTS: dict[str, dict[str, Any]] = {
    "without the graph's firing": {"graph": False},
    "without classes of tokens": {"classes": False},
    "nothing anywhere before": {"reach": 0},
    "no absence anywhere before": {"absence": False},
    "without anchors": {"anchors": False},
    "near misses drawn as others are": {"misses": False},
    "16 weights": {"weights": 16},
    "32 weights": {"weights": 32},
    "128 weights": {"weights": 128},
    "a tenth of the corpus": {"share": 0.1},
    "a third of the corpus": {"share": 0.33},
}
AS_IT_STANDS = "as it stands"


def main(
    database: Path,
    heldout: str,
    neurons: Annotated[int, typer.Option(help="Drawn of each layer; 0 for all.")] = 30,
    but: Annotated[int, typer.Option(help="Without so many of each layer, drawn first.")] = 0,
    layers: Annotated[str, typer.Option(help="Layers, such as 0,3.")] = "",
    cache: Annotated[Path | None, typer.Option(help="Folder of held-out firings.")] = None,
    windows: Annotated[int, typer.Option(help="Windows of held-out text, drawn; 0 for all.")] = 0,
    revised: Annotated[bool, typer.Option("--revise", help="Revise the graphs.")] = False,
    learned: Annotated[bool, typer.Option("--evidence/--no-evidence", help="Learn evidence.")] = True,
    changed: Annotated[list[str] | None, typer.Option("--set", help="Such as reach=0.")] = None,
    classes: Annotated[bool, typer.Option(help="Whether classes of tokens are context.")] = True,
    share: Annotated[float, typer.Option(help="Share of the corpus that is learned from.")] = 1.0,
    parts: Annotated[bool, typer.Option("--parts", help="Show what each part of evidence is worth.")] = False,
    only: Annotated[str, typer.Option(help="Parts whose name matches this expression.")] = "",
) -> None:
    bench = Judging.of(database, heldout, cache, windows)
    values = {name: ast.literal_eval(text) for name, text in (each.split("=", 1) for each in changed or ())}
    of_revision = {name[7:]: value for name, value in values.items() if name.startswith("revise.")}
    change = {name: value for name, value in values.items() if "." not in name}
    change |= {"classes": classes, "share": share}
    revision = replace(RevisionConfig(), **of_revision) if revised else None
    print(f"{len(bench.heldout.windows):,} windows of held-out text; {values or AS_IT_STANDS}")
    text = CorpusText.of(bench.corpus, sorted(bench.model.special))
    every_class = token_classes(bench.model.embedding().cpu().numpy(), bench.model.token_texts())
    for layer in bench.layers(layers):
        drawn = bench.drawn(layer)[but:]
        units = (drawn[:neurons] if neurons else drawn).tolist()
        learning = _Learning(bench, layer, units, text, every_class)
        if parts:
            _print_parts(learning, only)
        else:
            _print_layer(learning, change if learned else None, revision)


@dataclass(frozen=True, eq=False)
class _Learning:
    """Some neurons of a layer, their graphs and texts, and what their evidence is learned from."""

    bench: Judging
    layer: int
    units: list[int]
    text: CorpusText
    classes: np.ndarray[Any, Any]
    drawn: dict[tuple[float, bool], Mapping[int, tuple[UnitRows, TopWindows]]] = field(default_factory=dict)

    @cached_property
    def examples(self) -> dict[int, Examples]:
        return self.bench.examples(self.layer, self.units)

    @cached_property
    def graphs(self) -> dict[int, NeuronGraph]:
        stored = self.bench.graphs(self.layer)
        return {unit: stored[unit] for unit in self.units}

    @cached_property
    def record(self) -> ActivationRecord:
        return layer_scan(self.bench.run.path, self.layer).record.load(np.arange(self.bench.model.d_mlp))

    @cached_property
    def windows(self) -> dict[int, tuple[Any, Any]]:
        return self.bench.example_windows(self.layer)

    def firings(self, unit: int) -> Any:
        return self._firings.get(unit, np.zeros(0, np.intp))

    @cached_property
    def _firings(self) -> dict[int, Any]:
        return self.bench.firings(self.layer)

    def revise(self, config: RevisionConfig) -> dict[int, NeuronGraph]:
        threshold = self.bench.config.fire_threshold
        source = RowSource(self.text, self.record, threshold, config.tokens, threshold, config.drawn)
        return {
            unit: revised_graph(source, unit, *self.windows[unit], self.graphs[unit], config)
            for unit in self.units
        }

    def learn(
        self, change: Mapping[str, Any], graphs: Mapping[int, NeuronGraph]
    ) -> tuple[dict[int, UnitEvidence | None], Any]:
        """Learn evidence with some parameters changed; and the classes that it is of."""
        change = dict(change)
        share, with_classes = change.pop("share", 1.0), change.pop("classes", True)
        config = replace(EvidenceConfig(), **change)
        threshold, text = self.bench.config.fire_threshold, _part_text(self.text, share)
        classes: Any = self.classes if with_classes else self.classes[:0]
        rows = self._rows(text, share, config)
        found: dict[int, UnitEvidence | None] = {}
        known = list(rows)
        for start in range(0, len(known), TOGETHER):
            some = known[start : start + TOGETHER]
            own, windows = zip(*(rows[unit] for unit in some), strict=True)
            of_some = [graphs[unit] for unit in some]
            learned = learn_evidence(text, own, windows, of_some, threshold, config, classes)
            found.update(zip(some, learned, strict=True))
        return found, classes

    def _rows(
        self, text: CorpusText, share: float, config: EvidenceConfig
    ) -> Mapping[int, tuple[UnitRows, TopWindows]]:
        """Rows of the neurons that fire often enough, drawn once for all parameters that do not matter."""
        if (share, config.misses) not in self.drawn:
            threshold, record = self.bench.config.fire_threshold, _part(self.record, share, text.width)
            source = RowSource(
                text, record, threshold, config.tokens, config.near, config.drawn, config.misses
            )
            found = {}
            for unit in self.units:
                train, test = self.windows[unit]
                others = source.other_windows(unit, np.concatenate([train, test]), config.windows)
                own = TopWindows(train, test, others)
                rows = source.rows(unit, own)
                if rows is not None and np.count_nonzero(rows.activation >= threshold) >= config.firings:
                    found[unit] = (rows, own)
            self.drawn[share, config.misses] = found
        return self.drawn[share, config.misses]


def _print_layer(
    learning: _Learning, change: Mapping[str, Any] | None, revision: RevisionConfig | None
) -> None:
    bench, units = learning.bench, learning.units
    start = time.process_time()
    graphs = {"graph": learning.graphs}
    if revision is not None:
        graphs["revised"] = learning.revise(revision)
    last = graphs["graph" if revision is None else "revised"]
    middle = time.process_time()
    evidence, classes = ({}, None) if change is None else learning.learn(change, last)
    taken = [1000 * seconds / len(units) for seconds in (middle - start, time.process_time() - middle)]
    found: dict[str, list[tuple[Verdict, Verdict]]] = {}
    sums = np.zeros((3, len(BINS) - 1))
    for unit in units:
        own, firings = learning.examples[unit], learning.firings(unit)
        said = {name: bench.by_graph(of_layer[unit], own) for name, of_layer in graphs.items()}
        if change is not None:
            by_graph, learned = said["graph" if revision is None else "revised"], evidence.get(unit)
            said["evidence"] = foreseen(bench, learned, classes, by_graph, own)
            if learned is not None:
                odds = log_odds(bench, learned, classes, bench.heldout.windows, by_graph[0])
                sums += _reliability(odds, firings)
        for name, predicted in (said | bench.by_look_up(own)).items():
            found.setdefault(name, []).append(bench.verdicts(predicted, own, firings))
    nodes = " ".join(f"{np.mean([len(each) for each in of.values()]):.2f}" for of in graphs.values())
    print(
        f"layer {learning.layer}: {len(units)} neurons, {_median(learning):.0f} firings of the median one,"
        f" {taken[0]:.1f} ms a unit to revise, {taken[1]:.1f} to learn, nodes {nodes},"
        f" {sum(each is not None for each in evidence.values())} have evidence"
    )
    print_verdicts(found, np.arange(len(units)), "graph")
    shares = (f"{said / n:.3f}:{fired / n:.3f}" for said, fired, n in sums.T if n >= 50)
    print("  reliability " + " ".join(shares), flush=True)


def _print_parts(learning: _Learning, only: str) -> None:
    """Print what evidence loses without each of its parts."""
    bench, units = learning.bench, learning.units
    by_graph: dict[int, Predicted] = {
        unit: bench.by_graph(learning.graphs[unit], learning.examples[unit]) for unit in units
    }

    def judged(predicted: Mapping[int, Predicted]) -> list[tuple[Verdict, Verdict]]:
        return [
            bench.verdicts(predicted[unit], learning.examples[unit], learning.firings(unit)) for unit in units
        ]

    found = {"graphs alone": judged(by_graph)}
    chosen: dict[str, dict[str, Any]] = {AS_IT_STANDS: {}}
    chosen |= {name: each for name, each in PARTS.items() if re.search(only, name)}
    for name, change in chosen.items():
        evidence, classes = learning.learn(change, learning.graphs)
        found[name] = judged(
            {
                unit: foreseen(bench, evidence.get(unit), classes, by_graph[unit], learning.examples[unit])
                for unit in units
            }
        )
    print(f"layer {learning.layer}: {len(units)} neurons, {_median(learning):.0f} firings of the median one")
    print_verdicts(found, np.arange(len(units)), AS_IT_STANDS)


def _median(learning: _Learning) -> float:
    return float(np.median([len(learning.firings(unit)) for unit in learning.units]))


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


def _reliability(odds: Any, firings: Any) -> Any:
    """Sums of predicted probabilities, firings and positions by predicted probability: (3, bin)."""
    probability = np.reciprocal(1 + np.exp(-np.maximum(odds.ravel(), -80.0)))
    told = np.isfinite(odds.ravel())
    fires = np.zeros(len(told), np.float64)
    fires[firings] = 1
    bins = np.digitize(probability[told], BINS[1:-1])
    size = len(BINS) - 1
    return np.stack(
        [
            np.bincount(bins, probability[told], size),
            np.bincount(bins, fires[told], size),
            np.bincount(bins, minlength=size),
        ]
    )


if __name__ == "__main__":
    typer.run(main)
