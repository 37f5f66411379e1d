"""`n2gdb cypher`: reads whatever the engine can say, and writes nothing."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from n2gdb.cli.main import app
from n2gdb.storage.connection import Connection


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["cypher", *arguments, "--db", str(path)])


def test_a_statement_with_parameters(small_path: Path) -> None:
    statement = "MATCH (n:Neuron) WHERE n.layer = $layer AND n.state = $state RETURN n.index AS i ORDER BY i"
    result = run(small_path, statement, "--param", "layer=1", "--param", "state=live", "--json")
    rows = json.loads(result.stdout)
    assert result.exit_code == 0
    assert rows and all(set(row) == {"i"} for row in rows)


def test_a_pipe_gets_lines_and_csv_is_csv(small_path: Path) -> None:
    statement = "RETURN 1 AS one, 'a,b' AS two, 0.123456789 AS three, NULL AS four"
    assert run(small_path, statement).stdout == "one\ttwo\tthree\tfour\n1\ta,b\t0.1235\t-\n"
    (row,) = csv.DictReader(io.StringIO(run(small_path, statement, "--csv").stdout))
    assert row == {"one": "1", "two": "a,b", "three": "0.123456789", "four": ""}


def test_nodes_are_objects(small_path: Path) -> None:
    (row,) = json.loads(run(small_path, "MATCH (n:Neuron) RETURN n LIMIT 1", "--json").stdout)
    assert row["n"]["_LABEL"] == "Neuron"
    assert "f1" in row["n"]
    (cell,) = list(
        csv.reader(io.StringIO(run(small_path, "MATCH (n:Neuron) RETURN n LIMIT 1", "--csv").stdout))
    )[1]
    assert json.loads(cell) == row["n"]


def test_two_columns_of_one_name_are_not_lost_in_json(small_path: Path) -> None:
    result = run(small_path, "MATCH (n:Neuron) RETURN n.f1, n.f1 LIMIT 1", "--json")
    assert result.exit_code in (1, 2)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (MATCH (n:Neuron) RETURN n.id) TO '{folder}/out.csv'",
        "PROFILE COPY (MATCH (n:Neuron) RETURN n.id) TO '{folder}/out.csv'",
        "/* MATCH */ COPY (MATCH (n:Neuron) RETURN n.id) TO '{folder}/out.csv'",
        "// MATCH\nEXPORT DATABASE '{folder}/out'",
        "INSTALL httpfs",
        "LOAD EXTENSION httpfs",
        "ATTACH '{folder}/other' AS other (dbtype kuzu)",
        "CALL timeout=1",
        "CREATE (:Path {{id: 1}})",
        "",
        "/*",
    ],
)
def test_what_could_write_is_refused(statement: str, small_path: Path, tmp_path: Path) -> None:
    result = run(small_path, statement.format(folder=tmp_path))
    assert result.exit_code == 2
    assert "only statements that read the database may be run" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "statement",
    [
        "MATCH (n:Neuron) SET n.f1 = 1",
        "MATCH (n:Neuron) DETACH DELETE n",
        "MERGE (:Path {id: 1})",
        "MATCH (n:Neuron) RETURN n.id; COPY (RETURN 1) TO 'x.csv'",
        "MATCH (n:Neuron) RETURN n.id UNION ALL COPY (RETURN 1) TO 'x.csv'",
    ],
)
def test_what_writes_later_in_a_statement_is_refused_too(
    statement: str, small_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = small_path.read_bytes()
    result = run(small_path, statement)
    assert result.exit_code in (1, 2)
    assert len(result.stderr.splitlines()) == 1
    assert small_path.read_bytes() == before
    assert not list(tmp_path.iterdir())


def test_reading_forms_pass(small_path: Path) -> None:
    for statement in (
        "// a comment\n MATCH (n:Neuron) RETURN count(*)",
        "CALL show_tables() RETURN name",
        "UNWIND [1, 2] AS x RETURN x",
        "WITH 1 AS x RETURN x",
        "EXPLAIN MATCH (n:Neuron) RETURN n.id",
    ):
        assert run(small_path, statement).exit_code == 0, statement


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["RETURN $x"], "$x, which has no value"),
        (["RETURN 1", "--param", "x=1"], "$x has a value, but"),
        (["RETURN $x", "--param", "x"], "write NAME=VALUE"),
        (["RETURN $x", "--param", "x=1", "--param", "x=2"], "binds x twice"),
        (["RETURN '\udcff'"], "half a character"),
        (["RETURN $x", "--param", "x=\udcff"], "half a character"),
    ],
)
def test_parameters_are_checked(arguments: list[str], said: str, small_path: Path) -> None:
    result = run(small_path, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_error_of_the_engine_is_one_line(small_path: Path) -> None:
    result = run(small_path, "MATCH (n:Nothing) RETURN n")
    assert result.exit_code == 1
    assert "Nothing" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "slow",
    [
        "MATCH (a:Neuron), (b:Neuron), (c:Neuron), (d:Neuron), (e:Neuron) RETURN sum(a.f1 * e.f1)",
        "UNWIND range(1, 30000000) AS x RETURN sum(x)",  # the engine does not look at the clock here
    ],
)
def test_a_limit_in_time(slow: str, small_path: Path) -> None:
    started = time.monotonic()
    result = run(small_path, slow, "--timeout", "0.2")
    assert time.monotonic() - started < 20  # of minutes
    assert result.exit_code == 1
    assert "exceeded its limit of 0.2 s" in result.stderr


@pytest.mark.parametrize(
    ("end", "said"),
    [(lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"), (lambda: os._exit(3), "exit code 3")],
)
def test_a_statement_that_the_engine_does_not_survive_is_one_line(
    end: Callable[[], None], said: str, small_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "table", lambda *_: end())
    result = run(small_path, "MATCH (n:Neuron) RETURN n.id ORDER BY n.f1, n.id SKIP 20480 LIMIT 5")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"the engine crashed on this statement ({said})" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("skipped", [60, 2048, 6241, 100_000])
def test_rows_past_the_last_are_none_or_one_line(skipped: int, small_path: Path) -> None:
    result = run(
        small_path, f"MATCH (n:Neuron) RETURN n.id ORDER BY n.f1, n.id SKIP {skipped} LIMIT 5", "--csv"
    )
    assert (result.exit_code, result.stdout) in ((0, "n.id\r\n"), (0, "n.id\n"), (1, ""))
    assert len(result.stderr.splitlines()) == result.exit_code
