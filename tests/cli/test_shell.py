"""`n2gdb shell`: on a terminal that the tests type into, and reading from a pipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from typer.testing import CliRunner, Result

from n2gdb.cli.commands.shell import make_prompt, own_history, talk
from n2gdb.cli.main import app
from n2gdb.cli.repl.completer import StatementCompleter
from n2gdb.cli.repl.session import ShellSession
from n2gdb.cli.repl.text import is_unfinished, joined
from n2gdb.database import Database
from n2gdb.storage.connection import Connection
from tests.support.cli_world import build_cli_world


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("shell"))


@pytest.fixture(scope="module")
def connection(path: Path) -> Iterator[Connection]:
    with Connection.open(path) as connection:
        yield connection


def piped(path: Path, text: str) -> Result:
    return CliRunner().invoke(app, ["shell", "--db", str(path)], input=text)


def typed(connection: Connection, keys: str, history: Path | None = None) -> ShellSession:
    """Type keys at the prompt of a new sitting."""
    session = ShellSession(Database(connection))
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(keys)
        kept = InMemoryHistory() if history is None else FileHistory(str(history))
        talk(session, make_prompt(connection.rows, kept))
    return session


def offered(connection: Connection, text: str) -> list[str]:
    """What is offered after a text: the text with each completion in place."""
    found = StatementCompleter(connection.rows).get_completions(Document(text), CompleteEvent())
    return [text[: len(text) + each.start_position] + each.text for each in found]


def test_statements_from_a_pipe_are_answered_one_by_one(path: Path) -> None:
    result = piped(path, "neurons MATCHING 'of' THEN 'the'\n\nCOUNT neurons MATCHING 'other' BY layer\n")
    lines = result.stdout.splitlines()
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines[0].split("\t")[0] == "neuron"
    assert lines[1].startswith("L0N12\t")
    assert lines[2:] == ["group\tcount", "1\t1", "4\t3"]


def test_an_error_is_said_and_the_next_line_answered(path: Path) -> None:
    result = piped(path, "neurons MATCHING the\n:show L9N9\n:nonsense\nneurons MATCHING 'other' LIMIT 1\n")
    assert result.exit_code == 1
    assert "write 'the'" in result.stderr
    assert "  neurons MATCHING the\n                   ^" in result.stderr
    assert "has no layer 9" in result.stderr
    assert ":nonsense is not a command here: there are :help, :explain" in result.stderr
    assert len(result.stdout.splitlines()) == 2


def test_a_line_goes_on_after_a_backslash_and_in_an_open_quote(path: Path) -> None:
    result = piped(
        path,
        "neurons \\\nMATCHING 'of' \\\nTHEN 'the'\nneurons FIRING ON \"on the\nother\" AT -1 USING graph\n",
    )
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[1].startswith("L0N12\t")
    assert {line.split("\t")[0] for line in lines[3:]} == {"L1N7", "L4N12", "L4N137", "L4N358"}


def test_the_commands_of_the_shell(path: Path) -> None:
    result = piped(path, ":help\n:explain neurons MATCHING 'the'\n:explain\n:quit\nneurons\n")
    assert "TAB completes" in result.stdout
    assert "MATCH (n:Neuron)" in result.stdout
    assert "L0N12" not in result.stdout
    assert "none was asked yet" in result.stderr


def test_explain_without_a_query_explains_the_last(path: Path) -> None:
    result = piped(path, "neurons MATCHING 'other' LIMIT 1\n:explain\n")
    assert (result.exit_code, "MATCH (n:Neuron)" in result.stdout) == (0, True)


def test_json_until_it_is_said_again(path: Path) -> None:
    result = piped(
        path, ":json\nneurons WHERE index = 12 AND layer = 0\n:show L0N12\n:json\nneurons LIMIT 1\n"
    )
    text = result.stdout
    (first,), at = json.JSONDecoder().raw_decode(text)
    shown, end = json.JSONDecoder().raw_decode(text[at:].lstrip())
    assert first["neuron"] == shown["neuron"] == "L0N12"
    assert text[at:].lstrip()[end:].lstrip().startswith("neuron\t")


def test_a_query_without_limit_shows_twenty(small_path: Path) -> None:
    result = piped(small_path, "neurons\n")
    assert len(result.stdout.splitlines()) == 21
    assert "20 of 60" in result.stderr


def test_what_is_typed_is_answered(connection: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    session = typed(connection, "neurons MATCHING 'of' THEN 'the'\r:quit\r")
    assert (session.failed, session.ended) == (False, True)
    assert "L0N12" in capsys.readouterr().out


def test_enter_goes_on_where_a_statement_is_not_finished(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    session = typed(connection, "neurons \\\rMATCHING 'of' THEN 'the'\r\x04")
    assert (session.failed, session.ended) == (False, False)
    assert "L0N12" in capsys.readouterr().out


def test_the_caret_stands_under_what_was_typed(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(connection, "neurons MATCHING the\r\x04").failed
    assert capsys.readouterr().err.splitlines()[0] == " " * len("n2gdb> neurons MATCHING ") + "^"


def test_the_caret_counts_wide_characters_twice(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(connection, "neurons MATCHING '日本' BEFOR\r\x04").failed
    assert capsys.readouterr().err.splitlines()[0] == " " * (len("n2gdb> neurons MATCHING '日本' ") + 2) + "^"


def test_ctrl_c_drops_the_line(connection: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    session = typed(connection, "neurons MATCHING\x03neurons WHERE layer = 0\r\x04")
    assert not session.failed
    assert "L0N12" in capsys.readouterr().out


def test_ctrl_c_stops_a_query_and_keeps_the_shell(
    connection: Connection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(connection)
    session = ShellSession(database)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Database, "query", interrupted)
        session.answer("neurons")
    session.answer("neurons WHERE layer = 0")
    said = capsys.readouterr()
    assert said.err == "interrupted\n"
    assert "L0N12" in said.out


def test_lines_are_remembered(connection: Connection, tmp_path: Path) -> None:
    typed(connection, "neurons WHERE layer = 0\r:quit\r", tmp_path / "history")
    session = typed(connection, "\x10\x10\r\x04", tmp_path / "history")  # Ctrl-P: an earlier line
    assert session.last == "neurons WHERE layer = 0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "neurons"),
        ("neu", "neurons"),
        ("neurons MAT", "neurons MATCHING"),
        ("neurons mat", "neurons MATCHING"),
        ("neurons MATCHING 'the' BEF", "neurons MATCHING 'the' BEFORE"),
        ("neurons MATCHING 'the' BEFORE ", "neurons MATCHING 'the' BEFORE ..."),
        ("neurons MATCHING <di", "neurons MATCHING <digit>"),
        ("neurons MATCHING 'oth", "neurons MATCHING 'other'"),
        ('neurons MATCHING " oth', 'neurons MATCHING " other"'),
        ("neurons WHERE ", "neurons WHERE f1"),
        ("neurons WHERE n_p", "neurons WHERE n_patterns"),
        ("neurons ORDER BY f1 D", "neurons ORDER BY f1 DESC"),
        ("neurons RETURN pa", "neurons RETURN path"),
        ("COUNT neurons BY l", "COUNT neurons BY layer"),
        ("COUNT neurons MATCHING 'the' BY sh", "COUNT neurons MATCHING 'the' BY share"),
        ("COUNT patterns BY de", "COUNT patterns BY depth"),
        ("AVG f1 OF neurons BY m", "AVG f1 OF neurons BY model"),
        ("AVG sha", "AVG share"),
        ("neurons PROMOTING 'the' ORDER BY pro", "neurons PROMOTING 'the' ORDER BY promoted"),
        ("neurons SIMILAR TO L4", "neurons SIMILAR TO L4N358"),
        ("neurons SIMILAR TO L4N12 USING t", "neurons SIMILAR TO L4N12 USING tokens"),
        ("neurons SUBSET OF L4N3", "neurons SUBSET OF L4N358"),
        ("tokens ACTIVATING L0N", "tokens ACTIVATING L0N12"),
        ("neurons IN MODEL 'w", "neurons IN MODEL 'world'"),
        (":sh", ":show"),
        (":show L4N1", ":show L4N137"),
        (":explain neurons MAT", ":explain neurons MATCHING"),
    ],
)
def test_completion(text: str, expected: str, connection: Connection) -> None:
    assert expected in offered(connection, text)


@pytest.mark.parametrize(
    ("text", "begun"),
    [
        ("neurons ", "neurons f1"),
        ("neurons MATCHING ", "neurons MATCHING WHERE"),
        ("COUNT neurons BY ", "COUNT neurons BY activation"),
        ("neurons WHERE ", "neurons WHERE activation"),
        ("patterns WHERE ", "patterns WHERE share"),
        ("AVG f1 OF neurons BY ", "AVG f1 OF neurons BY activating"),
        ("neurons PROMOTING 'the' WHERE ", "neurons PROMOTING 'the' WHERE suppressed"),
    ],
)
def test_what_cannot_stand_there_is_not_offered(text: str, begun: str, connection: Connection) -> None:
    assert begun not in offered(connection, text)


@pytest.mark.parametrize("text", ["neurons FIRING ON 'th", "neurons MATCHING the ", "neurons )"])
def test_nothing_is_offered_in_free_text_and_after_an_error(text: str, connection: Connection) -> None:
    assert offered(connection, text) == []


@pytest.mark.parametrize(
    ("text", "unfinished"),
    [
        ("neurons", False),
        ("neurons \\", True),
        ("neurons MATCHING 'the", True),
        ("neurons MATCHING 'the'", False),
        (r"neurons MATCHING 'don\'t", True),
        (r"neurons MATCHING 'don\'t'", False),
        ("neurons -- it's a comment", False),
        ("neurons MATCHING /it's/", False),
        ("neurons WHERE f1 / 2 > 0.1 AND state = 'live", True),
        ("neurons MATCHING 'a' BEFORE/3 'b' -- c'd", False),
    ],
)
def test_where_a_statement_goes_on(text: str, unfinished: bool) -> None:
    assert is_unfinished(text) == unfinished


def test_lines_are_joined() -> None:
    assert joined("neurons \\\n  MATCHING 'New\nYork'") == "neurons \n  MATCHING 'New York'"
    assert joined("neurons -- that's all \\\nLIMIT 3") == "neurons -- that's all \nLIMIT 3"


def test_without_a_home_the_history_is_of_this_sitting(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert isinstance(own_history(), InMemoryHistory)
