"""Parsing: a query's text to its tree, or an error that points at the place."""

from __future__ import annotations

from n2gdb.errors import QuerySyntaxError
from n2gdb.grammar.ast import Statement
from n2gdb.grammar.errors import GrammarError
from n2gdb.grammar.parsing.parser import parse

__all__ = ["read_query"]


def read_query(text: str) -> Statement:
    """Read a statement; raise QuerySyntaxError, which shows where it fails and what was expected."""
    try:
        return parse(text)
    except GrammarError as error:
        raise QuerySyntaxError(
            error.message, text=error.text, line=error.line, column=error.column
        ) from error
