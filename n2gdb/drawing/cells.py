"""Cells: how the alternatives of a mark are arranged in its box."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from n2gdb.drawing.labels import HEIGHT, label_of, label_width

__all__ = ["GAP", "Cell", "Cells", "cells_of"]

#: Between two cells side by side, where a bar says "or".
GAP = 9.0

_ROW = 24.0
_INSET = 3.0
_NARROW, _WIDE = 190.0, 330.0
_FLAT = 4.0  # a box of many rows is about so much wider than high


@dataclass(frozen=True, slots=True)
class Cell:
    """Where one token stands in its box: its left upper corner and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Cells:
    """The size of a box, and a cell for each of its tokens, row by row."""

    width: float
    height: float
    rows: tuple[tuple[Cell, ...], ...]


def cells_of(texts: Sequence[str]) -> Cells:
    """Set tokens into a box; one token fills it."""
    widths = [label_width(label_of(text)) for text in texts]
    if len(widths) == 1:
        return Cells(widths[0], HEIGHT, ((Cell(0.0, 0.0, widths[0], HEIGHT),),))
    rows = _wrapped(widths)
    height = HEIGHT - 2 * _INSET
    drawn = tuple(tuple(_row(row, _INSET + number * _ROW, height)) for number, row in enumerate(rows))
    width = max(row[-1].x + row[-1].width for row in drawn) + _INSET
    return Cells(width, HEIGHT + (len(rows) - 1) * _ROW, drawn)


def _wrapped(widths: Sequence[float]) -> list[list[float]]:
    """Part widths into rows, in order."""
    area = sum(widths) * _ROW
    most = max(*widths, _NARROW, min(_WIDE, (area * _FLAT) ** 0.5))
    rows: list[list[float]] = [[]]
    for width in widths:
        if rows[-1] and sum(rows[-1]) + width + GAP * len(rows[-1]) > most:
            rows.append([])
        rows[-1].append(width)
    return rows


def _row(widths: Iterable[float], y: float, height: float) -> Iterable[Cell]:
    x = _INSET
    for width in widths:
        yield Cell(x, y, width, height)
        x += width + GAP
