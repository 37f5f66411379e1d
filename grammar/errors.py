"""GrammarError: raised for a text that is not a query."""

from __future__ import annotations

__all__ = ["GrammarError", "shortened"]

#: A message repeats no more than this of what was written.
_LONGEST = 400


def shortened(text: str, limit: int = 40) -> str:
    """Return the beginning of a text, for use inside a message."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class GrammarError(ValueError):
    """A text that does not parse; ``line`` and ``column`` of the fault count from 1."""

    def __init__(self, message: str, *, text: str, line: int, column: int) -> None:
        self.message = message if len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…"
        self.text = text
        self.line = line
        self.column = column
        super().__init__(self.message)
