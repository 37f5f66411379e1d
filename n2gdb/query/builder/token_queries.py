"""Queries for the tokens of neurons, built in Python."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self, overload

from n2gdb.core import arguments
from n2gdb.core.arguments import shown
from n2gdb.core.neuron_view import AnyUnit
from n2gdb.errors import ArgumentError
from n2gdb.grammar.ast import Listed, Mode, Query, Role, Subject, TokenQuery, TokenSetQuery, TokenTerm
from n2gdb.grammar.unparse import written
from n2gdb.query.builder.clauses import neuron_ref
from n2gdb.query.builder.comparisons import Comparing
from n2gdb.query.parse import validated

__all__ = [
    "TokenQueryBuilder",
    "TokenSetBuilder",
    "TokenStageQuery",
    "tokens_activating",
    "tokens_in_context_of",
]


@overload
def tokens_activating(units: Comparing) -> TokenSetBuilder: ...
@overload
def tokens_activating(units: AnyUnit, *, model: str | None = None) -> TokenQueryBuilder: ...
def tokens_activating(
    units: AnyUnit | Comparing, *, model: str | None = None
) -> TokenQueryBuilder | TokenSetBuilder:
    """Return the query for the tokens that a neuron fires on, strongest first, or any of those of a query.

    >>> [hit.token for hit in db.query(tokens_activating("L4N12"))]
    [' other', ' end']
    >>> both = tokens_activating(neurons().where(layer=4)) & tokens_activating(neurons().where(layer=3))
    >>> [hit.token for hit in db.query(both)]
    [' end']
    """
    return _asked(Role.ACTIVATING, units, model)


@overload
def tokens_in_context_of(units: Comparing) -> TokenSetBuilder: ...
@overload
def tokens_in_context_of(units: AnyUnit, *, model: str | None = None) -> TokenQueryBuilder: ...
def tokens_in_context_of(
    units: AnyUnit | Comparing, *, model: str | None = None
) -> TokenQueryBuilder | TokenSetBuilder:
    """Return the query for the tokens that a neuron's patterns name as context, or those of a query's units.

    >>> [(hit.token, hit.n_patterns) for hit in db.query(tokens_in_context_of("L4N358"))]
    [(' the', 1), (' an', 1), (' on', 1)]
    """
    return _asked(Role.CONTEXT, units, model)


def _asked(role: Role, units: AnyUnit | Comparing, model: str | None) -> TokenQueryBuilder | TokenSetBuilder:
    if not isinstance(units, Comparing):
        return TokenQueryBuilder(TokenQuery(role, neuron_ref(units, model)))
    tree = units.tree
    if tree.subject is Subject.PATTERNS or tree.count is not None:
        raise ArgumentError(f"tokens are asked of a neuron or of a query for neurons, not of {shown(units)}")
    if model is not None:
        raise ArgumentError("a query for neurons names its model itself: neurons().in_model(...)")
    return TokenSetBuilder(TokenSetQuery((TokenTerm(role, tree),)))


@dataclass(frozen=True, slots=True, repr=False)
class _TokenStatement:
    """What queries for tokens have in common; every method returns another query."""

    tree: TokenQuery | TokenSetQuery

    @property
    def query(self) -> TokenQuery | TokenSetQuery:
        """The statement; raises QuerySyntaxError if the text of it would not parse.

        >>> str(tokens_activating("L4N12").query.neuron)
        'L4N12'
        """
        found = validated(self.tree)
        assert isinstance(found, TokenQuery | TokenSetQuery)
        return found

    def limit(self, count: int) -> Self:
        """Return no more than ``count`` tokens.

        >>> [hit.token for hit in db.query(tokens_activating("L4N12").limit(1))]
        [' other']
        """
        return replace(
            self, tree=replace(self.tree, limit=arguments.whole("limit", count, -arguments.LARGEST))
        )

    def offset(self, count: int) -> Self:
        """Skip the first ``count`` tokens.

        >>> [hit.token for hit in db.query(tokens_activating("L4N12").offset(1))]
        [' end']
        """
        return replace(
            self, tree=replace(self.tree, offset=arguments.whole("offset", count, -arguments.LARGEST))
        )

    def explain(self) -> TokenStageQuery:
        """Show the plan of the query, without running it.

        >>> db.query(tokens_activating("L4N12").explain())["step"]
        ['read the tokens', 'read where patterns end']
        """
        return TokenStageQuery(replace(self.tree, mode=Mode.EXPLAIN))

    def profile(self) -> TokenStageQuery:
        """Run the query and show the rows and time of each step.

        >>> len(db.query(tokens_activating("L4N12").profile()))
        2
        """
        return TokenStageQuery(replace(self.tree, mode=Mode.PROFILE))

    def __and__(self, other: _TokenStatement) -> TokenSetBuilder:
        """Keep the tokens that another query finds too, or with ``~`` before it, that it does not."""
        if not isinstance(other, _TokenStatement):
            return NotImplemented
        for tree in (self.tree, other.tree):
            if tree.limit is not None or tree.offset is not None or tree.mode is not Mode.ANSWER:
                raise ArgumentError("limit, offset, explain and profile are for the whole query: join first")
        return TokenSetBuilder(TokenSetQuery((*self._terms, *other._terms)))

    def __invert__(self) -> TokenSetBuilder:
        """Return what leaves these tokens out, to be joined to another query by ``&``."""
        if len(self._terms) > 1:
            raise ArgumentError("~ leaves the tokens of one neuron or of one query out: write ~ before each")
        (term,) = self._terms
        return TokenSetBuilder(TokenSetQuery((replace(term, negated=not term.negated),)))

    @property
    def _terms(self) -> tuple[TokenTerm, ...]:
        tree = self.tree
        if isinstance(tree, TokenSetQuery):
            return tree.terms
        return (TokenTerm(tree.role, Query(Listed((tree.neuron,)), subject=Subject.UNITS)),)

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


class TokenSetBuilder(TokenQueryBuilder):
    """A query for the tokens that units of some queries have in common, or that some have and others not.

    >>> tokens_activating("L4N358") & ~tokens_in_context_of(neurons().where(layer=3))
    <TokenQueryBuilder tokens ACTIVATING L4N358 AND NOT IN CONTEXT OF neurons WHERE layer = 3>
    """

    __slots__ = ()


class TokenStageQuery(_TokenStatement):
    """A query whose answer is the steps by which a query for tokens would be answered, or was.

    >>> db.query(tokens_activating("L4N12").explain())["step"]
    ['read the tokens', 'read where patterns end']
    """

    __slots__ = ()
