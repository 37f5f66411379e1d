"""What may be opened as a database, what a build may replace, and what an engine's refusal is called."""

from __future__ import annotations

import fcntl
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.errors import (
    DatabaseError,
    DatabaseFormatError,
    DatabaseLockedError,
    RebuildError,
    StorageError,
)
from n2gdb.storage import checksum
from n2gdb.storage.build.database import build_database
from n2gdb.storage.checksum import move_sealed, seal_path, verify_seal
from n2gdb.storage.connection import Connection
from n2gdb.storage.database_file import check_replaceable, opening_error
from n2gdb.storage.shards import RunFolder
from tests.support.small_run import random_graphs, write_run


@pytest.fixture
def path(small_path: Path, tmp_path: Path) -> Path:
    """A database of one's own, its checksum beside it, its times kept."""
    for suffix in ("", ".sha256"):
        shutil.copy2(f"{small_path}{suffix}", f"{tmp_path}/small.n2gdb{suffix}")
    return tmp_path / "small.n2gdb"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return write_run(tmp_path_factory.mktemp("run") / "run", random_graphs(1, layers=1, neurons=3))


# -- what a build replaces


def thesis(path: Path) -> None:
    path.write_bytes(b"%PDF-1.7 a thesis")


def text(path: Path) -> None:
    path.write_text("notes")


def one_byte(path: Path) -> None:
    path.write_bytes(b"K")


def link_to_text(path: Path) -> None:
    path.with_name("target").write_text("mine")
    path.symlink_to(path.with_name("target"))


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def other_kuzu_database(path: Path) -> None:
    with Connection(path, read_only=False) as connection:
        connection.rows("CREATE NODE TABLE City(name STRING PRIMARY KEY)")


def a_folder_for_the_checksum(path: Path) -> None:
    seal_path(path).mkdir()


FOREIGN: list[Callable[[Path], None]] = [
    *(thesis, text, one_byte, link_to_text, link_to_nothing, pipe, folder),
    *(other_kuzu_database, a_folder_for_the_checksum),
]


def snapshot(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    return {
        each.name: (each.lstat().st_mode, each.read_bytes() if each.is_file() else None)
        for each in folder.iterdir()
    }


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
def test_only_a_database_or_nothing_is_replaced(
    tmp_path: Path, run: RunFolder, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "thesis.pdf"
    make(path)
    before = snapshot(tmp_path)
    with pytest.raises(StorageError) as caught:
        build_database(path, [run])
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert snapshot(tmp_path) == before


def test_a_link_to_a_database_is_no_database(path: Path, run: RunFolder) -> None:
    link = path.with_name("link.n2gdb")
    link.symlink_to(path)
    with pytest.raises(StorageError, match="is a link"):
        build_database(link, [run])
    assert link.is_symlink()


def damaged(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[4096:8192] = bytes(4096)
    path.write_bytes(raw)


def of_another_engine(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[4] += 1
    path.write_bytes(raw)


def as_it_was(path: Path) -> None:
    assert path.exists()


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("change", [as_it_was, damaged, of_another_engine, emptied])
def test_a_database_of_n2gdb_is_replaced_however_it_is(
    path: Path, run: RunFolder, change: Callable[[Path], None]
) -> None:
    change(path)
    seal_path(path).unlink()
    build_database(path, [run])
    with n2gdb.open(path) as database:
        assert database.count("neurons") == 3


@pytest.mark.parametrize("mode", [0o444, 0o400, 0o000])
def test_a_read_only_database_is_kept(path: Path, run: RunFolder, mode: int) -> None:
    path.chmod(mode)
    before = path.stat().st_ino
    with pytest.raises(StorageError, match="is read-only: allow it to be written") as caught:
        build_database(path, [run])
    assert "\n" not in str(caught.value)
    result = CliRunner().invoke(app, ["effects", str(path), "demo"])
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert f"{path} is read-only" in result.output
    assert path.stat().st_ino == before
    assert not list(path.parent.glob("*.building*"))


def test_a_private_database_stays_private(path: Path, run: RunFolder) -> None:
    path.chmod(0o600)
    before = path.stat().st_ino
    build_database(path, [run])
    assert path.stat().st_ino != before
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("make", FOREIGN[:7], ids=lambda make: make.__name__)
def test_effects_say_what_is_in_the_place_of_a_database(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "thesis.pdf"
    make(path)
    before = snapshot(tmp_path)
    result = CliRunner().invoke(app, ["effects", str(path), "demo"])
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "is not there" not in result.output
    assert snapshot(tmp_path) == before


def test_ingest_refuses_before_it_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "n2gdb.ingest.models.subject", None)  # to load a model would fail
    path = tmp_path / "thesis.pdf"
    thesis(path)
    result = CliRunner().invoke(app, ["ingest", "demo", "--layers", "0", "--neurons", "0", "--db", str(path)])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"error: {path} exists and is not an n2gdb database: name another file with --db"
    )
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.pdf"]


def test_room_is_asked_for_before(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no space left"):
        check_replaceable(tmp_path / "x.n2gdb", needed=1 << 60)
    assert not list(tmp_path.iterdir())


def test_names_that_are_too_long_are_refused_before(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        check_replaceable(tmp_path / ("x" * 245))


# -- logs of an engine


@pytest.mark.parametrize("suffix", [".wal", ".shadow"])
def test_a_log_beside_a_database_is_refused(path: Path, suffix: str) -> None:
    log = path.with_name(path.name + suffix)
    log.write_bytes(b"")
    with pytest.raises(DatabaseFormatError, match=f"{log.name} lies beside the database"):
        n2gdb.open(path)
    assert CliRunner().invoke(app, ["info", "--verify", "--db", str(path)]).exit_code == 1


def test_a_true_log_is_not_applied(path: Path) -> None:
    code = (
        "import os, sys, pathlib\nfrom n2gdb.storage.connection import Connection\n"
        "held = Connection(pathlib.Path(sys.argv[1]), read_only=False)\n"
        "held.rows('MATCH (n:Neuron) SET n.f1 = 0.125')\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert path.with_name(f"{path.name}.wal").exists()
    with pytest.raises(DatabaseFormatError, match="lies beside the database"):
        n2gdb.open(path)
    path.with_name(f"{path.name}.wal").unlink()
    with n2gdb.open(path) as database:
        assert database.count("neurons WHERE f1 = 0.125") < 60
        database.verify()


def test_a_new_database_is_not_given_the_log_of_an_old_one(path: Path, run: RunFolder) -> None:
    for suffix in (".wal", ".shadow"):
        path.with_name(path.name + suffix).write_bytes(b"old")
    build_database(path, [run])
    with n2gdb.open(path) as database:
        assert database.count("neurons") == 3
        database.verify()
    assert sorted(each.name for each in path.parent.iterdir()) == ["small.n2gdb", "small.n2gdb.sha256"]


# -- damage


def test_flipped_bits_are_found_when_a_file_is_opened(path: Path) -> None:
    good, rng = path.read_bytes(), random.Random(3)
    for _ in range(40):
        raw = bytearray(good)
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        path.write_bytes(raw)
        with pytest.raises(DatabaseFormatError):
            n2gdb.open(path)


def test_damage_that_leaves_no_trace_in_time_is_found_where_it_ends_the_engine(path: Path) -> None:
    good, stat = path.read_bytes(), path.stat()
    with path.open("rb") as file:
        first = list(checksum._read_first(file))
    assert len(first) == 3  # the head, catalog and metadata
    last = (len(good) - 1) // 4096  # where the table of the arrays behind them is
    for page in (last, *(page for start, count in first for page in range(start, start + count))):
        raw = bytearray(good)
        start, end = page * 4096, min((page + 1) * 4096, len(raw))
        raw[start:end] = bytes(end - start)
        if raw == good:
            continue
        path.write_bytes(raw)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(DatabaseFormatError):
            n2gdb.open(path)


def test_a_copy_opens_with_its_checksum_or_without(path: Path, tmp_path: Path) -> None:
    for name in ("copy.n2gdb", "alone.n2gdb"):
        shutil.copyfile(path, tmp_path / name)
    shutil.copyfile(seal_path(path), tmp_path / "copy.n2gdb.sha256")
    for name in ("copy.n2gdb", "alone.n2gdb"):
        with n2gdb.open(tmp_path / name) as database:
            assert database.count("neurons") == 60


def test_a_checksum_without_a_record_is_one_for_verify_alone(path: Path) -> None:
    seal_path(path).write_text("\n".join(seal_path(path).read_text().splitlines()[1:]) + "\n")
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with n2gdb.open(path) as database, pytest.raises(DatabaseFormatError, match="damaged"):
        database.verify()


def test_a_build_that_the_disk_does_not_give_back_is_not_moved(
    path: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(built: Path) -> None:
        raw = bytearray(built.read_bytes())
        raw[5000] ^= 1
        built.write_bytes(raw)

    before = path.read_bytes()
    monkeypatch.setattr("n2gdb.storage.checksum._forget", spoil)
    with pytest.raises(StorageError, match="does not give back"):
        build_database(path, [run])
    assert path.read_bytes() == before
    assert verify_seal(path)


def test_the_check_takes_little_time(tmp_path: Path) -> None:
    built, database = tmp_path / "built", tmp_path / "x.n2gdb"
    with built.open("wb") as file:
        file.truncate(300 << 20)  # a file of holes, and more than is read whole
    move_sealed(built, database)
    from n2gdb.storage.checksum import check_seal

    check_seal(database)
    before = time.process_time()
    check_seal(database)
    assert time.process_time() - before < 0.1  # of the processor's, whatever else it is busy with


# -- what a refusal is called


@pytest.mark.parametrize(
    ("message", "kind", "said"),
    [
        ("Buffer manager exception: Mmap for size 68719476736 failed.", DatabaseError, "for want of memory"),
        ("std::bad_alloc", DatabaseError, "for want of memory"),
        ("IO exception: nobody has seen this before", DatabaseError, "cannot be opened: IO exception"),
        ("", DatabaseError, "no reason given"),
        ("Runtime exception: Reading past the end of the file x with size 1", RebuildError, "damaged"),
    ],
)
def test_what_is_unknown_is_not_damage(
    tmp_path: Path, message: str, kind: type[DatabaseError], said: str
) -> None:
    error = opening_error(tmp_path / "x", message)
    assert type(error) is kind
    assert said in str(error)
    assert ("is damaged" in str(error)) == (kind is RebuildError)


@pytest.mark.parametrize("code", ["ENOLCK", "EOPNOTSUPP", "EINVAL", "ENOSYS"])
def test_a_file_system_without_locks_is_said_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    import errno

    def refuse(*_: object) -> None:
        raise OSError(getattr(errno, code), "no locks")

    held = "IO exception: Could not set lock on file : x"
    assert isinstance(opening_error(path, held), DatabaseLockedError)
    monkeypatch.setattr(fcntl, "lockf", refuse)
    assert "file system without locks" in str(opening_error(path, held))
    assert not isinstance(opening_error(path, held), DatabaseLockedError)


@pytest.mark.parametrize("gigabytes", [4, 8, 32])
def test_a_limit_of_addresses_is_no_damage(
    path: Path, run: RunFolder, tmp_path: Path, gigabytes: int
) -> None:
    code = (
        "import sys, n2gdb, pathlib\n"
        "from n2gdb.storage.shards import RunFolder\n"
        "from n2gdb.storage.build.database import build_database\n"
        "with n2gdb.open(sys.argv[1]) as db: print(db.count('neurons'))\n"
        "build_database(pathlib.Path(sys.argv[2]), [RunFolder(pathlib.Path(sys.argv[3]))])\n"
        "with n2gdb.open(sys.argv[2]) as db: print(db.count('neurons'))\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (gigabytes << 30, gigabytes << 30))

    arguments = [path, tmp_path / "built.n2gdb", run.path] if gigabytes > 8 else [path]
    code = code if gigabytes > 8 else "\n".join(code.splitlines()[:4])
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] == "60"
