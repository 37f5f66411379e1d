"""From parsed rules to the AST: one method a rule, each checking what the grammar cannot."""

# A method is named after its rule, which query.lark explains.
# ruff: noqa: D102

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from lark import Token, Transformer, v_args

from n2gdb.grammar.ast import (
    And,
    Between,
    Comparison,
    Condition,
    Formula,
    Key,
    Link,
    Matching,
    Not,
    Operator,
    Or,
    Pattern,
    Position,
    Query,
    Run,
    Step,
    TokenLiteral,
)
from n2gdb.grammar.fields import FIELDS, Field, Kind, nearest

__all__ = ["Builder", "MeaningError"]

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_OPERATORS = {operator.value: operator for operator in Operator} | {
    "==": Operator.EQUAL,
    "!=": Operator.UNEQUAL,
}
#: Whole numbers beyond the engine's 64 bits are nobody's layer, count or limit.
_LARGEST = 2**63 - 1


class MeaningError(Exception):
    """What is wrong, and at which token of the text."""

    def __init__(self, message: str, at: Position) -> None:
        self.message = message
        self.at = at
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Connector:
    word: str
    link: Link
    at: Position


@v_args(inline=True)
class Builder(Transformer[Token, Query]):
    """Builds a Query bottom-up while the parser runs; raises MeaningError where the words make no sense."""

    def start(
        self,
        clauses: Formula[Matching] | None,
        where: Formula[Condition] | None,
        order: tuple[Key, ...] | None,
        limit: int | None,
        offset: int | None,
    ) -> Query:
        return Query(clauses, where, order or (), limit, offset)

    def conjunction(self, *operands: Formula[object]) -> And[object]:
        return And(operands)

    def disjunction(self, *operands: Formula[object]) -> Or[object]:
        return Or(operands)

    def negation(self, operand: Formula[object]) -> Not[object]:
        return Not(operand)

    def matching(self, keyword: Token, pattern: Pattern) -> Matching:
        return Matching(pattern, at=_position(keyword))

    def pattern(self, *parts: Step | _Connector) -> Pattern:
        steps = tuple(part for part in parts if not isinstance(part, _Connector))
        connectors = [part for part in parts if isinstance(part, _Connector)]
        backwards = [connector.word == "AFTER" for connector in connectors]
        if any(backwards) and not all(backwards):
            first = next(at for at, flag in enumerate(backwards) if flag != backwards[0])
            _fail(
                f"{connectors[first].word} after {connectors[0].word} in one pattern: keep to one direction, "
                "AFTER throughout or BEFORE and THEN throughout",
                connectors[first].at,
            )
        links = tuple(connector.link for connector in connectors)
        return Pattern(steps[::-1], links[::-1]) if any(backwards) else Pattern(steps, links)

    def loose_token(self, literal: Token) -> TokenLiteral:
        return TokenLiteral(_token_text(literal), exact=False, at=_position(literal))

    def exact_token(self, literal: Token) -> TokenLiteral:
        return TokenLiteral(_token_text(literal), exact=True, at=_position(literal))

    def run(self, dots: Token) -> Run:
        return Run(at=_position(dots))

    def connector(self, keyword: Token, distance: Token | None = None) -> _Connector:
        word = keyword.upper()
        if distance is None:
            return _Connector(word, Link(1, 1) if word == "THEN" else Link(), _position(keyword))
        most = int(distance[1:])
        if not 1 <= most <= _LARGEST:
            _fail(f"{word}/{most}: a distance is a whole number from 1 up", _position(distance))
        return _Connector(word, Link(1, most), _position(keyword))

    def where(self, conditions: Formula[Condition]) -> Formula[Condition]:
        return conditions

    def comparison(self, name: Token, operator: Operator, value: Token) -> Comparison:
        field = _field(name)
        if field.kind is Kind.CHOICE:
            return _choice(field, operator, value, name)
        if value.type != "NUMBER":
            _fail(f"{field.name} is a {field.kind.value}: compare it with a number, without quotes",
                  _position(value))  # fmt: skip
        return Comparison(field.name, operator, _number(value), at=_position(name))

    def between(self, name: Token, least: Token, most: Token) -> Between:
        field = _field(name)
        if field.kind is Kind.CHOICE:
            _fail(f"{field.name} is a word: write {field.name} = '{field.choices[0]}'", _position(least))
        low, high = _number(least), _number(most)
        if low > high:
            _fail(f"the range {least}..{most} runs backwards: write {most}..{least}", _position(least))
        return Between(field.name, low, high, at=_position(name))

    def operator(self, sign: Token) -> Operator:
        return _OPERATORS[str(sign)]

    def number(self, value: Token) -> Token:
        return value

    def text(self, value: Token) -> Token:
        return value

    def order(self, *keys: Key) -> tuple[Key, ...]:
        return keys

    def key(self, name: Token, direction: Token | None) -> Key:
        descending = direction is not None and direction.upper() == "DESC"
        return Key(_field(name).name, descending, at=_position(name))

    def limit(self, count: Token) -> int:
        return _count(count, "LIMIT")

    def offset(self, count: Token) -> int:
        return _count(count, "OFFSET")


def _position(token: Token) -> Position:
    return Position(token.line or 1, token.column or 1)


def _fail(message: str, at: Position) -> NoReturn:
    raise MeaningError(message, at)


def _token_text(literal: Token) -> str:
    text = _unescaped(literal)
    if not text:
        _fail("an empty token: write the token between the quotes, or ... for any", _position(literal))
    return text


def _unescaped(literal: Token) -> str:
    def plain(escape: re.Match[str]) -> str:
        if escape[1] not in _ESCAPES:
            at = _position(literal)
            column = at.column + 1 + escape.start()
            _fail(
                rf"\{escape[1]} is no escape: there are \' \" \\ \n \r \t, and \\ stands for a backslash",
                Position(at.line, column),
            )
        return _ESCAPES[escape[1]]

    return re.sub(r"\\(.)", plain, literal[1:-1])


def _field(name: Token) -> Field:
    field = FIELDS.get(name.lower())
    if field is None:
        near = nearest(name, tuple(FIELDS))
        hint = f"did you mean {near}?" if near else f"there are {', '.join(FIELDS)}"
        _fail(f"no field {name}: {hint}", _position(name))
    return field


def _choice(field: Field, operator: Operator, value: Token, name: Token) -> Comparison:
    if operator not in (Operator.EQUAL, Operator.UNEQUAL):
        _fail(f"{field.name} is a word: compare it with = or !=", _position(name))
    word = _unescaped(value).lower() if value.type != "NUMBER" else str(value)
    if word not in field.choices:
        _fail(
            f"no {field.name} {word!r}: there are {', '.join(map(repr, field.choices))}",
            _position(value),
        )
    return Comparison(field.name, operator, word, at=_position(name))


def _number(value: Token) -> int | float:
    if not re.fullmatch(r"-?\d+", value):
        return float(value)
    number = int(value)
    if abs(number) > _LARGEST:
        _fail(f"{value} is too large a number", _position(value))
    return number


def _count(value: Token, keyword: str) -> int:
    number = _number(value)
    if not isinstance(number, int) or number < 0:
        _fail(f"{keyword} takes a whole number from 0 up, not {value}", _position(value))
    return number
