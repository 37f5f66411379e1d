"""What a picture of a neuron's graph shows: its patterns as the paper draws them, before any layout.

Any-tokens are left out, and the same token at the same depth is drawn once, so that patterns share what they
have in common. The price is the paper's too: a path through the picture need not be a pattern, where two
patterns cross in a shared token.
Source: N2G, arXiv 2305.19911, section 3 and figure 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from n2gdb.core.graph import NeuronGraph

__all__ = ["Diagram", "Link", "Mark", "read_diagram"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A token that is drawn once for all the patterns that name it ``depth`` positions before their last.

    ``importance`` is the largest there, None for an activating token. ``activation`` is that of the strongest
    pattern through it, and ``begins`` that of the strongest pattern that begins there, None where none does.
    ``behaviour`` counts from 0, the strongest.
    """

    token: int
    text: str
    depth: int
    importance: float | None
    activation: float
    begins: float | None
    behaviour: int


@dataclass(frozen=True, slots=True)
class Link:
    """Two marks that follow each other in a pattern, as places among a diagram's marks.

    ``between`` counts the any-tokens from the earlier to the later.
    """

    earlier: int
    later: int
    between: int


@dataclass(frozen=True, slots=True)
class Diagram:
    """The marks of a graph by behaviour, and what links them; ``left_out`` counts patterns not shown."""

    marks: tuple[Mark, ...]
    links: tuple[Link, ...]
    patterns: int
    left_out: int
    behaviours: int
    """Of the whole graph, whatever is shown of it."""


def read_diagram(graph: NeuronGraph, texts: Mapping[int, str], most: int | None = None) -> Diagram:
    """Merge the strongest ``most`` patterns of a graph, all of them if None, into what is drawn."""
    import numpy as np

    from n2gdb.core.behaviours import behaviours

    ends = np.flatnonzero(~np.isnan(graph.end))
    strongest = ends[np.argsort(-graph.end[ends], kind="stable")][:most]
    behaviour = behaviours(graph)
    nodes = sorted({node for end in strongest.tolist() for node in graph.path(end)})
    begins = {node: float(graph.end[node]) for node in strongest.tolist()}
    alike: dict[tuple[int, int], list[int]] = {}
    for node in sorted(nodes, key=lambda node: (behaviour[node], graph.depth[node], -graph.best[node])):
        alike.setdefault((int(graph.token[node]), int(graph.depth[node])), []).append(node)
    place = {node: number for number, group in enumerate(alike.values()) for node in group}
    marks = tuple(
        Mark(
            token,
            texts[token],
            depth,
            max(float(graph.importance[node]) for node in group) if depth else None,
            max(float(graph.best[node]) for node in group),
            max((begins[node] for node in group if node in begins), default=None),
            int(behaviour[group[0]]),
        )
        for (token, depth), group in alike.items()
    )
    links = {
        (place[node], place[parent]): int(graph.depth[node] - graph.depth[parent]) - 1
        for node in nodes
        if (parent := int(graph.parent[node])) >= 0
    }
    return Diagram(
        marks,
        tuple(Link(earlier, later, between) for (earlier, later), between in sorted(links.items())),
        len(ends),
        len(ends) - len(strongest),
        int(behaviour.max(initial=-1)) + 1,
    )
