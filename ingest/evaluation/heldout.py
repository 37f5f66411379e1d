"""Held-out evaluation: how well stored graphs, evidence and look-up tables predict neurons on random text.

Top examples flatter: every one of them holds a firing. In random text firings are rare, and a graph that
fires too often shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, Int64Array, IntArray
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.progress import Report
from n2gdb.core.units import place_of
from n2gdb.database import Database
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.models.read_units import with_units
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.baselines import NgramTable
from n2gdb.ingest.n2g.heldout_text import HELDOUT_GAP, HeldoutText
from n2gdb.ingest.n2g.judge import Verdict
from n2gdb.ingest.n2g.learn import BASELINES
from n2gdb.ingest.n2g.random_text import find_firings, split_firings
from n2gdb.ingest.sources.places import unit_number
from n2gdb.storage.read.catalog import ModelInfo
from n2gdb.storage.read.evidence import read_model_evidence, read_token_classes
from n2gdb.storage.read.examples import (
    deepest_context,
    read_max_activations,
    read_window_tokens,
    training_windows,
)
from n2gdb.storage.read.graphs import read_layer_graphs
from n2gdb.storage.read.scores import N2G, LayerScores

__all__ = ["HeldoutText", "judge_heldout"]

EVIDENCE = "evidence"


def judge_heldout(
    database: Database,
    info: ModelInfo,
    model: SubjectModel,
    windows: IntArray,
    threshold: float,
    report: Report,
) -> tuple[LayerScores, ...]:
    """Judge all that predicts a model's neurons on held-out text.

    Stored graphs, evidence (a neuron that has none is predicted by its graph there), and look-up tables of
    the same training examples.

    windows (window, position), padded with PAD. Firings are relative to the stored max activations, as they
    are everywhere. Two passes of the model: over this text, and over the training examples, for the tables.
    """
    model = with_units(model, "".join({side for source in info.sources for side in source.sides}))
    largest = _max_activations(database, info, model)
    evidence = {
        (place.layer, unit_number(key, model.d_mlp)): each
        for key, each in read_model_evidence(database.connection, info.number).items()
        if (place := place_of(key)).source == 0
    }
    classes = read_token_classes(database.connection, info.number)
    gap = max(HELDOUT_GAP, deepest_context(database.connection, info.number))
    text = HeldoutText(windows, model.counted(windows), gap)
    true = find_firings(model, windows, largest, threshold, report, "held-out text")
    examples = _training_windows(database, info, model)
    counted = model.counted(examples.tokens)
    seen = find_firings(model, examples.tokens, largest, threshold, report, "training examples")
    scores: list[LayerScores] = []
    done, total = 0, sum(map(len, examples.of.values()))
    for layer in sorted(largest):
        firings, learned = split_firings(*true[layer]), split_firings(*seen[layer])
        graphs = _graphs(database, info, model, layer)
        verdicts: dict[str, list[Verdict]] = {}
        nodes: list[int] = []
        for neuron, numbers in examples.of.get(layer, {}).items():
            where = firings.get(neuron, np.zeros(0, np.intp))
            graph = graphs.get(neuron, NeuronGraph.empty())
            nodes += [len(graph)] * bool(len(where))
            by_graph = text.predicted(graph, threshold)
            verdicts.setdefault(N2G, []).append(text.verdict(by_graph, where))
            if evidence:
                own = evidence.get((layer, neuron))
                fires_at = by_graph if own is None else text.foreseen(own, classes, by_graph)
                verdicts.setdefault(EVIDENCE, []).append(text.verdict(fires_at, where))
            known, fires = examples.known(numbers, learned.get(neuron, np.zeros(0, np.intp)), counted)
            for name, n in BASELINES.items():
                table = NgramTable.learn(n, known, fires)
                verdicts.setdefault(name, []).append(text.verdict(text.ngrams.fires(table, threshold), where))
            done += 1
            report("judge", done, total)
        scores += _layer_scores(info.name, layer, verdicts, nodes, int(text.counted.sum()))
    return tuple(scores)


def _layer_scores(
    model: str, layer: int, verdicts: Mapping[str, list[Verdict]], nodes: list[int], n_tokens: int
) -> Iterator[LayerScores]:
    for predictor, all_of_them in verdicts.items():
        judged = [verdict for verdict in all_of_them if verdict.true_firings]
        rate = sum(verdict.true_firings for verdict in all_of_them) / (n_tokens * len(all_of_them))
        yield LayerScores(
            model,
            layer,
            predictor,
            "heldout",
            len(judged),
            _mean(verdict.precision for verdict in judged),
            _mean(verdict.recall for verdict in judged),
            _mean(verdict.f1 for verdict in judged),
            _mean(nodes) if predictor == N2G else None,
            rate,
        )


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None


def _max_activations(database: Database, info: ModelInfo, model: SubjectModel) -> dict[int, FloatArray]:
    """Stored max activations by layer, (neuron,); 0 for neurons that the database does not hold."""
    rows = read_max_activations(database.connection, info.number)
    layer, unit, largest = (rows[name].to_numpy() for name in ("layer", "unit", "largest"))
    found = {}
    for number in np.unique(layer).tolist():
        found[number] = np.zeros(model.at(number).n_units, np.float32)
        here = layer == number
        found[number][_unit_numbers(model, unit[here])] = largest[here]
    return found


def _unit_numbers(model: SubjectModel, keys: Int64Array) -> IndexArray:
    """Number neurons of a layer among the units of its place, by their Neuron.id: (neuron,) -> (neuron,)."""
    return np.array([unit_number(key, model.d_mlp) for key in keys.tolist()], np.intp)


def _graphs(database: Database, info: ModelInfo, model: SubjectModel, layer: int) -> dict[int, NeuronGraph]:
    """The stored graphs of a layer's neurons, by their numbers in its place."""
    stored = read_layer_graphs(database.connection, info.number, layer)
    neurons = {key: graph for key, graph in stored.items() if place_of(key).source == 0}
    units = _unit_numbers(model, np.array(list(neurons), np.int64))
    return dict(zip(units.tolist(), neurons.values(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class _TrainingWindows:
    """The windows that graphs were learned from, each once, and which are whose."""

    tokens: IntArray  # (window, position)
    of: Mapping[int, Mapping[int, IndexArray]]  # layer -> neuron -> rows of ``tokens``

    def known(
        self, numbers: IndexArray, firings: IndexArray, counted: BoolArray
    ) -> tuple[IntArray, FloatArray]:
        """A neuron's windows, and 1 where it fires, 0 elsewhere, -inf where none counts.

        counted (window, position) says that of all the windows.
        """
        tokens, width = self.tokens[numbers], self.tokens.shape[1]
        fires = np.zeros(len(self.tokens) * width, np.float32)
        fires[firings] = 1
        activation = fires.reshape(-1, width)[numbers]
        activation[~counted[numbers]] = -np.inf
        return tokens, activation


def _training_windows(database: Database, info: ModelInfo, model: SubjectModel) -> _TrainingWindows:
    rows = training_windows(database.connection, info.number)
    wanted = sorted({window for _, _, window in rows})
    row_of = {window: row for row, window in enumerate(wanted)}
    texts = read_window_tokens(database.connection, info.number)
    width = max((len(texts[window]) for window in wanted), default=1)
    tokens = np.full((len(wanted), width), PAD, np.int32)
    for row, window in enumerate(wanted):
        tokens[row, : len(texts[window])] = texts[window]
    own: dict[int, dict[int, list[int]]] = {}
    units = _unit_numbers(model, np.array([key for _, key, _ in rows], np.int64)).tolist()
    for (layer, _, window), unit in zip(rows, units, strict=True):
        own.setdefault(layer, {}).setdefault(unit, []).append(row_of[window])
    return _TrainingWindows(
        tokens,
        {
            layer: {index: np.array(sorted(numbers)) for index, numbers in sorted(neurons.items())}
            for layer, neurons in own.items()
        },
    )
