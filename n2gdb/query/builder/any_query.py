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

    statement = query if isinstance(query, Query | TokenQuery) else _built(query)
    return validated(statement)


def _built(query: object) -> Statement:
    """Return the statement of a builder; raise QueryError for anything else."""
    from n2gdb.query.builder.queries import QueryBuilder
    from n2gdb.query.builder.token_queries import TokenQueryBuilder, TokenStageQuery

    if isinstance(query, QueryBuilder | TokenQueryBuilder | TokenStageQuery):
        return query.tree
    raise QueryError(f"a query is a text, a builder's or a tree, not {type(query).__name__}")
