"""`n2gdb query` from files and into files, saved sets, and the shell's commands for them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.cli.repl.session import ShellSession
from n2gdb.query.completion import statements_in
from tests.support.cli_world import build_cli_world


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return build_cli_world(tmp_path)


def run(path: Path, *arguments: str, given: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["query", *arguments, "--db", str(path)], input=given)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("neurons; latents", ["neurons", "latents"]),
        ("neurons MATCHING 'a;b' ; ;", ["neurons MATCHING 'a;b'"]),
        ("neurons -- all; of them\n; units", ["neurons -- all; of them", "units"]),
        ("neurons MATCHING /a;b/; units", ["neurons MATCHING /a;b/", "units"]),
        (" -- nothing\n", []),
        ("neurons MATCHING 'a", ["neurons MATCHING 'a"]),
    ],
)
def test_semicolons_part_statements(text: str, parts: list[str]) -> None:
    assert statements_in(text) == parts


def test_standard_input_and_a_file_hold_several(path: Path, tmp_path: Path) -> None:
    given = "COUNT neurons;\nCOUNT patterns;"
    code, out, _ = run(path, "-", given=given)
    assert (code, out.count("count")) == (0, 2)
    questions = tmp_path / "questions.txt"
    questions.write_text(given)
    assert run(path, "--file", str(questions))[1] == out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give one query"),
        (("neurons", "--file", "x"), "give one query"),
        (("--file", "nowhere.txt"), "nowhere.txt cannot be read"),
        (("neurons", "-o", "found.doc"), "the name must end in"),
    ],
)
def test_what_is_missing_is_said(path: Path, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = run(path, *arguments)
    assert code == 2
    assert message in err


def test_json_lines_are_one_a_row(path: Path) -> None:
    rows = [json.loads(line) for line in run(path, "neurons", "--jsonl")[1].splitlines()]
    assert rows == json.loads(run(path, "neurons", "--json")[1])


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet"])
def test_an_answer_goes_into_a_file(path: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"found.{ending}"
    assert run(path, "neurons RETURN neuron, f1", "--output", str(out))[:2] == (0, "")
    with n2gdb.open(path) as database:
        wanted = database.query("neurons")["neuron"]
    if ending == "parquet":
        found = pq.read_table(out)["neuron"].to_pylist()
    elif ending == "csv":
        found = [row["neuron"] for row in csv.DictReader(io.StringIO(out.read_text()))]
    elif ending == "json":
        found = [row["neuron"] for row in json.loads(out.read_text())]
    else:
        found = [json.loads(line)["neuron"] for line in out.read_text().splitlines()]
    assert found == wanted
    code, _, err = run(path, "neurons", "--output", str(out))
    assert (code, "--force" in err) == (1, True)


def test_a_set_is_saved_and_asked_for(path: Path) -> None:
    code, _, err = run(path, "neurons WHERE layer = 3", "--save", "mine")
    assert code == 0
    assert "neurons IN $mine asks for them" in err
    saved, asked = run(path, "neurons IN $mine --", "--json"), run(path, "neurons WHERE layer = 3", "--json")
    assert json.loads(saved[1]) == json.loads(asked[1])
    assert "a set holds neurons" in run(path, "COUNT neurons", "--save", "mine")[2]


def test_a_set_stays_where_nothing_is_found(path: Path) -> None:
    kept = run(path, "neurons WHERE layer = 3", "--save", "kept")
    assert kept[0] == 0
    code, _, err = run(path, "neurons WHERE layer = 3 AND layer = 4", "--save", "Kept")
    assert (code, "nothing is saved as $kept" in err) == (0, True)
    with n2gdb.open(path) as database:
        held = database.sets()["kept"]
        session = ShellSession(database)
        for line in ("neurons WHERE layer = 3 LIMIT 1", "neurons WHERE layer >", ":save mine"):
            session.answer(line)  # the last that had an answer is saved
        assert len(database.sets()["mine"]) == 1
        session.answer("neurons WHERE layer = 3 AND layer = 4")
        session.answer(":save kept")
        assert database.sets()["kept"] == held


def test_a_set_that_somebody_changed_is_no_more_than_a_list(path: Path) -> None:
    kept = path.with_name(f"{path.name}.sets.json")
    for units in (["L4N358) MATCHING ('the'"], ["L4N358", "not a neuron"], ["L4N358 ABOVE 0.5"]):
        kept.write_text(json.dumps({"mine": units}))
        code, _, err = run(path, "neurons IN $mine")
        assert (code, len(err.splitlines())) == (1, 1), err
        assert "neurons.n2gdb.sets.json holds no saved sets ($mine" in err


def test_short_help(path: Path) -> None:
    assert CliRunner().invoke(app, ["-h"]).stdout == CliRunner().invoke(app, ["--help"]).stdout
    assert "Usage: " in CliRunner().invoke(app, ["query", "-h"]).stdout


def test_the_shell_compares_runs_and_saves(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with n2gdb.open(path) as database:
        session = ShellSession(database)
        name = str(database.query("neurons MATCHING ...")[0].neuron)
        for line in (
            f":similar {name}",
            "neurons; COUNT neurons",
            "neurons",
            ":save mine",
            "neurons IN $mine",
        ):
            session.answer(line)
        assert not session.failed
        assert database.sets()["mine"]
        for line in (":similar", ":save", ":predict L3N45", "COUNT neurons", ":save mine"):
            session.failed = False
            session.answer(line)
            assert session.failed is (line != "COUNT neurons")
    shown = capsys.readouterr()
    assert "similarity" in shown.out
    assert ":predict takes a neuron and a text" in shown.err
