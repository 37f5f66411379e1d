"""What WHERE asks of one neuron or one match: comparisons, ranges, lists, arithmetic."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from n2gdb.grammar.patterns import START, Position

__all__ = [
    "Arithmetic",
    "Between",
    "Comparison",
    "Computed",
    "Condition",
    "Expression",
    "FieldValue",
    "InList",
    "Number",
    "Operator",
    "fields_in",
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
    """``+ - * /`` of two expressions, in 64-bit reals; a division by zero is null."""

    sign: str
    left: Expression
    right: Expression


Expression: TypeAlias = Number | FieldValue | Arithmetic


@dataclass(frozen=True, slots=True)
class Computed:
    """A comparison of two expressions of which one is more than a field and the other more than a number."""

    left: Expression
    operator: Operator
    right: Expression
    at: Position = dataclasses.field(default=START, compare=False, repr=False, kw_only=True)


Condition: TypeAlias = Comparison | Between | InList | Computed


def fields_in(condition: Condition) -> tuple[str, ...]:
    """Return the names of the fields that a condition looks at."""
    if isinstance(condition, Computed):
        return (*_fields_in(condition.left), *_fields_in(condition.right))
    return (condition.field,)


def _fields_in(expression: Expression) -> tuple[str, ...]:
    match expression:
        case FieldValue(name):
            return (name,)
        case Arithmetic(_, left, right):
            return (*_fields_in(left), *_fields_in(right))
        case Number():
            return ()
