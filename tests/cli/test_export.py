"""`n2gdb export`: every format holds what the database holds; a file appears when it is whole."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

import n2gdb
from n2gdb.cli.main import app
from n2gdb.cli.output.export_formats import _xml
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.units import NeuronName
from n2gdb.storage.read import export as export_rows
from tests.support.cli_world import build_cli_world

XML = "{http://graphml.graphdrawing.org/xmlns}"
Graphs = dict[NeuronName, NeuronGraph]


def run(path: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments), "--db", str(path)])


def exported(path: Path, out: Path, *arguments: object) -> Path:
    result = run(path, out, *arguments)
    assert result.exit_code == 0, result.output
    return out


def graphs_of_lines(path: Path) -> Graphs:
    """Read the graphs of a jsonl file."""
    graphs = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        patterns = (
            Pattern(
                tuple(Step(step["depth"], step["token"], step["importance"]) for step in pattern["steps"]),
                pattern["activation"],
            )
            for pattern in row["patterns"]
        )
        graphs[NeuronName.parse(row["neuron"])] = NeuronGraph.from_patterns(patterns)
    return graphs


@pytest.mark.parametrize("together", [2048, 7])
def test_lines_of_json_hold_every_graph(
    together: int,
    small_path: Path,
    small_graphs: Graphs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_rows, "_TOGETHER", together)
    out = exported(small_path, tmp_path / "all.jsonl")
    assert graphs_of_lines(out) == small_graphs
    first = json.loads(out.read_text(encoding="utf-8").splitlines()[0])
    with n2gdb.open(small_path) as database:
        neuron = database.neuron(first["neuron"])
        assert {name: first[name] for name in neuron.statistics} == neuron.statistics
    assert first["model"] == "small"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_of_patterns_neurons_and_nodes(
    ending: str, small_path: Path, small_graphs: Graphs, tmp_path: Path
) -> None:
    def table(what: str) -> list[dict[str, str]]:
        out = exported(small_path, tmp_path / f"{what}.{ending}", "--what", what)
        if ending == "csv":
            with out.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        rows = parquet.read_table(out).to_pylist()
        return [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]

    patterns = table("patterns")
    assert len(patterns) == sum(graph.n_patterns for graph in small_graphs.values())
    assert {"neuron", "model", "activation", "path"} <= set(patterns[0])
    assert {row["neuron"] for row in table("neurons")} == set(map(str, small_graphs))
    nodes = [row for row in table("nodes") if row["neuron"] == "L1N3"]
    graph = small_graphs[NeuronName(1, 3)]
    assert [int(row["token"]) for row in nodes] == graph.token.tolist()
    assert [int(row["parent"]) for row in nodes] == graph.parent.tolist()
    ends = np.array([float(row["end"] or "nan") for row in nodes], np.float32)
    assert np.array_equal(ends, graph.end, equal_nan=True)


def test_graphml_is_the_property_graph(small_path: Path, small_graphs: Graphs, tmp_path: Path) -> None:
    out = exported(small_path, tmp_path / "all.graphml")
    (graph,) = ET.parse(out).getroot().iter(f"{XML}graph")
    nodes = {node.get("id"): values(node) for node in graph.iter(f"{XML}node")}
    edges = [(edge.get("source"), edge.get("target"), values(edge)) for edge in graph.iter(f"{XML}edge")]
    assert len(edges) == sum(map(len, small_graphs.values()))
    kinds = [node["kind"] for node in nodes.values()]
    assert kinds.count("neuron") == len(small_graphs)
    tokens = {int(token) for graph in small_graphs.values() for token in graph.token}
    assert kinds.count("token") == len(tokens)
    assert {nodes[source]["kind"] for source, _, _ in edges} == {"neuron"}
    for source, target, edge in edges:
        owner = small_graphs[NeuronName.parse(nodes[source]["label"])]
        pre = int(edge["pre"])
        assert int(nodes[target]["token"]) == owner.token[pre]
        assert (edge["role"] == "activating") == (owner.depth[pre] == 0)
        assert ("end" in edge) == (not np.isnan(owner.end[pre]))


def values(element: ET.Element) -> dict[str, str]:
    return {data.get("key", ""): data.text or "" for data in element.iter(f"{XML}data")}


def test_networkx_reads_the_graphml(small_path: Path, tmp_path: Path) -> None:
    networkx = pytest.importorskip("networkx")
    graph = networkx.read_graphml(exported(small_path, tmp_path / "some.graphml"))
    labels = {data["label"] for _, data in graph.nodes(data=True)}
    assert {"L0N0", "·the", "⏎"} <= labels


def test_what_xml_cannot_write_stands_in_hex() -> None:
    text = _xml("a\0b\x1b<&>\r\ud800🙂")
    assert text == "a\\u0000b\\u001b&lt;&amp;&gt;&#13;\\ud800🙂"
    assert ET.fromstring(f"<x>{text}</x>").text == "a\\u0000b\\u001b<&>\r\\ud800🙂"


def test_only_what_a_query_finds(tmp_path: Path) -> None:
    path = build_cli_world(tmp_path)
    out = exported(path, tmp_path / "some.jsonl", "--query", "neurons MATCHING 'the' THEN 'other'")
    assert set(map(str, graphs_of_lines(out))) == {"L4N12", "L4N137", "L4N358"}
    out = exported(path, tmp_path / "none.csv", "--query", "neurons WHERE layer = 2")
    assert len(out.read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.parametrize(
    "query", ["patterns MATCHING 'the'", "COUNT neurons", "tokens ACTIVATING L0N1", "EXPLAIN neurons"]
)
def test_other_queries_are_refused(query: str, small_path: Path, tmp_path: Path) -> None:
    result = run(small_path, tmp_path / "out.csv", "--query", query)
    assert result.exit_code == 2
    assert "takes a query that finds neurons" in result.stderr
    assert not (tmp_path / "out.csv").exists()


def test_the_format_is_said_or_follows_from_the_ending(small_path: Path, tmp_path: Path) -> None:
    assert exported(small_path, tmp_path / "a.txt").read_text(encoding="utf-8").startswith('{"neuron"')
    out = exported(small_path, tmp_path / "b.txt", "--format", "csv")
    assert out.read_text(encoding="utf-8").startswith("neuron,model")
    assert (
        "is not known: write jsonl, csv, parquet or graphml"
        in run(small_path, tmp_path / "c", "--format", "xls").stderr
    )
    assert "--what rows is not known" in run(small_path, tmp_path / "c", "--what", "rows").stderr


def test_a_file_that_is_there_stays_unless_forced(small_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.csv"
    out.write_text("mine", encoding="utf-8")
    result = run(small_path, out)
    assert (result.exit_code, out.read_text(encoding="utf-8")) == (1, "mine")
    assert "--force" in result.stderr
    exported(small_path, out, "--force")
    assert out.read_text(encoding="utf-8") != "mine"


def test_an_export_that_fails_leaves_nothing(
    small_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from n2gdb.cli.output import export_formats

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_formats._Lines, "write", full)
    result = run(small_path, tmp_path / "all.jsonl")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_not_there(small_path: Path, tmp_path: Path) -> None:
    result = run(small_path, tmp_path / "absent" / "all.csv")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
