"""A file that a command writes: whole or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

from n2gdb.errors import StorageError

__all__ = ["write_file", "write_text_file"]


def write_text_file(path: Path, text: str) -> None:
    """Write a text as ``write_file`` does."""
    write_file(path, text.encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file, which takes its name only when it is whole; ``-`` is standard output.

    Raises StorageError where the file cannot be written.
    """
    if str(path) == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return
    writing = path.with_name(f".{path.name}.writing")
    try:
        try:
            writing.write_bytes(content)
            writing.replace(path)
        finally:
            writing.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error.strerror or error}): choose another place"
        ) from error
