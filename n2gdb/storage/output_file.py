"""Atomic file writing: completely or not at all, and never over an existing file unless forced."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from n2gdb.errors import StorageError
from n2gdb.storage.checksum import MAGIC, database_files

__all__ = ["check_output", "kind_of_file", "output_file"]

_LONGEST_SUFFIX = 16  # of a partial file, which keeps the suffix: some writers go by it

#: What belongs to a database without being part of it: saved sets, notes, shards.
_BESIDE = (".sets.json", ".notes.json", ".shards")

_KINDS = {
    stat.S_ISLNK: "a link",
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}


def kind_of_file(path: Path) -> str | None:
    """Say what stands at a path where it is not a plain file: ``a link``, ``a folder``; else None.

    Raises OSError if that cannot be found out, FileNotFoundError where nothing is there.
    """
    mode = path.lstat().st_mode
    return next((kind for is_kind, kind in _KINDS.items() if is_kind(mode)), None)


def check_output(
    path: Path, *, force: bool = False, reads: Iterable[Path | None] = (), allow: str = "--force"
) -> None:
    """See that a file can be written, before anything is computed for it.

    ``reads`` are the files that the command reads, a database among them standing for all that belongs to
    it: none of them is ever replaced, and no other file gets such a name. Without ``force`` nothing that is
    there is; with it only a plain file that is not a database. ``allow`` is how whoever asks writes
    ``force``. Raises StorageError.
    """
    read = [each for each in reads if each is not None]
    try:
        kind = kind_of_file(path)
    except FileNotFoundError as error:
        if any(_is_of(path, each) for each in read):
            raise StorageError(f"{path} belongs to what the command reads: name another file") from error
        if not path.parent.is_dir():
            raise StorageError(
                f"{path} cannot be written (there is no folder {path.parent}): choose another place"
            ) from error
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise StorageError(
                f"{path} cannot be written (you may not write to {path.parent}): choose another place"
            ) from error
        return
    except OSError as error:
        raise _refused(path, error) from error
    if kind is not None:
        other = ", or - for standard output" if allow.startswith("-") else ""
        raise StorageError(f"{path} is {kind}, not a plain file: name a file{other}")
    if any(_is_of(path, each) for each in read):
        raise StorageError(f"{path} is what the command reads: name another file to write")
    if not force:
        raise StorageError(f"{path} is there already: name another file, or overwrite it with {allow}")
    if _is_database(path):
        raise StorageError(f"{path} is a database, which another file cannot replace: name another file")


@contextmanager
def output_file(
    path: Path, *, force: bool = False, reads: Iterable[Path | None] = (), allow: str = "--force"
) -> Iterator[Path]:
    """Yield the path of a partial file beside ``path``, which takes its name when the block ends well.

    The partial file has the suffix of ``path``, and is gone where the block fails. Raises StorageError as
    ``check_output`` does, and where the disk refuses.
    """
    kept = tuple(reads)
    check_output(path, force=force, reads=kept, allow=allow)
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    partial = path.with_name(f".n2gdb-{os.urandom(8).hex()}{suffix}")
    try:
        partial.open("xb").close()
        try:
            yield partial
            _store(partial)
            check_output(path, force=force, reads=kept, allow=allow)
            _take_place(partial, path, force=force, allow=allow)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(path, error) from error


def _store(partial: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())


def _take_place(partial: Path, path: Path, *, force: bool, allow: str) -> None:
    """Give a partial file its name; a file that has come there in between stays, unless forced."""
    if force:
        partial.replace(path)
        return
    try:
        os.link(partial, path)
    except FileExistsError:
        check_output(path, allow=allow)
        raise
    except OSError:  # a file system without hard links has no move that spares what is there
        check_output(path, allow=allow)
        partial.replace(path)


def _is_of(path: Path, read: Path) -> bool:
    """Whether a path, which need not be there, is a file that is read or belongs to one."""
    place = path.resolve()
    return read.with_name(f"{read.name}.shards").resolve() in place.parents or any(
        place == each.resolve() or (path.exists() and each.exists() and path.samefile(each))
        for each in _files_of(read)
    )


def _files_of(read: Path) -> Iterator[Path]:
    yield from database_files(read)
    yield from (read.with_name(f"{read.name}{suffix}") for suffix in _BESIDE)


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be written ({error.strerror or error}): choose another place")
