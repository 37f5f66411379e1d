"""Answers queries from columns: the same plans, with arrays in place of statements for each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, IntArray, IntegerArray
from n2gdb.core.deadline import timed
from n2gdb.core.paths import PathStep
from n2gdb.core.units import token_of
from n2gdb.evidence.quality import FEW_FIRINGS
from n2gdb.grammar.ast import Clause, Count, FiringOn, Predictor, Query
from n2gdb.grammar.fields import FIELDS, Kind
from n2gdb.query.columnar.columns import Columns
from n2gdb.query.columnar.firing import Fired
from n2gdb.query.columnar.groups import Group, groups_of
from n2gdb.query.columnar.ordering import in_order, sampled
from n2gdb.query.columnar.search import Loose, Matches, Search
from n2gdb.query.columnar.units import Column, Words
from n2gdb.query.cypher.compiler import DEFAULT_ORDER
from n2gdb.query.cypher.patterns import DEFAULT_ORDER as STRONGEST
from n2gdb.query.execution.clause_sets import ClauseSets, work_out
from n2gdb.query.execution.context import WALK, Session
from n2gdb.query.execution.evaluators import evaluator_of
from n2gdb.query.execution.plan import (
    CountPlan,
    NeuronPlan,
    PatternPlan,
    drawing,
)
from n2gdb.query.execution.rows import PatternRow
from n2gdb.query.semantics.binder import Settled, clauses_of
from n2gdb.query.semantics.neuron_set import NeuronSet
from n2gdb.query.semantics.normal_form import is_of_patterns
from n2gdb.query.semantics.places import placed
from n2gdb.similarity.scored import Scored

__all__ = [
    "columns_of",
    "count_units",
    "find_patterns",
    "find_units",
    "matches_in",
    "order_of_patterns",
    "order_units",
    "paths_to",
    "pattern_rows",
    "rows_in_groups",
    "values_in",
]


def columns_of(session: Session) -> Columns:
    """Return the columns that a question is answered from."""
    assert session.columns is not None
    return session.columns


def search_of(
    session: Session,
    settled: Settled,
    sets: ClauseSets,
    ids: Sequence[int] | None = None,
    *,
    of_patterns: bool = False,
) -> Search:
    """Return a query over columns, with what was worked out of its clauses that columns do not know.

    ``ids`` are the only units to look in, where they are few. With ``of_patterns`` FIRING ON holds of
    patterns by which a graph fires, whatever a unit's evidence says.
    """
    columns = columns_of(session) if ids is None else columns_of(session).of(ids)
    places = None if ids is None else columns.units.places(ids)
    known: dict[Clause, BoolArray] = {}
    firings: dict[Clause, IntArray] = {}
    loose: dict[Clause, Loose] = {}
    for clause in dict.fromkeys(clauses_of(settled.query.clauses)):
        if isinstance(clause, FiringOn):
            by = Predictor.GRAPH if of_patterns else clause.by
            with placed(clause.at):
                fired = session.fired_by_columns(settled.model, replace(clause, by=by))
            firings[clause] = _ends_of(columns_of(session), fired, columns, places)
            loose[clause] = _loose_of(columns_of(session), fired, columns, places)
        elif not is_of_patterns(clause):
            known[clause] = _inside(columns, _worked(session, settled, clause, sets))
    return Search(columns, settled, known, firings, loose, places)


def _worked(session: Session, settled: Settled, clause: Clause, sets: ClauseSets) -> NeuronSet:
    if clause in sets.known:
        return sets.known[clause]
    with placed(clause.at):
        return evaluator_of(clause).work_out(session, settled, clause).neurons


def _inside(columns: Columns, held: NeuronSet) -> BoolArray:
    inside = columns.among(held.ids)
    return ~inside if held.without else inside


def _ends_of(whole: Columns, fired: Sequence[Fired], columns: Columns, places: Int64Array | None) -> IntArray:
    """Return the rows where patterns end by which units fire: among ``columns``, at ``places``."""
    end = np.concatenate([np.zeros(0, np.int32), *(each for each, _ in fired)])
    if places is None:
        return end
    owner = whole.tries.owner[end]
    inside = np.isin(whole.units.ids[owner], columns.units.ids[places])
    end, owner = end[inside], owner[inside]
    first = columns.tries.first[columns.units.places(whole.units.ids[owner])]
    moved: IntArray = (end - whole.tries.first[owner] + first).astype(np.int32)
    return moved


def _loose_of(whole: Columns, fired: Sequence[Fired], columns: Columns, places: Int64Array | None) -> Loose:
    parts = [each for _, each in fired]
    found = Loose(
        np.concatenate([np.zeros(0, np.int64), *(each.place for each in parts)]),
        np.concatenate([np.zeros(0), *(each.activation for each in parts)]),
        tuple(steps for each in parts for steps in each.steps),
    )
    if places is None:
        return found
    found = found.kept(np.isin(whole.units.ids[found.place], columns.units.ids[places]))
    return replace(found, place=columns.units.places(whole.units.ids[found.place]))


def find_units(session: Session, plan: NeuronPlan, query: Query) -> tuple[Int64Array, ClauseSets, Search]:
    """Return the places of the units of a query, LIMIT and OFFSET aside, rising."""
    settled, columns = plan.settled, columns_of(session)
    sets = work_out(session, plan)
    search = search_of(session, settled, sets)
    found = session.work(WALK, lambda: np.flatnonzero(search.units(settled.query.clauses)))
    if query.sample is not None:
        found = session.work(drawing(query), lambda: _drawn_units(columns, found, query))
    return found, sets, search


def _drawn_units(columns: Columns, found: Int64Array, query: Query) -> Int64Array:
    return found[sampled(_names(columns, found), query.sample or 0, query.seed)]


def order_units(
    search: Search, plan: NeuronPlan, sets: ClauseSets, found: Int64Array, most: int | None
) -> Int64Array:
    """Return the first units among some, by their places, in the order of a query."""
    units, query = search.columns.units, plan.settled.query
    ids = units.ids[found]
    ties = _in_place(search.columns, found.__getitem__)
    if plan.is_ordered_by_score and not query.order:
        score, size = Scored.of(sets.scores or {}).among(ids)
        keys: list[tuple[Column, bool]] = [
            ((ids == sets.first).astype(np.float64), True),
            (score, True),
            (size.astype(np.float64), True),
        ]
    else:
        keys = [(_key(search, key.field, found), key.descending) for key in query.order or DEFAULT_ORDER]
        if not query.order:
            firings = _key(search, "heldout_firings", found)
            assert not isinstance(firings, Words)
            keys.insert(0, (np.where(firings >= FEW_FIRINGS, 0.0, 1.0), False))
    ordered: Int64Array = found[in_order(keys, ties, len(found), most)]
    return ordered


def _in_place(
    columns: Columns, owner: Callable[[Int64Array], IntegerArray]
) -> list[Callable[[Int64Array], Int64Array]]:
    """Return what settles ties of rows for ``in_order``: where their units stand, which ``owner`` returns."""
    units = columns.units
    named = (_whole(units.column("layer")), _whole(units.column("index")), units.ids)

    def of_units(values: Int64Array, rows: Int64Array) -> Int64Array:
        return values[owner(rows)]

    return [partial(of_units, values) for values in named]


def _key(search: Search, field: str, places: Int64Array) -> Column:
    if FIELDS[field].of_match:
        values: Float64Array = _field_of(search, field)[places]
        return values
    return search.taken(field, places)


def count_units(session: Session, plan: NeuronPlan) -> int:
    """Count the units of a query, LIMIT and OFFSET aside."""
    search = search_of(session, plan.settled, work_out(session, plan))
    found = int(np.count_nonzero(search.units(plan.settled.query.clauses)))
    drawn = plan.settled.query.sample
    return found if drawn is None else min(found, drawn)


def _names(columns: Columns, places: Int64Array) -> list[str]:
    rows = columns.units.table.select(["model", "layer", "source", "index", "side"]).take(places).to_pylist()
    return [" ".join(map(str, row.values())) for row in rows]


def _field_of(search: Search, name: str) -> Float64Array:
    clauses = [each for each in search.settled.positive if each.has_matches]
    return search.largest(name, clauses)


def _whole(column: Column) -> Int64Array:
    assert not isinstance(column, Words)
    return column.astype(np.int64)


def matches_in(
    session: Session, settled: Settled, ids: Sequence[int], sets: ClauseSets
) -> tuple[Search, dict[Clause, Iterable[tuple[Any, ...]]]]:
    """Return the matches of the positive clauses on patterns in some units, as an evaluator's ``matches``."""
    search = search_of(session, settled, sets, ids)
    found: dict[Clause, Iterable[tuple[Any, ...]]] = {}
    for clause in dict.fromkeys(settled.positive):
        if clause.has_matches:
            found[clause] = search.rows(clause)
    return search, found


def values_in(search: Search, names: Sequence[str], ids: Sequence[int]) -> dict[int, dict[str, object]]:
    """Return fields of a match, the largest over the matches of positive clauses, by unit and name."""
    places = search.columns.units.places(ids)
    values = {name: _plain(name, _key(search, name, places)) for name in names}
    return {unit: {name: values[name][at] for name in names} for at, unit in enumerate(ids)}


def _plain(name: str, values: Any) -> list[object]:
    whole = FIELDS[name].kind is Kind.WHOLE
    return [None if each != each else int(each) if whole else each for each in values.tolist()]


def paths_to(session: Session, ends: Iterable[tuple[int, int]]) -> dict[tuple[int, int], list[PathStep]]:
    """Return the named steps down to each end, (Neuron.id, preorder index), by rising depth."""
    wanted = list(dict.fromkeys(ends))
    columns = columns_of(session).of(unit for unit, _ in wanted)
    tries = columns.tries
    places = columns.units.places([unit for unit, _ in wanted])
    ids = tries.vocabulary["id"]
    paths = {}
    for (unit, end), first in zip(wanted, tries.first[places].tolist(), strict=True):
        row, steps = first + end, []
        while row >= 0:
            token, importance = int(tries.token[row]), float(tries.importance[row])
            steps.append(
                PathStep(
                    int(tries.depth[row]),
                    token_of(ids[token].as_py())[1],
                    tries.texts[token],
                    None if importance != importance else importance,
                )
            )
            row = int(tries.parent[row])
        paths[unit, end] = steps[::-1]
    return paths


# -- patterns


def find_patterns(session: Session, plan: PatternPlan) -> tuple[Search, Matches]:
    """Return the patterns of a query, each once and rising; of SAMPLE those that are drawn."""
    query, tries = plan.settled.query, columns_of(session).tries
    if plan.neurons is not None:
        search = search_of(session, plan.settled, work_out(session, plan.neurons))

        def walked() -> Matches:
            inside = search.units(query.clauses)
            return Matches.of_ends(tries, tries.ends[np.repeat(inside, tries.patterns)])

    else:
        search = search_of(session, plan.settled, ClauseSets({}), of_patterns=True)
        walked = search.patterns
    found = session.work(WALK, walked)
    if query.sample is not None:
        found = session.work(drawing(query), lambda: _drawn(search.columns, found, query))
    return search, found


def order_of_patterns(search: Search, found: Matches, query: Query, most: int | None) -> Int64Array:
    """Return the first patterns of a query in its order, as places among those found: (patterns,)."""
    read, tries = search.reader(found), search.columns.tries
    keys = [(read(key.field), key.descending) for key in query.order or STRONGEST]
    ties = _in_place(search.columns, lambda rows: tries.owner[found.end[rows]])
    return in_order(keys, [*ties, lambda rows: rows], len(found), most)  # they are found in their order


def pattern_rows(search: Search, found: Matches) -> list[PatternRow]:
    """Return patterns with their figures."""
    owner, shown = search.columns.tries.owner[found.end], search.shown(found)
    tries = shown.tries
    columns_read = (
        search.columns.units.ids[owner],
        found.end - search.columns.tries.first[owner],
        tries.end[shown.end],
        shown.importance,
        tries.support[shown.end],
        tries.confidence[shown.end],
    )
    return [
        PatternRow(
            unit,
            end,
            activation,
            None if least != least else least,
            None if support != support else int(support),
            None if confidence != confidence else confidence,
        )
        for unit, end, activation, least, support, confidence in timed(
            zip(*(each.tolist() for each in columns_read), strict=True)
        )
    ]


def _drawn(columns: Columns, found: Matches, query: Query) -> Matches:
    ends = list(_ends(columns.tries, found))
    owners = _names(columns, np.array([place for place, _ in ends], np.int64))
    names = [f"{owner} {end}" for owner, (_, end) in timed(zip(owners, ends, strict=True))]
    drawn = np.zeros(len(found), np.bool_)
    drawn[sampled(names, query.sample or 0, query.seed)] = True
    return found.kept(drawn)


def _ends(tries: Any, found: Matches) -> Iterable[tuple[int, int]]:
    owner = tries.owner[found.end]
    return zip(owner.tolist(), (found.end - tries.first[owner]).tolist(), strict=True)


# -- groups


def rows_in_groups(session: Session, plan: CountPlan, count: Count) -> list[Group]:
    """Return the groups of what a query finds, with how many there are of each."""
    counted, names = plan.counted, {model.number: model.name for model in session.models}
    if isinstance(counted, PatternPlan):
        search, found = find_patterns(session, counted)
        owner: IntegerArray = search.columns.tries.owner[found.end]
        read, rows = search.reader(found), len(found)
    else:
        owner, _, search = find_units(session, counted, counted.settled.query)
        read, rows = (lambda name: _key(search, name, owner)), len(owner)
    if not rows and count.groups + ((count.by,) if count.by else ()):
        return []
    models = search.columns.units.models

    def grouped() -> list[Group]:
        return groups_of(count, read, lambda: [names[each] for each in timed(models[owner].tolist())], rows)

    return session.work(plan.grouping, grouped)
