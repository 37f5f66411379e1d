"""Condition nodes: comparisons, ranges, lists and arithmetic on the fields of a neuron or a match."""

from __future__ import annotations

import dataclasses
import math
from enum import Enum
from typing import TypeAlias

from n2gdb.grammar.patterns import START, Position
from n2gdb.grammar.records import dataclass

__all__ = [
    "Absolute",
    "Arithmetic",
    "Between",
    "Comparison",
    "Computed",
    "Condition",
    "Expression",
    "FieldValue",
    "InList",
    "Missing",
    "Number",
    "Operator",
    "calculated",
    "fields_in",
    "simplified",
]


class Operator(Enum):
    """A comparison; the value is its sign in Cypher."""

    EQUAL = "="
    UNEQUAL = "<>"
    LESS = "<"
    LESS_EQUAL = "<="
    MORE = ">"
    MORE_EQUAL = ">="


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field against a value."""

    field: str
    operator: Operator
    value: int | float | str
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Between:
    """A field within a range, both ends included."""

    field: str
    least: int | float
    most: int | float
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class InList:
    """A field that equals one of one or more values."""

    field: str
    values: tuple[int | float | str, ...]
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that has no value, as the F1 of a dead neuron."""

    field: str
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Number:
    """A number in an expression."""

    value: int | float


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A field's value in an expression."""

    field: str
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``+ - * / %`` of two expressions, in 64-bit reals; a division by zero is null.

    The remainder has the sign of what is divided.
    """

    sign: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Absolute:
    """``abs(...)``: an expression without its sign."""

    operand: Expression


Expression: TypeAlias = Number | FieldValue | Arithmetic | Absolute


@dataclass(frozen=True, slots=True)
class Computed:
    """A comparison of two expressions of which one is more than a field and the other more than a number."""

    left: Expression
    operator: Operator
    right: Expression
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


Condition: TypeAlias = Comparison | Between | InList | Missing | Computed


def fields_in(condition: Condition) -> tuple[str, ...]:
    """Return the names of the fields that a condition looks at."""
    if isinstance(condition, Computed):
        return (*_fields_in(condition.left), *_fields_in(condition.right))
    return (condition.field,)


def simplified(condition: Computed) -> Comparison | Computed:
    """Return a comparison of a bare field with arithmetic on numbers as one with a number.

    A number that a bare field is compared with is rounded as the field is stored: ``recall >= 5 / 6`` holds
    of a recall of 5 / 6.
    """
    match condition:
        case Computed(FieldValue(name), sign, other) | Computed(other, sign, FieldValue(name)):
            value = _constant(other)
            if value is None:
                return condition
            turned = isinstance(condition.right, FieldValue)
            return Comparison(name, _TURNED.get(sign, sign) if turned else sign, value, at=condition.at)
    return condition


_TURNED = {
    Operator.LESS: Operator.MORE,
    Operator.LESS_EQUAL: Operator.MORE_EQUAL,
    Operator.MORE: Operator.LESS,
    Operator.MORE_EQUAL: Operator.LESS_EQUAL,
}


def _constant(expression: Expression) -> float | None:
    """Return the value of arithmetic on numbers only; None with a field in it, or divided by zero."""
    match expression:
        case Number(value):
            return float(value)
        case Arithmetic(sign, left, right):
            first, second = _constant(left), _constant(right)
            return None if first is None or second is None else calculated(sign, first, second)
        case Absolute(operand):
            signed = _constant(operand)
            return None if signed is None else abs(signed)
        case FieldValue():
            return None


def calculated(sign: str, first: float, second: float) -> float | None:
    """Return a sum, difference, product, quotient or remainder in 64 bits; None for a division by zero."""
    match sign:
        case "+":
            return first + second
        case "-":
            return first - second
        case "*":
            return first * second
    if not second:
        return None
    if sign == "%":
        return math.nan if math.isinf(first) else math.fmod(first, second)
    try:
        return first / second
    except OverflowError:
        return math.copysign(math.inf, first) * math.copysign(1, second)


def _fields_in(expression: Expression) -> tuple[str, ...]:
    match expression:
        case FieldValue(name):
            return (name,)
        case Arithmetic(_, left, right):
            return (*_fields_in(left), *_fields_in(right))
        case Absolute(operand):
            return _fields_in(operand)
        case Number():
            return ()
