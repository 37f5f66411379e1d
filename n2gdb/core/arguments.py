"""Validation of the Python API's arguments, where they are given.

Each function returns the argument as a plain value, or raises ArgumentError: one line with its name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from numbers import Integral, Real
from typing import TypeVar

from n2gdb.errors import ArgumentError

__all__ = ["kind", "number", "share", "text", "whole", "wholes"]

_LARGEST = 2**63 - 1  # the engine's integers have 64 bits
Value = TypeVar("Value")


def whole(name: str, value: object, least: int = 0) -> int:
    """Return a whole number from ``least`` up."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= _LARGEST:
        raise ArgumentError(f"{name} must be a whole number{_from(least)}, not {_shown(value)}")
    return int(value)


def wholes(name: str, values: object, least: int = 0) -> tuple[int, ...]:
    """Return a collection of whole numbers from ``least`` up."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ArgumentError(f"{name} must be a collection of whole numbers, as [0, 2], not {_shown(values)}")
    return tuple(whole(f"each of {name}", value, least) for value in values)


def number(name: str, value: object) -> float:
    """Return a real number."""
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:
        raise ArgumentError(f"{name} must be a number, not {_shown(value)}")
    return float(value)


def share(name: str, value: object) -> float:
    """Return a number from 0 to 1."""
    if not 0 <= number(name, value) <= 1:
        raise ArgumentError(f"{name} must be between 0 and 1, not {_shown(value)}")
    return number(name, value)


def text(name: str, value: object) -> str:
    """Return a text that has an encoding in UTF-8."""
    if not isinstance(value, str):
        raise ArgumentError(f"{name} must be text, not {_shown(value)}")
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
        raise ArgumentError(f"no {name} {_shown(value)}: there are {', '.join(names)}")
    return value


def _from(least: int) -> str:
    return "" if least < 0 else f" from {least} up"


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
