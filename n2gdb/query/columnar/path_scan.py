"""Path scan: evaluates a broad clause by walking the paths of all tries at once, instead of by joins.

If two context tokens may each be half of the vocabulary, a join pairs every token of a neuron with every
other and takes seconds. Here the tries are read as columns instead, and the candidates of each anchor are
kept if a candidate of the next anchor is above them on the path: a few million steps from a node to its
parent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from n2gdb.core.arrays import BoolArray, Int64Array
from n2gdb.core.units import unit_key
from n2gdb.grammar.ast import Link
from n2gdb.query.cypher.compiler import Compiled, neuron_truths
from n2gdb.query.semantics.binder import PatternClause, Settled
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.query.semantics.token_sets import is_keyed, is_listable, mask, members, reads
from n2gdb.storage.parameters import Parameters
from n2gdb.storage.shapes import relationship_in

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.query.cypher.step_rows import Finds
    from n2gdb.query.semantics.vocabulary import Vocabulary
    from n2gdb.storage.read.catalog import ModelInfo

__all__ = ["scan", "scan_steps"]

#: The steps of a scan. Joins would take long, as several steps of the clause may take many tokens.
_READ = "read the nodes that may match"
_WALK = "walk the paths of these tries"

#: Neurons whose tries are read at once: about two million nodes.
_TOGETHER = 32_768


class Scanning(Protocol):
    """What a scan asks of a question: ``execution.context.Session``."""

    models: tuple[ModelInfo, ...]
    vocabulary: Vocabulary

    def read(self, step: str, compiled: Compiled) -> pa.Table: ...
    def work(self, step: str, do: Callable[[], list[int]]) -> list[int]: ...


#: Neurons from the first Neuron.id up to and without the second.
_Span = tuple[int, int]


def scan(session: Scanning, settled: Settled, clause: PatternClause) -> set[int]:
    """Return the ids of the neurons that a clause holds of."""
    return {
        neuron
        for form, span in _parts(session, settled, clause)
        for neuron in _scan(session, settled, form, span)
    }


def scan_steps(
    session: Scanning, settled: Settled, clause: PatternClause
) -> Iterator[tuple[str, Compiled | None, Finds]]:
    """Yield the steps of a scan, none of them run: name, statement, and what the rows are."""
    from n2gdb.query.cypher.step_rows import NeuronRows, NodeRows  # only a shown plan needs it

    for form, span in _parts(session, settled, clause):
        tokens = None if form.reach else [anchor.tokens for anchor in form.context]
        yield _READ, _nodes_of(settled, form, span), NodeRows(settled, "CONTEXT", tokens)
        yield _WALK, None, NeuronRows(settled, form=form, is_narrowed=True)


def _parts(
    session: Scanning, settled: Settled, clause: PatternClause
) -> Iterator[tuple[Lowered, _Span | None]]:
    """Yield what is read at once: a normal form, and a span of neurons."""
    for folded in settled.forms[clause]:
        for form in folded.unfolded():
            for span in _spans(session, settled):
                yield form, span


def _spans(session: Scanning, settled: Settled) -> Iterator[_Span | None]:
    """Yield the spans of Neuron.id whose tries are read at once; None, for all neurons, if they are few."""
    models = [model for model in session.models if settled.model in (None, model.number)]
    if sum(model.n_layers * model.most_units for model in session.models) <= _TOGETHER:
        yield None
        return
    for model in models:
        layers = max(1, _TOGETHER // max(1, model.most_units))
        for layer in range(0, model.n_layers, layers):
            low = unit_key(model.number, layer, 0)
            yield low, unit_key(model.number, min(layer + layers, model.n_layers), 0)


@dataclass(frozen=True, slots=True)
class _Nodes:
    """The context nodes that an anchor may stand on, by (neuron, preorder); every array is (nodes,).

    ``above`` is the row of the nearest of them towards the activating token, -1 if there is none.
    """

    neuron: Int64Array
    token: Int64Array  # row of Vocabulary.table
    depth: Int64Array
    root: Int64Array  # Token.id of the path's activating token
    above: Int64Array


def _scan(session: Scanning, settled: Settled, form: Lowered, span: _Span | None) -> list[int]:
    nodes = _read(session, settled, form, span)
    return session.work(_WALK, lambda: _walked(session, form, nodes))


def _walked(session: Scanning, form: Lowered, nodes: _Nodes) -> list[int]:
    vocabulary = session.vocabulary.table
    context = form.context
    holds = mask(context[-1].tokens, vocabulary)[nodes.token]
    holds &= _within(nodes.depth, form.gaps[len(context) - 1])
    if form.activating and form.activating.tokens is not None:
        ids = vocabulary["id"].to_numpy()
        order = np.argsort(ids)  # the engine loads in parallel, and may keep another order
        rows = order[np.searchsorted(ids, nodes.root, sorter=order)]
        holds &= mask(form.activating.tokens, vocabulary)[rows]
    for place in range(len(context) - 2, -1, -1):
        candidates = np.flatnonzero(mask(context[place].tokens, vocabulary)[nodes.token])
        holds = _below(nodes, candidates, holds, form.gaps[place])
    if form.reach:
        holds &= _reaching(nodes, form.reach)
    return cast("list[int]", np.unique(nodes.neuron[holds]).tolist())


def _read(session: Scanning, settled: Settled, form: Lowered, span: _Span | None) -> _Nodes:
    columns = session.read(_READ, _nodes_of(settled, form, span))
    neuron, token, depth, root, pre, last = (
        columns[name].to_numpy() for name in ("neuron", "token", "depth", "root", "pre", "last")
    )
    width = int(last.max(initial=0)) + 1
    key = neuron * width + pre
    order = np.argsort(key, kind="stable")  # nearly in order as they come
    above = _nearest_around(key[order], (neuron * width + last)[order])
    return _Nodes(neuron[order], token[order], depth[order], root[order], above)


def _nearest_around(start: Int64Array, stop: Int64Array) -> Int64Array:
    """Return, for nested intervals sorted by ``start``, the row of the smallest one around each, or -1.

    Each row first tries the row before it. If that interval ends too early, the row moves on to the candidate
    of that row; each round doubles the distance, so a few rounds are enough.
    """
    above = np.arange(len(start)) - 1
    while True:
        wrong = np.flatnonzero((above >= 0) & (stop[above] < start))
        if not len(wrong):
            return above
        above[wrong] = above[above[wrong]]


def _nodes_of(settled: Settled, form: Lowered, span: _Span | None) -> Compiled:
    """Return the statement that reads the context nodes that an anchor may match.

    It reads only neurons that contain the narrow anchors. A pattern that must reach further back needs every
    node.
    """
    parameters = Parameters()
    truths = neuron_truths(settled, None, parameters)
    if span is not None:
        truths += [f"n.id >= {parameters.bind(span[0])}", f"n.id < {parameters.bind(span[1])}"]
    for place, anchor in enumerate(form.context):
        if anchor.tokens is not None and is_keyed(anchor.tokens):
            condition = reads(f"u{place}", anchor.tokens, parameters)
            truths.append(f"EXISTS {{ MATCH (n)-[:CONTEXT]->(u{place}:Token) WHERE {condition} }}")
    activating = form.activating.tokens if form.activating else None
    if (listed := None if activating is None else members(activating)) is not None:
        truths.append(relationship_in("c.act_token", listed, parameters))
    wanted = [anchor.tokens for anchor in form.context]
    if not form.reach and all(each is not None and is_listable(each) for each in wanted):
        truths.append(f"({' OR '.join(reads('t', each, parameters) for each in wanted if each is not None)})")
    parts = [
        "MATCH (n:Neuron)-[c:CONTEXT]->(t:Token)",
        *([f"WHERE {' AND '.join(truths)}"] if truths else []),
        "HINT ((n JOIN c) JOIN t)",
        "RETURN n.id AS neuron, offset(id(t)) AS token, c.depth AS depth, c.act_token AS root,"
        " c.pre AS pre, c.last AS last",
    ]
    return Compiled("\n".join(parts), parameters.values)


def _below(nodes: _Nodes, candidates: Int64Array, holds: BoolArray, gap: Link) -> BoolArray:
    """Return which candidates have a node above them, at distance ``gap``, for which ``holds`` is true."""
    result = np.zeros(len(holds), np.bool_)
    rows, above = candidates, nodes.above[candidates]
    while len(rows := rows[above >= 0]):
        above = above[above >= 0]
        result[rows[holds[above] & _within(nodes.depth[rows] - nodes.depth[above], gap)]] = True
        above = nodes.above[above]
    return result


def _reaching(nodes: _Nodes, reach: int) -> BoolArray:
    """Return which nodes have a node below them that is at least ``reach`` positions further back."""
    result = np.zeros(len(nodes.depth), np.bool_)
    rows, above = np.arange(len(nodes.depth)), nodes.above
    while len(rows := rows[above >= 0]):
        above = above[above >= 0]
        result[above[nodes.depth[rows] - nodes.depth[above] >= reach]] = True
        above = nodes.above[above]
    return result


def _within(distance: Int64Array, gap: Link) -> BoolArray:
    near = np.ones(len(distance), np.bool_) if gap.most is None else distance <= gap.most
    return near & (distance >= gap.least)
