"""Tree builder for conditions: one method per rule of the section *WHERE* of query.lark."""

# A method is named after its rule, which query.lark explains.
# ruff: noqa: D102

from __future__ import annotations

from n2gdb.grammar.ast import Not
from n2gdb.grammar.conditions import (
    Absolute,
    Arithmetic,
    Between,
    Comparison,
    Computed,
    Condition,
    Expression,
    FieldValue,
    InList,
    Missing,
    Number,
    Operator,
)
from n2gdb.grammar.errors import shortened
from n2gdb.grammar.fields import FIELDS, Field, Kind
from n2gdb.grammar.patterns import START, Position
from n2gdb.grammar.tokens import Token
from n2gdb.grammar.values import fail, field_of, no_function, number_of, position_of, unescaped

__all__ = ["ConditionBuilder"]

_OPERATORS = {operator.value: operator for operator in Operator} | {
    "==": Operator.EQUAL,
    "!=": Operator.UNEQUAL,
}
_FLIPPED = {
    Operator.LESS: Operator.MORE,
    Operator.LESS_EQUAL: Operator.MORE_EQUAL,
    Operator.MORE: Operator.LESS,
    Operator.MORE_EQUAL: Operator.LESS_EQUAL,
}
#: Operations within each other: what a statement and all that walks it can take.
_DEEPEST = 20


class ConditionBuilder:
    """Builds conditions bottom-up."""

    def where(self, conditions: object) -> object:
        return conditions

    def comparison(self, left: Expression, operator: Operator, right: Expression) -> Condition:
        if isinstance(left, Number) and isinstance(right, FieldValue):
            left, operator, right = right, _FLIPPED.get(operator, operator), left
        at = _first_place(left, right)
        if isinstance(left, FieldValue) and isinstance(right, Number):
            field = FIELDS[left.field]
            if field.kind is Kind.CHOICE:
                fail(f"{field.name} is a word: write {field.name} = '{field.word}'", at)
            return Comparison(field.name, operator, right.value, at=at)
        for each in (left, right):
            _check_numeric(each)
        if isinstance(left, Number) and isinstance(right, Number):
            fail("two numbers compared with each other: name a field", START)
        if max(_depth(left), _depth(right)) > _DEEPEST:
            fail(f"an expression lies more than {_DEEPEST} deep in itself", at)
        return Computed(left, operator, right, at=at)

    def text_comparison(self, left: Expression, operator: Operator, value: Token) -> Comparison:
        field, at = _bare(left)
        if field.kind is not Kind.CHOICE:
            fail(f"{field.name} is a {field.kind.value}: compare it with a number, without quotes",
                 position_of(value))  # fmt: skip
        if operator not in (Operator.EQUAL, Operator.UNEQUAL):
            fail(f"{field.name} is a word: compare it with = or !=", at)
        return Comparison(field.name, operator, _choice(field, value), at=at)

    def between(self, left: Expression, least: Token, most: Token) -> Between:
        field, at = _bare(left)
        if field.kind is Kind.CHOICE:
            fail(f"{field.name} is a word: write {field.name} = '{field.word}'", position_of(least))
        low, high = number_of(least), number_of(most)
        if low > high:
            fail(f"the range {least}..{most} runs backwards: write {most}..{least}", position_of(least))
        return Between(field.name, low, high, at=at)

    def not_between(self, left: Expression, least: Token, most: Token) -> Not[Condition]:
        return Not(self.between(left, least, most))

    def in_list(self, left: Expression, values: tuple[Token, ...]) -> InList:
        field, at = _bare(left)
        return InList(field.name, tuple(_value(field, value) for value in values), at=at)

    def not_in_list(self, left: Expression, values: tuple[Token, ...]) -> Not[Condition]:
        return Not(self.in_list(left, values))

    def missing(self, left: Expression) -> Missing:
        field, at = _bare(left)
        return Missing(field.name, at=at)

    def not_missing(self, left: Expression) -> Not[Condition]:
        return Not(self.missing(left))

    def list(self, *values: Token) -> tuple[Token, ...]:
        return values

    def operator(self, sign: Token) -> Operator:
        return _OPERATORS[str(sign)]

    def arithmetic(self, left: Expression, sign: Token, right: Expression) -> Arithmetic:
        return Arithmetic(str(sign), left, right)

    def minus(self, sign: Token, operand: Expression) -> Expression:
        return Number(-operand.value) if isinstance(operand, Number) else Arithmetic("-", Number(0), operand)

    def function(self, name: Token, operand: Expression) -> Expression:
        if name.lower() != "abs":
            fail(no_function(name), position_of(name))
        return Number(abs(operand.value)) if isinstance(operand, Number) else Absolute(operand)

    def number_value(self, value: Token) -> Number:
        return Number(number_of(value))

    def field_value(self, name: Token) -> FieldValue:
        return FieldValue(field_of(name).name, at=position_of(name))

    def number(self, value: Token) -> Token:
        return value

    def text(self, value: Token) -> Token:
        return value


def _bare(expression: Expression) -> tuple[Field, Position]:
    """Return the field that is by itself on the left of IN or of a word."""
    if not isinstance(expression, FieldValue):
        fail(
            "a single field stands before IN, IS MISSING and a word in quotes",
            _first_place(expression),
        )
    return FIELDS[expression.field], expression.at


def _value(field: Field, value: Token) -> int | float | str:
    if field.kind is Kind.CHOICE:
        return _choice(field, value)
    if value.type != "NUMBER":
        fail(f"{field.name} is a {field.kind.value}: list numbers, without quotes", position_of(value))
    return number_of(value)


def _choice(field: Field, value: Token) -> str:
    if not field.choices and value.type != "NUMBER":
        return unescaped(value)
    word = unescaped(value).lower() if value.type != "NUMBER" else str(value)
    if word not in field.choices:
        fail(
            f"no {field.name} {shortened(word)!r}: there are {', '.join(map(repr, field.choices))}",
            position_of(value),
        )
    return word


def _check_numeric(expression: Expression) -> None:
    for field in _fields(expression):
        if FIELDS[field.field].kind is Kind.CHOICE:
            fail(f"{field.field} is a word: there is no arithmetic on it", field.at)


def _fields(*expressions: Expression) -> list[FieldValue]:
    found, waiting = [], list(reversed(expressions))
    while waiting:
        each = waiting.pop()
        if isinstance(each, FieldValue):
            found.append(each)
        elif isinstance(each, Arithmetic):
            waiting += [each.right, each.left]
        elif isinstance(each, Absolute):
            waiting.append(each.operand)
    return found


def _first_place(*expressions: Expression) -> Position:
    return next((field.at for field in _fields(*expressions)), START)


def _depth(expression: Expression) -> int:
    """Return how deep operations lie in each other, level by level: a tree may be deeper than the stack."""
    level, depth = [expression], 0
    while level:
        level = [part for each in level for part in _operands(each)]
        depth += 1
    return depth - 1


def _operands(expression: Expression) -> tuple[Expression, ...]:
    if isinstance(expression, Arithmetic):
        return expression.left, expression.right
    return (expression.operand,) if isinstance(expression, Absolute) else ()
