"""Whether WHERE holds of a neuron or a match: SQL's three truths."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from n2gdb.grammar.ast import (
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
    Or,
)
from tests.oracle_world import decimal

__all__ = ["about_match", "about_neuron", "fields_of", "truth"]

Truth = bool | None  # None is SQL's unknown
Fields = Mapping[str, object]

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
COMBINE: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
OF_MATCH = frozenset({"activation", "importance"})


def truth(formula: Formula[Condition], fields: Fields) -> Truth:
    match formula:
        case And(operands):
            truths = [truth(each, fields) for each in operands]
            return False if False in truths else None if None in truths else True
        case Or(operands):
            truths = [truth(each, fields) for each in operands]
            return True if True in truths else None if None in truths else False
        case Not(each):
            opposite = truth(each, fields)
            return None if opposite is None else not opposite
        case Comparison(name, sign, value):
            return _compared(fields[name], sign.value, value)
        case Between(name, least, most):
            low, high = _compared(fields[name], ">=", least), _compared(fields[name], "<=", most)
            return None if low is None or high is None else low and high
        case InList(name, values):
            truths = [_compared(fields[name], "=", value) for value in values]
            return None if None in truths else True in truths
        case Missing(name):
            return fields[name] is None
        case Computed(left, sign, right):
            for field, other, turned in ((left, right, False), (right, left, True)):
                if isinstance(field, FieldValue) and not list(_fields(other)):
                    constant = _value(other, {})  # rounded as the field is stored, like a number alone
                    stored = fields[field.field]
                    if constant is None or stored is None:
                        return None
                    rounded = _rounded(stored, constant)
                    pair = (rounded, stored) if turned else (stored, rounded)
                    return bool(COMPARE[sign.value](*pair))
            first, second = _value(left, fields), _value(right, fields)
            return None if first is None or second is None else COMPARE[sign.value](first, second)


def about_neuron(where: Formula[Condition] | None) -> list[Formula[Condition]]:
    """Return the conjuncts that mention no field of a match."""
    return [each for each in _conjuncts(where) if not OF_MATCH & set(fields_of(each))]


def about_match(where: Formula[Condition] | None) -> list[Formula[Condition]]:
    """Return the conjuncts that mention a field of a match."""
    return [each for each in _conjuncts(where) if OF_MATCH & set(fields_of(each))]


def fields_of(formula: Formula[Condition]) -> Iterator[str]:
    match formula:
        case And(operands) | Or(operands):
            for each in operands:
                yield from fields_of(each)
        case Not(each):
            yield from fields_of(each)
        case Comparison(name) | Between(name) | InList(name) | Missing(name):
            yield name
        case Computed(left, _, right):
            yield from _fields(left)
            yield from _fields(right)


def _compared(stored: object, sign: str, value: object) -> Truth:
    return None if stored is None else bool(COMPARE[sign](stored, _rounded(stored, value)))


def _rounded(stored: object, value: Any) -> Any:
    """Real numbers are the shortest decimals of what is kept in 32 bits, and a query's are rounded alike."""
    with np.errstate(over="ignore"):
        return decimal(value) if isinstance(stored, float) else value


def _value(expression: Expression, fields: Fields) -> float | None:
    match expression:
        case Number(value):
            return float(value)
        case FieldValue(name):
            stored = fields[name]
            return None if stored is None else float(str(stored))
        case Arithmetic(sign, left, right):
            first, second = _value(left, fields), _value(right, fields)
            if first is None or second is None or (sign == "/" and second == 0):
                return None
            with np.errstate(all="ignore"):
                one, other = np.float64(first), np.float64(second)
                return float(COMBINE[sign](one, other))


def _fields(expression: Expression) -> Iterator[str]:
    match expression:
        case FieldValue(name):
            yield name
        case Arithmetic(_, left, right):
            yield from _fields(left)
            yield from _fields(right)
        case Number():
            return


def _conjuncts(where: Formula[Condition] | None) -> list[Formula[Condition]]:
    if isinstance(where, And):
        return [conjunct for each in where.operands for conjunct in _conjuncts(each)]
    return [] if where is None else [where]
