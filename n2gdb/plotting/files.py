"""Figure files: matplotlib, loaded when a figure is drawn, its style, and saving."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from n2gdb.core.tokens import display
from n2gdb.errors import FigureError, MissingDependencyError, StorageError
from n2gdb.storage.output_file import check_output, output_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FAINT", "GREY", "INK", "check_figure", "figure_file", "label_width", "token_label"]

#: Text and axes; lines that only guide the eye; what stands behind.
INK, GREY, FAINT = "#262626", "#8c8c8c", "#d9d9d9"

#: By suffix, what a file would otherwise say of the day and the program that wrote it.
_METADATA: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None, "Creator": "n2gdb"},
    ".png": {"Software": "n2gdb"},
    ".pdf": {"CreationDate": None, "Creator": "n2gdb", "Producer": None},
}

#: Over matplotlib's own defaults, so that no settings of the user's change a figure.
_STYLE: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "figure.dpi": 200,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.monospace": ["DejaVu Sans Mono", "Menlo", "monospace"],
    "font.size": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "n2gdb",
    "text.color": INK,
    "text.parse_math": False,  # a token may hold two dollar signs
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
}

_LONGEST_TOKEN = 16  # characters of a token's label


def check_figure(path: Path, *, force: bool = True, reads: Iterable[Path | None] = ()) -> None:
    """See that a figure can be drawn into this file, before anything is computed for it.

    ``reads`` are files that it must not replace, ``force`` lets it replace any other.

    Raises FigureError if the suffix is not .svg, .png or .pdf, and where the file cannot be written or is
    there already; MissingDependencyError where matplotlib is missing.
    """
    if path.suffix.lower() not in _METADATA:
        raise FigureError(f"{path} is not a known type of figure: end its name in {', '.join(_METADATA)}")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("figures need matplotlib: install n2gdb[figures]") from error
    try:
        check_output(path, force=force, reads=reads)
    except StorageError as error:
        raise FigureError(str(error)) from error


@contextmanager
def figure_file(path: Path, width: float, height: float, *, force: bool = True) -> Iterator[Figure]:
    """Yield an empty figure, in inches, and write it to ``path`` at the end; the same figure, the same bytes.

    Without ``force`` a file that is there stays. Raises FigureError as ``check_figure`` does.
    """
    check_figure(path, force=force)
    from matplotlib import style
    from matplotlib.figure import Figure

    suffix = path.suffix.lower()
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # an SVG is drawn with its reader's fonts
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        try:
            with output_file(path, force=force) as partial:
                figure.savefig(partial, format=suffix[1:], metadata=_METADATA[suffix])
        except StorageError as error:
            raise FigureError(str(error)) from error


def token_label(text: str, path: Path) -> str:
    """Write a token's text on a figure: ``·the``, ``⏎``; what the font lacks in hex, a long one cut.

    An SVG keeps every character that can be shown: it is drawn with its reader's fonts.
    """
    every = path.suffix.lower() == ".svg"
    shown = "".join(_shown(char, every) for char in text)
    return shown if len(shown) <= _LONGEST_TOKEN else f"{shown[: _LONGEST_TOKEN - 1]}…"


def label_width(label: str) -> int:
    """Count the columns of a label in a font of one width: a CJK character takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in label)


def _shown(char: str, every: bool) -> str:
    shown = display(char)
    return shown if every or set(map(ord, shown)) <= _glyphs() else f"\\u{ord(char):04x}"


@cache
def _glyphs() -> frozenset[int]:
    """Return the characters of the font that tokens are written in."""
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(findfont("DejaVu Sans Mono")).get_charmap())
