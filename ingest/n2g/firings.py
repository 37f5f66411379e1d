"""Firings: where prompts fire, and the important context there, from which patterns are read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import IndexArray
from n2gdb.core.graph import Step
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.n2g.measure import Measured

__all__ = ["PromptFiring", "read_firings"]


@dataclass(frozen=True, slots=True)
class PromptFiring:
    """A position of a prompt where its neuron fires."""

    neuron: int
    place: int  # the example of its neuron that the prompt came of
    slot: float  # importance of the token that a variant replaces; infinite for originals and at the pivot
    is_original: bool
    token: int
    activation: float  # normalised
    context: tuple[Step, ...]  # tokens that matter at all, nearest first

    def steps(self, threshold: float) -> tuple[Step, ...]:
        """Return the context of importance above a threshold, nearest first."""
        return tuple(step for step in self.context if step.importance > threshold)


def read_firings(
    measured: Measured,
    place: IndexArray,
    special: Collection[int],
    config: N2GConfig,
    *,
    first_counts: bool = True,
) -> list[PromptFiring]:
    """Read every firing off prompts, with context down to the least of the thresholds.

    place (example,) says which of its neuron's examples each one is. A firing on a special token, as the BOS
    in front, is none; nor is one on a prompt's first token unless ``first_counts``.
    """
    prompts, least = measured.prompts, min(config.thresholds)
    normalised = prompts.normalised
    fires = (normalised > config.activation_threshold) & ~np.isin(prompts.tokens, list(special))
    fires[:, :1] &= first_counts
    row, position = np.nonzero(fires & (measured.slot > least)[:, None])  # (firing,)
    weight = measured.importance[measured.inherits[row], :, position]  # (firing, masked position)
    firing, before = np.nonzero(weight > least)
    # Read back from the firing position: the nearest context token first.
    order = np.lexsort((-before, firing))
    firing, before = firing[order], before[order]
    context: list[list[Step]] = [[] for _ in row]
    for index, depth, token, importance in zip(
        firing.tolist(),
        (position[firing] - before).tolist(),
        prompts.tokens[row[firing], before].tolist(),
        weight[firing, before].tolist(),
        strict=True,
    ):
        context[index].append(Step(depth, token, importance))
    columns = (
        prompts.neuron[row],
        place[prompts.source[row]],
        measured.slot[row],
        row < measured.n_originals,
        prompts.tokens[row, position],
        normalised[row, position],
    )
    return [
        PromptFiring(neuron, example, slot, is_original, token, activation, tuple(steps))
        for neuron, example, slot, is_original, token, activation, steps in zip(
            *(column.tolist() for column in columns), context, strict=True
        )
    ]
