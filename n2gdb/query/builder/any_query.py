"""The statement behind any form of a query: text, tree or builder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from n2gdb.errors import ArgumentError, QuerySyntaxError
from n2gdb.query.parameters import filled_in
from n2gdb.query.parse import read_query, validated

if TYPE_CHECKING:
    from n2gdb.grammar.ast import Statement
    from n2gdb.query.builder.queries import QueryBuilder
    from n2gdb.query.builder.token_queries import TokenQueryBuilder, TokenStageQuery

    AnyQuery: TypeAlias = str | Statement | QueryBuilder | TokenQueryBuilder | TokenStageQuery

__all__ = ["read_any"]


def read_any(query: AnyQuery, parameters: Mapping[str, Any] | None = None) -> Statement:
    """Return the statement of any form of a query; one without a text is held to the rules of its text.

    ``parameters`` are the values that a text leaves open; raises ArgumentError where they are not those.
    """
    if isinstance(query, str):
        if parameters is not None:
            return read_query(filled_in(query, parameters))
        try:
            return read_query(query)
        except QuerySyntaxError as error:
            lines = query.split("\n")
            if error.line and lines[error.line - 1][(error.column or 1) - 1 :].startswith(":"):
                filled_in(query, {})  # says which value is missing
            raise
    if parameters:
        raise ArgumentError(
            "parameters belong to a query given as text: give a builder the values themselves"
        )
    from n2gdb.grammar.ast import Query, TokenQuery, TokenSetQuery

    statement = query if isinstance(query, Query | TokenQuery | TokenSetQuery) else _built(query)
    return validated(statement)


def _built(query: object) -> Statement:
    """Return the statement of a builder; raise ArgumentError for anything else."""
    from n2gdb.query.builder.queries import QueryBuilder
    from n2gdb.query.builder.token_queries import TokenQueryBuilder, TokenStageQuery

    if isinstance(query, QueryBuilder | TokenQueryBuilder | TokenStageQuery):
        return query.tree
    raise ArgumentError(f"a query must be text, a builder or a syntax tree, not {type(query).__name__}")
