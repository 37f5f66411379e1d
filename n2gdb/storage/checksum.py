"""The checksum of a database file, kept beside it: the engine has none of its own.

``X.n2gdb.sha256`` lists the digest of the file as it was built, in the form that ``sha256sum -c`` reads.
While a new file is moved into place it lists the old one's and the new one's, so that a crash between
the two moves leaves a database that still verifies.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["is_sealed", "move_sealed", "seal_path", "verify_seal"]


def seal_path(database: Path) -> Path:
    """Return where a database's checksum lies."""
    return database.with_name(database.name + ".sha256")


def is_sealed(database: Path) -> bool:
    """Tell whether a checksum lies beside the database."""
    return seal_path(database).is_file()


def move_sealed(built: Path, database: Path) -> None:
    """Move a finished file into place, with its checksum; raise OSError where the disk refuses."""
    line = f"{_digest(built)}  {database.name}\n"
    old = seal_path(database).read_text() if is_sealed(database) else ""
    _write(seal_path(database), old + line)
    _move(built, database)
    _write(seal_path(database), line)


def verify_seal(database: Path) -> bool:
    """Tell whether the file is byte for byte as it was built; raise FileNotFoundError without a checksum."""
    known = {line.split()[0] for line in seal_path(database).read_text().splitlines() if line.strip()}
    return _digest(database) in known


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}")
    partial.write_text(text)
    partial.replace(path)


def _move(built: Path, database: Path) -> None:
    with built.open("rb") as file:
        os.fsync(file.fileno())
    built.replace(database)
