"""A built tree, held to all the rules of text: what it is written as is read again."""

from __future__ import annotations

from typing import TypeVar, cast

from n2gdb.errors import QuerySyntaxError
from n2gdb.grammar.ast import Query, Statement, TokenQuery
from n2gdb.grammar.unparse import written

__all__ = ["read_back"]

StatementT = TypeVar("StatementT", Query, TokenQuery)


def read_back(tree: StatementT) -> StatementT:
    """Return what the text of a tree parses to: an equal tree, held to all the rules of text."""
    from n2gdb.query.parse import read_query

    try:
        text = written(tree)
    except ValueError as error:
        raise QuerySyntaxError(str(error)) from error
    return cast(StatementT, _same_kind(read_query(text), tree))


def _same_kind(statement: Statement, tree: Statement) -> Statement:
    assert type(statement) is type(tree), statement
    return statement
