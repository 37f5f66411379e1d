"""Small JSON files beside a database, which itself is only read: one writer at a time, whole or not."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from n2gdb.errors import StorageError, one_line
from n2gdb.storage.output_file import kind_of_file

__all__ = ["KeptFile"]

_PATIENCE = 5.0  # seconds for another writer to finish
_AGAIN = 0.02  # seconds between two tries
_FREE_TO_TRY = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class KeptFile:
    """A file that is read anew each time, so that processes may share it; ``holds`` says what is in it."""

    __slots__ = ("_holds", "path")

    def __init__(self, path: Path, holds: str) -> None:
        """Take the file's path; it need not be there."""
        self.path = path
        self._holds = holds

    def read(self) -> Any:
        """Return what the file holds, None where there is none.

        Raises StorageError for what is not a plain file, for one that cannot be read, and for one that is no
        JSON.
        """
        try:
            self._check_kind()
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self.unsound(one_line(getattr(error, "strerror", None) or error)) from error
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.unsound(f"it is not JSON: {one_line(error)}") from error

    def unsound(self, why: str) -> StorageError:
        """Return what to raise for a file that holds something else."""
        return StorageError(f"{self.path.name} holds no {self._holds} ({why}): mend it or move it away")

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other writers away from what the block reads and then writes; raise StorageError."""
        beside = self.path.with_name(f"{self.path.name}.lock")
        try:
            lock = os.open(beside, _FREE_TO_TRY, 0o666)
        except OSError as error:
            raise self._unwritten(error) from error
        try:
            self._take(lock)
            yield
        finally:
            os.close(lock)

    def write(self, kept: object) -> None:
        """Write the file, whole or not at all; raise StorageError."""
        text = json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        partial = self.path.with_name(f".{self.path.name}.{os.urandom(8).hex()}")
        try:
            try:
                with partial.open("xb") as file:
                    file.write(text.encode("utf-8", "replace"))
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(self.path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritten(error) from error

    def _take(self, lock: int) -> None:
        last = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise self._unwritten(error) from error
                if time.monotonic() > last:
                    raise StorageError(
                        f"another process is writing the {self._holds} in {self.path.name}: try again"
                    ) from error
                time.sleep(_AGAIN)
            else:
                return

    def _check_kind(self) -> None:
        """Raise FileNotFoundError where nothing is there, StorageError for a link, a pipe and their like."""
        if (kind := kind_of_file(self.path)) is not None:
            raise StorageError(f"{self.path.name} is {kind}, where {self._holds} belong: move it away")

    def _unwritten(self, error: OSError) -> StorageError:
        return StorageError(f"the {self._holds} cannot be written to {self.path.name} ({error.strerror})")
