"""Clauses on what a neuron weighs: the tokens that it writes, and those that excite and inhibit it."""

from __future__ import annotations

from n2gdb.grammar.ast import Influence, Influenced, Writing
from tests.oracle.match import cuts_of, takes
from tests.oracle.world import Neuron, World

__all__ = ["influenced_by", "written_by"]


def written_by(clause: Writing, world: World) -> frozenset[Neuron]:
    """Return the neurons that write a token such as a clause says; a text of several tokens is none."""
    found = set()
    for model in world.models:
        tokens = takes(clause.test, model) | {cut[0] for cut in cuts_of(clause.test, model) if len(cut) == 1}
        found |= {
            each for each in world.neurons if each.model is model and each.writes(clause.effect) & tokens
        }
    return frozenset(found)


def influenced_by(clause: Influenced, world: World) -> frozenset[Neuron]:
    """Return the neurons that weigh a token such as a clause says, or a class of its, at such a depth."""
    sign = 1 if clause.influence is Influence.EXCITED else -1
    found = set()
    for model in world.models:
        tokens = takes(clause.test, model) | {cut[0] for cut in cuts_of(clause.test, model) if len(cut) == 1}
        named = tokens | {kind[token] for kind in model.classes for token in tokens if token in kind}
        for neuron in world.neurons:
            weights = {} if neuron.evidence is None or neuron.model is not model else neuron.evidence.weights
            if any(
                each in named and weight * sign > 0 and _reaches(depth, clause)
                for (depth, each), weight in weights.items()
            ):
                found.add(neuron)
    return frozenset(found)


def _reaches(depth: int, clause: Influenced) -> bool:
    """Tell whether a weight is at a place that a clause means; below zero, it is anywhere up to there."""
    if depth >= 0:
        return clause.nearest <= depth and (clause.farthest is None or depth <= clause.farthest)
    return any(
        place >= 1 and (clause.farthest is None or place <= clause.farthest)
        for place in range(clause.nearest, -depth + 1)
    )
