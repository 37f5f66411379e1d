"""Builds a database file from shards, and moves it into place once it is complete."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from n2gdb.storage.build.loading import load, memory_needed
from n2gdb.storage.checksum import move_sealed
from n2gdb.storage.connection import Connection
from n2gdb.storage.database_file import check_replaceable, unwritable
from n2gdb.storage.read.mapped_arrays import append_arrays
from n2gdb.storage.shards import RunFolder

__all__ = ["build_database"]

_LEFT_OVERS = ("", ".wal", ".shadow", ".tmp")


def build_database(
    path: Path, runs: Sequence[RunFolder], progress: Callable[[str], None] | None = None
) -> None:
    """Build the database at ``path`` from complete shards; run i becomes model number i.

    Everything goes to a temporary file beside it that is moved into place at the end: whatever happens
    before leaves an older database as it was. ``progress`` gets the name of each stage as it starts.
    Raises StorageError if there is no room or no permission.
    """
    check_replaceable(path)
    building = path.with_name(path.name + ".building")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(building)
        try:
            memory = memory_needed(runs)
            with Connection(building, read_only=False, memory=memory) as connection:
                # A checkpoint on closing would try for ever where the disk is full; the load ends with one.
                connection.rows("CALL force_checkpoint_on_close=false")
                folder = _spool_folder(building)
                folder.mkdir()
                arrays = load(connection.rows, runs, progress or _silent, folder)
            append_arrays(building, arrays)
            check_replaceable(path)
            if path.exists():
                shutil.copymode(path, building)  # what only its owner may read stays so
            move_sealed(building, path)
        finally:
            _remove(building)
    except OSError as error:
        raise unwritable(path, error) from error


def _silent(stage: str) -> None:
    """Report no progress."""


def _remove(building: Path) -> None:
    for suffix in _LEFT_OVERS:
        building.with_name(building.name + suffix).unlink(missing_ok=True)
    shutil.rmtree(_spool_folder(building), ignore_errors=True)


def _spool_folder(building: Path) -> Path:
    return building.with_name(building.name + ".rows")
