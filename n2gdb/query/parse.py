"""Parses a query's text, with errors that show the place; validates trees built in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from n2gdb.core.deadline import check_time
from n2gdb.errors import QueryError, QuerySyntaxError, QueryTimeoutError
from n2gdb.grammar.ast import Statement
from n2gdb.grammar.errors import GrammarError
from n2gdb.grammar.soundness import is_sound

__all__ = ["asked", "read_query", "read_tree", "validated"]

Result = TypeVar("Result")


def read_query(text: str) -> Statement:
    """Read a statement; raise QuerySyntaxError, which shows where it fails and what was expected."""
    from n2gdb.grammar.parsing.parser import parse  # it loads lark, which a sound tree needs not

    try:
        return parse(text)
    except GrammarError as error:
        raise QuerySyntaxError(
            error.message, text=error.text, line=error.line, column=error.column
        ) from error


def validated(tree: Statement) -> Statement:
    """Return a tree that was built or changed, if its text would parse; raise what its text would raise."""
    return tree if is_sound(tree) else read_tree(tree)


def read_tree(tree: Statement) -> Statement:
    """Return what the text of a tree parses to: an equal tree that knows where each part stands."""
    from n2gdb.grammar.unparse import written  # only trees without a text need it

    try:
        text = written(tree)
    except ValueError as error:
        raise QuerySyntaxError(str(error)) from error
    return read_query(text)


def asked(statement: Statement, ask: Callable[[Statement], Result]) -> Result:
    """Ask a statement; where it is refused and has no text, ask its text, which shows the place.

    An answer that comes after the deadline is none: raises QueryTimeoutError.
    """
    try:
        found = ask(statement)
    except QueryError as error:
        if statement.source or isinstance(error, QueryTimeoutError):
            raise
        found = ask(read_tree(statement))
    check_time()
    return found
