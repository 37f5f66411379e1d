"""Queries without strings.

``neurons().matching(tok("the").before(...)).where(layer=range(0, 3), f1__ge=0.6).order_by("-f1").limit(20)``
is the query *neurons MATCHING 'the' BEFORE ... WHERE layer IN 0..2 AND f1 >= 0.6 ORDER BY f1 DESC LIMIT 20*:
the same tree, which ``query`` returns and ``str()`` writes. A builder never changes: each method returns
another. Names are checked where they are given, all else when the tree is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar, cast

from n2gdb.core import arguments
from n2gdb.core.units import NeuronName
from n2gdb.errors import ArgumentError, QuerySyntaxError
from n2gdb.grammar.ast import (
    Clause,
    Condition,
    Count,
    Grouping,
    Key,
    Mode,
    Query,
    RankBy,
    Role,
    Statement,
    Subject,
    TokenQuery,
)
from n2gdb.grammar.fields import RETURNED
from n2gdb.grammar.unparse import written
from n2gdb.query.builder.clauses import (
    LIKE_ENOUGH,
    activating_on,
    firing_on,
    known,
    matching,
    mentioning,
    metric_named,
    neuron_ref,
    similar_to,
    subset_of,
    superset_of,
)
from n2gdb.query.builder.conditions import Term, Truth, conditions_of, conjoined, field, field_name
from n2gdb.query.builder.patterns import (
    DIGIT,
    PUNCT,
    SPACE,
    TITLE,
    UPPER,
    WORD,
    Steps,
    Stepwise,
    TokenStep,
    any_token,
    kind,
    one_of,
    regex,
    tok,
    var,
)

__all__ = [
    "DIGIT",
    "PUNCT",
    "SPACE",
    "TITLE",
    "UPPER",
    "WORD",
    "QueryBuilder",
    "Steps",
    "Term",
    "TokenQueryBuilder",
    "TokenStep",
    "Truth",
    "activating_on",
    "any_token",
    "field",
    "firing_on",
    "kind",
    "matching",
    "mentioning",
    "neurons",
    "one_of",
    "patterns",
    "patterns_of",
    "regex",
    "similar_to",
    "subset_of",
    "superset_of",
    "tok",
    "tokens_activating",
    "tokens_in_context_of",
    "var",
]

_LARGEST = 2**63 - 1

StatementT = TypeVar("StatementT", Query, TokenQuery)


def neurons(*clauses: Truth[Clause]) -> QueryBuilder:
    """Return the query for neurons that meet all of ``clauses``; for all neurons where there are none.

    >>> query = neurons(matching(tok("the").before("other")))
    >>> query
    <QueryBuilder neurons MATCHING 'the' BEFORE 'other'>
    >>> [str(hit.neuron) for hit in db.query(query)]
    ['L4N358', 'L4N12', 'L4N137']
    """
    return QueryBuilder(Query()).having(*clauses)


def patterns(*clauses: Truth[Clause]) -> QueryBuilder:
    """Return the query for the patterns, one a row, that meet all of ``clauses`` themselves.

    >>> db.query(patterns(matching(tok("the").before("end"))).order_by("-activation").limit(1))[0].path
    '·the · ·end'
    """
    return QueryBuilder(Query(subject=Subject.PATTERNS)).having(*clauses)


def patterns_of(found: QueryBuilder) -> QueryBuilder:
    """Return the query for every pattern of the neurons that another query finds.

    >>> len(db.query(patterns_of(neurons().activating_on("end"))))
    4
    """
    if not isinstance(found, QueryBuilder):
        raise ArgumentError(f"patterns_of takes a query for neurons, as neurons() returns, not {found!r}")
    return QueryBuilder(replace(found.tree, subject=Subject.PATTERNS, of_neurons=True))


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
class QueryBuilder:
    """A query for neurons or patterns; every method returns another query.

    >>> query = neurons().matching("end").where(layer=range(3, 5), n_nodes__ge=2)
    >>> print(query.limit(5))
    neurons MATCHING 'end' WHERE layer IN 3..4 AND n_nodes >= 2 LIMIT 5
    >>> print(query)
    neurons MATCHING 'end' WHERE layer IN 3..4 AND n_nodes >= 2
    """

    tree: Query

    @property
    def query(self) -> Query:
        """The statement; raises QuerySyntaxError where the text of it would not parse."""
        return _read_back(self.tree)

    def in_model(self, name: str) -> QueryBuilder:
        """Leave the neurons of one model only."""
        return self._with(model=arguments.text("model", name))

    def having(self, *clauses: Truth[Clause]) -> QueryBuilder:
        """Ask for all of ``clauses`` as well, each joined by ``&``, ``|`` and ``~`` as may be."""
        if not clauses:
            return self
        _check_truths("a clause is what matching() and its like return", clauses)
        given = () if self.tree.clauses is None else (self.tree.clauses,)
        return self._with(clauses=conjoined(*given, *(clause.formula for clause in clauses)))

    def matching(self, pattern: Stepwise) -> QueryBuilder:
        """Ask for a pattern that matches; another call may hold on another path of the neuron."""
        return self.having(matching(pattern))

    def mentioning(self, token: str | TokenStep) -> QueryBuilder:
        """Ask for a pattern that names the token, activating or as context."""
        return self.having(mentioning(token))

    def activating_on(self, token: str | TokenStep) -> QueryBuilder:
        """Ask for a pattern that fires on the token."""
        return self.having(activating_on(token))

    def firing_on(self, text: str, *, at: int | None = None) -> QueryBuilder:
        """Ask for a predicted firing on ``text``: at the token ``at`` (negative from the end), or at any."""
        return self.having(firing_on(text, at=at))

    def similar_to(
        self,
        neuron: str | NeuronName,
        *,
        metric: str = "graph",
        above: float = LIKE_ENOUGH,
        model: str | None = None,
    ) -> QueryBuilder:
        """Ask for a similarity of ``above`` or more; ``metric`` is graph, tokens or subset."""
        return self.having(similar_to(neuron, metric=metric, above=above, model=model))

    def subset_of(
        self, neuron: str | NeuronName, *, above: float = LIKE_ENOUGH, model: str | None = None
    ) -> QueryBuilder:
        """Ask for neurons of whose tokens a share of ``above`` or more are the other's too."""
        return self.having(subset_of(neuron, above=above, model=model))

    def superset_of(
        self, neuron: str | NeuronName, *, above: float = LIKE_ENOUGH, model: str | None = None
    ) -> QueryBuilder:
        """Ask for neurons that have a share of ``above`` or more of the other's tokens."""
        return self.having(superset_of(neuron, above=above, model=model))

    def where(self, *conditions: Truth[Condition], **fields: object) -> QueryBuilder:
        """Ask for conditions on fields, all of them.

        A keyword is a field's name: ``layer=3``, ``layer=[0, 2]``, ``layer=range(0, 3)`` (0 to 2: a range
        leaves its end out, as in Python), ``state="live"``; or a name and a comparison behind two
        underscores: ``f1__ge=0.6`` (eq, ne, lt, le, gt, ge), ``layer__in``, ``layer__not_in``,
        ``f1__between=(0.2, 0.5)`` (both included), ``f1__missing=True``. What keywords
        cannot say, ``field`` can:
        ``where((field("f1") > 0.6) | (field("precision") > 2 * field("recall")))``.
        Raises UnknownNameError for a field or a comparison that does not exist.
        """
        _check_truths("a condition is a keyword, as f1__ge=0.6, or a comparison of field()", conditions)
        given = () if self.tree.where is None else (self.tree.where,)
        more = (*(condition.formula for condition in conditions), *conditions_of(fields))
        return self._with(where=conjoined(*given, *more)) if more else self

    def order_by(self, *keys: str) -> QueryBuilder:
        """Order by fields, the first one first; a minus before a name turns it round: ``"-f1"``."""
        return self._with(order=tuple(map(_key, keys)))

    def rank_by_similarity(
        self, neuron: str | NeuronName, *, metric: str = "graph", model: str | None = None
    ) -> QueryBuilder:
        """Order by similarity to a neuron, the most similar first."""
        return self._with(rank=RankBy(neuron_ref(neuron, model), metric_named(metric)))

    def limit(self, count: int) -> QueryBuilder:
        """Return no more than ``count`` rows."""
        return self._with(limit=arguments.whole("limit", count, -_LARGEST))

    def offset(self, count: int) -> QueryBuilder:
        """Leave out the first ``count`` rows."""
        return self._with(offset=arguments.whole("offset", count, -_LARGEST))

    def returning(self, *names: str) -> QueryBuilder:
        """Return these columns: neuron, model, path, activation, importance, similarity, size, any field."""
        return self._with(returns=tuple(known(name, RETURNED, "column") for name in names))

    def count(self, *, by: str | None = None) -> QueryBuilder:
        """Return how many there are: in all, or by layer, model, state, activating or context token."""
        groups = tuple(grouping.value for grouping in Grouping)
        grouping = None if by is None else Grouping(known(by, groups, "group"))
        return self._with(count=Count(grouping))

    def explain(self) -> QueryBuilder:
        """Show how the query would be answered."""
        return self._with(mode=Mode.EXPLAIN)

    def profile(self) -> QueryBuilder:
        """Answer the query and show how long each step took."""
        return self._with(mode=Mode.PROFILE)

    def _with(self, **changes: object) -> QueryBuilder:
        return QueryBuilder(replace(self.tree, **changes))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return written(self.tree)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


@dataclass(frozen=True, slots=True, repr=False)
class TokenQueryBuilder:
    """A query for the tokens of one neuron; every method returns another query.

    >>> tokens_activating("L4N358").limit(5).explain()
    <TokenQueryBuilder EXPLAIN tokens ACTIVATING L4N358 LIMIT 5>
    """

    tree: TokenQuery

    @property
    def query(self) -> TokenQuery:
        """The statement; raises QuerySyntaxError where the text of it would not parse."""
        return _read_back(self.tree)

    def limit(self, count: int) -> TokenQueryBuilder:
        """Return no more than ``count`` tokens."""
        return TokenQueryBuilder(replace(self.tree, limit=arguments.whole("limit", count, -_LARGEST)))

    def offset(self, count: int) -> TokenQueryBuilder:
        """Leave out the first ``count`` tokens."""
        return TokenQueryBuilder(replace(self.tree, offset=arguments.whole("offset", count, -_LARGEST)))

    def explain(self) -> TokenQueryBuilder:
        """Show how the query would be answered."""
        return TokenQueryBuilder(replace(self.tree, mode=Mode.EXPLAIN))

    def profile(self) -> TokenQueryBuilder:
        """Answer the query and show how long each step took."""
        return TokenQueryBuilder(replace(self.tree, mode=Mode.PROFILE))

    def __str__(self) -> str:
        return written(self.tree)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


def _read_back(tree: StatementT) -> StatementT:
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


def _check_truths(meant: str, given: tuple[object, ...]) -> None:
    for each in given:
        if not isinstance(each, Truth):
            raise ArgumentError(f"{meant}, not {each!r}")


def _key(key: str) -> Key:
    name = arguments.text("a key", key).removeprefix("-")
    return Key(field_name(name), descending=name != key)
