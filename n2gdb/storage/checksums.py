"""Checksums of shard files, kept in their folder in the format of ``sha256sum -c``.

A file may have two: one that is replaced has its old checksum and its new one until it is replaced again,
so that a crash at any moment leaves a file that is known.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["CHECKSUMS", "digest_of", "is_as_written", "is_listed", "record"]

#: Name of the file that lists a folder's checksums.
CHECKSUMS = "checksums.sha256"

#: Checksums that are kept of a file.
_KEPT = 2


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record(folder: Path, digests: Iterable[tuple[str, str]]) -> None:
    """Add checksums, (name, digest) each, to those of a folder; what is listed is complete or as before."""
    lines = [*_lines(folder), *((name, digest) for name, digest in digests)]
    kept: list[tuple[str, str]] = []
    for name in dict.fromkeys(name for name, _ in lines):
        own = dict.fromkeys(digest for known, digest in lines if known == name)
        kept += [(name, digest) for digest in list(own)[-_KEPT:]]
    partial = folder / f".{CHECKSUMS}"
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(f"{digest}  {name}\n" for name, digest in kept)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / CHECKSUMS)


def is_as_written(path: Path) -> bool:
    """Whether a file has one of its checksums; one without any counts as written before there were some.

    Raises OSError if it cannot be read.
    """
    known = {digest for name, digest in _lines(path.parent) if name == path.name}
    return not known or digest_of(path) in known


def is_listed(path: Path) -> bool:
    """Tell whether a file has a checksum: whether it was written, be it there still or not."""
    return any(name == path.name for name, _ in _lines(path.parent))


def _lines(folder: Path) -> list[tuple[str, str]]:
    """Return (name, digest) of each line, oldest first; a line that is damaged fits no file."""
    try:
        text = (folder / CHECKSUMS).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [(name, digest) for digest, _, name in (line.partition("  ") for line in text.splitlines())]
