"""Token labels in pictures, and their width."""

from __future__ import annotations

from n2gdb.core.tokens import display
from n2gdb.errors import columns_of

__all__ = ["HEIGHT", "label_of", "label_width", "text_width"]

#: Of a token's box, in pixels.
HEIGHT = 26.0

_LONGEST = 18
_CHARACTER = 7.85  # a monospaced character of 13 px
_SIDES = 18.0


def label_of(text: str) -> str:
    """Write a token's text: ``·the``, ``⏎``; a long one is cut, its tooltip says it whole."""
    shown = display(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def label_width(label: str) -> float:
    """The width of the box around a label, in pixels."""
    return max(HEIGHT, text_width(label) + _SIDES)


def text_width(text: str, character: float = _CHARACTER) -> float:
    """The width of a text in a font of one width, in pixels: a CJK character takes two."""
    return columns_of(text) * character
