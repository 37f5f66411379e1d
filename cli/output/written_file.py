"""Output files of commands: written completely or not at all, or to standard output."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from n2gdb.errors import StorageError
from n2gdb.storage.output_file import check_output, output_file

__all__ = ["check_written", "is_standard_output", "write_file", "write_text_file", "written_file"]


def is_standard_output(path: Path) -> bool:
    """Return whether a file's name stands for standard output."""
    return str(path) == "-"


def check_written(path: Path | None, *, force: bool, reads: Iterable[Path | None]) -> None:
    """See that a command can write a file, if it is to write one; raise StorageError before work is done."""
    if path is not None and not is_standard_output(path):
        check_output(path, force=force, reads=reads)


def write_text_file(path: Path, text: str, *, force: bool, reads: Iterable[Path | None]) -> None:
    """Write a text as ``write_file`` does."""
    write_file(path, text.encode(), force=force, reads=reads)


def write_file(path: Path, content: bytes, *, force: bool, reads: Iterable[Path | None]) -> None:
    """Write a file, which takes its name only when it is whole; ``-`` is standard output.

    ``reads`` are the files that the command reads. Raises StorageError as ``check_output`` does.
    """
    if is_standard_output(path):
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return
    with output_file(path, force=force, reads=reads) as partial:
        partial.write_bytes(content)


@contextmanager
def written_file(path: Path, *, force: bool, reads: Iterable[Path | None]) -> Iterator[Path]:
    """Yield the path of a file to write as ``write_file`` does; for ``-`` it is copied in the end."""
    if not is_standard_output(path):
        with output_file(path, force=force, reads=reads) as partial:
            yield partial
        return
    try:
        with TemporaryDirectory(prefix="n2gdb-") as folder:
            whole = Path(folder) / "output"
            yield whole
            sys.stdout.flush()
            with whole.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
    except BrokenPipeError:  # a reader that has gone is not an error
        raise
    except OSError as error:
        raise StorageError(f"standard output cannot be written ({error.strerror or error})") from error
