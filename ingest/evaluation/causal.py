"""Causal check: does a neuron's activation fall as its graph claims, where a pattern's context is replaced?

A pattern's context token has an importance: the share of the activation that was lost when the token was
masked. Here it is replaced by what ordinary text has in its place most often, given the activating token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from n2gdb.core.arrays import FloatArray, Int64Array, IntArray
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.progress import Report, silent
from n2gdb.core.units import place_of
from n2gdb.database import Database
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.models.read_units import with_units
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.sources.places import unit_number
from n2gdb.storage.read.catalog import ModelInfo
from n2gdb.storage.read.examples import firing_neurons, strongest_examples
from n2gdb.storage.read.graphs import read_layer_graphs

__all__ = ["HOLDS", "CausalFigures", "check_importance"]

#: A claim holds where at least this share of it is measured.
HOLDS = 0.5

#: Top examples of a neuron that are looked through for its patterns.
_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class CausalFigures:
    """What became of the claims of some neurons of a layer; ``layer`` is None for all layers.

    ``tokens`` context tokens of ``patterns`` patterns were replaced, one at a time. ``holding`` is the share
    of patterns of which every token lost the neuron at least half of the share of its activation that was
    claimed; ``claimed`` and ``measured`` are mean shares, over tokens.
    """

    layer: int | None
    neurons: int
    patterns: int
    tokens: int
    holding: float | None
    claimed: float | None
    measured: float | None

    def as_dict(self) -> dict[str, object]:
        """Return what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A context token of one occurrence of a pattern."""

    unit: int
    pattern: tuple[int, int]  # key of the neuron, node
    text: tuple[int, ...]  # up to the activating token
    depth: int
    importance: float


def check_importance(
    database: Database,
    info: ModelInfo,
    model: SubjectModel,
    corpus: IntArray,
    neurons: int = 200,
    seed: int = 0,
    report: Report = silent,
) -> tuple[CausalFigures, ...]:
    """Check patterns of drawn neurons, as many of each layer, where they occur in top examples; by layer.

    corpus (window, position) says what stands where most often. One occurrence of every pattern is taken, the
    strongest. Neurons whose patterns have no context are not drawn.
    """
    model = with_units(model, "".join({side for source in info.sources for side in source.sides}))
    layers = sorted({layer for layer, _ in firing_neurons(database.connection, info.number)})
    each = -(-neurons // max(1, len(layers)))
    kept: list[tuple[int, int, list[_Claim], FloatArray]] = []
    for done, layer in enumerate(layers):
        report("causal check", done, len(layers))
        graphs = {
            key: graph
            for key, graph in read_layer_graphs(database.connection, info.number, layer).items()
            if place_of(key).source == 0 and (graph.depth > 0).any()
        }
        keys = sorted(graphs)
        drawn = np.random.default_rng((seed, layer)).permutation(len(keys))[:each]
        chosen = [keys[at] for at in sorted(drawn.tolist())]
        claims = list(_claims(database, model, chosen, graphs, info.fire_threshold))
        if claims:
            kept.append((layer, len(chosen), claims, _measured(model, layer, claims, corpus)))
    report("causal check", len(layers), len(layers))
    found = [_figures(layer, count, claims, lost) for layer, count, claims, lost in kept]
    if kept:
        claims = [claim for _, _, some, _ in kept for claim in some]
        total = sum(count for _, count, _, _ in kept)
        found.append(_figures(None, total, claims, np.concatenate([lost for *_, lost in kept])))
    return tuple(found)


def _claims(
    database: Database,
    model: SubjectModel,
    keys: Sequence[int],
    graphs: dict[int, NeuronGraph],
    threshold: float,
) -> Iterator[_Claim]:
    """Yield what the patterns of neurons claim, each where it occurs most strongly in top examples."""
    seen: set[tuple[int, int]] = set()
    for key, tokens, pivot, activation, largest in strongest_examples(database.connection, keys, _EXAMPLES):
        graph = graphs[key]
        node = int(graph.matched(tokens[: pivot + 1])[-1])
        if node < 0 or (key, node) in seen or graph.depth[node] == 0 or activation < threshold * largest:
            continue
        seen.add((key, node))
        for step in graph.pattern(node).steps[1:]:
            text = tuple(tokens[: pivot + 1])
            yield _Claim(unit_number(key, model.d_mlp), (key, node), text, step.depth, float(step.importance))


def _measured(model: SubjectModel, layer: int, claims: Sequence[_Claim], corpus: IntArray) -> FloatArray:
    """Share of the activation that is lost by replacing each claim's token: (claim,)."""
    usual = _Usual(corpus)
    lost = np.zeros(len(claims), np.float32)
    for at, claim in enumerate(claims):
        text = np.array(claim.text, np.int64)
        other = text.copy()
        place = len(text) - 1 - claim.depth
        other[place] = usual.token(int(text[-1]), claim.depth, int(text[place]))
        tokens = torch.from_numpy(np.stack([text, other])).to(model.device)
        with torch.inference_mode():
            (site,) = model.all_activations(tokens, [layer])
        before, after = site[:, -1, claim.unit].tolist()
        lost[at] = 1 - after / before
    return lost


class _Usual:
    """What stands so far before a token most often."""

    def __init__(self, corpus: IntArray) -> None:
        self._corpus = corpus
        counts = np.bincount(corpus[corpus != PAD].astype(np.int64))
        self._frequent = np.argsort(-counts, kind="stable")
        self._known: dict[tuple[int, int], Int64Array] = {}

    def token(self, activating: int, depth: int, but: int) -> int:
        """The token that most often stands ``depth`` positions before an activating one, another aside."""
        if (activating, depth) not in self._known:
            there = self._corpus[:, depth:] == activating
            before = self._corpus[:, : self._corpus.shape[1] - depth][there]
            found, count = np.unique(before[before != PAD], return_counts=True)
            self._known[activating, depth] = found[np.argsort(-count, kind="stable")].astype(np.int64)
        others = np.concatenate([self._known[activating, depth], self._frequent[:2]])
        return int(others[others != but][0])


def _figures(layer: int | None, neurons: int, claims: Sequence[_Claim], lost: FloatArray) -> CausalFigures:
    claimed = np.array([claim.importance for claim in claims])
    holds: dict[tuple[int, int], bool] = {}
    for claim, holding in zip(claims, (lost >= HOLDS * claimed).tolist(), strict=True):
        holds[claim.pattern] = holds.get(claim.pattern, True) and holding
    return CausalFigures(
        layer,
        neurons,
        len(holds),
        len(claims),
        sum(holds.values()) / len(holds),
        float(claimed.mean()),
        float(lost.mean()),
    )
