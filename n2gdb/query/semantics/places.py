"""Places of errors: attached by the code that knows the query's text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from n2gdb.errors import QueryError, QueryTimeoutError
from n2gdb.grammar.patterns import Position

__all__ = ["placed", "shown_in"]


@contextmanager
def placed(at: Position) -> Iterator[None]:
    """Give a QueryError that is raised inside a place in its query, unless it has one already."""
    try:
        yield
    except QueryError as error:
        if not error.line and not isinstance(error, QueryTimeoutError):
            error.line, error.column = at.line, at.column
        raise


@contextmanager
def shown_in(text: str) -> Iterator[None]:
    """Give a placed QueryError that is raised inside the text of its query, so that it shows a caret."""
    try:
        yield
    except QueryError as error:
        error.text = error.text or text
        raise
