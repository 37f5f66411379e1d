"""Checks of whole statements: nesting depth, and which fields need a match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from n2gdb.grammar.ast import (
    AllOf,
    And,
    Clause,
    Condition,
    Effect,
    Formula,
    Influenced,
    Listed,
    Matching,
    Mentioning,
    Negated,
    Not,
    OneOf,
    Or,
    Position,
    Query,
    Statement,
    Subject,
    TokenPattern,
    TokenSetQuery,
    Writing,
    signed,
)
from n2gdb.grammar.conditions import fields_in
from n2gdb.grammar.fields import FIELDS, WRITTEN
from n2gdb.grammar.values import fail

__all__ = ["check"]

_DEEPEST = 50
#: Fields of all that a clause matches in a neuron.
_OF_UNIT = ("matches", "share")
_ROWS = "counts the patterns of a neuron, and here a row is one pattern: ask for neurons"
_OF_MATCH = "is a field of a match: it needs"


def check(statement: Statement) -> None:
    """Raise MeaningError for a statement whose parts parse but do not go together."""
    if isinstance(statement, Query):
        _check_nesting(statement.clauses)
        _check_nesting(statement.where)
        _check_match_fields(statement)
        _check_written_fields(statement)
        _check_listed(statement.clauses)
    if isinstance(statement, TokenSetQuery):
        for term in statement.terms:
            check(term.units)


def _check_listed(clauses: Formula[Clause] | None, *, first: bool = True) -> None:
    """Refuse a list of units anywhere but at the start, where alone it has a text."""
    match clauses:
        case And(operands) | Or(operands):
            for place, each in enumerate(operands):
                _check_listed(each, first=first and not place and isinstance(clauses, And))
        case Not(operand):
            _check_listed(operand, first=False)
        case Listed(at=at) if not first:
            fail("a list of units stands right after what is asked for, as in neurons IN (L3N45, L4N12)", at)


def _check_nesting(formula: object) -> None:
    """Refuse what would overrun the stack of all that walks the tree."""
    level = [formula]
    for _ in range(_DEEPEST):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return
    fail(f"NOT, AND, OR and alternatives lie more than {_DEEPEST} deep in each other", Position(1, 1))


def _parts(node: object) -> Sequence[object]:
    match node:
        case And(parts) | Or(parts) | OneOf(parts) | AllOf(parts) | TokenPattern(parts):
            return parts
        case Not(part) | Matching(part) | Mentioning(part) | Negated(part):
            return (part,)
        case Writing(_, part) | Influenced(_, part):
            return (part,)
        case _:
            return ()


def _check_match_fields(query: Query) -> None:
    """Refuse fields of a match if there is no match that could have them."""
    if query.subject is Subject.PATTERNS:
        for name, at in _shown_fields(query):
            if name in _OF_UNIT:
                fail(f"{name} {_ROWS}", at)
    if query.subject is Subject.PATTERNS and query.owners is None:
        for condition in _conditions(query.where):
            for name in fields_in(condition):
                if name in _OF_UNIT:
                    fail(f"{name} {_ROWS}", condition.at)
        return
    clauses: Iterator[tuple[Clause, bool]] = signed(query.clauses)
    signs = {positive for clause, positive in clauses if clause.has_matches}
    if not signs:
        for condition in _conditions(query.where):
            for name in fields_in(condition):
                if FIELDS[name].of_match:
                    fail(f"{name} {_OF_MATCH} a MATCHING clause", condition.at)
    if True not in signs and query.subject is not Subject.PATTERNS:
        for name, at in _shown_fields(query):
            if name in FIELDS and FIELDS[name].of_match:
                fail(f"{name} {_OF_MATCH} a MATCHING clause that is not negated", at)


def _shown_fields(query: Query) -> Iterator[tuple[str, Position]]:
    """Yield what rows are ordered by, parted by, and measured by."""
    yield from ((key.field, key.at) for key in query.order)
    if query.count is not None:
        yield from ((group.name, group.at) for group in query.count.groups)
        if query.count.measure is not None:
            yield query.count.measure.field, query.count.measure.at


def _check_written_fields(query: Query) -> None:
    """Refuse the logits of what is written where no clause that is not negated names such tokens."""
    asked = [(name, condition.at) for condition in _conditions(query.where) for name in fields_in(condition)]
    asked += _shown_fields(query)
    if wrong := [each for each in asked if each[0] in WRITTEN]:
        known = {effect.field for effect in _effects(query.clauses)}
        for name, at in wrong:
            if name not in known:
                effect = next(effect.value for effect in Effect if effect.field == name)
                fail(
                    f"{name} is the logit of a token that {effect} names: it needs {effect}, "
                    f"as in {effect} 'the' WHERE {name} {'>' if name == WRITTEN[0] else '<'} 0",
                    at,
                )


def _effects(clauses: Formula[Clause] | None) -> Iterator[Effect]:
    """Yield what the clauses that are not negated ask about what is written."""
    for clause, positive in signed(clauses):
        if positive and isinstance(clause, Writing):
            yield clause.effect
        elif positive and isinstance(clause, Matching):
            yield from (each.effect for each in clause.written)


def _conditions(where: Formula[Condition] | None) -> Iterator[Condition]:
    every: Iterator[tuple[Condition, bool]] = signed(where)
    return (condition for condition, _ in every)
