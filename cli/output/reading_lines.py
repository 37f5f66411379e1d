"""A reading on a terminal: coloured tokens, the truth above the prediction, wrapped together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells
from rich.text import Text

from n2gdb.core.readings import shown_texts, token_lines
from n2gdb.core.tokens import display

if TYPE_CHECKING:
    from n2gdb.core.readings import ReadToken
    from n2gdb.prediction.reading import Reading

__all__ = ["draw_reading"]

_LABELS = ("true   ", "graph  ")

#: Activations below are not coloured: on most tokens a neuron is not quite silent.
_SEEN = 0.1

_Colour = tuple[int, int, int]

# Whether the terminal is light or dark is not known: these differ from both.
_WEAK: tuple[_Colour, _Colour] = (128, 128, 128), (200, 90, 40)
_FIRING: tuple[_Colour, _Colour] = (214, 137, 96), (255, 98, 30)


@dataclass(frozen=True, slots=True)
class _Cell:
    """Text that stays on one line, and its token."""

    text: str
    token: ReadToken


def draw_reading(reading: Reading, width: int) -> list[Text]:
    """Draw a reading in lines of at most ``width`` columns.

    Tokens are coloured by activation, and those that fire are bold and underlined too. With true
    activations every line stands twice, the truth above, the prediction below, and a blank line between.
    """
    lines: list[Text] = []
    two = reading.has_truth
    for cells in _wrapped(reading, max(width - (len(_LABELS[0]) if two else 0), 1)):
        if not two:
            lines.append(_line(cells, reading, truth=False))
            continue
        if lines:
            lines.append(Text())
        for label, truth in zip(_LABELS, (True, False), strict=True):
            lines.append(Text().append(label, "dim").append_text(_line(cells, reading, truth=truth)))
    return lines


def _wrapped(reading: Reading, width: int) -> Iterator[list[_Cell]]:
    """Yield the cells of each line: full, or ended by a line break of the text."""
    line: list[_Cell] = []
    used = 0
    for cell, ends in _cells(reading, width):
        columns = cell_len(display(cell.text))
        if used + columns > width:
            yield line
            line, used = [], 0
        line.append(cell)
        used += columns
        if ends:
            yield line
            line, used = [], 0
    if line:
        yield line


def _cells(reading: Reading, width: int) -> Iterator[tuple[_Cell, bool]]:
    """Yield text that fits a line, and whether the line ends after it."""
    for token, text in zip(reading.tokens, shown_texts(reading.tokens), strict=True):
        lines = token_lines(text)
        for part, ends in ((lines.ending, True), (lines.beginning, False)):
            pieces = _pieces(part, width)
            for place, piece in enumerate(pieces, 1):
                yield _Cell(piece, token), ends and place == len(pieces)


def _pieces(text: str, width: int) -> list[str]:
    """Cut a text that is wider than a line; what is not visible is as wide as its mark."""
    if cell_len(display(text)) <= width:
        return [text] if text else []
    return [display(piece) for piece in chop_cells(display(text), width)]


def _line(cells: list[_Cell], reading: Reading, *, truth: bool) -> Text:
    line = Text(no_wrap=True)
    for cell in cells:
        value = cell.token.true if truth else cell.token.predicted
        style = _style(value, reading.threshold)
        for marked, chars in groupby(cell.text, key=lambda char: display(char) != char):
            faint = marked and not style
            line.append(display("".join(chars)), style="dim" if faint or value is None else style)
    return line


def _style(value: float | None, threshold: float) -> str:
    """Return rich's style: black on a hue where a token fires, else coloured text or none."""
    if value is None or value < _SEEN:
        return ""
    if value >= threshold:
        share = min((value - threshold) / max(1 - threshold, 1e-9), 1.0)
        return f"bold underline black on {_between(_FIRING, share)}"
    return _between(_WEAK, value / threshold)


def _between(ends: tuple[_Colour, _Colour], share: float) -> str:
    mixed = (round(low + (high - low) * share) for low, high in zip(*ends, strict=True))
    return f"rgb({','.join(map(str, mixed))})"
