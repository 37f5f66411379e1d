"""Whether WHERE holds of a neuron or a match: SQL's three truths.

Fields come as the numbers that queries compute with, ``oracle_numbers.number``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

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
    Or,
)
from tests.oracle.numbers import number, rounded

__all__ = [
    *("OF_EFFECTS", "OF_MATCH", "OF_PATTERN", "STORED"),
    *("about_match", "about_neuron", "fields_of", "named_words", "truth"),
]

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
    "%": np.fmod,
}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
STORED = ("activation", "importance", "support", "confidence")
OF_PATTERN = (*STORED, "depth", "named")
OF_MATCH = (*OF_PATTERN, "matches", "share")
OF_EFFECTS = ("promoted", "suppressed")


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
        case Computed(FieldValue(name), sign, constant) if not set(_fields(constant)):
            return _compared(fields[name], sign.value, _value(constant, fields))
        case Computed(constant, sign, FieldValue(name)) if not set(_fields(constant)):
            return _compared(fields[name], TURNED.get(sign.value, sign.value), _value(constant, fields))
        case Computed(left, sign, right):
            first, second = _value(left, fields), _value(right, fields)
            return None if first is None or second is None else COMPARE[sign.value](first, second)


def about_neuron(where: Formula[Condition] | None) -> list[Formula[Condition]]:
    """Return the conjuncts that mention no field of a match."""
    return [each for each in _conjuncts(where) if set(OF_MATCH).isdisjoint(fields_of(each))]


def about_match(where: Formula[Condition] | None) -> list[Formula[Condition]]:
    """Return the conjuncts that mention a field of a match."""
    return [each for each in _conjuncts(where) if not set(OF_MATCH).isdisjoint(fields_of(each))]


def named_words(formula: Formula[Condition] | None, field: str) -> Iterator[str]:
    """Yield the words that conditions compare a field with."""
    match formula:
        case And(operands) | Or(operands):
            for each in operands:
                yield from named_words(each, field)
        case Not(each):
            yield from named_words(each, field)
        case Comparison(name, _, value) if name == field:
            yield str(value)
        case InList(name, values) if name == field:
            yield from map(str, values)


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


def _compared(field: object, sign: str, value: int | float | str | None) -> Truth:
    """Compare a field alone with a value; one that is compared with a real field is rounded like it."""
    if field is None or value is None:
        return None
    if isinstance(value, str):
        return bool(COMPARE[sign](field, value))
    return bool(COMPARE[sign](field, number(rounded(value)) if isinstance(field, float) else float(value)))


def _value(expression: Expression, fields: Fields) -> float | None:
    match expression:
        case Number(value):
            return float(value)
        case FieldValue(name):
            field = fields[name]
            return None if field is None else float(str(field))
        case Absolute(operand):
            signed = _value(operand, fields)
            return None if signed is None else abs(signed)
        case Arithmetic(sign, left, right):
            first, second = _value(left, fields), _value(right, fields)
            if first is None or second is None or (sign in ("/", "%") and second == 0):
                return None
            with np.errstate(all="ignore"):  # what is too large is infinite
                return float(COMBINE[sign](np.float64(first), np.float64(second)))


def _fields(expression: Expression) -> Iterator[str]:
    match expression:
        case FieldValue(name):
            yield name
        case Arithmetic(_, left, right):
            yield from _fields(left)
            yield from _fields(right)
        case Absolute(operand):
            yield from _fields(operand)
        case Number():
            return


def _conjuncts(where: Formula[Condition] | None) -> list[Formula[Condition]]:
    if isinstance(where, And):
        return [conjunct for each in where.operands for conjunct in _conjuncts(each)]
    return [] if where is None else [where]
