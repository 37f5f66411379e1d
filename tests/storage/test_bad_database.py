"""Whatever is wrong with a database ends in one clear line and an exit code, never in a traceback."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.database import Database
from n2gdb.errors import StorageError
from n2gdb.storage.build.database import build_database
from n2gdb.storage.checksum import verify_seal
from n2gdb.storage.connection import Connection
from n2gdb.version import SCHEMA_VERSION
from tests.storage.test_connection import SLOW
from tests.support.small_run import random_graphs, write_run

COMMANDS = (["info"], ["show", "L0N0"], ["query", "neurons MATCHING 'dog'"])


def complaint(*arguments: str, code: int = 1) -> str:
    """Run a command that must fail, and return its one line on stderr."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def missing(path: Path, good: Path) -> None:
    assert not path.exists()


def empty(path: Path, good: Path) -> None:
    path.touch()


def folder(path: Path, good: Path) -> None:
    path.mkdir()


def foreign(path: Path, good: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + bytes(4096))


def truncated(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[:20_000])


def other_engine(path: Path, good: Path) -> None:
    raw = bytearray(good.read_bytes())
    raw[4] += 1  # the engine's storage version follows its four magic bytes
    path.write_bytes(raw)


def not_ours(path: Path, good: Path) -> None:
    with Connection(path, read_only=False) as connection:
        connection.rows("CREATE NODE TABLE City(name STRING PRIMARY KEY)")


def without_version(path: Path, good: Path) -> None:
    with_version(path, good, None)


def newer(path: Path, good: Path) -> None:
    with_version(path, good, 99)


def older(path: Path, good: Path) -> None:
    with_version(path, good, 0)


def with_version(path: Path, good: Path, version: int | None) -> None:
    shutil.copy(good, path)
    with Connection(path, read_only=False) as connection:
        connection.rows("MATCH (m:Model) SET m.schema_version = $v", {"v": version})


BAD: dict[Callable[[Path, Path], None], str] = {
    missing: "no database at {}: make one with `n2gdb ingest demo --db {}`, or name another with --db",
    empty: "{} is empty: build it with `n2gdb ingest`",
    folder: "{} is a folder, not a database file: name the file itself",
    foreign: "{} is not a database of n2gdb: it does not begin as one does",
    truncated: "{} is damaged (",
    other_engine: "{} was written by another version of the storage engine: build it again",
    not_ours: "{} is a Kùzu database, but not one of n2gdb",
    without_version: "{} is a Kùzu database, but not one of n2gdb",
    newer: f"{{}} has schema version 99, newer than this n2gdb reads ({SCHEMA_VERSION}): upgrade n2gdb",
    older: f"{{}} has schema version 0, older than this n2gdb reads ({SCHEMA_VERSION}): build it again with"
    " `n2gdb ingest`",
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_bad_file_is_one_line(
    tmp_path: Path, small_path: Path, spoil: Callable[[Path, Path], None], command: list[str]
) -> None:
    path = tmp_path / "bad.n2gdb"
    spoil(path, small_path)
    assert BAD[spoil].replace("{}", str(path)) in complaint(*command, "--db", str(path))
    if spoil is missing:
        assert not path.exists()
    if spoil is empty:
        assert path.stat().st_size == 0


def test_a_database_that_another_process_writes_is_locked(tmp_path: Path, small_path: Path) -> None:
    path = tmp_path / "held.n2gdb"
    shutil.copy(small_path, path)
    hold = "import sys; from pathlib import Path; from n2gdb.storage.connection import Connection;"
    hold += "c = Connection(Path(sys.argv[1]), read_only=False); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        line = complaint("info", "--db", str(path))
        holder.communicate("")
    assert line == f"error: {path} is held by another process, which writes to it: wait for it, or end it"
    with n2gdb.open(path) as database:
        assert database.info().models[0].name == "small"


def test_many_readers_may_read_at_once(small_path: Path) -> None:
    with n2gdb.open(small_path):
        assert CliRunner().invoke(app, ["info", "--db", str(small_path)]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "L9N0"], "small has no layer 9"),
        (["show", "L0N99"], "small has no neuron L0N99"),
        (["show", "fifty"], "'fifty' is not a neuron's name"),
        (["show", "L0N0", "--model", "smal"], "holds no model 'smal': it holds small"),
    ],
)
def test_what_is_not_there_is_named(small_path: Path, arguments: list[str], message: str) -> None:
    assert message in complaint(*arguments, "--db", str(small_path), code=2)


def test_a_query_that_does_not_parse_shows_a_caret(small_path: Path) -> None:
    result = CliRunner().invoke(app, ["query", "neurons MATCHING BEFORE", "--db", str(small_path)])
    assert result.exit_code == 2
    message, text, caret = result.stderr.splitlines()
    assert message.startswith("error: ")
    assert text == "  neurons MATCHING BEFORE"
    assert caret.index("^") == 2 + len("neurons MATCHING ")


def test_a_misused_command_exits_with_2(small_path: Path) -> None:
    assert CliRunner().invoke(app, ["show"]).exit_code == 2
    assert CliRunner().invoke(app, ["sing"]).exit_code == 2
    assert CliRunner().invoke(app, ["info", "--loud"]).exit_code == 2


def test_a_changed_byte_is_found_by_verify(tmp_path: Path) -> None:
    path = tmp_path / "x.n2gdb"
    build_database(path, [write_run(tmp_path / "run", random_graphs(1, layers=1, neurons=3))])
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert f"{path} is damaged" in complaint("info", "--verify", "--db", str(path))


def test_no_space_left_keeps_the_older_database(tmp_path: Path) -> None:
    path = tmp_path / "x.n2gdb"
    build_database(path, [write_run(tmp_path / "run", random_graphs(1, layers=1, neurons=3))])
    before = path.read_bytes()
    full = (
        "import resource, sys; from pathlib import Path; from n2gdb.storage.shards import RunFolder;"
        "from n2gdb.storage.build.database import build_database; from n2gdb.errors import StorageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "try: build_database(Path(sys.argv[1]), [RunFolder(Path(sys.argv[2]))])\n"
        "except StorageError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", full, str(path), str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = result.stdout.splitlines()
    assert line.startswith(f"no space left to write {path}")
    assert path.read_bytes() == before
    assert verify_seal(path)
    assert not list(tmp_path.glob("*.building*"))


def test_what_the_disk_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch, small_path: Path) -> None:
    def refuse(_: Database) -> None:
        raise StorageError("no space left to write x.n2gdb: free some, then run again to go on")

    monkeypatch.setattr(Database, "info", refuse)
    assert "no space left" in complaint("info", "--db", str(small_path))


def command_line(setup: str, *arguments: str) -> list[str]:
    code = f"import sys; from n2gdb.cli.main import run; {setup}\nsys.argv[0] = 'n2gdb'; run()"
    return [sys.executable, "-c", code, *arguments]


def test_ctrl_c_stops_a_slow_query_at_once(small_path: Path) -> None:
    setup = "from n2gdb.database import Database\n"
    setup += "def slow(self):\n    print('begun', flush=True)\n"
    setup += f"    return self.connection.rows({SLOW!r})\n"
    setup += "Database.info = slow"
    with subprocess.Popen(
        command_line(setup, "info", "--db", str(small_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.3)
        assert process.poll() is None, "the query must be slow for this test to mean anything"
        begun = time.perf_counter()
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=20)
        assert time.perf_counter() - begun < 15
    assert process.returncode == 130
    assert complaint == "interrupted\n"


def test_a_reader_that_has_gone_is_no_error(small_path: Path) -> None:
    with subprocess.Popen(
        command_line("", "show", "L0N0", "--json", "--db", str(small_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 0
