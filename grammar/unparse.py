"""Unparser: syntax tree to text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, assert_never

from n2gdb.grammar.ast import (
    And,
    AnyToken,
    Arithmetic,
    Between,
    Clause,
    Comparison,
    Computed,
    Condition,
    ContainedIn,
    Contains,
    Expression,
    FieldValue,
    FiringOn,
    Formula,
    Influenced,
    InList,
    Key,
    Link,
    Matching,
    Mentioning,
    Metric,
    Missing,
    Mode,
    Negated,
    NeuronRef,
    Not,
    Number,
    OneOf,
    Or,
    Predictor,
    Query,
    RankBy,
    Run,
    SimilarTo,
    Statement,
    Step,
    TokenClass,
    TokenExpression,
    TokenLiteral,
    TokenPattern,
    TokenQuery,
    Variable,
    Writing,
)

__all__ = ["quoted", "written", "written_formula", "written_step"]

#: A longer statement is broken into lines.
_WIDTH = 100
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: What ABOVE is where a query does not say it.
_ABOVE = 0.9


def written(statement: Statement) -> str:
    """Return the text of a statement: parsed again, it is an equal statement.

    Only a line break or an escaped slash in a regular expression is rewritten, as what means the same.
    Raises ValueError for a tree that no text gives.
    """
    parts = list(_token_query(statement) if isinstance(statement, TokenQuery) else _query(statement))
    line = " ".join(parts)
    return line if len(line) <= _WIDTH else "\n  ".join(parts)


def written_formula(formula: Formula[Clause] | Formula[Condition]) -> str:
    """Return the text of clauses or conditions, with no more parentheses than it takes."""
    match formula:
        case And(operands):
            return " AND ".join(_within(each, And | Or) for each in operands)
        case Or(operands):
            return " OR ".join(_within(each, Or) for each in operands)
        case Not(Between() | InList() as listed):
            return _listed(listed, "NOT IN")
        case Not(Missing(field)):
            return f"{field} IS NOT MISSING"
        case Not(operand):
            return f"NOT {_within(operand, And | Or)}"
        case _ if type(formula) in _CLAUSES:
            return _CLAUSES[type(formula)](formula)
        case _:
            return _condition(formula)  # type: ignore[arg-type]


def written_step(step: Step) -> str:
    """Return the text of one step of a pattern."""
    match step:
        case TokenLiteral(text, exact):
            return quoted(text, '"' if exact else "'")
        case TokenExpression(source, ignore_case):
            return f"/{_slashed(source)}/{'i' if ignore_case else ''}"
        case TokenClass(kind):
            return f"<{kind.value}>"
        case OneOf(alternatives):
            return f"({' | '.join(written_step(each) for each in alternatives)})"
        case Negated(test):
            return f"!{written_step(test)}"
        case Variable(name):
            return f"${name}"
        case AnyToken():
            return "_"
        case Run():
            return "..."
        case _:
            assert_never(step)


def quoted(text: str, quote: str = "'") -> str:
    """Return ``text`` between quotes of either kind, as a query has it."""
    return (
        quote + "".join(f"\\{each}" if each == quote else _ESCAPES.get(each, each) for each in text) + quote
    )


def _query(query: Query) -> Iterator[str]:
    yield _head(query)
    if query.clauses is not None:
        yield written_formula(query.clauses)
    if query.where is not None:
        yield f"WHERE {written_formula(query.where)}"
    if query.count is not None and query.count.by is not None:
        yield f"BY {query.count.by.value}"
    if query.rank is not None:
        yield _rank(query.rank)
    if query.order:
        yield f"ORDER BY {', '.join(map(_key, query.order))}"
    yield from _slice(query)
    if query.returns:
        yield f"RETURN {', '.join(query.returns)}"


def _head(query: Query) -> str:
    words = [f"{query.subject.value} OF neurons" if query.of_neurons else query.subject.value]
    if query.count is not None:
        words.insert(0, "COUNT")
    if query.mode is not Mode.ANSWER:
        words.insert(0, query.mode.value)
    if query.model is not None:
        words.append(f"IN MODEL {quoted(query.model)}")
    return " ".join(words)


def _token_query(query: TokenQuery) -> Iterator[str]:
    mode = "" if query.mode is Mode.ANSWER else f"{query.mode.value} "
    yield f"{mode}tokens {query.role.value} {_neuron(query.neuron)}"
    yield from _slice(query)


def _slice(query: Query | TokenQuery) -> Iterator[str]:
    if query.limit is not None:
        yield f"LIMIT {query.limit}"
    if query.offset is not None:
        yield f"OFFSET {query.offset}"


def _key(key: Key) -> str:
    return f"{key.field} DESC" if key.descending else key.field


def _rank(rank: RankBy) -> str:
    return f"RANK BY SIMILARITY TO {_neuron(rank.neuron)}{_using(rank.metric)}"


def _neuron(neuron: NeuronRef) -> str:
    return str(neuron) if neuron.model is None else f"{neuron} OF {quoted(neuron.model)}"


def _using(metric: Metric) -> str:
    return "" if metric is Metric.GRAPH else f" USING {metric.value}"


def _above(least: float) -> str:
    return "" if least == _ABOVE else f" ABOVE {_number(least)}"


def _within(operand: Formula[Clause] | Formula[Condition], looser: type | object) -> str:
    text = written_formula(operand)
    return f"({text})" if isinstance(operand, looser) else text  # type: ignore[arg-type]


def _matching(clause: Matching) -> str:
    joined = (f"{each.effect.value} {written_step(each.variable)}" for each in clause.written)
    return " ".join((f"MATCHING {_pattern(clause.pattern)}", *joined))


def _firing_on(clause: FiringOn) -> str:
    at = "" if clause.token is None else f" AT {clause.token}"
    by = "" if clause.by is Predictor.EVIDENCE else f" USING {clause.by.value}"
    return f"FIRING ON {quoted(clause.text, chr(34))}{at}{by}"


def _influenced(clause: Influenced) -> str:
    place = ""
    if clause.farthest is not None:
        word = "AT" if clause.nearest == clause.farthest else "WITHIN"
        place = f" {word} {clause.farthest}"
    return f"{clause.influence.value} {written_step(clause.test)}{place}"


def _similar_to(clause: SimilarTo) -> str:
    return f"SIMILAR TO {_neuron(clause.neuron)}{_using(clause.metric)}{_above(clause.above)}"


#: How a clause of each class is written.
_CLAUSES: Mapping[type, Callable[[Any], str]] = {
    Matching: _matching,
    Mentioning: lambda clause: f"MENTIONING {written_step(clause.test)}",
    Writing: lambda clause: f"{clause.effect.value} {written_step(clause.test)}",
    Influenced: _influenced,
    FiringOn: _firing_on,
    SimilarTo: _similar_to,
    ContainedIn: lambda clause: f"SUBSET OF {_neuron(clause.neuron)}{_above(clause.above)}",
    Contains: lambda clause: f"SUPERSET OF {_neuron(clause.neuron)}{_above(clause.above)}",
}


def _pattern(pattern: TokenPattern) -> str:
    words = [written_step(pattern.steps[0])]
    for link, step in zip(pattern.links, pattern.steps[1:], strict=True):
        words += [_connector(link), written_step(step)]
    return " ".join(words)


def _connector(link: Link) -> str:
    if link.least != 1:
        raise ValueError(f"no connector means at least {link.least} positions")
    if link == Link(1, 1):
        return "THEN"
    word = "NEAR" if link.either else "BEFORE"
    return word if link.most is None else f"{word}/{link.most}"


def _condition(condition: Condition) -> str:
    match condition:
        case Comparison(field, operator, value):
            return f"{field} {operator.value} {_value(value)}"
        case Between() | InList():
            return _listed(condition, "IN")
        case Missing(field):
            return f"{field} IS MISSING"
        case Computed(left, operator, right):
            return f"{_expression(left)} {operator.value} {_expression(right)}"
        case _:
            assert_never(condition)


def _listed(condition: Between | InList, word: str) -> str:
    if isinstance(condition, Between):
        return f"{condition.field} {word} {_number(condition.least)}..{_number(condition.most)}"
    return f"{condition.field} {word} ({', '.join(map(_value, condition.values))})"


def _expression(expression: Expression) -> str:
    match expression:
        case Number(value):
            return _number(value)
        case FieldValue(field):
            return field
        case Arithmetic(sign, left, right):
            own = _binding(expression)
            before = _grouped(left, _binding(left) < own)
            after = _grouped(right, _binding(right) <= own)
            return f"{before} {sign} {after}"
        case _:
            assert_never(expression)


def _grouped(expression: Expression, apart: bool) -> str:
    return f"({_expression(expression)})" if apart else _expression(expression)


def _binding(expression: Expression) -> int:
    """Return how tightly an expression holds together: sums, products, single values."""
    if not isinstance(expression, Arithmetic):
        return 3
    return 1 if expression.sign in "+-" else 2


def _value(value: int | float | str) -> str:
    return quoted(value) if isinstance(value, str) else _number(value)


def _number(value: int | float) -> str:
    if math.isnan(value):
        raise ValueError("no text means a number that is none")
    if math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return repr(value)


def _slashed(source: str) -> str:
    """Escape the slashes of a regular expression that are not escaped already."""
    if re.fullmatch(r"(?:[^\\]|\\.)+", source, re.DOTALL) is None:
        raise ValueError(f"no regular expression is empty or ends in a backslash: {source!r}")
    return re.sub(r"\\?.", _slashed_piece, source, flags=re.DOTALL)


def _slashed_piece(piece: re.Match[str]) -> str:
    return {"/": "\\/", "\n": "\\n", "\\\n": "\\n"}.get(piece[0], piece[0])
