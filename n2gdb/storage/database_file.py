"""Database files: checks before one is opened or replaced, and errors for what the engine refuses."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
from pathlib import Path

from n2gdb.errors import (
    DatabaseError,
    DatabaseFormatError,
    DatabaseLockedError,
    DatabaseNotFoundError,
    RebuildError,
    StorageError,
)
from n2gdb.storage.checksum import LOGS, MAGIC, check_seal, database_files, was_built_here
from n2gdb.storage.output_file import kind_of_file
from n2gdb.version import SCHEMA_VERSION

__all__ = ["check_readable", "check_replaceable", "check_schema_version", "opening_error", "unwritable"]

#: Names of tables that stand in the catalog of every database of n2gdb, whatever its schema version.
_TABLES = (b"ACTIVATES_ON", b"TOP_EXAMPLE")

#: What the engine says of a file whose content makes no sense to it.
_DAMAGE = (
    "past the end of the file",
    "not a valid",
    "orrupt",
    "nvalid",
    "Cannot read from file",
    "Unrecognized",
)
#: What it says where it gets no memory, or no addresses.
_NO_MEMORY = ("Mmap for size", "bad_alloc", "Cannot allocate memory", "Buffer manager", "bad allocation")
_LOCKED = (errno.EAGAIN, errno.EACCES)

#: Rights of which a file that may be written has one.
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def check_readable(path: Path) -> None:
    """Refuse what the engine would misread: it takes an empty file for a new one, and applies stray logs.

    Raises DatabaseNotFoundError, DatabaseFormatError and DatabaseError.
    """
    if path.is_dir():
        raise DatabaseFormatError(f"{path} is a folder, not a database file: name the file itself")
    if path.exists() and not path.is_file():
        raise DatabaseFormatError(f"{path} is not a plain file, so not a database: name the file itself")
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except FileNotFoundError as error:
        raise DatabaseNotFoundError(
            f"no database at {path}: make one with `n2gdb ingest demo --db {path}`, or name another with --db"
        ) from error
    except OSError as error:
        raise DatabaseError(f"{path} cannot be read: {error.strerror or error}") from error
    if not start:
        raise DatabaseFormatError(f"{path} is empty: build it with `n2gdb ingest`")
    if start != MAGIC:
        raise DatabaseFormatError(f"{path} is not a database of n2gdb: it does not begin as one does")
    for log in (path.with_name(path.name + suffix) for suffix in LOGS):
        if log.exists():
            raise _written_to(path, log)
    try:
        check_seal(path)
    except DatabaseFormatError as error:
        if _lock_error(path) in _LOCKED:
            raise _held(path) from error
        raise


def check_replaceable(path: Path, needed: int = 0) -> None:
    """See that a database can be built at ``path``, before anything is learned for it.

    Only a database of n2gdb, an empty file or nothing is ever replaced, and no file that is read-only.
    ``needed`` are the bytes that it will take at least. Raises StorageError.
    """
    try:
        kind = kind_of_file(path)
        there = True
    except FileNotFoundError:
        kind, there = None, False
    except OSError as error:
        raise unwritable(path, error) from error
    if kind is not None:
        raise StorageError(f"{path} is {kind}, which a database cannot replace: name a plain file with --db")
    if there and not _is_ours(path):
        raise StorageError(f"{path} exists and is not an n2gdb database: name another file with --db")
    # Files are replaced by their folder's rights: a file's own say that its owner wants it kept.
    if there and not (path.stat().st_mode & _WRITABLE and os.access(path, os.W_OK)):
        raise StorageError(
            f"{path} is read-only: allow it to be written (chmod u+w), or name another with --db"
        )
    for beside in list(database_files(path))[1:]:
        if beside.is_dir():
            raise StorageError(f"{beside} is a folder, where a file of the database belongs: move it away")
    _check_room(path, max(needed, path.stat().st_size if there else 0))


def _is_ours(path: Path) -> bool:
    """Return whether a file is empty or a database of n2gdb, of any version, damaged or not.

    The engine is not asked, as a damaged file may end the process.
    """
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                return True
            if file.read(len(MAGIC)) != MAGIC:
                return False
            if was_built_here(path):
                return True  # the names may be in what was cut off
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return all(content.find(name) >= 0 for name in _TABLES)
    except OSError as error:
        raise StorageError(f"{path} is there and cannot be read ({error.strerror or error})") from error


def _check_room(path: Path, needed: int) -> None:
    """Check that the folder takes files, with the longest of the names that a build makes, and has space."""
    import shutil  # a reader never needs it

    trial = path.with_name(f"{path.name}.building.shadow")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise unwritable(path, error) from error
    if free < needed:
        raise StorageError(
            f"no space left to write {path}: it takes {needed / 1e6:,.0f} MB or more, and"
            f" {free / 1e6:,.0f} MB are free: make room or choose another place"
        )


def unwritable(path: Path, error: OSError) -> StorageError:
    """Return what to raise where the system does not write a database."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"{path} cannot be written (no space left): make room or choose another place")
    return StorageError(f"{path} cannot be written ({error.strerror or error}): choose another place")


def _written_to(path: Path, log: Path) -> DatabaseError:
    if _lock_error(path) in _LOCKED:
        return _held(path)
    return RebuildError(
        f"{log} lies beside the database, from a program that wrote to it and did not finish: remove it to"
        f" read {path.name} as it was built, or build it again with `n2gdb ingest`"
    )


def _held(path: Path) -> DatabaseLockedError:
    return DatabaseLockedError(
        f"{path} is held by another process, which writes to it: wait for it, or end it"
    )


def _lock_error(path: Path) -> int | None:
    """Return what the system says to a reader's lock: None if it can be had."""
    try:
        with path.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno
    return None


def opening_error(path: Path, message: str) -> DatabaseError | StorageError:
    """Return what to raise for what the engine says of a file that it does not open.

    Only what is known to be damage is called so.
    """
    said = message.strip().splitlines()[0] if message.strip() else "no reason given"
    if "Could not set lock" in message:
        refused = _lock_error(path)
        if refused is None or refused in _LOCKED:
            return _held(path)
        return DatabaseError(
            f"{path} is on a file system without locks ({os.strerror(refused)}): copy it to another disk"
        )
    if "different version" in message:
        return RebuildError(
            f"{path} was written by another version of the storage engine: build it again with `n2gdb ingest`"
        )
    if "No space left" in message or "Permission denied" in message:
        return StorageError(f"{path} cannot be written: {said}")
    if any(words in message for words in _NO_MEMORY):
        return DatabaseError(
            f"{path} cannot be opened for want of memory ({said}): raise the limit (ulimit -v), or free some"
        )
    if any(words in message for words in _DAMAGE):
        return RebuildError(f"{path} is damaged ({said}): build it again with `n2gdb ingest`")
    return DatabaseError(f"{path} cannot be opened: {said}")


def check_schema_version(path: Path, found: int) -> None:
    """Raise DatabaseFormatError for a schema version that is too new to read, RebuildError for an old one."""
    if found > SCHEMA_VERSION:
        raise DatabaseFormatError(
            f"{path} has schema version {found}, newer than this n2gdb reads ({SCHEMA_VERSION}):"
            " upgrade n2gdb"
        )
    if found < SCHEMA_VERSION:
        raise RebuildError(
            f"{path} has schema version {found}, older than this n2gdb reads ({SCHEMA_VERSION}):"
            " build it again with `n2gdb ingest`"
        )
