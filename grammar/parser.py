"""Text in, tree out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from lark import Lark
from lark.exceptions import UnexpectedInput

from n2gdb.grammar.ast import And, Between, Comparison, Condition, Formula, Matching, Not, Or, Position, Query
from n2gdb.grammar.build import Builder, MeaningError
from n2gdb.grammar.errors import GrammarError
from n2gdb.grammar.fields import FIELDS
from n2gdb.grammar.syntax_help import explain

__all__ = ["parse"]

_DEEPEST = 50
_OF_MATCH = "is a field of a match: it needs"


def parse(text: str) -> Query:
    """Read one query; raise GrammarError, which says where it fails and what was expected there."""
    try:
        query = cast(Query, _lark().parse(text))
        for formula in (query.clauses, query.where):
            _check_nesting(formula)
        _check_match_fields(query)
    except UnexpectedInput as error:
        raise explain(error, text) from None
    except MeaningError as fault:
        raise GrammarError(fault.message, text=text, line=fault.at.line, column=fault.at.column) from None
    return query


@cache
def _lark() -> Lark:
    grammar = Path(__file__).with_name("query.lark").read_text("utf-8")
    return Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        transformer=Builder(),
        maybe_placeholders=True,
        cache=_cache_file() or False,
    )


def _cache_file() -> str | None:
    """Return where Lark keeps its tables, a tenth of a query's time to make; None if there is no place."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "n2gdb"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a home that cannot be written, or none at all
        return None
    return str(folder / "query.tables")


def _check_nesting(formula: Formula[Matching] | Formula[Condition] | None) -> None:
    """Refuse what would overrun the stack of all that walks the tree."""
    level = [formula]
    for _ in range(_DEEPEST):
        level = [operand for each in level for operand in _operands(each)]
        if not level:
            return
    raise MeaningError(f"NOT, AND and OR lie more than {_DEEPEST} deep in each other", Position(1, 1))


def _operands(formula: Formula[Matching] | Formula[Condition] | None) -> Sequence[Formula[Any]]:
    match formula:
        case And(operands) | Or(operands):
            return operands
        case Not(operand):
            return (operand,)
        case _:
            return ()


def _check_match_fields(query: Query) -> None:
    """Refuse activation and importance where there is no match that they could be of."""
    if query.clauses is None:
        for condition in _conditions(query.where):
            if FIELDS[condition.field].of_match:
                raise MeaningError(f"{condition.field} {_OF_MATCH} a MATCHING clause", condition.at)
    if query.clauses is None or not _has_positive(query.clauses):
        for key in query.order:
            if FIELDS[key.field].of_match:
                raise MeaningError(f"{key.field} {_OF_MATCH} a MATCHING clause that is not negated", key.at)


def _conditions(where: Formula[Condition] | None) -> Iterator[Condition]:
    match where:
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _conditions(operand)
        case Not(operand):
            yield from _conditions(operand)
        case Comparison() | Between():
            yield where
        case None:
            return


def _has_positive(clauses: Formula[Matching], positive: bool = True) -> bool:
    match clauses:
        case And(operands) | Or(operands):
            return any(_has_positive(operand, positive) for operand in operands)
        case Not(operand):
            return _has_positive(operand, not positive)
        case _:
            return positive
