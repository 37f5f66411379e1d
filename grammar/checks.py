"""Checks of whole statements: nesting depth, and which fields need a match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from n2gdb.grammar.ast import (
    And,
    Clause,
    Condition,
    Formula,
    Influenced,
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
    Writing,
)
from n2gdb.grammar.conditions import fields_in
from n2gdb.grammar.fields import FIELDS
from n2gdb.grammar.values import fail

__all__ = ["check"]

_DEEPEST = 50
_OF_MATCH = "is a field of a match: it needs"


def check(statement: Statement) -> None:
    """Raise MeaningError for a statement whose parts parse but do not go together."""
    if isinstance(statement, Query):
        _check_nesting(statement.clauses)
        _check_nesting(statement.where)
        _check_match_fields(statement)


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
        case And(parts) | Or(parts) | OneOf(parts) | TokenPattern(parts):
            return parts
        case Not(part) | Matching(part) | Mentioning(part) | Negated(part):
            return (part,)
        case Writing(_, part) | Influenced(_, part):
            return (part,)
        case _:
            return ()


def _check_match_fields(query: Query) -> None:
    """Refuse fields of a match if there is no match that could have them."""
    if query.subject is Subject.PATTERNS and not query.of_neurons:
        return
    signs = set(_signs_of_matches(query.clauses))
    if not signs:
        for condition in _conditions(query.where):
            for name in fields_in(condition):
                if FIELDS[name].of_match:
                    fail(f"{name} {_OF_MATCH} a MATCHING clause", condition.at)
    if True not in signs and query.subject is Subject.NEURONS:
        for key in query.order:
            if FIELDS[key.field].of_match:
                fail(f"{key.field} {_OF_MATCH} a MATCHING clause that is not negated", key.at)


def _conditions(where: Formula[Condition] | None) -> Iterator[Condition]:
    match where:
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _conditions(operand)
        case Not(operand):
            yield from _conditions(operand)
        case None:
            return
        case _:
            yield where


def _signs_of_matches(clauses: Formula[Clause] | None, positive: bool = True) -> Iterator[bool]:
    """Yield, for each clause that has matches, whether it stands under an even number of NOTs."""
    match clauses:
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _signs_of_matches(operand, positive)
        case Not(operand):
            yield from _signs_of_matches(operand, not positive)
        case None:
            return
        case clause:
            if clause.has_matches:
                yield positive
