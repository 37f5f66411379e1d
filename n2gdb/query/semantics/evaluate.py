"""Evaluates WHERE in Python, with the engine's three-valued logic."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from n2gdb.core.reals import as_stored
from n2gdb.grammar.ast import (
    Absolute,
    And,
    Arithmetic,
    Between,
    Comparison,
    Computed,
    Condition,
    Expression,
    FieldValue,
    Formula,
    InList,
    Missing,
    Not,
    Number,
    Operator,
    Or,
)
from n2gdb.grammar.conditions import calculated, simplified

__all__ = ["holds"]

_Fields = Mapping[str, Any]

_COMPARE: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_EQUAL: operator.le,
    Operator.MORE: operator.gt,
    Operator.MORE_EQUAL: operator.ge,
}


def holds(formula: Formula[Condition], fields: _Fields) -> bool | None:
    """Return whether a condition holds of a neuron's or a match's ``fields``; None if that is unknown."""
    match formula:
        case And(operands):
            truths = [holds(each, fields) for each in operands]
            return False if False in truths else None if None in truths else True
        case Or(operands):
            truths = [holds(each, fields) for each in operands]
            return True if True in truths else None if None in truths else False
        case Not(operand):
            truth = holds(operand, fields)
            return None if truth is None else not truth
        case Comparison(name, sign, value):
            return _compared(fields[name], sign, value)
        case Between(name, least, most):
            stored = fields[name]
            return None if stored is None else _as(stored, least) <= stored <= _as(stored, most)
        case InList(name, values):
            stored = fields[name]
            return None if stored is None else stored in [_as(stored, value) for value in values]
        case Missing(name):
            return fields[name] is None
        case Computed() if isinstance(compared := simplified(formula), Comparison):
            return holds(compared, fields)
        case Computed(left, sign, right):
            first, second = _value(left, fields), _value(right, fields)
            return None if first is None or second is None else _COMPARE[sign](first, second)


def _compared(stored: Any, sign: Operator, value: int | float | str) -> bool | None:
    return None if stored is None else _COMPARE[sign](stored, _as(stored, value))


def _as(stored: Any, value: Any) -> Any:
    """Round a number as the field is stored."""
    return as_stored(value) if isinstance(stored, float) else value


def _value(expression: Expression, fields: _Fields) -> float | None:
    match expression:
        case Number(value):
            return float(value)
        case FieldValue(name):
            return None if fields[name] is None else float(fields[name])
        case Absolute(operand):
            number = _value(operand, fields)
            return None if number is None else abs(number)
        case Arithmetic(sign, left, right):
            first, second = _value(left, fields), _value(right, fields)
            return None if first is None or second is None else calculated(sign, first, second)
