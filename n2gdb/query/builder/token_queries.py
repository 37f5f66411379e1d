"""Queries for the tokens of one neuron, without strings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self, cast

from n2gdb.core import arguments
from n2gdb.core.units import NeuronName
from n2gdb.grammar.ast import Mode, Role, TokenQuery
from n2gdb.grammar.unparse import written
from n2gdb.query.builder.clauses import neuron_ref
from n2gdb.query.parse import validated

__all__ = ["TokenQueryBuilder", "TokenStageQuery", "tokens_activating", "tokens_in_context_of"]

_LARGEST = 2**63 - 1


def tokens_activating(neuron: str | NeuronName, *, model: str | None = None) -> TokenQueryBuilder:
    """Return the query for the tokens that a neuron fires on, strongest first.

    >>> [hit.token for hit in db.query(tokens_activating("L4N12"))]
    [' other', ' end']
    """
    return TokenQueryBuilder(TokenQuery(Role.ACTIVATING, neuron_ref(neuron, model)))


def tokens_in_context_of(neuron: str | NeuronName, *, model: str | None = None) -> TokenQueryBuilder:
    """Return the query for the tokens that a neuron's patterns name as context, strongest first.

    >>> [(hit.token, hit.n_patterns) for hit in db.query(tokens_in_context_of("L4N358"))]
    [(' the', 1), (' an', 1), (' on', 1)]
    """
    return TokenQueryBuilder(TokenQuery(Role.CONTEXT, neuron_ref(neuron, model)))


@dataclass(frozen=True, slots=True, repr=False)
class _TokenStatement:
    """What queries for the tokens of a neuron have in common; every method returns another query."""

    tree: TokenQuery

    @property
    def query(self) -> TokenQuery:
        """The statement; raises QuerySyntaxError if the text of it would not parse."""
        return cast(TokenQuery, validated(self.tree))

    def limit(self, count: int) -> Self:
        """Return no more than ``count`` tokens."""
        return replace(self, tree=replace(self.tree, limit=arguments.whole("limit", count, -_LARGEST)))

    def offset(self, count: int) -> Self:
        """Leave out the first ``count`` tokens."""
        return replace(self, tree=replace(self.tree, offset=arguments.whole("offset", count, -_LARGEST)))

    def explain(self) -> TokenStageQuery:
        """Show how the query would be answered."""
        return TokenStageQuery(replace(self.tree, mode=Mode.EXPLAIN))

    def profile(self) -> TokenStageQuery:
        """Answer the query and show how long each step took."""
        return TokenStageQuery(replace(self.tree, mode=Mode.PROFILE))

    def __str__(self) -> str:
        return written(self.tree)

    def __repr__(self) -> str:
        return f"<TokenQueryBuilder {self}>"


class TokenQueryBuilder(_TokenStatement):
    """A query for the tokens of one neuron; every method returns another query.

    >>> tokens_activating("L4N358").limit(5).explain()
    <TokenQueryBuilder EXPLAIN tokens ACTIVATING L4N358 LIMIT 5>
    """

    __slots__ = ()


class TokenStageQuery(_TokenStatement):
    """A query whose answer is the steps by which a query for tokens would be answered, or was.

    >>> db.query(tokens_activating("L4N12").explain())["step"]
    ['read the tokens', 'read where patterns end']
    """

    __slots__ = ()
