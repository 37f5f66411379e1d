"""What is kept beside a database: nothing of another's is lost, nothing waits for ever."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from n2gdb.errors import StorageError
from n2gdb.storage import kept_file
from n2gdb.storage.kept_file import KeptFile
from n2gdb.storage.saved_sets import read_sets, write_set


@pytest.fixture
def file(tmp_path: Path) -> KeptFile:
    return KeptFile(tmp_path / "x.json", "notes")


def test_what_is_written_is_read(file: KeptFile) -> None:
    assert file.read() is None
    for kept in ({"a": ["ü", "\n"]}, {}):
        file.write(kept)
        assert file.read() == kept
    assert list(file.path.parent.iterdir()) == [file.path]


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "\udcff"])
def test_what_is_no_json_is_left_as_it_is(file: KeptFile, content: str) -> None:
    raw = content.encode("utf-8", "surrogateescape")
    file.path.write_bytes(raw)
    with pytest.raises(StorageError, match=r"holds no notes .*: mend it or move it away"):
        file.read()
    assert file.path.read_bytes() == raw


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "lost"])
def test_links_and_pipes_are_neither_read_nor_replaced(file: KeptFile, kind: str) -> None:
    mine = file.path.with_name("mine")
    match kind:
        case "pipe":
            os.mkfifo(file.path)
        case "folder":
            file.path.mkdir()
        case _:
            file.path.symlink_to(mine)
            if kind == "link":
                mine.write_text("{}")
    with pytest.raises(StorageError, match=r"x\.json is a .*, where notes belong: move it away"):
        file.read()
    assert mine.exists() == (kind == "link")


def test_a_full_disk_leaves_what_was_there(file: KeptFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file.write({"a": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"cannot be written to x\.json \(No space left on device\)"):
        file.write({"a": 2})
    assert file.read() == {"a": 1}
    assert list(file.path.parent.iterdir()) == [file.path]


def test_two_writers_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_file, "_PATIENCE", 60.0)  # a slow disk may take a second for each of them
    database = tmp_path / "x.n2gdb"

    def save(number: int) -> None:
        for each in range(5):
            write_set(database, f"s{number}_{each}", ["L0N1"])

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_sets(database)) == 20


def test_one_that_never_ends_is_not_waited_for(file: KeptFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_file, "_PATIENCE", 0.05)
    with file.path.with_name("x.json.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match="another process is writing the notes"), file.changing():
            raise AssertionError("it was let in")


def test_a_lock_that_is_a_link_is_not_followed(file: KeptFile) -> None:
    file.path.with_name("x.json.lock").symlink_to(file.path.with_name("nowhere"))
    with pytest.raises(StorageError, match="cannot be written"), file.changing():
        raise AssertionError("it was let in")
    assert not file.path.with_name("nowhere").exists()


@pytest.mark.parametrize("content", ["[]", '{"a": "xyz"}', '{"a": []}', '{"a": [1]}', "7"])
def test_what_holds_no_sets_is_no_file_of_sets(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.n2gdb.sets.json").write_text(content)
    with pytest.raises(StorageError, match="holds no saved sets"):
        write_set(tmp_path / "x.n2gdb", "mine", ["L0N1"])
    assert (tmp_path / "x.n2gdb.sets.json").read_text() == content
