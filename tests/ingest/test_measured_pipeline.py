"""What an ingest measures on its corpus, and on text that it keeps out of everything."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.errors import CorpusError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.corpus.heldout_split import is_held_out
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.read.evidence import read_model_evidence, read_token_classes
from n2gdb.storage.shards import RunFolder
from tests.support.demo import demo_documents, demo_model, only_run

SHARE = 0.2
CONFIG = N2GConfig(tokens=20_000, window=64, top_k=6, heldout=SHARE)
CHOSEN = Selection(layers=(0, 4), neurons=tuple(range(12)))


def ingested(folder: Path, config: N2GConfig = CONFIG, corpus: str = "demo") -> Path:
    path = folder / "x.n2gdb"
    ingest(demo_model(), Source(corpus), path, config, CHOSEN, silent, 1024)
    return path


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingested(tmp_path_factory.mktemp("measured"))


def windows_of(run: RunFolder, name: str) -> Any:
    return np.fromfile(run.path / f"{name}.windows", np.int32).reshape(-1, CONFIG.window)


def true_activations(windows: Any, layer: int) -> Any:
    """(window, position, neuron), -inf where none counts."""
    import torch

    tokens = torch.from_numpy(windows.astype(np.int64)).clamp(min=0)
    (found,) = (site.numpy() for site in demo_model().all_activations(tokens, [layer]))
    found[~demo_model().counted(windows)] = -np.inf
    return found


def test_density_histogram_support_and_confidence_are_those_of_the_model_on_the_corpus(
    measured: Path,
) -> None:
    run = only_run(measured)
    windows = windows_of(run, "corpus")
    records = {row["unit"]: row for row in run.records().to_pylist()}
    graphs = graphs_from(run.nodes())
    counted = int(demo_model().counted(windows).sum())
    compared = 0
    for layer in (0, 4):
        activation = true_activations(windows, layer)
        for row in run.neurons().to_pylist():
            if row["layer"] != layer:
                continue
            own = activation[:, :, row["index"]]
            fires = own >= 0.5 * row["max_activation"]
            record = records[row["unit"]]
            assert record["positions"] == counted
            assert record["maximum"] == pytest.approx(row["max_activation"])
            assert record["active"] == pytest.approx(np.count_nonzero(own > 0), rel=0.01)
            if row["state"] == "dead":
                assert row["density"] == 0
                continue
            assert row["density"] == pytest.approx(fires.sum() / counted, rel=0.02, abs=1 / counted)
            graph = graphs.get(row["unit"], n2gdb.NeuronGraph.empty())
            for node in range(len(graph)):
                assert graph.support is not None
                assert graph.confidence is not None
                at = occurrences(windows, graph, node)
                assert graph.support[node] == at.sum()
                if at.any():
                    share = (fires & at).sum() / at.sum()
                    assert graph.confidence[node] == pytest.approx(share, abs=1 / at.sum() + 1e-6)
                    compared += 1
                else:
                    assert np.isnan(graph.confidence[node])
    assert compared > 50


def occurrences(windows: Any, graph: n2gdb.NeuronGraph, node: int) -> Any:
    """Where the path to a node stands: (window, position)."""
    found = demo_model().counted(windows)
    for step in graph.path(node):
        depth, token = int(graph.depth[step]), int(graph.token[step])
        there = np.zeros(windows.shape, bool)
        there[:, depth:] = windows[:, : windows.shape[1] - depth] == token
        found = found & there
    return found


def test_heldout_figures_are_of_the_model_on_documents_that_nothing_was_learned_from(measured: Path) -> None:
    run = only_run(measured)
    heldout, corpus = windows_of(run, "heldout"), windows_of(run, "corpus")
    kept_out: set[tuple[int, ...]] = set()
    others: set[tuple[int, ...]] = set()
    for text in demo_documents():
        ids = tuple(demo_model().encode_batch([text[:400]])[0][:40])
        (kept_out if is_held_out(text, SHARE) else others).add(ids)
    assert starts(heldout) & kept_out
    assert not starts(heldout) & others
    assert not starts(corpus) & kept_out
    scores = {(row["unit"], row["text"], row["predictor"]): row for row in run.scores().to_pylist()}
    with n2gdb.open(measured) as database:
        evidence = read_model_evidence(database.connection, 0)
        classes = read_token_classes(database.connection, 0)
    graphs = graphs_from(run.nodes())
    counted = demo_model().counted(heldout)
    judged = by_evidence = 0
    for layer in (0, 4):
        activation = true_activations(heldout, layer)
        for row in run.neurons().to_pylist():
            if row["layer"] != layer or row["state"] == "dead":
                continue
            fires = activation[:, :, row["index"]] >= 0.5 * row["max_activation"]
            assert row["heldout_firings"] == pytest.approx(fires.sum(), abs=1)
            said = said_by_graph(graphs.get(row["unit"], n2gdb.NeuronGraph.empty()), heldout) & counted
            own = scores[row["unit"], "heldout", "n2g"]
            assert own["predicted_firings"] == said.sum()
            if row["unit"] in evidence:
                one, by_evidence = evidence[row["unit"]], by_evidence + 1
                pairs = zip(heldout, said, strict=True)
                said = np.stack([one.fires(window, classes, by) for window, by in pairs]) & counted
            assert scores[row["unit"], "heldout", "evidence"]["predicted_firings"] == said.sum()
            if not fires.any():
                assert row["heldout_f1"] is None
                continue
            f1 = 2 * (said & fires).sum() / (said.sum() + fires.sum())
            assert row["heldout_f1"] == pytest.approx(f1, abs=0.02)
            judged += 1
    assert judged > 8
    assert by_evidence > 8


def said_by_graph(graph: n2gdb.NeuronGraph, windows: Any) -> Any:
    return np.stack([graph.predict(window) >= 0.5 for window in windows])


def starts(windows: Any) -> set[tuple[int, ...]]:
    """The first tokens of every document in windows, which are one text: 40 after each separator."""
    stream = windows[:, 1:].ravel() if demo_model().bos is not None else windows.ravel()
    begins = [0, *(np.flatnonzero(stream == demo_model().separator) + 1)]
    return {tuple(stream[at : at + 40].tolist()) for at in begins}


def test_every_strength_has_its_examples(measured: Path) -> None:
    run = only_run(measured)
    windows = windows_of(run, "corpus")
    largest = {row["unit"]: row for row in run.neurons().to_pylist()}
    activation = {layer: true_activations(windows, layer) for layer in (0, 4)}
    lower = {"0.75": (0.75, 1), "0.5": (0.5, 0.75), "0.25": (0.25, 0.5), "0.125": (0.125, 0.25)}
    lower["near"] = (0.4, 0.5)
    seen = set()
    for row in run.examples().to_pylist():
        if row["band"] == "top":
            continue
        unit = largest[row["unit"]]
        own = activation[unit["layer"]][row["window"], :, unit["index"]]
        assert own[row["pivot"]] == pytest.approx(row["activation"], rel=1e-3)
        low, high = lower[row["band"]]
        assert low - 1e-3 <= row["activation"] / unit["max_activation"] <= high + 1e-3
        trace = np.frombuffer(row["trace"], "<f2").astype(np.float32) * unit["max_activation"]
        there = own[row["start"] : row["start"] + len(trace)]
        known = trace > 0
        np.testing.assert_allclose(trace[known], there[known], rtol=2e-2, atol=1e-3)
        seen.add(row["band"])
    assert seen == lower.keys()


def test_without_evidence_and_held_out_text_graphs_are_all_there_is(tmp_path: Path) -> None:
    run = only_run(ingested(tmp_path, replace(CONFIG, evidence=False, heldout=None)))
    assert not len(run.evidence())
    assert not len(run.classes())
    assert run.neurons()["heldout_firings"].null_count == len(run.neurons())
    assert {row["text"] for row in run.scores().to_pylist()} == {"test"}
    assert "evidence" not in run.scores()["predictor"].to_pylist()
    assert run.nodes()["support"].null_count == 0
    assert len(run.records()) == len(run.neurons())


def test_another_text_is_judged_by(tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    texts = [text for text in demo_documents() if is_held_out(text, 0.02)][:20]
    other.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    run = only_run(ingested(tmp_path, replace(CONFIG, heldout=str(other))))
    assert run.neurons()["heldout_firings"].null_count == 0
    assert json.loads(run.model().to_pylist()[0]["configuration"])["heldout"] == str(other)
    with pytest.raises(CorpusError, match="no such file"):
        ingested(tmp_path, replace(CONFIG, heldout=str(tmp_path / "missing.txt")))


def test_a_corpus_of_one_document_is_learned_from(tmp_path: Path) -> None:
    corpus = tmp_path / "one.txt"
    corpus.write_text(" ".join(list(demo_documents())[:5]))
    said: list[str] = []
    path = tmp_path / "x.n2gdb"
    ingest(
        demo_model(),
        Source(str(corpus)),
        path,
        replace(CONFIG, heldout=0.999),
        CHOSEN,
        lambda stage, *_: said.append(stage),
        1024,
    )
    assert any("no document was kept out" in stage for stage in said)
    assert only_run(path).neurons()["heldout_f1"].null_count == 24


def test_graphs_are_revised_on_the_record_unless_that_is_turned_off(measured: Path, tmp_path: Path) -> None:
    revised = only_run(measured)
    before = only_run(ingested(tmp_path, replace(CONFIG, revise=False)))
    after = graphs_from(revised.nodes())
    graphs = graphs_from(before.nodes())
    firings = {row["unit"]: row["density"] * 20_000 for row in revised.neurons().to_pylist()}
    changed = {unit for unit in firings if graphs.get(unit) != after.get(unit)}
    assert changed
    assert all(firings[unit] > 8 for unit in changed)
    assert before.path.name != revised.path.name
