"""Tokens by role: how often each occurs in what a query matches, and which of them sets of units have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import Int64Array, distinct
from n2gdb.core.deadline import check_time
from n2gdb.grammar.ast import Role, TokenTerm
from n2gdb.prediction.firing import Firing
from n2gdb.query.columnar.role_tokens import count_by_pattern, count_by_unit, on_paths
from n2gdb.query.cypher.compiler import Compiled, neuron_truths
from n2gdb.query.cypher.patterns import pattern_statement
from n2gdb.query.execution.by_columns import columns_of, find_patterns, find_units
from n2gdb.query.execution.clause_sets import ClauseSets
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.neurons import find_ids
from n2gdb.query.execution.pattern_rows import find_rows
from n2gdb.query.execution.plan import CountPlan, NeuronPlan, PatternPlan, TokenSetPlan
from n2gdb.storage.parameters import MOST_LISTED, Parameters

__all__ = ["count_in_role", "counted_by_columns", "tokens_of_sets"]


def count_in_role(session: Session, plan: CountPlan, kind: str) -> Counter[str]:
    """Count, for each token's text, the neurons or the patterns that have it as a node of ``kind``.

    ``kind`` is the relationship of the role.
    """
    counted = plan.counted
    if session.columns is not None:
        count = counted_by_columns(session, counted)[1]
        return session.work(plan.grouping, lambda: count(kind == "CONTEXT"))
    if isinstance(counted, PatternPlan):
        token, holder = _on_patterns(session, kind, *_found(session, counted), by_pattern=True)
    elif plan.forms or any(each.has_matches for each in plan.settled.positive):
        neuron, end, weighed = _matched(session, plan, counted)
        found = [_on_patterns(session, kind, neuron, end, by_pattern=False), _weighed(session, weighed, kind)]
        token, owner = (np.concatenate(parts) for parts in zip(*found, strict=True))
        holder = np.unique(owner, return_inverse=True)[1]
    else:  # every node lies on some pattern
        token, holder = _on_any(session, counted, kind)
    return session.work(plan.grouping, lambda: _by_text(session.vocabulary.table["text"], token, holder))


def _by_text(texts: pa.ChunkedArray, token: Int64Array, holder: Int64Array) -> Counter[str]:
    """Count the holders of each text, by the tokens' rows."""
    coded = texts.combine_chunks().dictionary_encode()
    width = int(holder.max(initial=0)) + 1
    pair = distinct(coded.indices.to_numpy()[token].astype(np.int64) * width + holder)
    counts = np.bincount(pair // width, minlength=len(coded.dictionary))
    codes = np.flatnonzero(counts)
    named = coded.dictionary.take(codes).to_pylist()
    return Counter(dict(zip(named, counts[codes].tolist(), strict=True)))


def counted_by_columns(
    session: Session, counted: NeuronPlan | PatternPlan
) -> tuple[Int64Array, Callable[[bool], Counter[str]]]:
    """Find what is counted, once: return how many rows each unit has, and what counts them by token.

    That tells whether to count tokens of context, or else those that activate.
    """
    columns = columns_of(session)
    if isinstance(counted, PatternPlan):
        ends = find_patterns(session, counted)[1].end
        return columns.tries.per_unit(ends), partial(count_by_pattern, columns.tries, ends)
    places, _, search = find_units(session, counted, counted.settled.query)
    inside = np.zeros(len(columns.units), np.bool_)
    inside[places] = True

    def count(in_context: bool) -> Counter[str]:
        matching = [each for each in search.settled.positive if each.has_matches]
        ends = [search.ends(each) for each in matching]
        if not matching and search.conditions.match:
            ends = [search.meeting_ends()]
        loose = [each for each in map(search.loose, matching) if each is not None]
        counting = np.concatenate(ends) if ends else None
        return count_by_unit(columns.tries, counting, inside, loose, in_context)

    return inside.astype(np.int64), count


def _on_any(session: Session, plan: NeuronPlan, kind: str) -> tuple[Int64Array, Int64Array]:
    """Return the token's row and the neuron's rank of every node of a role in the neurons of a query."""
    kept = None if plan.is_of_matches else find_ids(session, plan)[0]
    parameters = Parameters()
    truths = neuron_truths(plan.settled, None, parameters) if kept is None else []
    where = f" WHERE {' AND '.join(truths)}" if truths else ""
    nodes = session.read(
        "read the tokens of the neurons",
        Compiled(
            f"MATCH (n:Neuron)-[g:{kind}]->(t:Token){where} RETURN n.id AS neuron, offset(id(t)) AS token",
            parameters.values,
        ),
    )
    owner, token = nodes["neuron"].to_numpy(), nodes["token"].to_numpy()
    if kept is not None:
        inside = np.isin(owner, list(kept))
        owner, token = owner[inside], token[inside]
    return token, np.unique(owner, return_inverse=True)[1]


def _on_patterns(
    session: Session, kind: str, neuron: Int64Array, end: Int64Array, *, by_pattern: bool
) -> tuple[Int64Array, Int64Array]:
    """Return the token's row of every node of a role on the given patterns, and the rank of its holder.

    That is the rank of the pattern, or Neuron.id; ``neuron`` and ``end`` are as of ``_matched``.
    """
    nothing = np.zeros(0, np.int64)
    if not len(neuron):
        return nothing, nothing
    nodes = session.read("read the tokens of the neurons", _nodes(kind, distinct(neuron).tolist()))
    owner, token, pre, last = (nodes[name].to_numpy() for name in ("neuron", "token", "pre", "last"))
    width = int(max(last.max(initial=0), end.max())) + 1
    key = neuron * width + end
    first = np.searchsorted(key, owner * width + pre)
    stop = np.searchsorted(key, owner * width + last, "right")
    row = np.repeat(np.arange(len(owner)), stop - first)  # (node on a pattern,)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(stop - first) - (stop - first), stop - first)
    return token[row], first[row] + offset if by_pattern else owner[row]


def _weighed(session: Session, firings: Sequence[Firing], kind: str) -> tuple[Int64Array, Int64Array]:
    """Return, for every token of a role by which a neuron fires without a pattern, its row and Neuron.id."""
    pairs = [
        (token, each.neuron)
        for each in firings
        for depth, token in each.steps
        if (depth > 0) == (kind == "CONTEXT")
    ]
    token, neuron = np.array(pairs, np.int64).reshape(-1, 2).T
    ids = session.vocabulary.table["id"].to_numpy()
    order = np.argsort(ids)  # the engine loads in parallel, and may keep another order
    return order[np.searchsorted(ids, token, sorter=order)], neuron


def _found(session: Session, plan: PatternPlan) -> tuple[Int64Array, Int64Array]:
    """Return Neuron.id and end of every pattern that a query for patterns finds, like ``_matched``."""
    if plan.statement is None or plan.neurons is not None:
        rows = [(row.neuron, row.end) for row in find_rows(session, plan)]
        pairs = np.array(sorted(rows), np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]
    table = session.read("find the patterns", plan.statement)
    neuron, end = table["neuron"].to_numpy(), table["pattern"].to_numpy().astype(np.int64)
    check_time()
    order = np.lexsort((end, neuron))
    return neuron[order], end[order]


def _matched(
    session: Session, plan: CountPlan, counted: NeuronPlan
) -> tuple[Int64Array, Int64Array, Sequence[Firing]]:
    """Return Neuron.id and end of every pattern that matches, in the neurons of a query: (patterns,) each.

    By rising neuron and end. Of a query without positive clauses on patterns these are all patterns. The
    firings of these neurons that are by no pattern come beside.
    """
    kept, sets = (None, ClauseSets({})) if counted.is_of_matches else find_ids(session, counted)
    among = None if kept is None or len(kept) > MOST_LISTED else sorted(kept)
    columns = [
        session.read("find the patterns", pattern_statement(plan.settled, form, plan.early, among))
        for form in plan.forms
    ]
    firings = [
        each
        for found in sets.firings.values()
        for many in found.values()
        for each in many
        if kept is None or each.neuron in kept
    ]
    fired = [(each.neuron, each.end) for each in firings if each.end is not None]
    pairs = np.concatenate(
        [
            np.array(fired, np.int64).reshape(-1, 2),
            *(
                np.stack([table["neuron"].to_numpy(), table["pattern"].to_numpy()], axis=1)
                for table in columns
            ),
        ]
    )
    if kept is not None:
        pairs = pairs[np.isin(pairs[:, 0], list(kept))]
    neuron, end = np.unique(pairs, axis=0).T
    return neuron, end, [each for each in firings if each.end is None]


def _nodes(kind: str, neurons: list[int]) -> Compiled:
    listed = len(neurons) <= MOST_LISTED
    return Compiled(
        f"MATCH (n:Neuron)-[g:{kind}]->(t:Token){' WHERE n.id IN $neurons' if listed else ''}"
        " RETURN n.id AS neuron, offset(id(t)) AS token, g.pre AS pre, g.last AS last",
        {"neurons": neurons} if listed else {},
    )


def tokens_of_sets(session: Session, plan: TokenSetPlan) -> list[tuple[str, float, float | None, int]]:
    """Return the tokens that meet every term: text, and activation, importance and patterns of the first."""
    columns = columns_of(session)
    tries, same = columns.tries, columns.tries.same_text
    holds = np.ones(len(same), np.bool_)
    first: tuple[Int64Array, Int64Array] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    for number, (term, units) in enumerate(zip(plan.query.terms, plan.units, strict=True)):
        check_time()
        rows, ends = _in_role(session, term, units)
        inside = np.zeros(len(same), np.bool_)
        inside[same[tries.token[rows]]] = True
        holds &= ~inside if term.negated else inside
        if not number:
            first = rows, ends
    rows, ends = first
    kept = holds[same[tries.token[rows]]]
    rows, ends = rows[kept], ends[kept]
    text = same[tries.token[rows]]
    activation, importance = np.full(len(same), -np.inf), np.full(len(same), np.nan)
    np.maximum.at(activation, text, tries.end[ends])
    np.fmax.at(importance, text, tries.importance[rows])
    check_time()
    pairs = distinct(text * len(tries) + ends) // len(tries)
    counts = np.bincount(pairs, minlength=len(same))
    found = [
        (
            tries.texts[each],
            float(activation[each]),
            None if np.isnan(importance[each]) else float(importance[each]),
            int(counts[each]),
        )
        for each in np.flatnonzero(counts).tolist()
    ]
    return sorted(found, key=lambda token: (-token[1], token[0]))


def _in_role(session: Session, term: TokenTerm, units: NeuronPlan) -> tuple[Int64Array, Int64Array]:
    """Return the nodes of a role in the units of a term, and the end of each pattern that they stand on."""
    tries = columns_of(session).tries
    places, _, _ = find_units(session, units, units.settled.query)
    inside = np.zeros(len(tries.first) - 1, np.bool_)
    inside[places] = True
    ends = tries.ends[inside[tries.owner[tries.ends]]]
    return on_paths(tries, ends.astype(np.int64), term.role is Role.CONTEXT)
