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
from tests.support.cli_world import build_cli_world, token_of

TEXT = "on the other side of an other end"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("text"))


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--db", str(path)])


def test_predict_names_the_pattern_behind_every_activation(path: Path) -> None:
    lines = run(path, "predict", "L4N358", TEXT, "--by", "graph").stdout.splitlines()
    assert lines[0].split("\t") == ["position", "token", "activation", "pattern"]
    assert lines[3].split("\t") == ["2", "·other", "1.00", "·the · ·other"]
    assert lines[7].split("\t") == ["6", "·other", "0.75", "·an · ·other"]
    assert [line.split("\t")[2] for line in lines[1:]].count("-") == 6


def test_predict_says_what_the_graph_predicts(path: Path) -> None:
    found = json.loads(run(path, "predict", "L3N45", TEXT + " the end", "--json", "--by", "graph").stdout)
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
    rows = list(
        csv.DictReader(io.StringIO(run(path, "predict", "L4N358", TEXT, "--csv", "--by", "graph").stdout))
    )
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
    assert "was ingested without a tokenizer" in result.stderr


def test_predict_reads_a_file_as_it_stands(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_bytes(b"the other\r\nend\n")
    read = json.loads(run(path, "predict", "L4N358", "--file", str(file), "--json").stdout)
    given = json.loads(run(path, "predict", "L4N358", "the other\r\nend\n", "--json").stdout)
    assert read == given
    assert "".join(each["text"] for each in read) == "the other\r\nend\n"


def test_predict_reads_standard_input(path: Path) -> None:
    arguments = ["predict", "L4N358", "--file", "-", "--csv", "--by", "graph", "--db", str(path)]
    result = CliRunner().invoke(app, arguments, input=TEXT)
    assert result.stdout == run(path, "predict", "L4N358", TEXT, "--csv", "--by", "graph").stdout


@pytest.mark.parametrize("command", ["tokens", "firing"])
def test_the_other_commands_read_texts_from_anywhere_too(path: Path, command: str, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8")
    given = run(path, command, TEXT, "--json").stdout
    assert given == run(path, command, "--file", str(file), "--json").stdout
    piped = CliRunner().invoke(app, [command, "--file", "-", "--json", "--db", str(path)], input=TEXT)
    assert given == piped.stdout


@pytest.mark.parametrize("command", [("predict", "L4N358"), ("tokens",), ("firing",)])
def test_a_text_without_quotes_is_told_to_get_them(path: Path, command: tuple[str, ...]) -> None:
    for words in (("on", "the", "end"), ("on", "--json", "the", "end"), ("--", "on", "the", "end")):
        result = CliRunner().invoke(app, [*command, "--db", str(path), *words])
        assert (result.exit_code, result.stdout) == (2, "")
        assert 'put the text in quotes: "on the end"' in result.stderr
    long = run(path, *command, *["word"] * 500)
    assert (long.exit_code, len(long.stderr) < 300) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is no text: give TEXT in quotes, or --file PATH"),
        ((TEXT, "--file", "x.txt"), "give TEXT or --file, not both"),
        (("--file", "no-such.txt"), "no-such.txt cannot be read: No such file or directory"),
        (("--file", "latin.txt"), "latin.txt is not UTF-8: byte 3 is part of no character"),
        ((TEXT, "--device", "cpu"), "--device is where the model runs: give --true as well"),
        ((TEXT, "--html", "-", "--json"), "would both write to standard output: name a file"),
    ],
)
def test_predict_says_what_is_wrong_with_its_options(
    path: Path, arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin.txt").write_bytes("déjà".encode()[:3] + "à".encode("latin-1"))
    result = run(path, "predict", "L4N358", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_predict_writes_a_page_whole_or_not_at_all(path: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run(path, "predict", "L4N358", TEXT, "--html", str(page), "--by", "graph")
    assert result.stdout == "L4N358 of world: its graph fires on 2 of 8 tokens\n"
    assert (
        page.read_text(encoding="utf-8")
        == run(path, "predict", "L4N358", TEXT, "--html", "-", "--by", "graph").stdout
    )
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    for place in (tmp_path / "no" / "page.html", page / "page.html"):
        result = run(path, "predict", "L4N358", TEXT, "--html", str(place))
        assert result.exit_code == 1
        assert result.stderr.startswith(f"error: {place} cannot be written (")


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
