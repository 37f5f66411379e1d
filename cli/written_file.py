"""A file that a command writes: whole or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

from n2gdb.errors import StorageError

__all__ = ["write_text_file"]


def write_text_file(path: Path, text: str) -> None:
    """Write a text into a file, which takes its name only when it is whole; ``-`` is standard output.

    Raises StorageError where the file cannot be written.
    """
    if str(path) == "-":
        sys.stdout.write(text)
        return
    writing = path.with_name(f".{path.name}.writing")
    try:
        try:
            writing.write_text(text, encoding="utf-8")
            writing.replace(path)
        finally:
            writing.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error.strerror or error}): choose another place"
        ) from error
