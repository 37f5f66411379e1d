"""Build: from firing positions and important context to the trie of a neuron's patterns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from n2gdb.graph import NeuronGraph, Pattern, Step
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.measured import Measured

__all__ = ["absorb_siblings", "build_graphs", "patterns_of"]

ANY = -1


def build_graphs(
    measured: Measured, neurons: Sequence[int], special: Collection[int], config: N2GConfig
) -> list[NeuronGraph]:
    """Build each neuron's graph of all its prompts; ``special`` tokens never fire.

    Source: N2G, arXiv 2305.19911, section 3.4.
    """
    patterns: dict[int, list[Pattern]] = {neuron: [] for neuron in neurons}
    owner = measured.prompts.neuron
    for row, pattern in patterns_of(measured, config.importance_threshold, special, config):
        patterns[int(owner[row])].append(pattern)
    return [NeuronGraph.from_patterns(absorb_siblings(patterns[neuron])) for neuron in neurons]


def patterns_of(
    measured: Measured, threshold: float, special: Collection[int], config: N2GConfig
) -> Iterator[tuple[int, Pattern]]:
    """Yield (prompt, pattern) for every position that fires in a prompt of an importance threshold.

    A firing on a special token, as the BOS in front, is none.
    """
    rows = measured.rows(threshold)
    prompts = measured.prompts.take(rows)
    normalised = prompts.normalised
    fires = (normalised > config.activation_threshold) & ~np.isin(prompts.tokens, list(special))
    row, position = np.nonzero(fires)  # (firing,)
    weight = measured.importance[measured.inherits[rows[row]], :, position]  # (firing, masked position)
    firing, context = np.nonzero(weight > threshold)
    # Read back from the firing position: the nearest context token first.
    steps: list[list[Step]] = [[Step(0, token, 1.0)] for token in prompts.tokens[row, position].tolist()]
    order = np.lexsort((-context, firing))
    firing, context = firing[order], context[order]
    for index, depth, token, value in zip(
        firing.tolist(),
        (position[firing] - context).tolist(),
        prompts.tokens[row[firing], context].tolist(),
        weight[firing, context].tolist(),
        strict=True,
    ):
        steps[index].append(Step(depth, token, value))
    activation = normalised[row, position].tolist()
    for prompt, path, value in zip(rows[row].tolist(), steps, activation, strict=True):
        yield prompt, Pattern(tuple(path), value)


def absorb_siblings(patterns: Sequence[Pattern]) -> list[Pattern]:
    """Let any-tokens absorb their siblings: what follows a sibling also follows the any-token.

    A sibling that itself ends a pattern stays beside it, with all that follows.
    """
    root = _Slot()
    for pattern in patterns:
        root.insert(pattern)
    pending = list(root.children.values())
    while pending:
        slot = pending.pop()
        slot.absorb()
        pending.extend(slot.children.values())
    found: list[Pattern] = []
    root.collect((), -1, found)
    return found


class _Slot:
    """One position of the paths through it, any-tokens included, while they are being merged."""

    __slots__ = ("children", "end", "importance")

    def __init__(self) -> None:
        self.importance = 0.0
        self.end: float | None = None
        self.children: dict[int, _Slot] = {}

    def child(self, token: int) -> _Slot:
        found = self.children.get(token)
        if found is None:
            found = self.children[token] = _Slot()
        return found

    def insert(self, pattern: Pattern) -> None:
        slot, depth = self, -1
        for step in pattern.steps:
            for _ in range(step.depth - depth - 1):
                slot = slot.child(ANY)
            slot, depth = slot.child(step.token), step.depth
            slot.importance = max(slot.importance, step.importance)
        slot.end = max(slot.end or 0.0, pattern.activation)

    def absorb(self) -> None:
        """Merge what follows the other children into the any-token; drop those that end no pattern."""
        anything = self.children.get(ANY)
        if anything is None:
            return
        for token, other in list(self.children.items()):
            if token == ANY:
                continue
            for following, slot in other.children.items():
                anything.child(following).merge(slot)
            if other.end is None:
                del self.children[token]

    def merge(self, other: _Slot) -> None:
        self.importance = max(self.importance, other.importance)
        if other.end is not None:
            self.end = max(self.end or 0.0, other.end)
        for token, slot in other.children.items():
            self.child(token).merge(slot)

    def collect(self, path: tuple[Step, ...], depth: int, found: list[Pattern]) -> None:
        if self.end is not None:
            found.append(Pattern(path, self.end))
        for token, slot in self.children.items():
            step = () if token == ANY else (Step(depth + 1, token, slot.importance),)
            slot.collect(path + step, depth + 1, found)
