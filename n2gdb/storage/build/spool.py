"""Spooling: tables too large for memory, written to files in batches and read back mapped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

__all__ = ["Spool"]


class Spool:
    """Tables that grow by batches of rows in a folder; a context manager, which closes their files.

    Raises OSError if the disk refuses. The files stay for the folder's owner to remove.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pa.ipc.RecordBatchFileWriter] = {}

    def add(self, table: str, rows: pa.Table) -> None:
        """Append rows to a table, whose first rows tell its columns."""
        if table not in self._writers:
            self._writers[table] = pa.ipc.new_file(str(self._path(table)), rows.schema)
        self._writers[table].write_table(rows)

    @property
    def names(self) -> frozenset[str]:
        """The tables that were begun."""
        return frozenset(self._writers)

    @contextmanager
    def table(self, table: str) -> Iterator[pa.Table]:
        """Map the rows of a table that was begun, after ``close``; its file goes after it."""
        path = self._path(table)
        with pa.memory_map(str(path)) as source:
            yield pa.ipc.open_file(source).read_all()
        path.unlink()

    def close(self) -> None:
        """End all tables; raises OSError if the disk refuses."""
        for writer in self._writers.values():
            writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Where an error is on its way, a file that cannot be ended for the same reason must not hide it.
        with suppress(OSError) if error else nullcontext():
            self.close()

    def _path(self, table: str) -> Path:
        return self._folder / f"{table}.arrow"
