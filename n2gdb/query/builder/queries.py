"""Query builder: ``neurons()``, ``patterns()`` and their counts, built by chaining methods.

``neurons().matching(tok("the").before(...)).where(layer=range(0, 3), f1__ge=0.6).order_by("-f1").limit(20)``
is the query *neurons MATCHING 'the' BEFORE ... WHERE layer IN 0..2 AND f1 >= 0.6 ORDER BY f1 DESC LIMIT 20*:
the same tree, which ``query`` returns and ``str()`` writes. A builder never changes: each method returns
another. Names are checked when they are given, everything else when the tree is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self, cast

from n2gdb.core import arguments
from n2gdb.core.neuron_view import AnyUnit
from n2gdb.errors import ArgumentError
from n2gdb.grammar.ast import DEFAULT_METRIC, Clause, Condition, Mode, Query, RankBy, Subject
from n2gdb.grammar.fields import RETURNED
from n2gdb.grammar.unparse import written
from n2gdb.query.builder.clauses import (
    activating_on,
    excited_by,
    firing_on,
    inhibited_by,
    known,
    listed_first,
    matching,
    mentioning,
    metric_named,
    neuron_ref,
    promoting,
    showing,
    suppressing,
    tokens_of,
)
from n2gdb.query.builder.comparisons import similar_to, subset_of, superset_of
from n2gdb.query.builder.conditions import Term, Truth, check_truths, conditions_of, conjoined, field
from n2gdb.query.builder.groups import counting, measuring, order_key
from n2gdb.query.builder.narrowing import Narrowing
from n2gdb.query.builder.patterns import (
    DIGIT,
    LOWER,
    PIECE,
    PUNCT,
    SPACE,
    START,
    TITLE,
    UPPER,
    WORD,
    Steps,
    TokenStep,
    all_of,
    any_token,
    kind,
    like,
    one_of,
    other_than,
    regex,
    tok,
    var,
)
from n2gdb.query.builder.token_queries import (
    TokenQueryBuilder,
    TokenSetBuilder,
    TokenStageQuery,
    tokens_activating,
    tokens_in_context_of,
)
from n2gdb.query.parse import validated

__all__ = [
    "DIGIT",
    "LOWER",
    "PIECE",
    "PUNCT",
    "SPACE",
    "START",
    "TITLE",
    "UPPER",
    "WORD",
    "CountQuery",
    "NeuronQuery",
    "PatternQuery",
    "QueryBuilder",
    "StageQuery",
    "Steps",
    "Term",
    "TokenQueryBuilder",
    "TokenSetBuilder",
    "TokenStageQuery",
    "TokenStep",
    "Truth",
    "activating_on",
    "all_of",
    "any_token",
    "excited_by",
    "field",
    "firing_on",
    "inhibited_by",
    "kind",
    "like",
    "matching",
    "mentioning",
    "neurons",
    "one_of",
    "other_than",
    "patterns",
    "patterns_of",
    "promoting",
    "regex",
    "showing",
    "similar_to",
    "subset_of",
    "superset_of",
    "suppressing",
    "tok",
    "tokens_activating",
    "tokens_in_context_of",
    "tokens_of",
    "var",
]


def neurons(*clauses: Truth[Clause]) -> NeuronQuery:
    """Return the query for neurons that meet all of ``clauses``; for all neurons if there are none.

    >>> query = neurons(matching(tok("the").before("other")))
    >>> query
    <QueryBuilder neurons MATCHING 'the' BEFORE 'other'>
    >>> [str(hit.neuron) for hit in db.query(query)]
    ['L4N358', 'L4N137', 'L4N12']
    """
    return NeuronQuery(Query()).having(*clauses)


def patterns(*clauses: Truth[Clause]) -> PatternQuery:
    """Return the query for the patterns, one per row, that meet all of ``clauses`` themselves.

    >>> db.query(patterns(matching(tok("the").before("end"))).order_by("-activation").limit(1))[0].path
    '·the · ·end'
    """
    return PatternQuery(Query(subject=Subject.PATTERNS)).having(*clauses)


def patterns_of(found: NeuronQuery | AnyUnit) -> PatternQuery:
    """Return the query for every pattern of one neuron, or of those that another query finds.

    >>> len(db.query(patterns_of(neurons().activating_on("end"))))
    4
    >>> patterns_of("L4N358").matching("other")
    <QueryBuilder patterns IN (L4N358) MATCHING 'other'>
    """
    if isinstance(found, QueryBuilder) and not isinstance(found, NeuronQuery):
        raise ArgumentError(f"patterns_of takes a query for neurons, not {arguments.shown(found)}")
    if not isinstance(found, NeuronQuery):
        return patterns().among(found)
    return PatternQuery(replace(found.tree, subject=Subject.PATTERNS, owners=found.tree.subject))


@dataclass(frozen=True, slots=True, repr=False)
class QueryBuilder(Narrowing):
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
        """The statement; raises QuerySyntaxError if the text of it would not parse.

        >>> neurons().limit(5).query.limit
        5
        """
        return cast(Query, validated(self.tree))

    def in_model(self, name: str) -> Self:
        """Keep only the neurons of one model.

        >>> neurons().in_model("world").matching("end")
        <QueryBuilder neurons IN MODEL 'world' MATCHING 'end'>
        """
        return self._with(model=arguments.text("model", name))

    def having(self, *clauses: Truth[Clause]) -> Self:
        """Require all of ``clauses`` too; each may be combined with ``&``, ``|`` and ``~``.

        >>> neurons().having(matching("end") | ~mentioning("the"))
        <QueryBuilder neurons MATCHING 'end' OR NOT MENTIONING 'the'>
        """
        if not clauses:
            return self
        check_truths("a clause is what matching() and its like return", clauses)
        given = () if self.tree.clauses is None else (self.tree.clauses,)
        return self._with(clauses=conjoined(*given, *(clause.formula for clause in clauses)))

    def among(self, *units: AnyUnit | Iterable[AnyUnit]) -> Self:
        """Consider these units only, those of an answer, or of a saved set: ``among("$mine")``.

        >>> neurons().among("L4N358", "L4N12").matching("end")
        <QueryBuilder neurons IN (L4N358, L4N12) MATCHING 'end'>
        """
        return self._with(clauses=listed_first(units, self.tree.clauses))

    def sample(self, count: int, *, seed: int = 0) -> Self:
        """Return ``count`` of the rows that are found, drawn at random by the seed.

        >>> len(db.query(neurons().sample(3, seed=1)))
        3
        """
        drawn = arguments.whole("sample", count, -arguments.LARGEST)
        return self._with(sample=drawn, seed=arguments.whole("seed", seed, -arguments.LARGEST))

    def where(self, *conditions: Truth[Condition], **fields: object) -> Self:
        """Require conditions on fields, all of them.

        A keyword is a field's name: ``layer=3``, ``layer=[0, 2]``, ``layer=range(0, 3)`` (0 to 2: a range
        leaves its end out, as in Python), ``state="live"``; or a name and a comparison after two
        underscores: ``f1__ge=0.6`` (eq, ne, lt, le, gt, ge), ``layer__in``, ``layer__not_in``,
        ``f1__between=(0.2, 0.5)`` (both included), ``f1__missing=True``. ``field`` says what keywords cannot.
        Raises UnknownNameError for a field or a comparison that does not exist.

        >>> neurons().where((field("f1") > 0.6) | (field("n_nodes") < 3), layer=range(0, 3))
        <QueryBuilder neurons WHERE (f1 > 0.6 OR n_nodes < 3) AND layer IN 0..2>
        """
        check_truths("a condition is a keyword, as f1__ge=0.6, or a comparison of field()", conditions)
        given = () if self.tree.where is None else (self.tree.where,)
        more = (*(condition.formula for condition in conditions), *conditions_of(fields))
        return self._with(where=conjoined(*given, *more)) if more else self

    def order_by(self, *keys: str) -> Self:
        """Order by fields, the first one first; a minus before a name means descending.

        >>> neurons().order_by("layer", "-f1")
        <QueryBuilder neurons ORDER BY layer, f1 DESC>
        """
        return self._with(order=tuple(map(order_key, keys)))

    def rank_by_similarity(
        self, neuron: AnyUnit, *, metric: str = DEFAULT_METRIC.value, model: str | None = None
    ) -> Self:
        """Order by similarity to a neuron, the most similar first.

        >>> neurons().where(layer=4).rank_by_similarity("L4N358")
        <QueryBuilder neurons WHERE layer = 4 RANK BY SIMILARITY TO L4N358>
        """
        return self._with(rank=RankBy(neuron_ref(neuron, model), metric_named(metric)))

    def limit(self, count: int) -> Self:
        """Return no more than ``count`` rows.

        >>> db.query(neurons().limit(2))["neuron"]
        ['L4N358', 'L4N137']
        """
        return self._with(limit=arguments.whole("limit", count, -arguments.LARGEST))

    def offset(self, count: int) -> Self:
        """Skip the first ``count`` rows.

        >>> db.query(neurons().limit(2).offset(1))["neuron"]
        ['L4N137', 'L1N7']
        """
        return self._with(offset=arguments.whole("offset", count, -arguments.LARGEST))

    def returning(self, *names: str) -> Self:
        """Return these columns: neuron, model, path, activation, importance, similarity, size, any field.

        >>> db.query(neurons().matching(tok("an").before(...)).returning("neuron", "path")).to_dicts()
        [{'neuron': 'L4N358', 'path': '·an · ·other'}]
        """
        return self._with(returns=tuple(known(name, RETURNED, "column") for name in names))

    def explain(self) -> StageQuery:
        """Show the plan of the query and the expected rows of each step, without running it.

        >>> db.query(neurons().where(layer=4).explain())["step"][0]
        'find and order the neurons'
        """
        return StageQuery(replace(self.tree, mode=Mode.EXPLAIN))

    def profile(self) -> StageQuery:
        """Run the query and show the rows and time of each step, beside its estimate.

        >>> db.query(neurons().where(layer=4).profile())["rows"]
        [3]
        """
        return StageQuery(replace(self.tree, mode=Mode.PROFILE))

    def _with(self, **changes: object) -> Self:
        return replace(self, tree=replace(self.tree, **changes))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return written(self.tree)

    def __repr__(self) -> str:
        return f"<QueryBuilder {self}>"


class StageQuery(QueryBuilder):
    """A query whose answer is the steps by which it would be answered, or was.

    >>> type(neurons().explain()).__name__
    'StageQuery'
    """

    __slots__ = ()

    def count(self, *, by: str | Sequence[str] | None = None) -> StageQuery:
        """Show the steps by which they would be counted instead.

        >>> neurons().where(layer=4).explain().count(by="state")
        <QueryBuilder EXPLAIN COUNT neurons WHERE layer = 4 BY state>
        """
        return StageQuery(counting(self.tree, by))


class CountQuery(QueryBuilder):
    """A query whose answer is how many there are.

    >>> db.query(neurons().activating_on("end").count())["count"]
    [2]
    """

    __slots__ = ()


class _RowQuery(QueryBuilder):
    """A query whose rows can be counted."""

    __slots__ = ()

    def count(self, *, by: str | Sequence[str] | None = None) -> CountQuery:
        """Count them: in all, or by layer, model, any field, activating or context token.

        ``by`` may be several, and a field in steps: ``"f1 / 0.1"``.

        >>> db.query(neurons().count(by="layer")).to_dicts()[-1]
        {'group': 5, 'count': 1}
        """
        return CountQuery(counting(self.tree, by))

    def average(self, field: str, *, by: str | Sequence[str] | None = None) -> CountQuery:
        """Return the mean of a field: in all, or in each group as ``count`` has them.

        >>> db.query(neurons().average("n_nodes", by="layer"))["avg"][:3]
        [2.0, 1.0, 3.0]
        """
        return self.statistic("avg", field, by=by)

    def statistic(self, name: str, field: str, *, by: str | Sequence[str] | None = None) -> CountQuery:
        """Return the avg, min, max, median or sum of a field: in all, or in each group.

        >>> db.query(neurons().statistic("max", "n_nodes"))["max"]
        [4.0]
        """
        return CountQuery(measuring(self.tree, name, field, by))


class NeuronQuery(_RowQuery):
    """A query whose answer is neurons.

    >>> db.query(neurons().activating_on("end"))["neuron"]
    ['L4N12', 'L3N45']
    """

    __slots__ = ()


class PatternQuery(_RowQuery):
    """A query whose answer is patterns.

    >>> db.query(patterns().matching("end").limit(1))[0]
    <PatternHit L3N45 activation 0.88: ·the · ·end>
    """

    __slots__ = ()
