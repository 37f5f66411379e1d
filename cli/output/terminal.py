"""Printing for people on a terminal, and for programs down a pipe."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["heat_style", "make_console", "print_csv", "print_json", "print_table"]

_PIPED_WIDTH = 10_000  # never wrap what a program reads

_COOL, _HOT = (70, 70, 90), (255, 120, 30)


def make_console() -> Console:
    """Return rich's console: colours on a terminal, none and no wrapping in a pipe."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def heat_style(value: float, *, background: bool = False) -> str:
    """Return rich's style for a value from 0, cool, to 1, hot."""
    share = min(max(value, 0.0), 1.0)
    red, green, blue = (round(low + (high - low) * share) for low, high in zip(_COOL, _HOT, strict=True))
    colour = f"rgb({red},{green},{blue})"
    return f"white on {colour}" if background else colour


def print_json(value: Any) -> None:
    """Print a value as JSON, escaped as JSON has it where standard output has no such characters."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    print(text)


def print_csv(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print CSV with a header; None is an empty cell."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows(rows)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> None:
    """Print a table on a terminal, tab-separated lines in a pipe; columns named in ``right`` align right."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in [list(headers), *cells]:
            print("\t".join(line))
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", overflow="fold")
    for line in cells:
        table.add_row(*line)
    make_console().print(table)
