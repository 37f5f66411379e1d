"""`n2gdb trajectories`: tables, JSON and figures of a tiny model; and its examples, on the demo model."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

import n2gdb
from n2gdb.cli.commands.trajectories import trajectories
from n2gdb.core.progress import silent
from n2gdb.errors import FigureError, ModelError, UnknownNameError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import SubjectModel, default_corpus, load_model
from n2gdb.ingest.pipeline import Source, ingest
from tests.support.demo import demo_model
from tests.support.tiny_models import write_native

app = typer.Typer()
app.command()(trajectories)


def build(folder: Path, model: SubjectModel, corpus: str, selection: Selection, tokens: int) -> Path:
    path = folder / "neurons.n2gdb"
    config = N2GConfig(window=24, top_k=4, prune_limit=7, tokens=tokens, augment=(), refine_rounds=0)
    ingest(model, Source(corpus), path, config, selection, silent, 512)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of layers 0 and 1 of a tiny ReLU model."""
    folder = tmp_path_factory.mktemp("cli")
    write_native(folder / "tiny", "relu")
    (folder / "texts.txt").write_text("the cat sat on the mat, import numpy! " * 40, encoding="utf-8")
    model = load_model(folder / "tiny", "cpu")
    return build(folder, model, str(folder / "texts.txt"), Selection(layers=(0, 1)), 2000)


@pytest.fixture(scope="module")
def fires(tiny: Path) -> str:
    """The name of a neuron that fires."""
    with n2gdb.open(tiny) as database:
        return next(str(each.name) for each in database.neurons() if each.max_activation > 0)


def invoke(database: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--db", str(database), "--device", "cpu"])


def succeed(database: Path, *arguments: str) -> str:
    result = invoke(database, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_without_a_neuron_there_is_a_line_a_layer(tiny: Path) -> None:
    header, *rows = succeed(tiny, "--sample", "5").splitlines()
    assert header.split("\t") == ["layer", "neurons", "1", "2", "4", "8", "16", "30", "whole"]
    assert [row.split("\t")[:2] for row in rows[:2]] == [["0", "5"], ["1", "5"]]
    assert all(re.fullmatch(r"\d\.\d\d", cell) for row in rows[:2] for cell in row.split("\t")[2:])
    assert rows[2].startswith("mean activation, 1 being a neuron's largest")


def test_a_neuron_has_a_line_an_example(tiny: Path, fires: str) -> None:
    header, *rows = succeed(tiny, fires).splitlines()
    assert header.split("\t")[0] == "example"
    assert header.split("\t")[-2:] == ["whole", "pruned prompt"]
    assert re.fullmatch(r"1 (train|test)\t(\d\.\d\d\t)+1\.00\t\S+", rows[0].replace("\t\t", "\t"))
    (mean,) = [row for row in rows if row.startswith("mean\t")]
    assert len(mean.split("\t")) == len(header.split("\t"))


def test_json_holds_every_length(tiny: Path, fires: str) -> None:
    layers = json.loads(succeed(tiny, "--sample", "5", "--json"))
    assert [(each["layer"], each["neurons"]) for each in layers] == [(0, 5), (1, 5)]
    assert all(len(each["mean"]) == len(each["lengths"]) == 15 for each in layers)
    found = json.loads(succeed(tiny, fires, "--json"))
    assert found["neuron"] == fires
    first = found["examples"][0]
    assert first["rank"] == 0
    assert (
        len({len(first[name]) for name in ("tokens", "texts", "activation", "importance", "important")}) == 1
    )
    shortest = [each["activation"][-1] for each in found["examples"]]
    assert found["mean"][0] == pytest.approx(sum(shortest) / len(shortest))


def test_a_figure_is_drawn_beside_the_table(tiny: Path, fires: str, tmp_path: Path) -> None:
    assert succeed(tiny, "--sample", "2", "--figure", str(tmp_path / "layers.svg")).startswith("layer\t")
    assert succeed(tiny, fires, "--figure", str(tmp_path / "neuron.svg")).startswith("example\t")
    assert "layer 1" in (tmp_path / "layers.svg").read_text(encoding="utf-8")
    assert f"{fires} of " in (tmp_path / "neuron.svg").read_text(encoding="utf-8")


def test_a_figure_that_cannot_be_drawn_is_said_before_anything_is_computed(tmp_path: Path) -> None:
    error = invoke(tmp_path / "no.n2gdb", "--figure", "x.gif").exception
    assert isinstance(error, FigureError)


def test_a_sample_of_one_neuron_is_refused(tiny: Path, fires: str) -> None:
    result = invoke(tiny, fires, "--sample", "3")
    assert result.exit_code == 2
    assert "--sample draws neurons of the layers" in result.output


def test_a_neuron_that_is_not_there_is_said(tiny: Path) -> None:
    assert isinstance(invoke(tiny, "L2N1").exception, UnknownNameError)


def test_a_changed_model_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other weights lie where the database's model lay."""
    monkeypatch.setattr("n2gdb.ingest.models.stored.load_model", lambda name, device, **rest: demo_model())
    error = invoke(tiny, "--sample", "1").exception
    assert isinstance(error, ModelError)
    assert "no longer the model that the database was made of" in str(error)


def test_the_examples_of_the_help_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = re.findall(r"^ +(n2gdb trajectories.*)$", trajectories.__doc__ or "", re.MULTILINE)
    assert len(examples) == 2
    build(tmp_path, demo_model(), default_corpus("demo"), Selection((4, 5), (100, 358)), 5000)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("N2GDB_DB", raising=False)
    for example in examples:
        result = CliRunner().invoke(app, shlex.split(example)[2:])
        assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.glob("*.svg")} == {"layers.svg", "L5N100.svg"}
