"""Splits long texts: no document is held in memory whole, and words are kept whole if possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["cut_text"]


def cut_text(parts: Iterable[str], most: int) -> Iterator[str]:
    """Join the parts of a text and cut it into pieces of at most ``most`` characters, before a space if any.

    What comes out is the text, nothing added and nothing left out; no more than a piece and a part is held.
    """
    held = ""
    for part in parts:
        held += part
        start = 0
        while len(held) - start > most:
            end = _before_space(held, start, start + most)
            yield held[start:end]
            start = end
        held = held[start:]
    if held:
        yield held


def _before_space(text: str, start: int, stop: int) -> int:
    """The last place between the middle and ``stop`` where a word begins with its space; else ``stop``."""
    middle = (start + stop) // 2 + 1
    place = max(text.rfind(" ", middle, stop), text.rfind("\n", middle, stop))
    return place if place > 0 else stop
