"""Output for people on a terminal and for programs in a pipe."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from n2gdb.core.tokens import visible

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "CONTEXT",
    "FIRES",
    "INHIBITS",
    "WRITES",
    "heat_style",
    "make_console",
    "plain_json",
    "print_csv",
    "print_exactly",
    "print_json",
    "print_table",
    "say",
]

_NOT_ASCII = re.compile(r"[^\x20-\x7e\n]")

_PIPED_WIDTH = 10_000  # never wrap what a program reads

_COOL, _HOT, _NEEDED = (70, 70, 90), (255, 120, 30), (70, 135, 225)

#: The colours of pictures, in tones that both a light and a dark terminal shows: what a neuron fires on, what
#: it needs before that, what it writes, what keeps it silent.
FIRES, CONTEXT = "bold rgb(208,72,62)", "rgb(70,135,225)"
WRITES, INHIBITS = "rgb(38,150,95)", "rgb(148,103,205)"


def make_console() -> Console:
    """Return rich's console: colours on a terminal, none and no wrapping in a pipe."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def heat_style(value: float, *, background: bool = False, context: bool = False) -> str:
    """Return rich's style for a value from 0, cool, to 1, hot; of ``context``, blue."""
    share, end = min(max(value, 0.0), 1.0), _NEEDED if context else _HOT
    red, green, blue = (round(low + (high - low) * share) for low, high in zip(_COOL, end, strict=True))
    colour = f"rgb({red},{green},{blue})"
    return f"white on {colour}" if background else colour


def print_json(value: Any) -> None:
    """Print a value as JSON, escaped as JSON has it where standard output has no such characters."""
    text = plain_json(value, indent=2)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    print(text)


def plain_json(value: Any, indent: int | None = None) -> str:
    """Write a value as JSON in which nothing steers a terminal: such characters stand as their escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _NOT_ASCII.sub(
        lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text
    )


def say(text: object = "", *, err: bool = False) -> None:
    """Print lines that may hold names, paths or texts of any origin, control characters escaped."""
    print(visible(str(text), kept="\n"), file=sys.stderr if err else sys.stdout)


def print_csv(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print CSV with a header; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows(rows)
    print_exactly(text.getvalue())


def print_exactly(text: str) -> None:
    """Print data as they are for a program; on a terminal they steer nothing."""
    sys.stdout.write(visible(text, kept="\n\r\t") if sys.stdout.isatty() else text)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> None:
    """Print a table on a terminal, tab-separated lines in a pipe; columns named in ``right`` align right."""
    cells = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in [list(map(visible, headers)), *cells]:
            print("\t".join(line))
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header in headers:
        table.add_column(visible(header), justify="right" if header in right else "left", overflow="fold")
    for line in cells:
        table.add_row(*line)
    make_console().print(table)
