"""Byte tokens: tokens that are parts of characters, and the characters that they form together."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence

__all__ = ["side_by_side", "together"]

_BYTES = re.compile(r"(?:\\x[0-9A-F]{2})+")


def side_by_side(texts: Sequence[str | None]) -> Iterator[tuple[int, int, str | None]]:
    r"""Yield what adjacent tokens say: where each piece starts and ends among them, and its text.

    A token is a piece by itself, unless it holds part of a character, as ``\xD8`` does, and those after it
    the rest: then all of them are one. None, any token, is a piece by itself.
    """
    place = 0
    while place < len(texts):
        end, text = _character(texts, place)
        yield place, end, text
        place = end


def together(texts: Sequence[str]) -> list[str]:
    """Return what each of adjacent tokens shows: of those that make characters, the last one shows them."""
    shown = [""] * len(texts)
    for _, end, text in side_by_side(texts):
        shown[end - 1] = text or ""
    return shown


def _character(texts: Sequence[str | None], start: int) -> tuple[int, str | None]:
    """Return where the piece that starts at a token ends, and its text."""
    reader = codecs.getincrementaldecoder("utf-8")()
    read = ""
    for end in range(start, len(texts)):
        text = texts[end]
        if text is None or not _BYTES.fullmatch(text):
            break
        try:
            read += reader.decode(bytes.fromhex(text.replace("\\x", "")))
        except UnicodeDecodeError:
            break
        if not reader.getstate()[0]:
            return end + 1, read
    return start + 1, texts[start]
