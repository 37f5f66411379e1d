"""Outline: how all tries of a database are shaped, in arrays behind the engine's pages in the same file.

The engine takes a twentieth of a microsecond for each value that it reads. A broad question looks at
millions of nodes and at little of each: its token, its place, and whether a pattern ends there. These arrays
are mapped into memory as they lie in the file, in no time. Everything else stays in the engine, which takes
no notice of what follows its pages; the checksum beside the file is of both.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from n2gdb.core.arrays import BoolArray, ByteArray, Int64Array, IntegerArray

__all__ = ["Outline", "append_outline", "read_outline"]

#: The end of a file with an outline: the length and the CRC-32 of the table of its arrays, and what it is.
_FOOTER = struct.Struct("<QI8s")
_MAGIC = b"n2g trie"
_ALIGNED = 64  # bytes


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """Every node of all tries by rising Neuron.id and preorder, in the narrowest whole numbers."""

    unit: Int64Array  # Neuron.id of the units that have nodes: (units,)
    nodes: IntegerArray  # how many each has: (units,)
    token: IntegerArray  # place of the token in the table of tokens: (nodes,)
    depth: IntegerArray  # (nodes,)
    gap: IntegerArray  # rows up to the parent; 0 of a root: (nodes,)
    below: IntegerArray  # how many nodes are below: (nodes,)
    end: ByteArray  # ``ends``, packed: (nodes / 8,)
    repeats: ByteArray  # ``repeated``, packed: (nodes / 8,)
    counts: IntegerArray  # how many nodes each token has, by its place, up to the last that has some

    @classmethod
    def joined(cls, parts: Sequence[OutlinePart]) -> Outline | None:
        """Put the outlines of different units together; None where their ids do not rise."""
        if not parts:
            return None
        every = OutlinePart(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(OutlinePart))
        )
        first = np.flatnonzero(np.diff(every.neuron, prepend=-1))
        unit = every.neuron[first]
        if np.any(unit[1:] < unit[:-1]):
            return None
        nodes = _narrowest(np.diff(first, append=len(every.neuron)))
        end, repeats = np.packbits(every.end), np.packbits(every.repeats)
        counts = _narrowest(np.bincount(every.token))
        return cls(unit, nodes, every.token, every.depth, every.gap, every.below, end, repeats, counts)

    @property
    def ends(self) -> BoolArray:
        """Where patterns end: (nodes,)."""
        return np.unpackbits(self.end, count=len(self.token)).view(np.bool_)

    @property
    def repeated(self) -> BoolArray:
        """Whose token stands nearer to the activating token, too: (nodes,)."""
        return np.unpackbits(self.repeats, count=len(self.token)).view(np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class OutlinePart:
    """The nodes of some units, by rising unit and preorder: (nodes,) each, as in ``Outline``."""

    neuron: Int64Array  # Neuron.id
    token: IntegerArray
    depth: IntegerArray
    gap: IntegerArray
    below: IntegerArray
    end: BoolArray
    repeats: BoolArray

    def narrow(self) -> OutlinePart:
        """Return the same in as few bytes as it needs, to be held until all units are known."""
        return replace(
            self,
            token=_narrowest(self.token),
            depth=_narrowest(self.depth),
            gap=_narrowest(self.gap),
            below=_narrowest(self.below),
        )


def append_outline(path: Path, outline: Outline) -> None:
    """Put an outline behind the engine's pages; raises OSError where the disk refuses."""
    places: dict[str, tuple[str, int, int]] = {}
    with path.open("ab") as file:
        for each in fields(Outline):
            values = getattr(outline, each.name)
            file.write(bytes(-file.tell() % _ALIGNED))
            places[each.name] = (values.dtype.str, file.tell(), len(values))
            values.tofile(file)
        table = json.dumps(places).encode()
        file.write(table + _FOOTER.pack(len(table), zlib.crc32(table), _MAGIC))


def read_outline(path: Path) -> Outline | None:
    """Map the outline of a database file into memory; None where it has none."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < _FOOTER.size:
            return None
        file.seek(size - _FOOTER.size)
        length, checksum, magic = _FOOTER.unpack(file.read())
        if magic != _MAGIC or length > size:
            return None
        file.seek(size - _FOOTER.size - length)
        table = file.read(length)
    if zlib.crc32(table) != checksum:
        return None
    content = np.asarray(np.memmap(path, np.uint8, "r"))  # whose parts are made faster
    arrays = {
        name: content[start : start + count * np.dtype(kind).itemsize].view(kind)
        for name, (kind, start, count) in json.loads(table).items()
    }
    return Outline(**arrays)


def _narrowest(values: IntegerArray) -> IntegerArray:
    narrow: IntegerArray = values.astype(np.min_scalar_type(int(values.max(initial=0))))
    return narrow
