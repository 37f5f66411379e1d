"""The checksum of a database file, kept beside it, as the engine has none.

``X.n2gdb.sha256`` lists the digest of the file as it was built, in the form that ``sha256sum -c`` reads.
A comment above it has the size of the file, when it was written, and two short checksums: of all of it and
of the parts that are read first. A reader checks those whenever it opens the file, in milliseconds.
While a new file is moved into place the old one's lines and the new one's are there, so that a crash
between the two moves leaves a database that still verifies.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import struct
import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from n2gdb.errors import DatabaseError, DatabaseFormatError, RebuildError, StorageError
from n2gdb.grammar.records import dataclass

__all__ = [
    "LOGS",
    "MAGIC",
    "check_seal",
    "database_files",
    "is_sealed",
    "move_sealed",
    "require_seal",
    "seal_path",
    "verify_seal",
    "was_built_here",
]

MAGIC = b"KUZU"

#: What the engine leaves beside a file that it was writing to, and applies when it is opened again.
LOGS = (".wal", ".shadow")

_PAGE = 4096
_SAMPLED = 64  # pages, spread over the file
_MOST_READ = 256 << 20  # bytes of a file that is read whole where it was copied or touched since it was built
_CHUNK = 1 << 20

#: The head of a file: magic, storage version, then the first page and the pages of catalog and metadata.
_HEAD = struct.Struct("<4sQIIII")

_RECORD = re.compile(r"# size (\d+) written (\d+) crc32 ([0-9a-f]{8}) parts ([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class _Record:
    """What a reader compares: bytes, nanoseconds, and checksums of the file and of the parts read first."""

    size: int
    written: int
    crc32: int
    parts: int


def seal_path(database: Path) -> Path:
    """Return where a database's checksum lies."""
    return database.with_name(database.name + ".sha256")


def database_files(database: Path) -> Iterator[Path]:
    """Yield the files that belong to a database, which need not be there: itself, its checksum, its logs."""
    yield database
    for suffix in (".sha256", *LOGS):
        yield database.with_name(database.name + suffix)


def is_sealed(database: Path) -> bool:
    """Return whether a checksum lies beside the database."""
    return seal_path(database).is_file()


def was_built_here(database: Path) -> bool:
    """Return whether a record of the file that was built lies beside the database, whatever became of it."""
    return is_sealed(database) and _RECORD.search(_text(seal_path(database))) is not None


def move_sealed(built: Path, database: Path) -> None:
    """Move a finished file into place, with its checksum, and remove the logs of the one that it replaces.

    Raises StorageError if the disk does not give back what was written, OSError where it refuses.
    """
    _store(built)
    crc32 = _crc32(built)
    _forget(built)
    digest, stored = _digests(built)
    if stored != crc32:
        raise StorageError(
            f"the disk does not give back what was written to {built}: check it, or use another"
        )
    stat = built.stat()
    checked = f"crc32 {crc32:08x} parts {_parts(built):08x}"
    lines = f"# size {stat.st_size} written {stat.st_mtime_ns} {checked}\n{digest}  {database.name}\n"
    old = _text(seal_path(database)) if is_sealed(database) else ""
    _write(seal_path(database), old + lines)
    for suffix in LOGS:
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    _move(built, database)
    _write(seal_path(database), lines)


def verify_seal(database: Path) -> bool:
    """Whether the file is byte for byte as it was built; raise FileNotFoundError without a checksum."""
    lines = _text(seal_path(database)).splitlines()
    known = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    return _digests(database)[0] in known


def require_seal(database: Path) -> None:
    """Read the whole file; raise DatabaseFormatError if it is not as it was built.

    Raises DatabaseError where there is no checksum.
    """
    if not is_sealed(database):
        raise DatabaseError(f"{database} has no checksum beside it to verify it by: build it again")
    if not verify_seal(database):
        raise DatabaseFormatError(
            f"{database} is damaged: it differs from the file that was built; run `n2gdb ingest` again"
        )


def check_seal(database: Path) -> None:
    """Compare a file with what was recorded when it was built: its size, and the parts that are read first.

    A file that was copied or written to since is read whole, up to 256 MiB. Does nothing where no record
    lies beside it. Raises RebuildError if they differ.
    """
    if not is_sealed(database):
        return
    records = [_Record(*_numbers(found)) for found in _RECORD.finditer(_text(seal_path(database)))]
    stat = database.stat()
    if records and not any(_agrees(database, stat, record) for record in records):
        raise RebuildError(
            f"{database} is damaged or was written to, as it differs from the file that was built: build it"
            f" again with `n2gdb ingest`, or remove {seal_path(database).name} to read it as it is"
        )


def _agrees(database: Path, stat: os.stat_result, record: _Record) -> bool:
    if stat.st_size != record.size or _parts(database) != record.parts:
        return False
    if stat.st_mtime_ns == record.written or stat.st_size > _MOST_READ:
        return True
    return _crc32(database) == record.crc32


def _numbers(found: re.Match[str]) -> tuple[int, int, int, int]:
    return int(found[1]), int(found[2]), int(found[3], 16), int(found[4], 16)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _parts(path: Path) -> int:
    """Return a checksum of the pages that an engine reads first, and of some spread over the file."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        pages = size // _PAGE
        spread = [(pages * place // _SAMPLED, 1) for place in range(_SAMPLED)]
        checksum = 0
        for first, count in (*_read_first(file), *spread, (max(0, pages - 1), 2)):
            file.seek(first * _PAGE)
            checksum = zlib.crc32(file.read(min(count * _PAGE, size)), checksum)
        return checksum


def _read_first(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield (first page, pages) of the head, the catalog and the metadata."""
    yield 0, 1
    head = file.read(_HEAD.size)
    if len(head) == _HEAD.size:
        _, _, catalog, catalog_pages, metadata, metadata_pages = _HEAD.unpack(head)
        yield catalog, catalog_pages
        yield metadata, metadata_pages


def _digests(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file in hex, and its CRC-32."""
    import hashlib  # a reader never needs these
    from concurrent.futures import ThreadPoolExecutor

    digest, checksum = hashlib.sha256(), 0
    with ThreadPoolExecutor(1) as pool:
        summed = pool.submit(digest.update, b"")
        for chunk in _chunks(path, cached=False):  # the next is read while one is summed up
            summed.result()
            summed = pool.submit(digest.update, chunk)
            checksum = zlib.crc32(chunk, checksum)
        summed.result()
    return digest.hexdigest(), checksum


def _crc32(path: Path) -> int:
    checksum = 0
    for chunk in _chunks(path):
        checksum = zlib.crc32(chunk, checksum)
    return checksum


def _chunks(path: Path, *, cached: bool = True) -> Iterator[memoryview]:
    """Yield a file's bytes in a row, from the disk itself unless ``cached``, where the system can.

    Each chunk stays as it is until the next but one.
    """
    import mmap  # for memory that begins at a page, as such reads need

    buffers = itertools.cycle([mmap.mmap(-1, _CHUNK), mmap.mmap(-1, _CHUNK)])
    with _opened(path, cached=cached) as file:
        left = os.fstat(file.fileno()).st_size
        while left and (length := file.readinto(buffer := next(buffers))):
            left -= length
            yield memoryview(buffer)[:length]


def _opened(path: Path, *, cached: bool) -> FileIO:
    if not cached and hasattr(os, "O_DIRECT"):
        try:
            return FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_DIRECT))
        except OSError as error:
            if error.errno != errno.EINVAL:  # which says that the disk cannot
                raise
    return FileIO(path)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}")
    partial.write_text(text)
    _store(partial)
    partial.replace(path)


def _move(built: Path, database: Path) -> None:
    built.replace(database)
    _store(database.parent)


def _store(path: Path) -> None:
    """See that a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget(path: Path) -> None:
    """Drop a stored file from memory, so that it is next read from the disk."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
