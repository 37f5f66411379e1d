"""Similarity search: the neurons most similar to one, found in the database.

    graph    shared root-to-node paths over united ones, weighted by activation: sum min(w) / sum max(w)
    tokens   the smaller, over both roles, of |X and Y| / max(|X|, |Y|): the paper's rule, similar from 0.9 on
    subset   the same over min(|X|, |Y|)

0 / 0 is 1: where the neuron that is divided by has no context tokens, none of them is missing in the other.

Tokens are the same where they read the same, so that neurons of different models can be compared. Two
neurons that share nothing, two empty graphs among them, have no similarity.

Source: N2G, arXiv 2305.19911, section 4.3 (tokens).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from n2gdb.core.units import WITHIN_MODEL
from n2gdb.grammar.ast import Metric
from n2gdb.storage.parameters import MOST_LISTED
from n2gdb.storage.shapes import settled

__all__ = ["Score", "between", "contained_in", "contains", "itself", "similar"]

Rows = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]

#: Sums of reals may miss a threshold that they meet by this much.
_TOLERANCE = 1e-9

# Grouped by the neuron itself, and its columns read only then: half the time of grouping by its id.
_SHARED_PATHS = (
    "MATCH (a:Neuron)-[x:PASSES]->(p:Path)<-[y:PASSES]-(b:Neuron) WHERE a.id = $neuron"
    " HINT (((a JOIN x) JOIN p) JOIN y) JOIN b"
    " WITH b, a.weight AS own, count(*) AS size,"
    " sum(CASE WHEN x.weight < y.weight THEN x.weight ELSE y.weight END) AS shared"
    " WHERE b.id <> $neuron{model}"
    f" WITH b.id AS other, size, {settled('shared / (own + b.weight - shared)')} AS score"
    " WHERE score >= $above"
    " RETURN other, score, size ORDER BY score DESC, size DESC, other % $layers, other{limit}"
)
_ROLE_TEXTS = "MATCH (a:Neuron)-[:{role}]->(t:Token) WHERE a.id = $neuron RETURN DISTINCT t.text_key"
_SHARED_TOKENS = (
    "MATCH (t:Token)<-[:{role}]-(b:Neuron) WHERE t.text_key IN $texts AND b.id <> $neuron{model}{among}"
    " RETURN b.id, count(DISTINCT t.text_key), b.n_activating, b.n_context"
)
_NODES = (
    "MATCH (a:Neuron)-[x:ACTIVATES_ON|CONTEXT]->(t:Token) WHERE a.id = $neuron"
    " RETURN x.pre, coalesce(x.parent, -1), coalesce(x.depth, 0), t.text_key"
)


_SIZES = "MATCH (n:Neuron) WHERE n.id IN $neurons RETURN n.id, n.n_activating, n.n_context"


@dataclass(frozen=True, slots=True)
class Score:
    """How like another a neuron is, from 0 to 1; ``size`` counts shared paths, or tokens over both roles."""

    neuron: int  # Neuron.id
    score: float
    size: int


def similar(
    rows: Rows,
    neuron: int,
    metric: Metric,
    *,
    above: float = 0.0,
    model: int | None = None,
    limit: int | None = None,
) -> list[Score]:
    """Return the neurons that share something with the one of this Neuron.id, the most similar first.

    Ties go by size, then layer and index. ``model`` keeps to one model's neurons, ``limit`` to the first.
    """
    if metric is Metric.GRAPH:
        return _by_paths(rows, neuron, above, model, limit)
    divisor = max if metric is Metric.TOKENS else min

    def score(shared: int, own: int, other: int) -> float:
        size = divisor(own, other)
        return shared / size if size else 1.0

    return _by_tokens(rows, neuron, score, above, model)[:limit]


def itself(rows: Rows, neuron: int, metric: Metric) -> Score:
    """Return the score of a neuron against itself: 1, above every other's, its size all that it has."""
    if metric is Metric.GRAPH:
        nodes = rows(_NODES, {"neuron": neuron})
        paths: dict[int, tuple[Any, ...]] = {-1: ()}
        for pre, parent, depth, text in sorted(nodes):
            paths[pre] = (*paths[parent], (depth, text))
        return Score(neuron, 1.0, len(set(paths.values()) - {()}))
    return Score(neuron, 1.0, sum(len(_texts(rows, neuron, role)) for role in ("ACTIVATES_ON", "CONTEXT")))


def between(rows: Rows, neurons: Sequence[int]) -> dict[tuple[int, int], dict[Metric, float]]:
    """Return how alike every two of some neurons are, the earlier named first; 0 where nothing is shared.

    The scores are those that ``similar`` has of the second, which it finds among all neurons.
    """
    sizes = {
        key: (activating, context) for key, activating, context in rows(_SIZES, {"neurons": list(neurons)})
    }
    texts = {
        key: [set(_texts(rows, key, role)) for role in ("ACTIVATES_ON", "CONTEXT")] for key in set(neurons)
    }
    found = {}
    for first, second in combinations(neurons, 2):
        parameters = {"neuron": first, "other": second, "above": -_TOLERANCE, "layers": WITHIN_MODEL}
        paths = rows(_SHARED_PATHS.format(model=" AND b.id = $other", limit=""), parameters)
        scores = {Metric.GRAPH: min(paths[0][1], 1.0) if paths else 0.0}
        for metric, divisor in ((Metric.TOKENS, max), (Metric.SUBSET, min)):
            roles = [
                len(one & other) / size if (size := divisor(len(one), count)) else 1.0
                for one, other, count in zip(texts[first], texts[second], sizes[second], strict=True)
            ]
            scores[metric] = min(roles) if texts[first][0] & texts[second][0] else 0.0
        found[first, second] = scores
    return found


def contained_in(
    rows: Rows, neuron: int, *, above: float, model: int | None = None, limit: int | None = None
) -> list[Score]:
    """Return the neurons of whose tokens, in each role, the named one has at least the share ``above``."""

    def score(shared: int, own: int, other: int) -> float:
        return shared / other if other else 1.0

    return _by_tokens(rows, neuron, score, above, model)[:limit]


def contains(
    rows: Rows, neuron: int, *, above: float, model: int | None = None, limit: int | None = None
) -> list[Score]:
    """Return the neurons that have at least the share ``above`` of the named one's tokens, in each role."""

    def score(shared: int, own: int, other: int) -> float:
        return shared / own if own else 1.0

    return _by_tokens(rows, neuron, score, above, model)[:limit]


def _by_paths(rows: Rows, neuron: int, above: float, model: int | None, limit: int | None) -> list[Score]:
    parameters: dict[str, object] = {"neuron": neuron, "above": above - _TOLERANCE, "layers": WITHIN_MODEL}
    cypher = _SHARED_PATHS.format(
        model=_bind(parameters, " AND b.model = ${}", "model", model),
        limit=_bind(parameters, " LIMIT ${}", "limit", limit),
    )
    return [Score(other, min(score, 1.0), size) for other, score, size in rows(cypher, parameters)]


def _by_tokens(
    rows: Rows, neuron: int, score: Callable[[int, int, int], float], above: float, model: int | None
) -> list[Score]:
    """Score the neurons that share an activating token; ``score`` takes a role's shared, own, other's."""
    activating, context = (_texts(rows, neuron, role) for role in ("ACTIVATES_ON", "CONTEXT"))
    candidates: dict[int, tuple[float, int, int]] = {}
    for other, shared, n_activating, n_context in _sharing(rows, neuron, "ACTIVATES_ON", activating, model):
        first = score(shared, len(activating), n_activating)
        if first >= above:
            candidates[other] = (first, shared, n_context)
    rest = _sharing(rows, neuron, "CONTEXT", context, model, list(candidates)) if candidates else []
    in_context = {other: shared for other, shared, *_ in rest}
    found = []
    for other, (first, shared, n_context) in candidates.items():
        also = in_context.get(other, 0)
        smaller = min(first, score(also, len(context), n_context))
        if smaller > 0 and smaller >= above:
            found.append(Score(other, smaller, shared + also))
    return sorted(found, key=lambda each: (-each.score, -each.size, each.neuron % WITHIN_MODEL, each.neuron))


def _texts(rows: Rows, neuron: int, role: str) -> list[int]:
    return [text for (text,) in rows(_ROLE_TEXTS.format(role=role), {"neuron": neuron})]


def _sharing(
    rows: Rows,
    neuron: int,
    role: str,
    texts: Sequence[int],
    model: int | None,
    among: Sequence[int] | None = None,
) -> Iterable[tuple[int, int, int, int]]:
    """Return (Neuron.id, tokens shared, n_activating, n_context) of neurons that share one of ``texts``."""
    if not texts:
        return []
    parameters: dict[str, object] = {"neuron": neuron, "texts": list(texts)}
    listed = list(among) if among is not None and len(among) <= MOST_LISTED else None
    cypher = _SHARED_TOKENS.format(
        role=role,
        model=_bind(parameters, " AND b.model = ${}", "model", model),
        among=_bind(parameters, " AND b.id IN ${}", "among", listed),
    )
    return rows(cypher, parameters)


def _bind(parameters: dict[str, object], text: str, name: str, value: object) -> str:
    """Return a part of a statement with its parameter bound; nothing where there is no value."""
    if value is None:
        return ""
    parameters[name] = value
    return text.format(name)
