"""Finds the neurons of a query in order: runs the plan, and finishes in Python what Cypher cannot do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from n2gdb.core.deadline import check_time, timed
from n2gdb.evidence.quality import FEW_FIRINGS
from n2gdb.grammar.ast import Clause, Formula, Key
from n2gdb.grammar.fields import OF_MATCH
from n2gdb.grammar.records import dataclass
from n2gdb.query.cypher.compiler import DEFAULT_ORDER, compile_count, compile_rows
from n2gdb.query.execution.clause_sets import ClauseSets, work_out
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.plan import KEEP, ORDER_NEURONS, NeuronPlan
from n2gdb.query.execution.rows import neuron_rows, read_neurons
from n2gdb.query.semantics.binder import fold
from n2gdb.query.semantics.neuron_set import NeuronSet
from n2gdb.storage.parameters import MOST_LISTED
from n2gdb.storage.shapes import Page

__all__ = ["Found", "count_neurons", "find", "find_ids"]


@dataclass(frozen=True, slots=True)
class Found:
    """The neurons of a query by Neuron.id, in order, with LIMIT and OFFSET; ``total()`` counts all.

    ``read(start, stop)`` returns a range of them as mappings from ANSWER_COLUMNS to stored values.
    """

    ids: Sequence[int]
    read: Callable[[int, int], list[dict[str, Any]]]
    total: Callable[[], int]
    sets: ClauseSets

    def every(self) -> list[dict[str, Any]]:
        """Return all of them, like ``read``."""
        return self.read(0, len(self.ids))


def find(session: Session, plan: NeuronPlan) -> Found:
    """Find the neurons of a page."""
    if session.columns is not None:
        return _by_columns(session, plan)
    if plan.is_whole:
        return _by_statement(session, plan)
    sets = work_out(session, plan)
    neurons = _read(session, plan, sets)
    if plan.is_ranked:
        _add_ranks(session, plan, neurons)
    query = plan.settled.query
    session.work(ORDER_NEURONS, lambda: _sorted(neurons, plan, sets))
    ids = [neuron["id"] for neuron in Page.of(query.offset, query.limit).cut(neurons)]
    total = len(neurons)
    return Found(ids, lambda start, stop: read_neurons(session, ids[start:stop]), lambda: total, sets)


def count_neurons(session: Session, plan: NeuronPlan) -> int:
    """Count the neurons of a query, without LIMIT and OFFSET."""
    if session.columns is not None:
        from n2gdb.query.execution.by_columns import count_units

        return count_units(session, plan)
    if plan.is_whole:
        rows = session.run("count the neurons", plan.statement)
        return int(rows[0][0])
    return len(_read(session, plan, work_out(session, plan)))


def find_ids(session: Session, plan: NeuronPlan) -> tuple[set[int], ClauseSets]:
    """Return the ids of a query's neurons, without LIMIT and OFFSET, and the sets evaluated for it."""
    if session.columns is not None:
        from n2gdb.query.execution.by_columns import find_units

        places, found, _ = find_units(session, plan, plan.settled.query)
        return set(session.columns.units.ids[places].tolist()), found
    sets = work_out(session, plan)
    return {neuron["id"] for neuron in _read(session, plan, sets)}, sets


def _by_columns(session: Session, plan: NeuronPlan) -> Found:
    from n2gdb.query.execution.by_columns import columns_of, find_units, order_units

    query, units = plan.settled.query, columns_of(session).units
    page = Page.of(query.offset, query.limit)
    places, sets, search = find_units(session, plan, query)
    ordered = session.work(
        ORDER_NEURONS, lambda: order_units(search, plan, sets, places, page.stop), len(places)
    )
    ids = units.ids[ordered[page.slice]].tolist()
    return Found(ids, lambda start, stop: read_neurons(session, ids[start:stop]), lambda: len(places), sets)


def _by_statement(session: Session, plan: NeuronPlan) -> Found:
    query = plan.settled.query
    rows = session.run("find and order the neurons", plan.statement)
    page = Page.of(query.offset, query.limit)
    neurons = neuron_rows(session, timed(page.cut(rows)))

    def total() -> int:
        if page.limit is None or len(rows) < page.offset + page.limit:
            return len(rows)
        compiled = compile_count(plan.settled)
        ((count,),) = session.rows(compiled.cypher, compiled.parameters)
        return int(count)

    ids = [neuron["id"] for neuron in neurons]
    return Found(ids, lambda start, stop: neurons[start:stop], total, ClauseSets({}))


def _read(session: Session, plan: NeuronPlan, sets: ClauseSets) -> list[dict[str, Any]]:
    """Run the statement, and keep the rows that are in the evaluated sets."""
    among = NeuronSet.all_of([_set_of(each, sets) for each in plan.kept]) if plan.kept else None
    statement, is_listed = plan.statement, False
    if among is not None and not among.without and len(among.ids) <= MOST_LISTED:
        statement = compile_rows(plan.settled, plan.stated, plan.fields, sorted(among.ids))
        is_listed = True
    rows = session.run("find the neurons", statement)
    neurons = [dict(zip(plan.fields, row, strict=True)) for row in timed(rows)]
    if among is None or is_listed:
        return neurons
    return session.work(
        KEEP,
        lambda: [neuron for neuron in neurons if neuron["id"] in among],
    )


def _add_ranks(session: Session, plan: NeuronPlan, neurons: Sequence[dict[str, Any]]) -> None:
    """Add the largest of each field over all the matches of positive clauses, None without any."""
    unknown = (None,) * len(OF_MATCH)
    best: dict[int, tuple[float | None, ...]] = {}
    for compiled in plan.ranks:
        for neuron, *ranks in session.run("rank the neurons of one clause", compiled):
            known = best.get(neuron, unknown)
            best[neuron] = tuple(_larger(*each) for each in zip(known, ranks, strict=True))
    for neuron in neurons:
        neuron.update(zip(OF_MATCH, best.get(neuron["id"], unknown), strict=True))


def _larger(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _set_of(formula: Formula[Clause], sets: ClauseSets) -> NeuronSet:
    return fold(
        formula, lambda clause: sets.known[clause], NeuronSet.all_of, NeuronSet.any_of, NeuronSet.__invert__
    )


def _sorted(neurons: list[dict[str, Any]], plan: NeuronPlan, sets: ClauseSets) -> list[dict[str, Any]]:
    """Sort in place like a statement: nulls last, ties by name and model."""
    order: Sequence[Key] = plan.settled.query.order
    neurons.sort(key=lambda neuron: (neuron["layer"], neuron["index"], neuron["id"]))
    if plan.is_ordered_by_score and not order:
        neurons.sort(key=lambda neuron: sets.ordering_key(neuron["id"]))
        return neurons
    for key in reversed(order or DEFAULT_ORDER):
        check_time()
        values = [(_value(neuron, key.field, sets), neuron) for neuron in neurons]
        known = [each for each in values if each[0] is not None]
        known.sort(key=lambda each: each[0], reverse=key.descending)
        neurons[:] = [neuron for _, neuron in [*known, *(each for each in values if each[0] is None)]]
    if not order:
        neurons.sort(key=lambda neuron: (neuron["heldout_firings"] or 0) < FEW_FIRINGS)
    return neurons


def _value(neuron: Mapping[str, Any], field: str, sets: ClauseSets) -> Any:
    stored = neuron[field]
    fired = sets.fired(neuron["id"], field) if field in OF_MATCH else None
    return max((value for value in (stored, fired) if value is not None), default=None)
