"""Validates trees built in Python: a sound tree equals the tree that its text parses to.

A tree that is not is either no query, or a roundabout way to say one: its text, parsed, tells which.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from n2gdb.grammar.ast import (
    Absolute,
    AllOf,
    And,
    AnyToken,
    Arithmetic,
    Between,
    Comparison,
    Computed,
    ContainedIn,
    Contains,
    Count,
    Effect,
    FieldValue,
    FiringOn,
    Grouping,
    Influence,
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
    Operator,
    Or,
    Predictor,
    Query,
    RankBy,
    Role,
    Run,
    Showing,
    SimilarTo,
    Subject,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
    TokenPattern,
    TokenQuery,
    TokenSetQuery,
    Variable,
    Writing,
)
from n2gdb.grammar.checks import check
from n2gdb.grammar.fields import FIELDS, RETURNED, Kind
from n2gdb.grammar.values import LARGEST, MeaningError

__all__ = ["is_sound"]

_DEEPEST = 20  # arithmetic within each other


def is_sound(tree: Query | TokenQuery | TokenSetQuery) -> bool:
    """Return whether the text of a tree, parsed, is an equal tree."""
    try:
        check(tree)
    except (MeaningError, TypeError, AttributeError, KeyError):
        return False
    if type(tree) is TokenQuery:
        return (
            isinstance(tree.role, Role)
            and isinstance(tree.mode, Mode)
            and _is_neuron(tree.neuron)
            and _is_count(tree.limit)
            and _is_count(tree.offset)
        )
    return type(tree) is Query and all(_checks(tree))


def _checks(query: Query) -> Iterator[bool]:
    yield isinstance(query.subject, Subject) and isinstance(query.mode, Mode)
    yield query.owners is None or (
        query.subject is Subject.PATTERNS
        and isinstance(query.owners, Subject)
        and query.owners is not Subject.PATTERNS
    )
    yield query.model is None or _is_text(query.model)
    yield query.clauses is None or _is_formula(query.clauses, _CLAUSES)
    yield query.where is None or _is_formula(query.where, _CONDITIONS)
    yield type(query.order) is tuple and all(type(key) is Key and key.field in FIELDS for key in query.order)
    yield all(type(key.descending) is bool for key in query.order)
    yield len({key.field for key in query.order}) == len(query.order)
    yield _is_count(query.limit) and _is_count(query.offset)
    yield type(query.returns) is tuple and all(name in RETURNED for name in query.returns)
    yield len(set(query.returns)) == len(query.returns)
    if query.rank is not None:
        yield type(query.rank) is RankBy and isinstance(query.rank.metric, Metric)
        yield not query.order and query.subject is Subject.NEURONS and _is_neuron(query.rank.neuron)
    yield query.sample is None and query.seed == 0  # rarely asked for: their text tells
    if query.count is not None:
        yield type(query.count) is Count and isinstance(query.count.by, Grouping | None)
        yield query.count.groups == () and query.count.measure is None
        yield not query.order and query.rank is None and not query.returns


def _is_formula(formula: Any, leaves: dict[type, Any]) -> bool:
    """Return whether a formula is as the parser builds it, which never puts an AND right into an AND."""
    match formula:
        case And(operands) | Or(operands):
            return (
                type(operands) is tuple
                and len(operands) > 1
                and all(_is_formula(each, leaves) for each in operands)
            )
        case Not(operand):
            return _is_formula(operand, leaves)
        case _:
            return type(formula) in leaves and bool(leaves[type(formula)](formula))


def _is_count(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value <= LARGEST)


def _is_text(text: object) -> bool:
    """Return whether something is a text that can be encoded."""
    return type(text) is str and not any("\ud800" <= char <= "\udfff" for char in text)


def _is_neuron(neuron: object) -> bool:
    return (
        type(neuron) is NeuronRef
        and all(type(part) is int and 0 <= part < 10**18 for part in (neuron.layer, neuron.index))
        and (neuron.model is None or _is_text(neuron.model))
    )


def _is_number(value: object) -> bool:
    if type(value) is int:
        return abs(value) <= LARGEST
    return type(value) is float and math.isfinite(value) and "e" not in repr(value)


def _is_share(value: object) -> bool:
    return type(value) is float and 0 <= value <= 1 and _is_number(value)


def _is_pattern(pattern: object) -> bool:
    if type(pattern) is not TokenPattern or len(pattern.links) != len(pattern.steps) - 1:
        return False
    if type(pattern.steps) is not tuple or type(pattern.links) is not tuple:
        return False
    if not all(_is_step(step) for step in pattern.steps) or not all(map(_is_link, pattern.links)):
        return False
    beside = zip(pattern.links, pairwise(pattern.steps), strict=True)
    tests = all(not isinstance(each, AnyToken | Run) for link, pair in beside if link.either for each in pair)
    return tests and not any(left.either and right.either for left, right in pairwise(pattern.links))


def _is_link(link: object) -> bool:
    if type(link) is not Link or type(link.either) is not bool or type(link.least) is not int:
        return False
    if link.most is None:
        return 1 <= link.least <= LARGEST
    return type(link.most) is int and 1 <= link.least <= link.most <= LARGEST


def _is_step(step: object) -> bool:
    if type(step) is Variable:
        return re.fullmatch(r"[a-z_][a-z0-9_]*", step.name) is not None
    return type(step) in (AnyToken, Run) or _is_test(step)


def _is_test(test: object) -> bool:
    match test:
        case TokenLiteral(text, exact):
            return _is_text(text) and text != "" and type(exact) is bool
        case TokenExpression(source, ignore_case):
            # What is escaped in its text may come back in another spelling.
            plain = _is_text(source) and re.fullmatch(r"[^\\/\n\r]+", source) is not None
            return plain and type(ignore_case) is bool
        case TokenClass(kind):
            return isinstance(kind, TokenKind)
        case Negated(inner):
            return _is_test(inner)
        case OneOf(several) | AllOf(several):
            return type(several) is tuple and len(several) > 1 and all(map(_is_test, several))
        case _:
            return False


def _is_matching(clause: Matching) -> bool:
    """Whether a clause is sound; one that says what the neuron writes has rules that its text knows."""
    return clause.written == () and type(clause.only) is bool and _is_pattern(clause.pattern)


def _is_firing(clause: FiringOn) -> bool:
    at = clause.token is None or (type(clause.token) is int and abs(clause.token) <= LARGEST)
    return _is_text(clause.text) and clause.text != "" and at and isinstance(clause.by, Predictor)


def _is_influenced(clause: Influenced) -> bool:
    """Tell whether a clause is sound; its places are AT one, WITHIN so many, or any before the token."""
    near, far = clause.nearest, clause.farthest
    whole = type(near) is int and (far is None or (type(far) is int and near <= far <= LARGEST))
    place = whole and (near == 1 or (near >= 0 and near == far))
    return isinstance(clause.influence, Influence) and _is_test(clause.test) and place


def _is_similar(clause: SimilarTo) -> bool:
    above = clause.above is None or _is_share(clause.above)
    return isinstance(clause.metric, Metric) and _is_neuron(clause.neuron) and above and _is_size(clause)


def _is_contained(clause: ContainedIn | Contains) -> bool:
    return _is_neuron(clause.neuron) and _is_share(clause.above) and _is_size(clause)


def _is_size(clause: SimilarTo | ContainedIn | Contains) -> bool:
    return type(clause.sharing) is int and 1 <= clause.sharing <= LARGEST


_CLAUSES: dict[type, Any] = {
    Matching: _is_matching,
    Writing: lambda clause: isinstance(clause.effect, Effect) and _is_test(clause.test),
    Mentioning: lambda clause: _is_test(clause.test),
    Influenced: _is_influenced,
    FiringOn: _is_firing,
    Showing: lambda clause: _is_text(clause.text) and clause.text != "" and type(clause.exact) is bool,
    SimilarTo: _is_similar,
    ContainedIn: _is_contained,
    Contains: _is_contained,
}


def _is_value(field: str, value: object) -> bool:
    if FIELDS[field].kind is Kind.CHOICE:
        return value in FIELDS[field].choices
    return _is_number(value)


def _is_comparison(condition: Comparison) -> bool:
    is_word = FIELDS[condition.field].kind is Kind.CHOICE if condition.field in FIELDS else True
    signs = (Operator.EQUAL, Operator.UNEQUAL) if is_word else tuple(Operator)
    return (
        condition.field in FIELDS
        and condition.operator in signs
        and _is_value(condition.field, condition.value)
    )


def _is_between(condition: Between) -> bool:
    return (
        _is_numeric(condition.field)
        and _is_number(condition.least)
        and _is_number(condition.most)
        and condition.least <= condition.most
    )


def _is_list(condition: InList) -> bool:
    return (
        condition.field in FIELDS
        and type(condition.values) is tuple
        and len(condition.values) > 0
        and all(_is_value(condition.field, value) for value in condition.values)
    )


def _is_numeric(field: str) -> bool:
    return field in FIELDS and FIELDS[field].kind is not Kind.CHOICE


def _is_computed(condition: Computed) -> bool:
    sides = (condition.left, condition.right)
    if not isinstance(condition.operator, Operator) or not all(_is_expression(each) for each in sides):
        return False
    plain = {type(each) for each in sides}
    return plain != {Number, FieldValue} and plain != {Number}


def _is_expression(expression: object, deep: int = 0) -> bool:
    match expression:
        case Number(value):
            return _is_number(value) and value >= 0
        case FieldValue(field):
            return _is_numeric(field)
        case Arithmetic(sign, left, right):
            if sign not in ("+", "-", "*", "/", "%") or deep >= _DEEPEST:
                return False
            return _is_expression(left, deep + 1) and _is_expression(right, deep + 1)
        case Absolute(operand):
            return deep < _DEEPEST and not isinstance(operand, Number) and _is_expression(operand, deep + 1)
        case _:
            return False


_CONDITIONS: dict[type, Any] = {
    Comparison: _is_comparison,
    Between: _is_between,
    InList: _is_list,
    Missing: lambda condition: condition.field in FIELDS,
    Computed: _is_computed,
}
