"""Firing: which neurons are predicted to fire on a text, all at once, without the model.

Evidence predicts where a unit has it (evidence_firing.py), else its graph does, or all graphs do where that
is asked. Of a graph, a context node `d` positions back from the activating token `t` can match at position
`p` only where the text has `t` at `p` and the node's token at `p - d`. The engine narrows to nodes of tokens
that the text has; what is left is decided here, as ``NeuronGraph.predict`` does it for one neuron.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Literal, cast, get_args

from n2gdb.core import arguments
from n2gdb.core.reals import as_decimal
from n2gdb.core.units import token_key
from n2gdb.prediction.evidence_firing import (
    EvidenceFiring,
    class_statement,
    evidence_statements,
    members_statement,
    read_evidence_firings,
)
from n2gdb.storage.parameters import MOST_COMPARED, Parameters
from n2gdb.storage.shapes import NO_NUMBER, node_in, relationship_in

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.core.arrays import Float64Array, Int64Array


__all__ = [
    *("Firing", "FiringNodes", "Predictor", "fired_nodes", "firing_statements", "firings_among"),
    *("predictor", "read_firings", "statements_of"),
]

Statement = tuple[str, dict[str, object]]
Read = Callable[[str, Mapping[str, object]], "pa.Table"]

#: What predicts where neurons fire: evidence where a neuron has it, else its graph; or graphs alone.
Predictor = Literal["evidence", "graph"]

_ROOTS = (
    "MATCH (n:Neuron)-[a:ACTIVATES_ON]->(t:Token) WHERE {activating} HINT ((t JOIN a) JOIN n)"
    " RETURN n.id AS neuron, a.pre AS pre, -1 AS parent, t.id AS activating, t.id AS token, 0 AS depth,"
    f" a.`end` AS mark, {NO_NUMBER} AS least, a.support AS support, a.confidence AS confidence,"
    " n.evidence_threshold IS NOT NULL AS weighed"
)
_CONTEXT = (
    "MATCH (n:Neuron)-[c:CONTEXT]->(u:Token)"
    " WHERE {context}{activating} AND c.depth <= {reach}"
    " HINT ((u JOIN c) JOIN n)"
    " RETURN n.id AS neuron, c.pre AS pre, c.parent AS parent, c.act_token AS activating, u.id AS token,"
    " c.depth AS depth, c.`end` AS mark, c.least AS least, c.support AS support, c.confidence AS confidence,"
    " false AS weighed"
)
_COLUMNS = ("neuron", "pre", "parent", "activating", "token", "depth")
_REALS = ("mark", "least", "support", "confidence")
_AT_ONCE = 64  # positions matched together: memory grows with them, not with the text


def predictor(name: str) -> Predictor:
    """Return what predicts by its name; raise QueryError for any other."""
    return cast(Predictor, arguments.kind("by", name, get_args(Predictor)))


@dataclass(frozen=True, slots=True)
class Firing:
    """A neuron that fires at a position of a text.

    ``neuron`` is Neuron.id, ``activation`` the predicted normalised one. By its graph: ``end`` is the
    preorder index of the node where the matching pattern ends, ``importance`` the least among its context
    tokens, None without any, ``support`` and ``confidence`` are the pattern's, None where they were not
    counted. By its evidence: these are None, and ``steps`` are depth and Token.id of the tokens that excite
    it, by rising depth.
    """

    neuron: int
    position: int
    activation: float
    end: int | None
    importance: float | None = None
    support: int | None = None
    confidence: float | None = None
    steps: tuple[tuple[int, int], ...] = ()


def read_firings(
    read: Read,
    tokens: Sequence[int],
    model: int,
    *,
    threshold: float,
    positions: Sequence[int] | None = None,
    by: Predictor = "evidence",
) -> list[Firing]:
    """Return which neurons of a model fire on a text, and where, by (neuron, position).

    ``read`` runs a statement with its parameters and returns columns; ``tokens`` are the text's token ids,
    ``positions`` those to look at (default: all, counted from 0). A predicted activation fires from
    ``threshold`` on, the model's own: ``ModelInfo.fire_threshold``. ``by`` is what predicts: evidence, and
    graphs of neurons without, or every neuron's graph. Raises IndexError for a position that the text does
    not have.
    """
    wanted = _checked(tokens, positions)
    nodes = FiringNodes.of(
        [read(cypher, given) for cypher, given in firing_statements(tokens, model, wanted)]
    )
    return firings_among(read, nodes, tokens, model, threshold=threshold, positions=wanted, by=by)


def firings_among(
    read: Read,
    nodes: FiringNodes,
    tokens: Sequence[int],
    model: int,
    *,
    threshold: float,
    positions: Sequence[int] | None,
    by: Predictor,
) -> list[Firing]:
    """Return the same, of the nodes that may match; ``read`` is asked for evidence alone."""
    node, position, weighed = fired_nodes(
        read, nodes, tokens, model, threshold=threshold, positions=positions, by=by
    )
    firings = _firings(nodes, node, position) + [
        Firing(each.unit, each.position, as_decimal(each.activation), None, steps=each.steps)
        for each in weighed
    ]
    firings.sort(key=lambda firing: (firing.neuron, firing.position))
    return firings


def fired_nodes(
    read: Read,
    nodes: FiringNodes,
    tokens: Sequence[int],
    model: int,
    *,
    threshold: float,
    positions: Sequence[int] | None,
    by: Predictor,
) -> tuple[Int64Array, Int64Array, list[EvidenceFiring]]:
    """Return the same: nodes where patterns that fire end, their positions, and firings by evidence.

    The first two are (firings,).
    """
    import numpy as np

    wanted = _checked(tokens, positions)
    text = np.asarray(tokens, np.int64) | token_key(model, 0)
    nowhere = np.zeros((2, 0), np.int64)
    fired = [nowhere] + [
        _strongest(nodes, _matches(nodes, text, at), threshold)
        for at in np.split(np.array(wanted, np.int64), range(_AT_ONCE, len(wanted), _AT_ONCE))
    ]
    node, position = np.concatenate(fired, axis=1)
    if by == "graph":
        return node, position, []
    weighed = np.isin(nodes.neuron[node], nodes.weighed)
    matched = np.stack([nodes.neuron[node[weighed]], position[weighed]])
    by_evidence = read_evidence_firings(
        read, tokens, model, threshold=threshold, positions=wanted, matched=matched
    )
    return node[~weighed], position[~weighed], by_evidence


def statements_of(
    tokens: Sequence[int],
    model: int,
    positions: Sequence[int] | None = None,
    *,
    by: Predictor,
    classes: Sequence[int],
) -> Iterator[tuple[str, Statement]]:
    """Yield the statements by which ``read_firings`` reads what may fire, each with what it reads.

    ``classes`` are those of the tokens before the last position, by TokenClass.id.
    """
    wanted = _checked(tokens, positions)
    yield from zip(("ACTIVATES_ON", "CONTEXT"), firing_statements(tokens, model, wanted), strict=False)
    if by == "graph" or not wanted:
        return
    own, before = evidence_statements(tokens, model, wanted)
    yield "EVIDENCE", own
    if before is not None:
        yield "EVIDENCE", before
        if classes:
            yield "TokenClass", members_statement(tokens[: wanted[-1]], model)
            yield "CLASS_EVIDENCE", class_statement(classes, wanted[-1])


def firing_statements(
    tokens: Sequence[int], model: int, positions: Sequence[int] | None = None
) -> tuple[Statement, ...]:
    """Return the statements that find the nodes that may match, with their parameters.

    Each gives ``neuron``, ``pre``, ``parent``, ``activating`` and ``token`` (both Token.id), ``depth``, and
    ``mark``, the activation of the pattern that ends there or null, ``least``, the smallest importance from
    there up to the root, or null, ``support`` and ``confidence``; ``weighed`` tells of a root whether its
    neuron has evidence. Raises IndexError as ``read_firings``.
    """
    wanted = _checked(tokens, positions)
    if not wanted:
        return ()
    owner = token_key(model, 0)
    activating = sorted({owner | int(tokens[position]) for position in wanted})
    roots = Parameters()
    statements = [(_ROOTS.format(activating=node_in("t.id", activating, roots)), roots.values)]
    if reach := wanted[-1]:
        given = Parameters()
        few = len(activating) <= MOST_COMPARED  # more are told apart faster where the paths are matched
        context = _CONTEXT.format(
            context=node_in("u.id", sorted({owner | int(token) for token in tokens[:reach]}), given),
            activating=f" AND {relationship_in('c.act_token', activating, given)}" if few else "",
            reach=given.bind(reach),
        )
        statements.append((context, given.values))
    return tuple(statements)


def _checked(tokens: Sequence[int], positions: Sequence[int] | None) -> list[int]:
    """Return the positions asked for, once each, in ascending order."""
    if positions is None:
        return list(range(len(tokens)))
    for position in positions:
        if not 0 <= position < len(tokens):
            raise IndexError(f"the text has {len(tokens)} tokens: no position {position}")
    return sorted(set(positions))


@dataclass(frozen=True, slots=True)
class FiringNodes:
    """Candidate nodes of many neurons by (neuron, preorder index); every array is (nodes,)."""

    neuron: Int64Array
    pre: Int64Array
    above: Int64Array  # row of the parent; a root's own; -1 where the parent is not a candidate
    activating: Int64Array
    token: Int64Array
    depth: Int64Array
    end: Float64Array  # NaN where no pattern ends
    least: Float64Array  # NaN at a root
    support: Float64Array  # NaN where it was not counted
    confidence: Float64Array  # NaN where there is none
    weighed: Int64Array  # (neurons with evidence,) among those of the nodes, rising

    @classmethod
    def of(cls, tables: Sequence[pa.Table]) -> FiringNodes:
        """Sort what ``firing_statements`` found."""
        import numpy as np

        def column(name: str) -> Int64Array:
            values = [table[name].to_numpy() for table in tables]
            return np.concatenate([np.zeros(0, np.int64), *values]).astype(np.int64)

        order = np.lexsort((column("pre"), column("neuron")))
        neuron, pre, parent, activating, token, depth = (column(name)[order] for name in _COLUMNS)
        first = np.ones(len(neuron), np.bool_)
        first[1:] = neuron[1:] != neuron[:-1]
        owner = np.cumsum(first) << 32
        above = _find(owner | pre, owner | np.where(parent < 0, pre, parent))
        reals = (
            np.concatenate([np.zeros(0), *(_real(table, name) for table in tables)])[order] for name in _REALS
        )
        flags = [table.filter(table["weighed"])["neuron"].to_numpy() for table in tables]
        weighed = np.unique(np.concatenate([np.zeros(0, np.int64), *flags]).astype(np.int64))
        end, least, support, confidence = reals
        return cls(neuron, pre, above, activating, token, depth, end, least, support, confidence, weighed)


@dataclass(frozen=True, slots=True)
class _Matches:
    """Nodes that match with all of their ancestors, and where; every array is (matches,)."""

    node: Int64Array  # row of FiringNodes
    position: Int64Array
    named: Int64Array  # named tokens of the path


def _matches(nodes: FiringNodes, text: Int64Array, at: Int64Array) -> _Matches:
    """Match candidates at the positions ``at``, which rise, of a text of Token.id."""
    import numpy as np

    node, place = _placed(nodes, text[at])
    position = at[place]
    fits = position >= nodes.depth[node]
    node, place, position = node[fits], place[fits], position[fits]
    fits = text[position - nodes.depth[node]] == nodes.token[node]
    node, place, position = node[fits], place[fits], position[fits]
    above = nodes.above[node]
    parent = _find(node * len(at) + place, np.where(above < 0, -1, above * len(at) + place))
    whole, named, ancestor = parent >= 0, np.ones(len(node), np.int64), parent.copy()
    climbing = np.flatnonzero(whole & (parent != np.arange(len(node))))
    while len(climbing):
        named[climbing] += 1
        higher = parent[ancestor[climbing]]
        whole[climbing] = higher >= 0
        going = whole[climbing] & (higher != ancestor[climbing])
        climbing = climbing[going]
        ancestor[climbing] = higher[going]
    return _Matches(node[whole], position[whole], named[whole])


def _placed(nodes: FiringNodes, text: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Pair every node with every place in ``text`` of its activating token, by (node, place)."""
    import numpy as np

    order = np.argsort(text, kind="stable")
    first = np.searchsorted(text[order], nodes.activating, "left")
    count = np.searchsorted(text[order], nodes.activating, "right") - first
    node = np.repeat(np.arange(len(first)), count)
    offset = np.arange(len(node)) - np.repeat(np.cumsum(count) - count, count)
    return node, order[first[node] + offset]


def _strongest(nodes: FiringNodes, matches: _Matches, threshold: float) -> Int64Array:
    """Return the node where the pattern ends that counts of each neuron at each position, and the position.

    (2, firings): that is the longest pattern, then the one naming and activating most, if it fires.
    """
    import numpy as np

    ends = ~np.isnan(nodes.end[matches.node])
    node, position, named = matches.node[ends], matches.position[ends], matches.named[ends]
    neuron, end = nodes.neuron[node], nodes.end[node]
    order = np.lexsort((node, -end, -named, -nodes.depth[node], position, neuron))
    neuron, position, end, node = neuron[order], position[order], end[order], node[order]
    first = np.ones(len(node), np.bool_)
    first[1:] = (neuron[1:] != neuron[:-1]) | (position[1:] != position[:-1])
    first &= end >= threshold
    return np.stack([node[first], position[first]])


def _firings(nodes: FiringNodes, node: Int64Array, position: Int64Array) -> list[Firing]:
    """Return the firings by the patterns that end at some nodes, and the positions where they do."""
    fields = (
        column[node].tolist()
        for column in (
            *(nodes.neuron, nodes.end, nodes.pre),
            *(nodes.least, nodes.support, nodes.confidence),
        )
    )
    return [
        Firing(
            neuron,
            at,
            activation,
            end,
            _known(least),
            None if isnan(support) else int(support),
            _known(confidence),
        )
        for at, neuron, activation, end, least, support, confidence in zip(
            position.tolist(), *fields, strict=True
        )
    ]


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def _real(table: pa.Table, name: str) -> Float64Array:
    """Return a column as reals, null as NaN."""
    import pyarrow as pa

    found: Float64Array = table[name].cast(pa.float64()).to_numpy()
    return found


def _find(rising: Int64Array, wanted: Int64Array) -> Int64Array:
    """Return where each wanted value stands in ``rising``; -1 where it does not."""
    import numpy as np

    if not len(rising):
        return np.full(len(wanted), -1, np.int64)
    place = np.searchsorted(rising, wanted).clip(max=len(rising) - 1)
    return np.where(rising[place] == wanted, place, -1)
