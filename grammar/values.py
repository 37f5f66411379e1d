"""Reads the values of terminals, with errors for values that make no sense."""

from __future__ import annotations

import re
from typing import NoReturn

from n2gdb.grammar.errors import shortened
from n2gdb.grammar.fields import FIELDS, Field, no_field
from n2gdb.grammar.patterns import Position
from n2gdb.grammar.tokens import Token

__all__ = [
    "LARGEST",
    "MeaningError",
    "count_of",
    "fail",
    "field_of",
    "no_function",
    "number_of",
    "position_of",
    "unescaped",
    "whole_of",
]

#: Whole numbers beyond the engine's 64 bits are nobody's layer, count or limit.
LARGEST = 2**63 - 1

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


class MeaningError(Exception):
    """What is wrong, and at which place of the text."""

    def __init__(self, message: str, at: Position) -> None:
        self.message = message
        self.at = at
        super().__init__(message)


def fail(message: str, at: Position) -> NoReturn:
    """Raise the error."""
    raise MeaningError(message, at)


def position_of(token: Token) -> Position:
    """Return where a token of the text starts."""
    return Position(token.line, token.column)


def unescaped(literal: Token) -> str:
    """Return the text between the quotes, its escapes replaced."""

    def plain(escape: re.Match[str]) -> str:
        if escape[1] not in _ESCAPES:
            at = position_of(literal)
            fail(
                rf"\{escape[1]} is not an escape: there are \' \" \\ \n \r \t, and \\ stands for a backslash",
                Position(at.line, at.column + 1 + escape.start()),
            )
        return _ESCAPES[escape[1]]

    return re.sub(r"\\(.)", plain, literal[1:-1])


def field_of(name: Token) -> Field:
    """Return the field of this name, in any case."""
    field = FIELDS.get(name.lower())
    if field is None:
        fail(no_field(name), position_of(name))
    return field


def no_function(name: str) -> str:
    """Return what to say of a function that there is none of."""
    word = name.upper()
    if word in ("MAX", "MIN", "AVG", "SUM", "MEAN", "MEDIAN"):
        first = "AVG" if word == "MEAN" else word
        return f"no {shortened(name)}() here: {first} stands first, as in {first} f1 OF neurons BY layer"
    return f"no {shortened(name)}() here: there are + - * / % and abs() on fields and numbers"


def number_of(value: Token) -> int | float:
    """Return a number, whole where it is written so."""
    if not re.fullmatch(r"-?\d+", value):
        return float(value)
    if (number := whole_of(value)) is None:
        fail(f"{shortened(value)} is too large a number", position_of(value))
    return number


def whole_of(written: str) -> int | None:
    """Return a whole number, however many zeros it begins with; None where it has more than 64 bits."""
    digits = written.removeprefix("-").lstrip("0")[:20] or "0"
    number = int(digits) if written[0] != "-" else -int(digits)
    return number if abs(number) <= LARGEST else None


def count_of(value: Token, keyword: str) -> int:
    """Return a number of rows."""
    number = number_of(value)
    if not isinstance(number, int) or number < 0:
        fail(f"{keyword} takes a whole number from 0 up, not {shortened(value)}", position_of(value))
    return number
