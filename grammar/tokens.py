"""Tokens of a query's text: what the parser hands to the tree builder."""

from __future__ import annotations

__all__ = ["Token"]


class Token(str):
    """A piece of the text, with the name of its terminal and where it starts, counted from 1."""

    __slots__ = ("column", "line", "type")

    type: str
    line: int
    column: int

    @classmethod
    def of(cls, terminal: str, text: str, line: int, column: int) -> Token:
        """Make a token."""
        token = cls(text)
        token.type, token.line, token.column = terminal, line, column
        return token
