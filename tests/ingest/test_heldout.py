"""Held-out judging and the report against plain loops over a small ingest of the demo model."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.core.progress import silent
from n2gdb.database import Database
from n2gdb.ingest.evaluation.heldout import judge_heldout
from n2gdb.neuron import Neuron
from n2gdb.storage.read.graphs import read_layer_graphs
from n2gdb.storage.read.scores import LayerScores, mean_over_layers, read_layer_scores
from tests.generators.unit_sets import mlp_unit
from tests.support.demo import demo_model, demo_windows, ingest_demo, true_activations


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return n2gdb.open(ingest_demo(tmp_path_factory.mktemp("heldout"), sample=24))


def fires_of(neuron: Neuron, window: np.ndarray[tuple[int], np.dtype[np.int32]]) -> list[bool]:
    real = true_activations(neuron.name.layer, neuron.name.index, window)
    special = demo_model().special
    return [
        token not in special and value >= 0.5 * neuron.max_activation > 0
        for token, value in zip(window.tolist(), real.tolist(), strict=True)
    ]


def f1_of(said: list[bool], true: list[bool]) -> float | None:
    if not any(true):
        return None
    hits = sum(a and b for a, b in zip(said, true, strict=True))
    return 2 * hits / (sum(said) + sum(true))


def known_tokens(neuron: Neuron) -> set[int]:
    """Tokens that a training example fires on: what the token look-up knows."""
    known = set()
    for example in neuron.examples:
        if example.split == "train":
            window = np.array(example.tokens, np.int32)
            pairs = zip(window.tolist(), fires_of(neuron, window), strict=True)
            known |= {token for token, fires in pairs if fires}
    return known


def test_heldout_scores_are_those_of_plain_loops(database: Database) -> None:
    windows = demo_windows()[200:230]
    found = judge_heldout(database, database.model(), demo_model(), windows, 0.5, silent)
    special = demo_model().special
    text = windows.ravel().tolist()
    f1s: dict[tuple[str, int | None], list[float]] = defaultdict(list)
    for neuron in database.neurons():
        true = [fires for window in windows for fires in fires_of(neuron, window)]
        predicted = np.concatenate([neuron.graph.predict(window) for window in windows]).tolist()
        known = known_tokens(neuron)
        graph = [value >= 0.5 and token not in special for value, token in zip(predicted, text, strict=True)]
        table = [token in known and token not in special for token in text]
        weighed = graph
        if (own := neuron.evidence) is not None:
            matched = [neuron.graph.predict(window) >= 0.5 for window in windows]
            places = zip(windows, matched, strict=True)
            foreseen = np.concatenate([own.fires(w, neuron.token_classes, there) for w, there in places])
            weighed = [
                fires and token not in special for fires, token in zip(foreseen.tolist(), text, strict=True)
            ]
        for predictor, said in (("n2g", graph), ("evidence", weighed), ("lookup", table)):
            f1 = f1_of(said, true)
            if f1 is not None:
                f1s[predictor, neuron.name.layer].append(f1)
    assert sum(map(len, f1s.values())) > 10
    judged = {(each.predictor, each.layer): each for each in found if each.predictor != "ngram"}
    assert {key: each.f1 for key, each in judged.items() if each.neurons} == {
        key: pytest.approx(mean(values)) for key, values in f1s.items()
    }
    assert {key: each.neurons for key, each in judged.items()} == {key: len(f1s[key]) for key in judged}
    assert all(each.base_rate is not None and 0 <= each.base_rate < 0.05 for each in found)


def test_a_whole_layer_of_graphs_is_read_as_each_alone(database: Database) -> None:
    for layer in range(6):
        graphs = read_layer_graphs(database.connection, 0, layer)
        alone = {neuron.name: neuron.graph for neuron in database.neurons(layer=layer)}
        assert graphs == {mlp_unit(name): graph for name, graph in alone.items() if len(graph)}


def test_scores_by_layer_are_means_over_judged_neurons(database: Database) -> None:
    scores = [each for each in read_layer_scores(database.connection, 0, "demo") if each.text == "test"]
    assert {each.predictor for each in scores} == {"n2g", "evidence", "plain", "lookup", "ngram"}
    for each in scores:
        if each.predictor == "n2g":
            there = list(database.neurons(layer=each.layer))
            judged = [neuron.f1 for neuron in there if neuron.f1 is not None]
            assert each.neurons == len(judged)
            assert each.f1 == pytest.approx(mean(judged), rel=1e-5)
            nodes = [neuron.n_nodes for neuron in there if neuron.f1 is not None]
            assert each.nodes == pytest.approx(mean(nodes))
    assert len({(each.layer, each.neurons) for each in scores}) == len({each.layer for each in scores})


def test_the_mean_over_layers_weighs_neurons_alike() -> None:
    def scores(layer: int, neurons: int, f1: float | None) -> LayerScores:
        return LayerScores("m", layer, "n2g", "test", neurons, f1, f1, f1)

    (found,) = mean_over_layers([scores(0, 3, 0.5), scores(1, 1, 0.1), scores(2, 0, None)])
    assert (found.layer, found.neurons, found.nodes) == (None, 4, None)
    assert found.f1 == pytest.approx((3 * 0.5 + 0.1) / 4)


def test_the_report_prints_and_draws(database: Database, tmp_path: Path) -> None:
    text = tmp_path / "random.txt"
    text.write_text("".join(f"The ship number {i} sailed on the sea, she said. " for i in range(40)))
    arguments = ["report", "--db", str(database.path), "--heldout", str(text), "--device", "cpu"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "held-out text" in shown.stdout
    figure = tmp_path / "report.svg"
    shown = CliRunner().invoke(app, [*arguments, "--json", "--figure", str(figure)])
    assert shown.exit_code == 0, shown.output
    said = json.loads(shown.stdout)
    assert {(each["text"], each["predictor"]) for each in said["scores"]} == {
        *(("test", name) for name in ("n2g", "evidence", "plain", "lookup", "ngram")),
        *(("heldout", name) for name in ("n2g", "evidence", "lookup", "ngram")),
    }
    assert all(each["f1"] is None or not math.isnan(each["f1"]) for each in said["scores"])
    assert "svg" in figure.read_text()


def test_a_heldout_text_that_is_not_there_is_said(database: Database) -> None:
    shown = CliRunner().invoke(app, ["report", "--db", str(database.path), "--heldout", "missing.txt"])
    assert shown.exit_code == 1
    assert "missing.txt: there is no such file" in shown.stderr
    assert len(shown.stderr.strip().splitlines()[-1:]) == 1
