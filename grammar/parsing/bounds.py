"""Bounds of a comparison with a neuron: ABOVE a similarity, SHARING a number of tokens or steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from n2gdb.grammar.tokens import Token
from n2gdb.grammar.values import LARGEST, fail, number_of, position_of

__all__ = ["Bound", "as_fields", "bound_of"]

#: A bound's keyword, and the least that it allows.
Bound: TypeAlias = tuple[Token, float]


def as_fields(bounds: Sequence[Bound]) -> dict[str, Any]:
    """Return what a comparison is bounded by, by the clause's fields; refuse one that stands twice."""
    given: dict[str, Any] = {}
    for keyword, value in bounds:
        if (name := keyword.lower()) in given:
            fail(f"{keyword.upper()} stands here twice: once is enough", position_of(keyword))
        given[name] = value
    return given


def _similarity(value: Token) -> float:
    number = float(number_of(value))
    if not 0 <= number <= 1:
        fail(f"ABOVE takes a similarity from 0 to 1, not {value}", position_of(value))
    return number


def _size(value: Token) -> int:
    number = number_of(value)
    if not isinstance(number, int) or not 1 <= number <= LARGEST:
        fail(
            f"SHARING takes how much two neurons share at the least: a whole number from 1 on, not {value}",
            position_of(value),
        )
    return number


def bound_of(keyword: Token, value: Token) -> float:
    """Return the value of a bound; refuse one that it cannot have."""
    return _similarity(value) if keyword.type == "ABOVE" else _size(value)
