"""Compiles WHERE: conditions on the neuron are kept apart from conditions on each match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from n2gdb.core.reals import as_stored
from n2gdb.errors import QueryError
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
from n2gdb.grammar.conditions import fields_in, simplified
from n2gdb.grammar.fields import FIELDS, Kind
from n2gdb.grammar.records import dataclass
from n2gdb.storage.parameters import Parameters
from n2gdb.storage.shapes import node_in, relationship_in

__all__ = [
    "Conditions",
    "MatchFields",
    "column",
    "compares_match_with_neuron",
    "condition_text",
    "fields_of",
    "grows_with_activation",
    "mentions",
    "mentions_match",
    "mentions_neuron",
    "split",
]

#: Columns that Cypher takes for keywords.
_RESERVED = frozenset({"index"})

#: Neither true nor false: what any comparison with null is.
_TRUTHS = {True: "true", False: "false", None: 'CAST(NULL, "BOOL")'}


@dataclass(frozen=True, slots=True)
class MatchFields:
    """The Cypher expressions of a match's own fields, columns of relationships."""

    activation: str
    importance: str
    support: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conjuncts of WHERE: those on the neuron alone, and those with a field of a match."""

    neuron: tuple[Formula[Condition], ...]
    match: tuple[Formula[Condition], ...]


def split(where: Formula[Condition] | None) -> Conditions:
    """Separate the top-level conjuncts of WHERE."""
    conjuncts = list(_conjuncts(where)) if where is not None else []
    return Conditions(
        neuron=tuple(conjunct for conjunct in conjuncts if not mentions_match(conjunct)),
        match=tuple(conjunct for conjunct in conjuncts if mentions_match(conjunct)),
    )


def compares_match_with_neuron(where: Formula[Condition] | None) -> bool:
    """Whether a condition of WHERE uses fields of a match and of its neuron."""
    return any(mentions_neuron(each) for each in split(where).match)


def grows_with_activation(conditions: Iterable[Formula[Condition]]) -> bool:
    """Whether conditions that hold for an activation also hold for every larger one."""
    return all(_grows(condition) for condition in conditions)


def mentions_neuron(formula: Formula[Condition]) -> bool:
    """Whether a condition uses the neuron's own fields."""
    return any(not FIELDS[name].of_match for name in fields_of(formula))


def mentions_match(formula: Formula[Condition]) -> bool:
    """Whether a condition uses a match's fields."""
    return any(FIELDS[name].of_match for name in fields_of(formula))


def column(name: str) -> str:
    """Return the Cypher expression of a column of the neuron ``n``."""
    return f"n.`{name}`" if name in _RESERVED else f"n.{name}"


def mentions(formula: Formula[Condition], field: str) -> bool:
    """Whether a condition uses this field."""
    return field in fields_of(formula)


def condition_text(formula: Formula[Condition], fields: MatchFields | None, parameters: Parameters) -> str:
    """Return ``formula`` in Cypher; raise QueryError for a match's field if ``fields`` is None."""
    match formula:
        case Computed() if not fields_in(formula):
            from n2gdb.query.semantics.evaluate import holds  # rarely asked for

            return _TRUTHS[holds(formula, {})]  # the engine forgets a filter that looks at no column
        case And(operands):
            return _joined(" AND ", operands, fields, parameters)
        case Or(operands):
            return _joined(" OR ", operands, fields, parameters)
        case Not(operand):
            return f"NOT ({condition_text(operand, fields, parameters)})"
        case Comparison(name, operator, value):
            return f"{_expression(name, fields)} {operator.value} {_bind(name, value, parameters)}"
        case Between(name, least, most):
            left = _expression(name, fields)
            return f"{left} >= {_bind(name, least, parameters)} AND {left} <= {_bind(name, most, parameters)}"
        case InList(name, values):
            is_in = relationship_in if FIELDS[name].of_match else node_in
            return is_in(_expression(name, fields), _listed(name, values), parameters)
        case Missing(name):
            return f"{_expression(name, fields)} IS NULL"
        case Computed() if isinstance(compared := simplified(formula), Comparison):
            return condition_text(compared, fields, parameters)
        case Computed(first, operator, second):
            left, right = (_computed(each, fields, parameters) for each in (first, second))
            return f"{left} {operator.value} {right}"


def _computed(expression: Expression, fields: MatchFields | None, parameters: Parameters) -> str:
    match expression:
        case Number(value):
            return parameters.bind(float(value))
        case FieldValue(name):
            column = _expression(name, fields)
            return f'CAST({column}, "DOUBLE")' if FIELDS[name].kind is Kind.WHOLE else column
        case Absolute(operand):
            return f"abs({_computed(operand, fields, parameters)})"
        case Arithmetic("/" | "%" as sign, left, right):
            divisor = f"nullif({_computed(right, fields, parameters)}, 0.0)"
            return f"({_computed(left, fields, parameters)} {sign} {divisor})"
        case Arithmetic(sign, left, right):
            return f"({_computed(left, fields, parameters)} {sign} {_computed(right, fields, parameters)})"


def _joined(
    word: str, operands: Iterable[Formula[Condition]], fields: MatchFields | None, parameters: Parameters
) -> str:
    return word.join(f"({condition_text(operand, fields, parameters)})" for operand in operands)


def _expression(name: str, fields: MatchFields | None) -> str:
    if not FIELDS[name].of_match:
        return column(name)
    if fields is None:
        raise QueryError(f"{name} is a field of a match: it needs a MATCHING clause")
    expression: str = getattr(fields, name)
    return expression


def _bind(name: str, value: int | float | str, parameters: Parameters) -> str:
    return parameters.bind(_stored(name, value))


def _stored(name: str, value: int | float | str) -> int | float | str:
    return as_stored(value) if FIELDS[name].kind is Kind.REAL and not isinstance(value, str) else value


def _listed(name: str, values: Sequence[int | float | str]) -> Sequence[Any]:
    """Return the values that the field can have: the engine's lists hold values of one type."""
    if FIELDS[name].kind is not Kind.WHOLE:
        return [_stored(name, value) for value in values]
    return [int(value) for value in values if not isinstance(value, str) and value == value // 1] or [-1]


def _conjuncts(formula: Formula[Condition]) -> Iterator[Formula[Condition]]:
    if isinstance(formula, And):
        for operand in formula.operands:
            yield from _conjuncts(operand)
    else:
        yield formula


def fields_of(formula: Formula[Condition]) -> set[str]:
    """Return the names of the fields in a condition."""
    match formula:
        case And(operands) | Or(operands):
            return {name for operand in operands for name in fields_of(operand)}
        case Not(operand):
            return fields_of(operand)
        case _:
            return set(fields_in(formula))


def _grows(formula: Formula[Condition]) -> bool:
    match formula:
        case And(operands) | Or(operands):
            return all(_grows(operand) for operand in operands)
        case Comparison("activation", operator, _):
            return operator in (Operator.MORE, Operator.MORE_EQUAL)
        case _:
            return "activation" not in fields_of(formula)
