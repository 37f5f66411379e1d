"""Numbers: what was measured as 0.9 is 0.9, in every comparison and in every answer."""

from __future__ import annotations

import csv
import json
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.reals import as_decimal, as_stored, decimals
from n2gdb.core.units import NeuronName
from n2gdb.query.builder.queries import field, neurons, patterns_of
from n2gdb.storage.build.database import build_database
from n2gdb.storage.checksums import digest_of, record
from n2gdb.storage.schema import NEURONS
from tests.support.small_run import write_run

SHARES = (0.9, 0.1, 0.3, 0.7, 2 / 3, 5 / 6, 0.29, 1.0)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    """A neuron for each of SHARES: its recall, its pattern's activation, and its context's importance."""
    folder = tmp_path_factory.mktemp("reals")
    graphs = {
        NeuronName(0, at): NeuronGraph.from_patterns([Pattern((Step(0, 1, 1.0), Step(1, 2, share)), share)])
        for at, share in enumerate(SHARES)
    }
    run = write_run(folder / "run", graphs)
    path = run.shards()[0] / "neurons.parquet"
    rows = [
        row | {"recall": share} for row, share in zip(pq.read_table(path).to_pylist(), SHARES, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=NEURONS), path)
    record(path.parent, [(path.name, digest_of(path))])
    build_database(folder / "x.n2gdb", [run])
    with n2gdb.open(folder / "x.n2gdb") as opened:
        yield opened


def found(database: n2gdb.Database, where: str) -> set[float]:
    return {SHARES[hit.neuron.index] for hit in database.query(f"neurons MATCHING ... WHERE {where}")}


@pytest.mark.parametrize("name", ["recall", "activation", "importance"])
@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("{} = 0.9", {0.9}),
        ("{} >= 0.9", {0.9, 1.0}),
        ("{} > 0.9", {1.0}),
        ("{} <= 0.1", {0.1}),
        ("{} IN (0.9, 0.3)", {0.9, 0.3}),
        ("{} IN 0.3..0.7", {0.3, 2 / 3, 0.7}),
        ("1 - {} <= 0.1", {0.9, 1.0}),
        ("{} * 10 = 9", {0.9}),
        ("{} * 10 >= 7", {0.7, 5 / 6, 0.9, 1.0}),
        ("{} / 3 = 0.3", {0.9}),
        ("{} + 0 = 0.29", {0.29}),
        ("0.9 <= {} * 1", {0.9, 1.0}),
        ("{} >= 5 / 6", {5 / 6, 0.9, 1.0}),
        ("2 / 3 = {}", {2 / 3}),
        ("{} = 0.6666666666666666", {2 / 3}),
        ("{} - recall = 0", set(SHARES)),
        ("{} IS MISSING", set()),
        ("{} IS NOT MISSING AND {} < 0.3", {0.1, 0.29}),
    ],
)
def test_a_number_is_compared_as_it_was_written(
    database: n2gdb.Database, name: str, condition: str, wanted: set[float]
) -> None:
    assert found(database, condition.format(name, name)) == wanted
    counted = database.count(f"patterns WHERE {condition.format(name, name)}")
    assert counted == len(wanted)


def test_a_builder_compares_alike(database: n2gdb.Database) -> None:
    asked = [
        neurons().where(recall=0.9),
        neurons().where(recall__in=[0.9]),
        neurons().where(field("recall") * 10 == 9),
        neurons().where(1 - field("recall") <= 0.1, recall__lt=1),
        neurons().where(recall__between=(0.9, 0.95)),
        patterns_of(neurons().where(recall=0.9, recall__missing=False)),
    ]
    for query in asked:
        assert database.count(query) == 1, query


def test_an_answer_says_what_is_compared(database: n2gdb.Database) -> None:
    (hit,) = database.query("neurons MATCHING ... WHERE recall = 0.9")
    assert (hit.recall, hit.activation, hit.evidence[0].path[0].importance) == (0.9, 0.9, 0.9)
    (row,) = database.query("patterns WHERE activation = 0.9")
    assert (row.activation, row.importance, row.as_dict()["recall"]) == (0.9, 0.9, 0.9)
    neuron = database.neuron("L0N0")
    assert (neuron.recall, neuron.patterns()[0].activation) == (0.9, 0.9)
    assert neuron.as_dict()["patterns"][0]["activation"] == 0.9


def test_an_export_says_what_is_compared(database: n2gdb.Database, tmp_path: Path) -> None:
    def exported(name: str, *options: str) -> list[str]:
        assert CliRunner().invoke(app, ["export", str(tmp_path / name), "--db", str(database.path), *options])
        return (tmp_path / name).read_text("utf-8").splitlines()

    first = json.loads(exported("x.jsonl")[0])
    (pattern,) = first["patterns"]
    assert (first["recall"], pattern["activation"], pattern["steps"][1]["importance"]) == (0.9, 0.9, 0.9)
    assert next(csv.DictReader(exported("x.csv")))["activation"] == "0.9"
    nodes = list(csv.DictReader(exported("nodes.csv", "--what", "nodes")))
    assert (nodes[1]["importance"], nodes[1]["end"]) == ("0.9", "0.9")
    assert ">0.9<" in "".join(exported("x.graphml"))


def test_networkx_is_given_what_is_compared(database: n2gdb.Database) -> None:
    pytest.importorskip("networkx")
    nodes = dict(database.neuron("L0N0").to_networkx().nodes(data=True))
    assert (nodes[1]["importance"], nodes[1]["activation"], nodes[1]["end"]) == (0.9, 0.9, 0.9)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_decimal_is_the_shortest_that_is_stored_alike(value: float) -> None:
    decimal = as_decimal(value)
    assert decimal == float(str(np.float32(value)))
    assert array("f", [decimal])[0] == value
    assert as_stored(decimal) == decimal
    assert decimals(pa.table({"x": pa.array([value], pa.float32())}))["x"].to_pylist() == [decimal]
