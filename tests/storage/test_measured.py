"""What is measured of a unit on its corpus is read from a database as it went into the shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from n2gdb.core.reals import as_decimal
from n2gdb.core.units import NeuronName
from n2gdb.errors import StorageError
from n2gdb.storage.build.database import build_database
from n2gdb.storage.connection import Connection
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.read.evidence import (
    read_evidence,
    read_evidence_between,
    read_model_evidence,
    read_token_classes,
)
from n2gdb.storage.read.export import graphs_between
from n2gdb.storage.read.graphs import read_layer_graphs
from n2gdb.storage.read.neurons import load_examples, load_graph, load_range
from n2gdb.storage.read.records import read_histogram
from n2gdb.storage.read.scores import read_layer_scores
from n2gdb.storage.schema import BANDS, EVIDENCE_FIGURES, PREDICTORS
from n2gdb.storage.shards import RunFolder
from tests.generators.unit_sets import mlp_unit
from tests.support.small_run import WORDS, random_graphs, write_run

GRAPHS = random_graphs(seed=11, layers=2, neurons=12)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return write_run(tmp_path_factory.mktemp("measured") / "run", GRAPHS)


@pytest.fixture(scope="module")
def stored(run: RunFolder) -> Iterator[Connection]:
    path = run.path.with_name("x.n2gdb")
    build_database(path, [run])
    with Connection.open(path) as connection:
        yield connection


def test_every_reader_gives_support_and_confidence(run: RunFolder, stored: Connection) -> None:
    written = graphs_from(run.nodes())
    ways = (
        {unit: load_graph(stored, unit) for unit in written},
        graphs_between(stored, {"first": 0, "last": max(written)}),
        read_layer_graphs(stored, 0, 0) | read_layer_graphs(stored, 0, 1),
    )
    for graphs in ways:
        assert graphs.keys() == written.keys()
        for unit, graph in written.items():
            assert graph.support is not None
            assert np.array_equal(graphs[unit].support, graph.support)  # type: ignore[arg-type]
            assert np.array_equal(graphs[unit].confidence, graph.confidence, equal_nan=True)  # type: ignore[arg-type]
    nodes = run.nodes()
    assert 0 < nodes["confidence"].null_count < len(nodes)


def test_a_pattern_has_the_support_of_its_last_node(run: RunFolder) -> None:
    for graph in graphs_from(run.nodes()).values():
        assert graph.support is not None
        assert graph.confidence is not None
        ends = np.flatnonzero(~np.isnan(graph.end))
        for node, pattern in zip(ends.tolist(), graph.patterns(), strict=True):
            assert pattern == graph.pattern(node)
            assert (pattern.support, pattern.confidence) == (
                graph.support[node],
                None if graph.support[node] == 0 else graph.confidence[node],
            )
            assert graph.pattern(node).support == pattern.support


def test_evidence_reads_back_one_unit_and_many(run: RunFolder, stored: Connection) -> None:
    rows: dict[int, list[tuple[int, int, float]]] = {}
    for row in run.evidence().to_pylist():
        rows.setdefault(row["unit"], []).append((row["depth"], row["token"], row["weight"]))
    figures = {row["unit"]: row for row in run.neurons().to_pylist() if row["base"] is not None}
    assert any(token >= len(WORDS) for own in rows.values() for _, token, _ in own)
    everything = read_model_evidence(stored, 0)
    assert everything.keys() == figures.keys()
    assert read_model_evidence(stored, 0, 0).keys() | read_model_evidence(stored, 0, 1).keys() == rows.keys()
    assert read_evidence_between(stored, min(rows), max(rows)).keys() == rows.keys()
    for unit, evidence in everything.items():
        assert (evidence.base, evidence.threshold, evidence.graph) == tuple(
            as_decimal(figures[unit][name]) for name in EVIDENCE_FIGURES.names
        )
        own = list(
            zip(evidence.depth.tolist(), evidence.token.tolist(), evidence.weight.tolist(), strict=True)
        )
        assert own == sorted(rows[unit])
        one = read_evidence(stored, unit)
        assert one is not None
        assert np.array_equal(one.weight, evidence.weight)
    without = next(name for name in GRAPHS if mlp_unit(name) not in figures)
    assert read_evidence(stored, mlp_unit(without)) is None


def test_every_token_has_a_class_of_each_kind(run: RunFolder, stored: Connection) -> None:
    classes = read_token_classes(stored, 0)
    assert classes is not None
    assert classes.shape == (2, len(WORDS))
    for row in run.classes().to_pylist():
        assert np.flatnonzero((classes == row["class"]).any(axis=0)).tolist() == row["tokens"]
    assert classes.min() >= len(WORDS)
    assert read_token_classes(stored, 1) is None


def test_the_histogram_has_edges_up_to_the_maximum(run: RunFolder, stored: Connection) -> None:
    for row in run.records().to_pylist():
        found = read_histogram(stored, row["unit"])
        assert found is not None
        assert (found.positions, found.active, found.maximum) == (
            row["positions"],
            row["active"],
            row["maximum"],
        )
        assert list(found.counts) == row["counts"]
        if found.maximum:
            assert len(found.edges) == len(found.counts)
            assert found.edges[-1] == found.maximum == 4.0
            assert found.edges[0] == 0.5
            assert list(found.edges) == sorted(set(found.edges))
        else:
            assert found.edges == ()
    assert read_histogram(stored, mlp_unit(NeuronName(7, 0))) is None


def test_top_examples_and_those_of_lesser_strength_are_read_apart(stored: Connection) -> None:
    for name, graph in GRAPHS.items():
        top, others = load_examples(stored, mlp_unit(name)), load_range(stored, mlp_unit(name))
        assert (len(top), len(others)) == ((2, 4) if len(graph) else (0, 0))
        assert {each.band for each in top} <= {"top"}
        assert [each.band for each in others] == [band for band in BANDS if band in {e.band for e in others}]


def test_scores_are_told_apart_by_text(run: RunFolder, stored: Connection) -> None:
    scores = read_layer_scores(stored, 0, "run")
    for text, predictors in PREDICTORS.items():
        found = {each.predictor for each in scores if each.text == text}
        assert found == set(predictors) | {"n2g"}
    assert [each.text for each in scores] == sorted((each.text for each in scores), reverse=True)


@pytest.mark.parametrize("table", ["evidence", "records"])
def test_a_shard_that_has_lost_a_table_is_damaged(tmp_path: Path, table: str) -> None:
    run = write_run(tmp_path / "run", GRAPHS)
    first, second = run.shards()
    (first / f"{table}.parquet").unlink()
    file = second / f"{table}.parquet"
    pq.write_table(pq.read_table(file).slice(1), file)
    assert run.damaged() == [first, second]
    with pytest.raises(StorageError, match="ingest its model again"):
        getattr(run, table)()
