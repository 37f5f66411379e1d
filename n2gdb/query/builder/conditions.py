"""Conditions in Python: ``where(layer=range(0, 3), f1__ge=0.6)`` and ``field("f1") > 0.6``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

from n2gdb.core import arguments
from n2gdb.core.arguments import shown
from n2gdb.errors import ArgumentError, QuerySyntaxError, UnknownNameError
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
    Operator,
    Or,
)
from n2gdb.grammar.fields import FIELDS, nearest, no_field
from n2gdb.grammar.unparse import written_formula

__all__ = ["Term", "Truth", "check_truths", "conditions_of", "conjoined", "field", "field_name"]

Leaf = TypeVar("Leaf")

_SIGNS = {
    "eq": Operator.EQUAL,
    "ne": Operator.UNEQUAL,
    "lt": Operator.LESS,
    "le": Operator.LESS_EQUAL,
    "gt": Operator.MORE,
    "ge": Operator.MORE_EQUAL,
}
_SUFFIXES = (*_SIGNS, "in", "not_in", "between", "missing")


@dataclass(frozen=True, slots=True, repr=False)
class Truth(Generic[Leaf]):
    """Clauses or conditions joined by ``&`` (and), ``|`` (or) and ``~`` (not)."""

    formula: Formula[Leaf]

    def __and__(self, other: Truth[Leaf]) -> Truth[Leaf]:
        return Truth(conjoined(self.formula, other.formula))

    def __or__(self, other: Truth[Leaf]) -> Truth[Leaf]:
        return Truth(Or((*_operands(self.formula, Or), *_operands(other.formula, Or))))

    def __invert__(self) -> Truth[Leaf]:
        return Truth(Not(self.formula))

    def __bool__(self) -> NoReturn:
        raise TypeError("join clauses and conditions by & | ~, each in parentheses, not by and, or, not")

    def __str__(self) -> str:
        formula: Any = self.formula
        return written_formula(formula)

    def __repr__(self) -> str:
        return f"<{self}>"


#: What a term is combined or compared with.
Reckoned: TypeAlias = "Term | int | float"


class Term:
    """A field, or arithmetic on fields; a comparison of it is a condition."""

    __slots__ = ("expression",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def __add__(self, other: Reckoned) -> Term:
        return _reckoned("+", self, other)

    def __radd__(self, other: Reckoned) -> Term:
        return _reckoned("+", other, self)

    def __sub__(self, other: Reckoned) -> Term:
        return _reckoned("-", self, other)

    def __rsub__(self, other: Reckoned) -> Term:
        return _reckoned("-", other, self)

    def __mul__(self, other: Reckoned) -> Term:
        return _reckoned("*", self, other)

    def __rmul__(self, other: Reckoned) -> Term:
        return _reckoned("*", other, self)

    def __truediv__(self, other: Reckoned) -> Term:
        return _reckoned("/", self, other)

    def __rtruediv__(self, other: Reckoned) -> Term:
        return _reckoned("/", other, self)

    def __neg__(self) -> Term:
        return _reckoned("-", 0, self)

    def __eq__(self, other: Reckoned | str) -> Truth[Condition]:  # type: ignore[override]
        return _compared(self, Operator.EQUAL, other)

    def __ne__(self, other: Reckoned | str) -> Truth[Condition]:  # type: ignore[override]
        return _compared(self, Operator.UNEQUAL, other)

    def __lt__(self, other: Reckoned) -> Truth[Condition]:
        return _compared(self, Operator.LESS, other)

    def __le__(self, other: Reckoned) -> Truth[Condition]:
        return _compared(self, Operator.LESS_EQUAL, other)

    def __gt__(self, other: Reckoned) -> Truth[Condition]:
        return _compared(self, Operator.MORE, other)

    def __ge__(self, other: Reckoned) -> Truth[Condition]:
        return _compared(self, Operator.MORE_EQUAL, other)

    def within(self, values: range | Iterable[int | float | str]) -> Truth[Condition]:
        """Hold where the field is one of ``values``; a ``range`` leaves its end out, as in Python."""
        return Truth(_within(self._bare(), values))

    def between(self, least: float, most: float) -> Truth[Condition]:
        """Hold from ``least`` to ``most``, both included."""
        return Truth(_between(self._bare(), (least, most)))

    def is_missing(self) -> Truth[Condition]:
        """Hold where the field has no value."""
        return Truth(Missing(self._bare()))

    def _bare(self) -> str:
        if not isinstance(self.expression, FieldValue):
            raise QuerySyntaxError("only a single field can stand before IN, not arithmetic")
        return self.expression.field

    def __repr__(self) -> str:
        comparison = written_formula(Computed(self.expression, Operator.EQUAL, Number(0)))
        return f"<{comparison.removesuffix(' = 0')}>"


def field(name: str) -> Term:
    """Return the field ``name`` for conditions that keywords cannot say; raise UnknownNameError for none.

    >>> neurons().where((field("f1") > 0.6) | (field("precision") > 2 * field("recall")))
    <QueryBuilder neurons WHERE f1 > 0.6 OR precision > 2 * recall>
    """
    return Term(FieldValue(field_name(name)))


def field_name(name: str) -> str:
    """Return a field's name in lower case; raise UnknownNameError, with the nearest, for none."""
    if arguments.text("a field", name).lower() in FIELDS:
        return name.lower()
    near = nearest(name, tuple(FIELDS))
    raise UnknownNameError(no_field(name), (near,) if near else ())


def conditions_of(keywords: Mapping[str, object]) -> Iterator[Condition | Not[Condition]]:
    """Yield the conditions that keywords say: a field's name and, after ``__``, how it is compared."""
    for keyword, value in keywords.items():
        name, _, suffix = keyword.partition("__")
        yield _condition(field_name(name), suffix, value)


def conjoined(*formulas: Formula[Leaf]) -> Formula[Leaf]:
    """Return the AND of formulas, conjunctions among them taken apart."""
    operands = [operand for formula in formulas for operand in _operands(formula, And)]
    return operands[0] if len(operands) == 1 else And(tuple(operands))


def _condition(name: str, suffix: str, value: Any) -> Condition | Not[Condition]:
    listed = isinstance(value, range | list | tuple | set | frozenset)
    match suffix:
        case "in":
            return _within(name, value)
        case "" if listed:
            return _within(name, value)
        case "not_in":
            return Not(_within(name, value))
        case "missing":
            if not isinstance(value, bool):
                raise QuerySyntaxError(f"{name}__missing takes True or False, not {shown(value)}")
            return Missing(name) if value else Not(Missing(name))
        case "between":
            return _between(name, value)
        case "" | "eq" | "ne" | "lt" | "le" | "gt" | "ge":
            return Comparison(name, _SIGNS[suffix or "eq"], _plain(value))
        case _:
            raise UnknownNameError(f"no comparison __{suffix}: there are {', '.join(_SUFFIXES)}", _SUFFIXES)


def _within(name: str, values: range | Iterable[Any]) -> Between | InList:
    if isinstance(values, range):
        if values.step != 1 or not values:
            raise QuerySyntaxError(
                f"{name} within {shown(values)}: write a range of step 1 that is not empty"
            )
        return Between(name, values[0], values[-1])
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise QuerySyntaxError(f"{name} within {shown(values)}: write a list of values, or a range")
    ordered = sorted(values) if isinstance(values, set | frozenset) else values
    plain = tuple(_plain(value) for value in ordered)
    if not plain:
        raise QuerySyntaxError(f"{name} within an empty list: give at least one value")
    return InList(name, plain)


def _between(name: str, ends: Any) -> Between:
    if isinstance(ends, str) or not isinstance(ends, Sequence) or len(ends) != 2:
        raise QuerySyntaxError(f"{name} between {shown(ends)}: write both ends, as in (0.2, 0.5)")
    least, most = (_number(end) for end in ends)
    return Between(name, least, most)


def _compared(term: Term, sign: Operator, other: Reckoned | str) -> Truth[Condition]:
    if isinstance(term.expression, FieldValue) and not isinstance(other, Term):
        return Truth(Comparison(term.expression.field, sign, _plain(other)))
    if isinstance(other, str):
        raise QuerySyntaxError("only a single field can be compared with a word, not arithmetic")
    return Truth(Computed(term.expression, sign, _expression(other)))


def _reckoned(sign: str, left: Reckoned, right: Reckoned) -> Term:
    return Term(Arithmetic(sign, _expression(left), _expression(right)))


def _expression(given: Reckoned) -> Expression:
    return given.expression if isinstance(given, Term) else Number(_number(given))


def _plain(value: object) -> int | float | str:
    return value if isinstance(value, str) else _number(value)


def _number(value: object) -> int | float:
    if type(value) is not bool and isinstance(value, Real) and value == value:
        is_whole = isinstance(value, Integral)
        return arguments.whole("a number", value, -arguments.LARGEST) if is_whole else float(value)
    raise QuerySyntaxError(f"{shown(value)} is not a number to compare with")


def _operands(formula: Formula[Any], kind: type[And[Any]] | type[Or[Any]]) -> tuple[Any, ...]:
    return formula.operands if isinstance(formula, kind) else (formula,)


def check_truths(meant: str, given: tuple[object, ...]) -> None:
    """Raise ArgumentError for what is no clause or condition; ``meant`` says what was."""
    for each in given:
        if not isinstance(each, Truth):
            raise ArgumentError(f"{meant}, not {shown(each)}")
