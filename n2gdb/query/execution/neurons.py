"""Which neurons a query finds, in its order: by one statement where Cypher can say all, or finished here.

What Cypher cannot say exactly, or only slowly, is a set of neurons worked out beforehand: similarity, the
firings on a text, patterns of several broad steps. Where the sets are small they narrow the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from n2gdb.core.deadline import check_time, timed
from n2gdb.grammar.ast import And, Clause, Formula, Key, Query
from n2gdb.query.cypher.compiler import (
    DEFAULT_ORDER,
    compile_count,
    compile_neurons,
    compile_page,
    compile_query,
    compile_ranks,
    compile_rows,
    ranked_fields,
)
from n2gdb.query.execution.clause_sets import ClauseSets, work_out
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.neuron_set import NeuronSet
from n2gdb.query.semantics.binder import Settled, clauses_of, conjuncts, fold
from n2gdb.storage.columns import ANSWER_COLUMNS
from n2gdb.storage.parameters import MOST_LISTED
from n2gdb.storage.shapes import Page

__all__ = ["Found", "count_neurons", "find", "find_ids", "read_neurons"]


@dataclass(frozen=True, slots=True)
class Found:
    """The neurons of a query in order, LIMIT and OFFSET applied, by Neuron.id; ``total()`` counts them all.

    ``read(start, stop)`` gives a range of them as mappings of ANSWER_COLUMNS to what is stored.
    """

    ids: Sequence[int]
    read: Callable[[int, int], list[dict[str, Any]]]
    total: Callable[[], int]
    sets: ClauseSets

    def every(self) -> list[dict[str, Any]]:
        """Return all of them as ``read`` does."""
        return self.read(0, len(self.ids))


def find(session: Session, settled: Settled) -> Found:
    """Find the neurons of a query."""
    sets = work_out(session, settled)
    stated, among = _narrowed(session, settled, sets)
    query = settled.query
    simply = among is None and not sets.ordering and not ranked_fields(query.order)
    if simply and len(stated) == len(conjuncts(query.clauses)):
        return _by_statement(session, settled, sets)
    return _finished(session, settled, sets, stated, among)


def count_neurons(session: Session, settled: Settled) -> int:
    """Count the neurons of a query, LIMIT and OFFSET aside."""
    sets = work_out(session, settled)
    stated, among = _narrowed(session, settled, sets)
    if among is None:
        rows = session.run_last("count the neurons", compile_count(settled))
        return int(rows[0][0]) if rows else 0
    whole = replace(settled, query=replace(settled.query, limit=None, offset=None))
    return len(_finished(session, whole, sets, stated, among).ids)


def find_ids(session: Session, settled: Settled) -> tuple[set[int] | None, ClauseSets]:
    """Return the ids of the neurons of a query, LIMIT and OFFSET aside, and what was worked out for it.

    None stands for all neurons that have a pattern which matches, where the query asks no more.
    """
    sets = work_out(session, settled)
    stated, among = _narrowed(session, settled, sets)
    clauses = settled.query.clauses
    if among is None and (clauses is None or settled.positive == (clauses,)):
        return None, sets
    rows = session.run_last("find the neurons", compile_neurons(settled, _all_of(stated)))
    return {neuron for (neuron,) in rows if among is None or neuron in among}, sets


def _by_statement(session: Session, settled: Settled, sets: ClauseSets) -> Found:
    query = settled.query
    rows = session.run_last("find and order the neurons", compile_query(settled))
    page = Page.of(query.offset, query.limit)
    neurons = [dict(zip(ANSWER_COLUMNS, row, strict=True)) for row in timed(page.cut(rows))]

    def total() -> int:
        if page.limit is None or len(rows) < page.offset + page.limit:
            return len(rows)
        compiled = compile_count(settled)
        ((count,),) = session.rows(compiled.cypher, compiled.parameters)
        return int(count)

    return Found([neuron["id"] for neuron in neurons], lambda start, stop: neurons[start:stop], total, sets)


def _finished(
    session: Session,
    settled: Settled,
    sets: ClauseSets,
    stated: Sequence[Formula[Clause]],
    among: NeuronSet | None,
) -> Found:
    """Let a statement find what it can, keep of that what the sets allow, and order it here."""
    query = settled.query
    ranks = ranked_fields(query.order)
    fields = tuple(
        dict.fromkeys(["id", "layer", "index", *(key.field for key in query.order or DEFAULT_ORDER)])
    )
    fields = tuple(name for name in fields if name not in ranks)
    listed = sorted(among.ids) if among and not among.without and len(among.ids) <= MOST_LISTED else None
    rows = session.run_last("find the neurons", compile_rows(settled, _all_of(stated), fields, listed))
    neurons = [dict(zip(fields, row, strict=True)) for row in timed(rows)]
    if ranks:
        _add_ranks(session, settled, neurons)
    if among is not None and listed is None:
        session.note("keep the neurons of the sets worked out before")
        neurons = [neuron for neuron in neurons if neuron["id"] in among]
    session.note("order the neurons")
    _sort(neurons, query.order, sets)
    ids = [neuron["id"] for neuron in Page.of(query.offset, query.limit).cut(neurons)]
    total = len(neurons)
    return Found(ids, lambda start, stop: read_neurons(session, ids[start:stop]), lambda: total, sets)


def _add_ranks(session: Session, settled: Settled, neurons: Sequence[dict[str, Any]]) -> None:
    """Add the largest activation and importance over all the matches of positive clauses, None without."""
    best: dict[int, tuple[float | None, float | None]] = {}
    for compiled in compile_ranks(settled):
        for neuron, *ranks in session.run("rank the neurons of one clause", compiled):
            known = best.get(neuron, (None, None))
            best[neuron] = (_larger(known[0], ranks[0]), _larger(known[1], ranks[1]))
    for each in neurons:
        each["activation"], each["importance"] = best.get(each["id"], (None, None))


def _larger(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


def read_neurons(session: Session, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the neurons with these ids as mappings of ANSWER_COLUMNS to what is stored."""
    if len(ids) <= MOST_LISTED:
        compiled = compile_page(ids)
    else:
        compiled = compile_rows(Settled(Query(), {}), None, ANSWER_COLUMNS)
    rows = session.run("read the neurons", compiled)
    by_id = {row[0]: dict(zip(ANSWER_COLUMNS, row, strict=True)) for row in rows}
    return [by_id[neuron] for neuron in ids]


def _narrowed(
    session: Session, settled: Settled, sets: ClauseSets
) -> tuple[list[Formula[Clause]], NeuronSet | None]:
    """Part the conjuncts of a query: those that a statement asks, and a set that the others come to."""
    stated: list[Formula[Clause]] = []
    narrowing: list[NeuronSet] = []
    for conjunct in conjuncts(settled.query.clauses):
        if any(clause in sets.known for clause in clauses_of(conjunct)):
            narrowing.append(_set_of(session, settled, conjunct, sets))
        else:
            stated.append(conjunct)
    return stated, NeuronSet.all_of(narrowing) if narrowing else None


def _set_of(session: Session, settled: Settled, formula: Formula[Clause], sets: ClauseSets) -> NeuronSet:
    def leaf(clause: Clause) -> NeuronSet:
        if clause in sets.known:
            return sets.known[clause]
        rows = session.run("find the neurons of one clause", compile_neurons(settled, clause))
        return NeuronSet.of(neuron for (neuron,) in rows)

    return fold(formula, leaf, NeuronSet.all_of, NeuronSet.any_of, NeuronSet.__invert__)


def _sort(neurons: list[dict[str, Any]], order: Sequence[Key], sets: ClauseSets) -> None:
    """Sort as a statement would: nulls last, ties by name and model."""
    neurons.sort(key=lambda neuron: (neuron["layer"], neuron["index"], neuron["id"]))
    if sets.ordering and not order:
        neurons.sort(key=lambda neuron: sets.ordering_key(neuron["id"]))
        return
    for key in reversed(order or DEFAULT_ORDER):
        check_time()
        values = [(_value(neuron, key.field, sets), neuron) for neuron in neurons]
        known = [each for each in values if each[0] is not None]
        known.sort(key=lambda each: each[0], reverse=key.descending)
        neurons[:] = [neuron for _, neuron in [*known, *(each for each in values if each[0] is None)]]


def _value(neuron: Mapping[str, Any], field: str, sets: ClauseSets) -> Any:
    stored = neuron[field]
    fired = sets.fired(neuron["id"], field) if field in ("activation", "importance") else None
    return max((value for value in (stored, fired) if value is not None), default=None)


def _all_of(conjuncts: Sequence[Formula[Clause]]) -> Formula[Clause] | None:
    if len(conjuncts) > 1:
        return And(tuple(conjuncts))
    return conjuncts[0] if conjuncts else None
