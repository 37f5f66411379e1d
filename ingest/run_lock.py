"""The run lock: only one ingest at a time writes to a database's shards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from n2gdb.errors import StorageError
from n2gdb.storage.shards import storing

__all__ = ["sole_writer"]


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold a folder of shards; raise StorageError if another process does. A killed one lets go."""
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise StorageError(
                f"another ingest is writing to {folder}: wait for it, or choose another --db"
            ) from error
    try:
        yield
    finally:
        lock.release()
