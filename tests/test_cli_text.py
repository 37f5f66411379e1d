"""`n2gdb predict` and `n2gdb tokens`: what the graphs and the tokenizer say of a text."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import n2gdb
from n2gdb.cli.main import app
from tests.cli_world import build_cli_world, token_of

TEXT = "on the other side of an other end"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("text"))


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--db", str(path)])


def test_predict_names_the_pattern_behind_every_activation(path: Path) -> None:
    lines = run(path, "predict", "L4N358", TEXT).stdout.splitlines()
    assert lines[0].split("\t") == ["position", "token", "activation", "pattern"]
    assert lines[3].split("\t") == ["2", "·other", "1.00", "·the · ·other"]
    assert lines[7].split("\t") == ["6", "·other", "0.75", "·an · ·other"]
    assert [line.split("\t")[2] for line in lines[1:]].count("-") == 6


def test_predict_says_what_the_graph_predicts(path: Path) -> None:
    found = json.loads(run(path, "predict", "L3N45", TEXT + " the end", "--json").stdout)
    with n2gdb.open(path) as database:
        tokens = database.tokenizer().cut(TEXT + " the end")
        predicted = database.neuron("L3N45").graph.predict(tokens).tolist()
    assert [each["activation"] for each in found] == predicted
    assert [each["token"] for each in found] == list(tokens)
    assert (found[-1]["text"], found[-1]["pattern"]) == (" end", "·the · ·end")
    assert found[0] == {
        "position": 0,
        "token": token_of("on"),
        "text": "on",
        "activation": 0.0,
        "pattern": None,
    }


def test_predict_as_csv(path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(path, "predict", "L4N358", TEXT, "--csv").stdout)))
    assert rows[2] == {"position": "2", "token": " other", "activation": "1.0", "pattern": "·the · ·other"}
    assert rows[0]["pattern"] == ""


def test_predict_of_an_empty_graph_and_of_an_empty_text(path: Path) -> None:
    assert {
        each["activation"] for each in json.loads(run(path, "predict", "L5N3", TEXT, "--json").stdout)
    } == {0}
    result = run(path, "predict", "L4N358", "", "--json")
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (0, [], "the text has no tokens\n")


def test_predict_needs_a_neuron_that_is_there(path: Path) -> None:
    result = run(path, "predict", "L4N99", TEXT)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: L4N99 of world was not ingested")


def test_predict_needs_a_tokenizer(small_path: Path) -> None:
    result = run(small_path, "predict", "L0N1", TEXT)
    assert result.exit_code == 2
    assert "came without a tokenizer" in result.stderr


def test_tokens_counts_the_neurons_that_know_each(path: Path) -> None:
    found = json.loads(run(path, "tokens", "the other 12.", "--json").stdout)
    the, other, *_, stop = found
    assert (the["text"], the["activating"], the["context"]) == ("the", 0, 0)
    assert (other["text"], other["activating"], other["context"]) == (" other", 4, 0)
    assert (stop["text"], stop["classes"]) == (".", ["punct"])
    assert other["classes"] == ["word"]
    (_, the_with_space) = json.loads(run(path, "tokens", "of the", "--json").stdout)
    assert (the_with_space["activating"], the_with_space["context"]) == (1, 4)


def test_tokens_for_a_pipe_and_as_csv(path: Path) -> None:
    lines = run(path, "tokens", "the other").stdout.splitlines()
    assert lines[0].split("\t") == ["position", "token", "text", "classes", "activating", "context"]
    assert lines[2].split("\t") == ["1", str(token_of(" other")), "·other", "word", "4", "0"]
    rows = list(csv.DictReader(io.StringIO(run(path, "tokens", "the other", "--csv").stdout)))
    assert rows[1]["text"] == " other"


def test_tokens_of_nothing(path: Path) -> None:
    result = run(path, "tokens", "", "--json")
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (0, [], "the text has no tokens\n")
