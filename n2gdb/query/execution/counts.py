"""Answers ``COUNT ...``: how many neurons or patterns, in total or by group; tallies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from n2gdb.core.deadline import timed
from n2gdb.core.units import model_of, place_of
from n2gdb.grammar.ast import Count, Grouping, Query, Subject
from n2gdb.query.cypher.compiler import compile_rows
from n2gdb.query.cypher.where import split
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.neurons import count_neurons, find_ids
from n2gdb.query.execution.patterns import count_patterns
from n2gdb.query.execution.plan import READ_STATES, ROLES, CountPlan, NeuronPlan, PatternPlan
from n2gdb.query.semantics.binder import Settled
from n2gdb.storage.parameters import MOST_LISTED

if TYPE_CHECKING:
    from n2gdb.core.arrays import Int64Array
    from n2gdb.query.columnar.columns import Columns

__all__ = ["GroupCount", "Tally", "group_rows", "tally"]


@dataclass(frozen=True, slots=True)
class GroupCount:
    """The number of neurons or patterns in a group, such as a layer or a token's text.

    ``group`` is None for a count without BY, and a tuple for several groups; of a field in steps it is the
    lower end of the step. ``value`` is the statistic that was asked for, over the rows that have the field.

    >>> [(each.group, each.count) for each in db.query("COUNT neurons MATCHING 'the' BEFORE ... BY layer")]
    [(3, 1), (4, 3)]
    """

    group: int | float | str | tuple[int | float | str | None, ...] | None
    count: int
    value: float | None = None
    names: tuple[str, ...] = ("group",)
    statistic: str = ""

    def __repr__(self) -> str:
        groups = self.group if isinstance(self.group, tuple) else (self.group,)
        named = ", ".join(f"{name} {group!r}" for name, group in zip(self.names, groups, strict=True))
        figure = f"{self.statistic} {self.value:.2f}, " if self.value is not None else ""
        return f"<GroupCount {'' if self.group is None else f'{named}: '}{figure}count {self.count:,}>"

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON: a column for each of several groups.

        >>> db.query("COUNT neurons BY layer")[4].as_dict()
        {'group': 5, 'count': 1}
        """
        groups = self.group if isinstance(self.group, tuple) else (self.group,)
        figure = {self.statistic: self.value} if self.statistic else {}
        return {**dict(zip(self.names, groups, strict=True)), **figure, "count": self.count}


@dataclass(frozen=True, eq=False)
class Tally:
    """The rows of an answer by unit; ``tokens()`` counts them by the text that they match as activating."""

    columns: Columns
    rows: Int64Array  # (units,)
    tokens: Callable[[], Counter[str]]


def tally(session: Session, query: Query) -> Tally:
    """Count what a query for units or patterns finds, LIMIT aside, once for counts by anything."""
    import numpy as np

    from n2gdb.query.execution.planner import plan_statement, read_columns
    from n2gdb.query.execution.role_counts import count_in_role, counted_by_columns

    columns = session.read_columns()
    if query.clauses is None and query.subject is Subject.NEURONS and not split(query.where).match:
        session.columns = columns  # of which only the units are read
    plan = plan_statement(session, replace(query, count=Count(Grouping.ACTIVATING)))
    assert isinstance(plan, CountPlan), "it counts"
    read_columns(session, plan)
    if session.columns is not None:
        rows, count = counted_by_columns(session, plan.counted)
        return Tally(columns, rows, lambda: session.work(plan.grouping, lambda: count(False)))
    rows = np.zeros(len(columns.units), np.int64)
    if isinstance(plan.counted, PatternPlan):
        found = count_patterns(session, plan.counted)
        rows[columns.units.places(list(found))] = list(found.values())
    else:
        rows[columns.units.places(list(find_ids(session, plan.counted)[0]))] = 1
    return Tally(columns, rows, lambda: count_in_role(session, plan, ROLES[Grouping.ACTIVATING]))


def group_rows(session: Session, plan: CountPlan) -> Sequence[tuple[Any, ...]]:
    """Count the results of a query by group: models and layers in order, tokens by falling frequency.

    A row has what a GroupCount is made of; those of thousands of tokens are made as they are looked at.
    """
    count = plan.query.count
    grouped = count is not None and plan.by not in ROLES and count != Count()
    if count is not None and grouped and session.columns is not None:
        return _by_columns(session, plan, count)
    if plan.by in ROLES:
        from n2gdb.query.execution.role_counts import count_in_role  # numpy loads longer than most answers

        roles = sorted(count_in_role(session, plan, ROLES[plan.by]).items())
        roles.sort(key=itemgetter(1), reverse=True)  # what is equal keeps its order
        return roles
    if plan.by is None:
        return [(None, _total(session, plan.counted))]
    return sorted(_neuron_counts(session, plan, plan.by).items())


def _by_columns(session: Session, plan: CountPlan, count: Count) -> list[tuple[Any, ...]]:
    from n2gdb.query.columnar.groups import names_of_groups
    from n2gdb.query.execution.by_columns import rows_in_groups

    names = names_of_groups(count)
    statistic = "" if count.measure is None else count.measure.statistic.value.lower()
    return [
        (key if len(names) > 1 else key[0] if key else None, number, value, names, statistic)
        for key, number, value in rows_in_groups(session, plan, count)
    ]


def _total(session: Session, counted: NeuronPlan | PatternPlan) -> int:
    if isinstance(counted, PatternPlan):
        return count_patterns(session, counted).total()
    return count_neurons(session, counted)


def _neuron_counts(session: Session, plan: CountPlan, grouping: Grouping) -> Counter[Any]:
    counted = plan.counted
    if isinstance(counted, PatternPlan):
        each = count_patterns(session, counted)
    else:
        each = Counter(dict.fromkeys(find_ids(session, counted)[0], 1))
    group = _grouped(session, grouping, each)

    def count() -> Counter[Any]:
        counts: Counter[Any] = Counter()
        for neuron, number in timed(each.items()):
            counts[group(neuron)] += number
        return counts

    return session.work(plan.grouping, count)


def _grouped(session: Session, grouping: Grouping, neurons: Collection[int]) -> Callable[[int], Any]:
    """Return a function from Neuron.id, one of ``neurons``, to the group of the neuron."""
    if grouping is Grouping.LAYER:
        return lambda neuron: place_of(neuron).layer
    if grouping is Grouping.MODEL:
        names = {model.number: model.name for model in session.models}
        return lambda neuron: names[model_of(neuron)]
    among = sorted(neurons) if len(neurons) <= MOST_LISTED else None
    states = compile_rows(Settled(Query(), {}), None, ("id", "state"), among)
    return dict(session.run(READ_STATES, states)).__getitem__
