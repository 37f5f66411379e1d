"""`n2gdb report`: what it says of a database, and its examples, on the demo model."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import n2gdb
from n2gdb import NeuronGraph, Pattern, Step
from n2gdb.cli.commands.report import report
from n2gdb.cli.main import app
from n2gdb.ingest.evaluation.heldout import HeldoutText
from tests.support.demo import ingest_demo
from tests.support.tiny_models import write_native


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the examples expect it: a database of a few neurons, and a held-out text."""
    path = tmp_path_factory.mktemp("report")
    ingest_demo(path, "neurons.n2gdb", sample=12, tokens=6000)
    with gzip.open(path / "heldout.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"text": "The ship sailed on the sea, she said. " * 30}) + "\n")
    return path


def succeed(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["report", "--db", str(folder / "neurons.n2gdb"), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_examples_of_the_help_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = re.findall(r"^ +(n2gdb report.*)$", report.__doc__ or "", re.MULTILINE)
    assert len(examples) == 3
    monkeypatch.chdir(folder)
    monkeypatch.delenv("N2GDB_DB", raising=False)
    for example in examples:
        result = CliRunner().invoke(app, shlex.split(example)[1:])
        assert result.exit_code == 0, result.output
    assert (folder / "faithful.svg").is_file()


def test_dead_and_unpredicted_neurons_are_counted_beside_the_means(folder: Path) -> None:
    with n2gdb.open(folder / "neurons.n2gdb") as database:
        neurons = list(database.neurons())
    assert len(neurons) == 12
    judged = sum(neuron.f1 is not None for neuron in neurons)
    dead, unpredicted = (
        sum(neuron.state == state for neuron in neurons) for state in ("dead", "unpredicted")
    )
    assert (
        f"of 12 neurons {judged} fire on their test examples; {dead} are dead, never firing on the corpus; "
        f"{unpredicted} are unpredicted" in succeed(folder)
    )
    layers = json.loads(succeed(folder, "--json"))["layers"]
    assert {each["layer"] for each in layers} == {neuron.name.layer for neuron in neurons}
    totals = {name: sum(each[name] for each in layers) for name in layers[0] if name != "layer"}
    assert totals == {"neurons": 12, "judged": judged, "dead": dead, "unpredicted": unpredicted}


def test_pairs_are_compared_only_where_they_are_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with n2gdb.open(folder / "neurons.n2gdb") as database:
        wanted = {
            "similar_pairs": len(database.pairs("tokens", above=0.9)),
            "subset_pairs": len(database.pairs("subset", above=0.9)),
        }
    counted = json.loads(succeed(folder, "--json", "--pairs"))
    assert {name: counted[name] for name in wanted} == wanted
    assert f"{wanted['similar_pairs']} similar pairs" in succeed(folder, "--pairs")
    monkeypatch.delattr(n2gdb.Database, "pairs")
    assert "similar pairs" not in succeed(folder)
    assert not wanted.keys() & json.loads(succeed(folder, "--json")).keys()


def test_a_figure_names_predictors_in_words(folder: Path, tmp_path: Path) -> None:
    succeed(folder, "--figure", str(tmp_path / "report.svg"))
    drawn = (tmp_path / "report.svg").read_text(encoding="utf-8")
    for label in ("N2G", "before refinement", "token look-up", "5-gram look-up", "test examples"):
        assert label in drawn


def test_a_changed_model_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from n2gdb.ingest.models.subject import load_model

    write_native(tmp_path / "other", "relu")
    other = load_model(tmp_path / "other", "cpu")
    monkeypatch.setattr("n2gdb.ingest.models.stored.load_model", lambda name, device, **rest: other)
    arguments = [
        "report",
        "--db",
        str(folder / "neurons.n2gdb"),
        "--heldout",
        str(folder / "heldout.jsonl.gz"),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "no longer the model that the database was made of" in result.stderr


def test_no_pattern_reaches_into_the_held_out_window_before() -> None:
    graph = NeuronGraph.from_patterns([Pattern((Step(0, 7, 1.0), Step(70, 5, 0.9)), 0.9)])
    windows = np.full((2, 80), 1, np.int32)
    windows[0, 75], windows[1, 0] = 5, 7  # 70 behind one another where 65 positions of padding lie between
    windows[1, 1], windows[1, 71] = 5, 7  # 70 apart within a window
    text = HeldoutText(windows, np.ones(windows.shape, np.bool_), 70)
    assert np.argwhere(text.predicted(graph, 0.5)).tolist() == [[1, 71]]
    # Padding of 65 positions would join them.
    joined = HeldoutText(windows, np.ones(windows.shape, np.bool_), 65)
    assert np.argwhere(joined.predicted(graph, 0.5)).tolist() == [[1, 0], [1, 71]]
