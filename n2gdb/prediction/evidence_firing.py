"""Firing by evidence: which units fire on a text by their weighed tokens, all at once, without the model.

A unit can fire only where one of its activating tokens stands. For all of these places together weights are
added, in float32 and in the order of ``UnitEvidence.log_odds``: those of tokens anywhere before, then depth
by depth those of the token that stands there and of its classes, and last where the unit's graph fires too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from n2gdb.core.units import token_key
from n2gdb.prediction.strength import predicted_activations
from n2gdb.storage.parameters import Parameters
from n2gdb.storage.shapes import node_in

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.core.arrays import FloatArray, Int64Array

__all__ = [
    *("EvidenceFiring", "class_statement", "evidence_statements", "members_statement"),
    "read_evidence_firings",
]

Statement = tuple[str, dict[str, object]]
Read = Callable[[str, Mapping[str, object]], "pa.Table"]

_OWN = (
    "MATCH (n:Neuron)-[e:EVIDENCE]->(t:Token) WHERE {tokens} AND e.depth = 0"
    " RETURN n.id AS unit, t.id AS token, e.weight AS weight,"
    " n.base AS base, n.evidence_threshold AS threshold, n.graph_weight AS graph"
)
_BEFORE = (
    "MATCH (n:Neuron)-[e:EVIDENCE]->(t:Token) WHERE {tokens} AND e.depth <> 0 AND e.depth <= {reach}"
    " RETURN n.id AS unit, e.depth AS depth, t.id AS named, e.weight AS weight"
)
_CLASSES = (
    "MATCH (c:TokenClass) WHERE c.model = {model}"
    " UNWIND c.tokens AS token WITH c, token WHERE {tokens}"
    " RETURN c.id AS class, token ORDER BY class"
)
_BEFORE_CLASS = (
    "MATCH (n:Neuron)-[e:CLASS_EVIDENCE]->(c:TokenClass) WHERE {classes} AND e.depth <= {reach}"
    " RETURN n.id AS unit, e.depth AS depth, c.id AS named, e.weight AS weight"
)
_AT_ONCE = 512  # positions that are weighed together: memory grows with them, not with the text


@dataclass(frozen=True, slots=True)
class EvidenceFiring:
    """A unit that fires; ``steps`` are depth and Token.id of what excites it there, by rising depth."""

    unit: int
    position: int
    activation: float
    steps: tuple[tuple[int, int], ...]


def read_evidence_firings(
    read: Read,
    tokens: Sequence[int],
    model: int,
    *,
    threshold: float,
    positions: Sequence[int],
    matched: Int64Array,
) -> list[EvidenceFiring]:
    """Return which units with evidence fire on a text, and where, by position, then unit.

    ``read`` runs a statement with its parameters and returns columns; ``tokens`` are the text's token ids,
    ``positions`` those to look at, rising; ``threshold`` is the model's fire threshold, which the activations
    reach: see ``predicted_activations``. ``matched`` (2, places) are Neuron.id and position of every firing
    that the units' graphs predict there.
    """
    import numpy as np

    if not positions:
        return []
    own, before = evidence_statements(tokens, model, positions)
    activating = read(*own)
    if not len(activating):
        return []
    owner = token_key(model, 0)
    text = np.asarray(tokens, np.int64) | owner
    contexts = list(_contexts(read, tokens, model, positions, before))
    weights = _Weights.of(activating, contexts, text, matched)
    found: list[EvidenceFiring] = []
    for first in range(0, len(positions), _AT_ONCE):
        at = np.array(positions[first : first + _AT_ONCE], np.int64)
        found += _fired(weights, text, at, threshold)
    return found


def evidence_statements(
    tokens: Sequence[int], model: int, positions: Sequence[int]
) -> tuple[Statement, Statement | None]:
    """Return the statements of the weights of activating tokens, and of those of tokens before them.

    The second is None where nothing stands before the last position.
    """
    owner, reach = token_key(model, 0), positions[-1]
    given = Parameters()
    wanted = sorted({owner | int(tokens[position]) for position in positions})
    own = (_OWN.format(tokens=node_in("t.id", wanted, given)), given.values)
    if not reach:
        return own, None
    given = Parameters()
    wanted = sorted({owner | int(token) for token in tokens[:reach]})
    before = _BEFORE.format(tokens=node_in("t.id", wanted, given), reach=given.bind(reach))
    return own, (before, given.values)


def _contexts(
    read: Read, tokens: Sequence[int], model: int, positions: Sequence[int], before: Statement | None
) -> Iterator[tuple[pa.Table, Mapping[int, Sequence[int]] | None]]:
    """Yield the weights of tokens, then those of classes with the tokens of each: Token.ids."""
    if before is None:
        return
    yield read(*before), None
    of_class = read(*members_statement(tokens[: positions[-1]], model))
    if not len(of_class):
        return
    members: dict[int, list[int]] = {}
    for number, token in zip(of_class["class"].to_pylist(), of_class["token"].to_pylist(), strict=True):
        members.setdefault(number, []).append(token_key(model, token))
    yield read(*class_statement(members, positions[-1])), members


def members_statement(tokens: Iterable[int], model: int) -> Statement:
    """Return the statement of the classes of some tokens: TokenClass.id, and the token's id in its model."""
    given = Parameters()
    wanted = node_in("token", sorted({int(token) for token in tokens}), given)
    return _CLASSES.format(model=given.bind(model), tokens=wanted), given.values


def class_statement(classes: Iterable[int], reach: int) -> Statement:
    """Return the statement of the weights of classes, by TokenClass.id, up to ``reach`` positions before."""
    given = Parameters()
    named = node_in("c.id", sorted(classes), given)
    return _BEFORE_CLASS.format(classes=named, reach=given.bind(reach)), given.values


@dataclass(frozen=True, slots=True)
class _Part:
    """The weights of one depth: those of tokens themselves, or of their classes of one kind."""

    depth: int
    key: Int64Array  # (weights,) rising: rank of the unit x tokens of the text + code of the token
    weight: FloatArray  # (weights,)


@dataclass(frozen=True, slots=True)
class _Weights:
    """The weights that a text meets; ranks of units and codes of tokens count those that it meets."""

    unit: Int64Array  # (unit,) rising
    base: FloatArray  # (unit,)
    threshold: FloatArray  # (unit,)
    owner: Int64Array  # (own weights,) rank of the unit; by code of the activating token
    starts: Int64Array  # (token + 1,) where the own weights of each token begin
    own: FloatArray  # (own weights,)
    graph: FloatArray  # (unit,)
    parts: tuple[_Part, ...]  # in the order in which they are added
    matched: Int64Array  # (places,) rising: rank of the unit x positions + position where its graph fires
    token: Int64Array  # (token,) rising
    code: Int64Array  # (position,)

    @classmethod
    def of(
        cls,
        activating: pa.Table,
        contexts: Sequence[tuple[pa.Table, Mapping[int, Sequence[int]] | None]],
        text: Int64Array,
        matched: Int64Array,
    ) -> _Weights:
        import numpy as np

        token, code = np.unique(text, return_inverse=True)
        unit, first, rank = np.unique(activating["unit"].to_numpy(), return_index=True, return_inverse=True)
        base, threshold, own, graph = (
            activating[name].to_numpy().astype(np.float32)
            for name in ("base", "threshold", "weight", "graph")
        )
        known = np.searchsorted(unit, matched[0]).clip(max=len(unit) - 1)
        place = (known * len(text) + matched[1])[unit[known] == matched[0]]
        own_code = np.searchsorted(token, activating["token"].to_numpy())
        order = np.lexsort((rank, own_code))
        parts = sorted(
            (
                (part.depth, place, part)
                for table, members in contexts
                for place, part in _parts(table, members, unit, token)
            ),
            key=lambda each: each[:2],
        )
        return cls(
            unit,
            base[first],
            threshold[first],
            rank[order],
            np.searchsorted(own_code[order], np.arange(len(token) + 1)),
            own[order],
            np.nan_to_num(graph[first]),
            tuple(part for _, _, part in parts),
            np.unique(place),
            token,
            code,
        )


def _parts(
    table: pa.Table, members: Mapping[int, Sequence[int]] | None, unit: Int64Array, token: Int64Array
) -> Iterator[tuple[int, _Part]]:
    """Yield the weights by depth, each with its place in the order: tokens 0, classes from 1 by kind."""
    import numpy as np

    owner, depth, named = (table[name].to_numpy().astype(np.int64) for name in ("unit", "depth", "named"))
    weight = table["weight"].to_numpy().astype(np.float32)
    rank = np.searchsorted(unit, owner).clip(max=len(unit) - 1)
    row = np.flatnonzero(unit[rank] == owner)
    if members is None:
        code, place = np.searchsorted(token, named[row]), np.zeros(len(row), np.int64)
    else:
        row, code, place = _spread(row, named, members, token)
    key = rank[row] * len(token) + code
    order = np.lexsort((key, place, depth[row]))
    row, key, place = row[order], key[order], place[order]
    starts = np.flatnonzero(np.append(True, (np.diff(depth[row]) != 0) | (np.diff(place) != 0)))
    for start, stop in zip(starts, [*starts[1:], len(row)], strict=True):
        if stop > start:
            yield (
                int(place[start]),
                _Part(int(depth[row[start]]), key[start:stop], weight[row[start:stop]]),
            )


def _spread(
    row: Int64Array, named: Int64Array, members: Mapping[int, Sequence[int]], token: Int64Array
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Give the weights ``row`` of classes to their tokens: row, code and kind, from 1, of every pair."""
    import numpy as np

    kinds: dict[int, int] = {}  # a token has one class of every kind, numbered on from kind to kind
    of_class: dict[int, list[tuple[int, int]]] = {}
    for number in sorted(members):
        for each in members[number]:
            kinds[each] = kinds.get(each, 0) + 1
            of_class.setdefault(number, []).append((each, kinds[each]))
    numbers = np.array(sorted(of_class), np.int64)
    pairs = np.array([pair for number in sorted(of_class) for pair in of_class[number]], np.int64)
    sizes = np.array([0, *(len(of_class[number]) for number in sorted(of_class))], np.int64)
    place = np.searchsorted(numbers, named[row]).clip(max=len(numbers) - 1)
    known = numbers[place] == named[row]
    row, place = row[known], place[known]
    count = sizes[place + 1]
    pair = np.repeat(np.cumsum(sizes)[place] - (np.cumsum(count) - count), count) + np.arange(count.sum())
    return np.repeat(row, count), np.searchsorted(token, pairs[pair, 0]), pairs[pair, 1]


def _fired(weights: _Weights, text: Int64Array, at: Int64Array, threshold: float) -> Iterator[EvidenceFiring]:
    """Yield what fires at some positions of a text of Token.ids."""
    import numpy as np

    code = weights.code[at]
    count = weights.starts[code + 1] - weights.starts[code]
    position = np.repeat(at, count)  # (place where a unit may fire,)
    row = np.repeat(weights.starts[code], count) + np.arange(len(position))
    row -= np.repeat(np.cumsum(count) - count, count)
    rank = weights.owner[row]
    total = weights.base[rank] + weights.own[row]
    met: list[tuple[int, Int64Array, FloatArray]] = []
    for part in weights.parts:
        if part.depth < 0:
            total += _anywhere(weights, part, rank, position)
            continue
        here = np.flatnonzero(position >= part.depth)
        key = rank[here] * len(weights.token) + weights.code[position[here] - part.depth]
        place = np.searchsorted(part.key, key).clip(max=len(part.key) - 1)
        hit = part.key[place] == key
        here, weight = here[hit], part.weight[place[hit]]
        total[here] += weight
        met.append((part.depth, here, weight))
    by_graph = np.isin(rank * len(text) + position, weights.matched)
    total[by_graph] += weights.graph[rank[by_graph]]
    fires = np.flatnonzero(total >= weights.threshold[rank])
    activation = predicted_activations(total[fires], weights.threshold[rank[fires]], threshold)
    excites = _exciting(met, fires)
    for place, strength in zip(fires.tolist(), activation.tolist(), strict=True):
        where = int(position[place])
        steps = tuple((depth, int(text[where - depth])) for depth in (0, *excites.get(place, ())))
        yield EvidenceFiring(int(weights.unit[rank[place]]), where, strength, steps)


def _anywhere(weights: _Weights, part: _Part, rank: Int64Array, position: Int64Array) -> FloatArray:
    """Add up the weights of tokens that stand anywhere before: (place,). A token weighs once."""
    import numpy as np

    width = len(weights.token)
    first = np.searchsorted(part.key, rank * width)
    count = np.searchsorted(part.key, (rank + 1) * width) - first
    place = np.repeat(np.arange(len(rank)), count)
    row = np.repeat(first, count) + np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    # Where every token stands, by token: the last of these before a position.
    standing = np.sort(weights.code * len(weights.code) + np.arange(len(weights.code)))
    wanted = (part.key[row] % width) * len(weights.code) + position[place]
    last = np.searchsorted(standing, wanted) - 1
    near = (last >= 0) & (standing[last] >= np.maximum(wanted + part.depth, wanted - position[place]))
    total = np.zeros(len(rank), np.float32)
    np.add.at(total, place[near], part.weight[row[near]])
    return total


def _exciting(met: Sequence[tuple[int, Int64Array, FloatArray]], fires: Int64Array) -> dict[int, list[int]]:
    """Return, of the places that fire, the depths at which what stands there excites, rising."""
    import numpy as np

    found: dict[int, list[int]] = {}
    for depth in sorted({depth for depth, _, _ in met}):
        sums: dict[int, float] = {}
        for _, here, weight in (each for each in met if each[0] == depth):
            kept = np.isin(here, fires, assume_unique=True)
            for place, value in zip(here[kept].tolist(), weight[kept].tolist(), strict=True):
                sums[place] = sums.get(place, 0.0) + value
        for place, value in sums.items():
            if value > 0:
                found.setdefault(place, []).append(depth)
    return found
