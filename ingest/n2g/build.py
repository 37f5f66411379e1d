"""Build: from firing positions and important context to the trie of a neuron's patterns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.ingest.n2g.firings import PromptFiring

__all__ = ["absorb_siblings", "build_graphs"]

ANY = -1


def build_graphs(
    firings: Iterable[PromptFiring], neurons: Sequence[int], threshold: float
) -> list[NeuronGraph]:
    """Build each neuron's graph of all its firings: context above an importance threshold is named.

    Source: N2G, arXiv 2305.19911, section 3.4.
    """
    patterns: dict[int, list[Pattern]] = {neuron: [] for neuron in neurons}
    for firing in firings:
        if firing.slot > threshold:
            steps = (Step(0, firing.token, 1.0), *firing.steps(threshold))
            patterns[firing.neuron].append(Pattern(steps, firing.activation))
    return [NeuronGraph.from_patterns(absorb_siblings(patterns[neuron])) for neuron in neurons]


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
