"""Arrays behind the engine's pages, in the same file: mapped into memory as they lie there, in no time.

The engine takes a twentieth of a microsecond for each value that it reads, and ten times that to store one.
What follows from its tables and is read by the million lies here: what is in each group of arrays says the
class that it is read as. The engine takes no notice of what follows its pages; the checksum beside the file
is of both.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from n2gdb.core.arrays import IntegerArray

__all__ = ["append_arrays", "narrowest", "read_arrays"]

#: The end of a file with arrays: the length and the CRC-32 of the table of them, and what it is.
_FOOTER = struct.Struct("<QI8s")
_MAGIC = b"n2garray"
_ALIGNED = 64  # bytes

Group = TypeVar("Group")


def append_arrays(path: Path, groups: Iterable[Any]) -> None:
    """Put groups of arrays behind the engine's pages: dataclasses, of each class one.

    Raises OSError where the disk refuses.
    """
    places: dict[str, dict[str, tuple[str, int, int]]] = {}
    with path.open("ab") as file:
        for group in groups:
            of_group = places[type(group).__name__] = {}
            for each in fields(group):
                values = getattr(group, each.name)
                file.write(bytes(-file.tell() % _ALIGNED))
                of_group[each.name] = (values.dtype.str, file.tell(), len(values))
                values.tofile(file)
        table = json.dumps(places).encode()
        file.write(table + _FOOTER.pack(len(table), zlib.crc32(table), _MAGIC))


def read_arrays(path: Path, group: type[Group]) -> Group | None:
    """Map one group of a database file's arrays into memory; None where the file has none."""
    places = _table(path).get(group.__name__)
    if places is None:
        return None
    content = np.asarray(np.memmap(path, np.uint8, "r"))  # whose parts are made faster
    arrays = {
        name: content[start : start + count * np.dtype(kind).itemsize].view(kind)
        for name, (kind, start, count) in places.items()
    }
    return group(**arrays)


def _table(path: Path) -> dict[str, dict[str, tuple[str, int, int]]]:
    """Return (type, first byte, length) of every array, by group and name; empty where there is no table."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < _FOOTER.size:
            return {}
        file.seek(size - _FOOTER.size)
        length, checksum, magic = _FOOTER.unpack(file.read())
        if magic != _MAGIC or length > size:
            return {}
        file.seek(size - _FOOTER.size - length)
        table = file.read(length)
    if zlib.crc32(table) != checksum:
        return {}
    places: dict[str, dict[str, tuple[str, int, int]]] = json.loads(table)
    return places


def narrowest(values: IntegerArray) -> IntegerArray:
    """Return whole numbers from 0 up in as few bytes as they need."""
    narrow: IntegerArray = values.astype(np.min_scalar_type(int(values.max(initial=0))))
    return narrow
