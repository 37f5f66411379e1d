"""Validation of the Python API's arguments, where they are given.

Each function returns the argument as a plain value, or raises ArgumentError: one line with its name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from numbers import Integral, Real
from typing import TypeVar

from n2gdb.errors import ArgumentError

__all__ = ["LARGEST", "kind", "number", "share", "shown", "text", "whole", "wholes"]

#: The engine's whole numbers have 64 bits.
LARGEST = 2**63 - 1

Value = TypeVar("Value")


def whole(name: str, value: object, least: int = 0) -> int:
    """Return a whole number from ``least`` up."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= LARGEST:
        raise ArgumentError(f"{name} must be a whole number{_within(least, value)}, not {shown(value)}")
    return int(value)


def wholes(name: str, values: object, least: int = 0) -> tuple[int, ...]:
    """Return a collection of whole numbers from ``least`` up."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ArgumentError(f"{name} must be a collection of whole numbers, as [0, 2], not {shown(values)}")
    return tuple(whole(f"each of {name}", value, least) for value in values)


def number(name: str, value: object) -> float:
    """Return a real number."""
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:
        raise ArgumentError(f"{name} must be a number, not {shown(value)}")
    return float(value)


def share(name: str, value: object) -> float:
    """Return a number from 0 to 1."""
    if not 0 <= number(name, value) <= 1:
        raise ArgumentError(f"{name} must be between 0 and 1, not {shown(value)}")
    return number(name, value)


def text(name: str, value: object) -> str:
    """Return a text that has an encoding in UTF-8."""
    if not isinstance(value, str):
        raise ArgumentError(f"{name} must be text, not {shown(value)}")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ArgumentError(
                f"{name} holds half a character at {error.start}: read it as UTF-8"
            ) from error
    return value


def kind(name: str, value: Value, names: Collection[str]) -> Value:
    """Return a word that is one of ``names``."""
    if value not in names:
        raise ArgumentError(f"no {name} {shown(value)}: there are {', '.join(names)}")
    return value


def _within(least: int, value: object) -> str:
    """Say which whole numbers there may be: from ``least`` up, and how far where the size is wrong."""
    if isinstance(value, Integral) and int(value) > LARGEST:
        return f" up to {LARGEST}"
    return "" if least < 0 and not isinstance(value, Integral) else f" from {least} up"


def shown(value: object) -> str:
    """Return a value as a message shows it."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of thousands of digits
        return "so large a number"
    return text if len(text) <= 60 else f"{text[:59]}…"
