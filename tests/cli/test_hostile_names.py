"""Names that would steer a terminal are shown as text, wherever they are printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.cli.output.terminal import plain_json
from n2gdb.core.tokens import visible
from n2gdb.storage import schema
from n2gdb.storage.build.database import build_database
from tests.support.small_run import random_graphs, write_run

#: It clears the screen, sets the title, rings, goes back, starts a line, turns text round; C1 does it, too.
NAME = "evil\x1b[2J\x1b]0;owned\x07\b\r\n\x9b31m\u202e\x7f"
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

COMMANDS = [
    ["info"],
    ["info", "--json"],
    ["show", "L0N0", "--model", NAME],
    ["show", "L0N0", "--model", NAME, "--json"],
    ["show", "L0N0"],
    ["show", "L9N0", "--model", NAME],
    ["show", "L0N0", "--model", "\x1b[2Jno"],
    ["query", "neurons LIMIT 5"],
    ["query", "neurons LIMIT 5", "--json"],
    ["query", "COUNT neurons BY model"],
    ["query", "COUNT neurons BY model", "--json"],
    ["query", "neurons IN MODEL '\x1b[2Jno'"],
    ["query", "\x1b[2J"],
    ["query", "EXPLAIN neurons MATCHING '\x1b[2J\x9b'"],
    ["similar", "L0N0", "--model", NAME],
    ["pairs", "--above", "0.1"],
    ["predict", "L0N0", "\x1b[2J", "--model", NAME],
    ["firing", "the dog", "--model", NAME],
    ["tokens", "the dog", "--model", NAME],
    ["report", "--model", NAME],
    ["cypher", "MATCH (m:Model) RETURN m.name, m.corpus, m"],
    ["cypher", "MATCH (m:Model) RETURN m.name, m", "--json"],
    ["cypher", "RETURN '\x1b[2J' AS `\x1b[2J`"],
    ["info", "--db", "/nowhere/\x1b[2J"],
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    runs = []
    for number, name in enumerate((NAME, NAME + "2")):
        run = write_run(folder / str(number), random_graphs(number, layers=1, neurons=4))
        (row,) = run.model().to_pylist()
        row |= dict.fromkeys(("corpus", "activation_function", "site", "code_version"), NAME) | {"name": name}
        run.write_model(pa.Table.from_pylist([row], schema=schema.MODEL))
        runs.append(run)
    build_database(folder / "x.n2gdb", runs)
    return folder / "x.n2gdb"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: repr(command)[:60])
def test_nothing_that_is_printed_steers_a_terminal(path: Path, command: list[str]) -> None:
    named = [] if "--db" in command else ["--db", str(path)]
    result = CliRunner().invoke(app, [*command, *named])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.stdout or result.stderr
    assert not STEERS.search(result.stdout)
    assert not STEERS.search(result.stderr)


def test_json_still_says_the_same(path: Path) -> None:
    result = CliRunner().invoke(app, ["info", "--json", "--db", str(path)])
    assert [model["name"] for model in json.loads(result.stdout)["models"]] == [NAME, NAME + "2"]
    for text in (NAME, "\U000f0000\U0001f642 é 天\n\t", "\ud83d"):
        assert json.loads(plain_json([text])) == [text]
        assert not STEERS.search(plain_json([text]))


def test_the_answer_itself_is_as_it_was(path: Path) -> None:
    with n2gdb.open(path) as database:
        assert {hit.model for hit in database.query("neurons")} == {NAME, NAME + "2"}
        assert not STEERS.search(repr(database.query("neurons")))


def test_visible_keeps_what_can_be_seen() -> None:
    assert visible("a b é 天 🙂") == "a b é 天 🙂"
    assert visible("\x1b[0m\t\n") == "\\u001b[0m\\u0009\\u000a"
    assert visible("a\nb\tc", kept="\n") == "a\nb\\u0009c"
