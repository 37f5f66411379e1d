"""Similarity search: the neurons most similar to one, found in the database.

    graph      the steps of both graphs over those of either, each weighted by its activation and by how rare
               its token is among neurons: sum min(w) / sum max(w); with case and space aside they count half
    cofiring   the tokens of the corpus on which both fire over those on which either does
    tokens     the smaller, over both roles, of |X and Y| / max(|X|, |Y|): the paper's, similar from 0.9 on
    subset     the same over min(|X|, |Y|)

0 / 0 is 1: where the neuron that is divided by has no context tokens, none of them is missing in the other.

Steps and tokens are the same where they read the same, so that neurons of different models can be compared;
firings are of one model's. Two neurons that share nothing, two empty graphs among them, have no similarity.

Graphs are compared by arrays that lie in the file. Tokens are by statements in a database that is asked once,
and by columns in one that is asked again.

Source: N2G, arXiv 2305.19911, section 4.3 (tokens).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from n2gdb.core.units import WITHIN_MODEL, model_of
from n2gdb.grammar.ast import Metric
from n2gdb.storage.parameters import MOST_LISTED

if TYPE_CHECKING:
    from n2gdb.similarity.columns import Compared, SimilarityColumns

__all__ = ["Bounds", "ComparisonSource", "Score", "contained_in", "contains", "itself", "similar"]

Rows = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]

#: Sums of reals may miss a threshold that they meet by this much.
_TOLERANCE = 1e-9

_ROLE_TEXTS = "MATCH (a:Neuron)-[:{role}]->(t:Token) WHERE a.id = $neuron RETURN DISTINCT t.text_key"
_SHARED_TOKENS = (
    "MATCH (t:Token)<-[:{role}]-(b:Neuron) WHERE t.text_key IN $texts AND b.id <> $neuron{model}{among}"
    " RETURN b.id, count(DISTINCT t.text_key), b.n_activating, b.n_context"
)
_OWN_ROOTS = (
    "MATCH (a:Neuron)-[x:ACTIVATES_ON]->(t:Token) WHERE a.id = $neuron RETURN DISTINCT t.id, t.norm_key"
)
_OWN_CONTEXT = (
    "MATCH (a:Neuron)-[x:CONTEXT]->(t:Token) WHERE a.id = $neuron"
    " RETURN DISTINCT x.act_token, x.depth, t.norm_key"
)


@dataclass(frozen=True, slots=True)
class ComparisonSource:
    """A database that neurons are compared in: asked by statements, or, where ``is_warm``, from columns."""

    rows: Rows
    columns: Callable[[], SimilarityColumns]
    is_warm: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """How like another a neuron is, from 0 to 1.

    ``size`` counts what they share: steps of their graphs, tokens over both roles, or firings that are known.
    """

    neuron: int  # Neuron.id
    score: float
    size: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which neurons a search returns: as alike as ``above``, sharing so much, of one model, the first."""

    above: float = 0.0
    sharing: int = 1
    model: int | None = None
    limit: int | None = None


def similar(source: ComparisonSource, neuron: int, metric: Metric, bounds: Bounds = Bounds()) -> list[Score]:
    """Return the neurons that share something with the one of this Neuron.id, the most similar first.

    Ties go by size, then layer and index.
    """
    if source.is_warm or metric not in (Metric.TOKENS, Metric.SUBSET):
        return _ranked(source.columns().against(neuron, metric), bounds)
    divisor = max if metric is Metric.TOKENS else min
    return _by_tokens(source.rows, neuron, lambda own, other: divisor(own, other), bounds)


def itself(source: ComparisonSource, neuron: int, metric: Metric) -> Score:
    """Return the score of a neuron against itself: 1, above every other's, its size all that it has."""
    if metric is Metric.COFIRING or (source.is_warm and metric is not Metric.GRAPH):
        return Score(neuron, 1.0, source.columns().own_size(neuron, metric))
    if metric is Metric.GRAPH:
        roots: dict[int, int] = dict(source.rows(_OWN_ROOTS, {"neuron": neuron}))
        context = source.rows(_OWN_CONTEXT, {"neuron": neuron})
        steps = {(roots[token], depth, norm) for token, depth, norm in context}
        return Score(neuron, 1.0, len(set(roots.values())) + len(steps))
    roles = ("ACTIVATES_ON", "CONTEXT")
    return Score(neuron, 1.0, sum(len(_texts(source.rows, neuron, role)) for role in roles))


def contained_in(source: ComparisonSource, neuron: int, bounds: Bounds) -> list[Score]:
    """Return the neurons of whose tokens, in each role, the named one has at least the share ``above``."""
    if source.is_warm:
        columns = source.columns()
        return _ranked(columns.overlap(neuron, lambda own, other: other), bounds)
    return _by_tokens(source.rows, neuron, lambda own, other: other, bounds)


def contains(source: ComparisonSource, neuron: int, bounds: Bounds) -> list[Score]:
    """Return the neurons that have at least the share ``above`` of the named one's tokens, in each role."""
    if source.is_warm:
        columns = source.columns()
        return _ranked(columns.overlap(neuron, lambda own, other: own), bounds)
    return _by_tokens(source.rows, neuron, lambda own, other: own, bounds)


def _ranked(found: Compared, bounds: Bounds) -> list[Score]:
    import numpy as np  # columns have loaded it

    kept = (found.score >= bounds.above - _TOLERANCE) & (found.size >= bounds.sharing)
    if bounds.model is not None:
        kept &= model_of(found.unit) == bounds.model
    found = found.kept(kept)
    ids = found.unit
    order = np.lexsort((ids, ids % WITHIN_MODEL, -found.size, -found.score))[: bounds.limit]
    every = zip(ids[order].tolist(), found.score[order].tolist(), found.size[order].tolist(), strict=True)
    return [Score(*each) for each in every]


def _by_tokens(rows: Rows, neuron: int, divisor: Callable[[int, int], int], bounds: Bounds) -> list[Score]:
    """Score the neurons that share an activating token; ``divisor`` takes a role's tokens, own, other's."""

    def score(shared: int, own: int, other: int) -> float:
        size = divisor(own, other)
        return shared / size if size else 1.0

    activating, context = (_texts(rows, neuron, role) for role in ("ACTIVATES_ON", "CONTEXT"))
    candidates: dict[int, tuple[float, int, int]] = {}
    alike = _sharing(rows, neuron, "ACTIVATES_ON", activating, bounds.model)
    for other, shared, n_activating, n_context in alike:
        first = score(shared, len(activating), n_activating)
        if first >= bounds.above:
            candidates[other] = (first, shared, n_context)
    rest = _sharing(rows, neuron, "CONTEXT", context, bounds.model, list(candidates)) if candidates else []
    in_context = {other: shared for other, shared, *_ in rest}
    found = []
    for other, (first, shared, n_context) in candidates.items():
        also = in_context.get(other, 0)
        smaller = min(first, score(also, len(context), n_context))
        if smaller > 0 and smaller >= bounds.above and shared + also >= bounds.sharing:
            found.append(Score(other, smaller, shared + also))
    found.sort(key=lambda each: (-each.score, -each.size, each.neuron % WITHIN_MODEL, each.neuron))
    return found[: bounds.limit]


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
