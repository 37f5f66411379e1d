"""The statement behind any form of a query: text, tree or builder."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from n2gdb.errors import QueryError
from n2gdb.query.parse import read_query, validated

if TYPE_CHECKING:
    from n2gdb.grammar.ast import Statement
    from n2gdb.query.builder.queries import QueryBuilder
    from n2gdb.query.builder.token_queries import TokenQueryBuilder, TokenStageQuery

    AnyQuery: TypeAlias = str | Statement | QueryBuilder | TokenQueryBuilder | TokenStageQuery

__all__ = ["read_any"]


def read_any(query: AnyQuery) -> Statement:
    """Return the statement of any form of a query; one without a text is held to the rules of its text."""
    if isinstance(query, str):
        return read_query(query)
    from n2gdb.grammar.ast import Query, TokenQuery
    from n2gdb.query.builder.queries import QueryBuilder
    from n2gdb.query.builder.token_queries import TokenQueryBuilder, TokenStageQuery

    built = QueryBuilder | TokenQueryBuilder | TokenStageQuery
    statement = query.tree if isinstance(query, built) else query
    if not isinstance(statement, Query | TokenQuery):
        raise QueryError(f"a query is a text, a builder's or a tree, not {type(query).__name__}")
    return validated(statement)
