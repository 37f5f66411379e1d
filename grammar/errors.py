"""The one error of this room: a text that is no query."""

from __future__ import annotations

__all__ = ["GrammarError"]


class GrammarError(ValueError):
    """A text that does not parse; ``line`` and ``column`` of the fault count from 1."""

    def __init__(self, message: str, *, text: str, line: int, column: int) -> None:
        self.message = message
        self.text = text
        self.line = line
        self.column = column
        super().__init__(message)
