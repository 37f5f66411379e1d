"""Diagrams: what a picture of a neuron's graph shows, before any layout.

As in the paper, any-tokens are left out and patterns share what they have in common. Not as in the paper,
they share no more than that: a path through the picture, from where a pattern may begin to an activating
token, is a pattern, and every pattern is such a path. A picture is the smallest deterministic automaton that
reads the patterns from the activating token back, with the tokens that lead from the same states into one
state as the alternatives of one mark.
Sources: N2G, arXiv 2305.19911, section 3 and figure 1; Daciuk et al. 2000 (minimal acyclic automata).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from n2gdb.core.graph import NeuronGraph

#: A pattern that is right on a smaller share of its occurrences in the corpus is drawn as seldom right.
SELDOM = 0.1

__all__ = ["SELDOM", "Diagram", "Edge", "Mark", "Named", "read_diagram"]


@dataclass(frozen=True, slots=True)
class Named:
    """One token of a mark.

    ``importance`` is the largest there, None for an activating token; ``activation`` is that of the strongest
    pattern through it.
    """

    token: int
    text: str
    importance: float | None
    activation: float
    patterns: tuple[int, ...] = ()
    """The patterns that are drawn through it, counted from 0, the strongest."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Tokens that may stand ``depth`` positions before the activating one, with the same on both sides.

    ``tokens`` are alternatives, the strongest first. ``begins`` is the activation of the strongest pattern
    that begins there, None where none does. ``behaviour`` counts from 0, the strongest.
    """

    tokens: tuple[Named, ...]
    depth: int
    begins: float | None
    behaviour: int


@dataclass(frozen=True, slots=True)
class Edge:
    """Two marks that follow each other in a pattern, as places among a diagram's marks.

    ``between`` counts the any-tokens from the earlier to the later.
    """

    earlier: int
    later: int
    between: int
    patterns: tuple[int, ...] = ()
    """The patterns that are drawn along it, counted from 0, the strongest."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """The marks of a graph by behaviour, and what links them; ``left_out`` counts patterns not shown."""

    marks: tuple[Mark, ...]
    links: tuple[Edge, ...]
    patterns: int
    left_out: int
    behaviours: int
    """Of the whole graph, whatever is shown of it."""
    threshold: float
    """The activation from which on the neuron fires."""
    confidences: tuple[float | None, ...] = ()
    """Of the patterns shown, the strongest first: on which share of its occurrences each is right."""

    def is_seldom_right(self, patterns: Iterable[int]) -> bool:
        """Tell whether all of some patterns, by their places, are right on few of their occurrences."""
        known = [self.confidences[place] for place in patterns if place < len(self.confidences)]
        right = [share for share in known if share is not None]
        return bool(right) and len(right) == len(known) and max(right) < SELDOM

    def strength(self, token: Named) -> float:
        """Return how deep a token's colour is, 0 to 1: its importance, or activation beyond the threshold."""
        if token.importance is not None:
            return min(max(token.importance, 0.0), 1.0)
        least = min(self.threshold, 1.0)
        return min(max((token.activation - least) / (1.0 - least), 0.0), 1.0) if least < 1.0 else 1.0


def read_diagram(
    graph: NeuronGraph, texts: Mapping[int, str], most: int | None = None, *, threshold: float = 0.5
) -> Diagram:
    """Merge the strongest ``most`` patterns of a graph, all of them if None, into what is drawn."""
    import numpy as np

    from n2gdb.core.behaviours import behaviours

    ends = np.flatnonzero(~np.isnan(graph.end))
    strongest = ends[np.argsort(-graph.end[ends], kind="stable")][:most]
    behaviour = behaviours(graph)
    nodes = sorted({node for end in strongest.tolist() for node in graph.path(end)})
    begins = {node: float(graph.end[node]) for node in strongest.tolist()}
    through = _through(graph, strongest.tolist())
    state = _states(graph, nodes, begins, behaviour.tolist())
    groups = sorted(
        _alternatives(graph, nodes, state).items(),
        key=lambda group: (behaviour[group[1][0][0]], group[0].depth, -_best(graph, group[1])),
    )
    marks = tuple(
        Mark(
            tuple(_named(graph, same, texts, through) for same in tokens),
            into.depth,
            max((begins[node] for same in tokens for node in same if node in begins), default=None),
            int(behaviour[tokens[0][0]]),
        )
        for into, tokens in groups
    )
    place_of = {node: place for place, (_, tokens) in enumerate(groups) for same in tokens for node in same}
    along: dict[tuple[int, int], set[int]] = {}  # the earlier and the later mark, and the patterns there
    for node in nodes:
        parent = int(graph.parent[node])
        if parent >= 0:
            along.setdefault((place_of[node], place_of[parent]), set()).update(through[node])
    links = (
        Edge(earlier, later, marks[earlier].depth - marks[later].depth - 1, tuple(sorted(patterns)))
        for (earlier, later), patterns in along.items()
    )
    return Diagram(
        marks,
        tuple(sorted(links, key=lambda link: (link.earlier, link.later))),
        len(ends),
        len(ends) - len(strongest),
        int(behaviour.max(initial=-1)) + 1,
        threshold,
        tuple(_confidence(graph, end) for end in strongest.tolist()),
    )


def _confidence(graph: NeuronGraph, end: int) -> float | None:
    """On which share of its occurrences a pattern is right; None where there is none, or none was counted."""
    share = float("nan") if graph.confidence is None else float(graph.confidence[end])
    return None if share != share else share


@dataclass(frozen=True, slots=True)
class _Into:
    """How the tokens of one mark are read: at which depth, from which states, into which."""

    state: int
    depth: int
    sources: frozenset[int]


#: Of the automaton: no token has been read.
_START = -1


def _states(
    graph: NeuronGraph, nodes: Sequence[int], begins: Mapping[int, float], behaviour: Sequence[int]
) -> dict[int, int]:
    """Number the nodes so that two have one number if the same continues to the left of them.

    ``nodes`` are those shown, in preorder, with the parents of each. Behaviours share no number.
    """
    below: dict[int, set[tuple[int, int, int]]] = {}  # a node's children: (depth, token, state)
    known: dict[tuple[int, bool, frozenset[tuple[int, int, int]]], int] = {}
    state: dict[int, int] = {}
    for node in reversed(nodes):
        rest = (behaviour[node], node in begins, frozenset(below.pop(node, ())))
        state[node] = known.setdefault(rest, len(known))
        child = (int(graph.depth[node]), int(graph.token[node]), state[node])
        below.setdefault(int(graph.parent[node]), set()).add(child)
    return state


def _alternatives(
    graph: NeuronGraph, nodes: Iterable[int], state: Mapping[int, int]
) -> dict[_Into, list[list[int]]]:
    """Group the nodes by mark, and within it by token, the strongest token first."""
    alike: dict[tuple[int, int, int], list[int]] = {}  # what is drawn once: a token read into a state
    for node in nodes:
        key = (state[node], int(graph.depth[node]), int(graph.token[node]))
        alike.setdefault(key, []).append(node)
    groups: dict[_Into, list[list[int]]] = {}
    for (into, depth, _), same in alike.items():
        sources = frozenset(state.get(int(graph.parent[node]), _START) for node in same)
        groups.setdefault(_Into(into, depth, sources), []).append(same)
    for tokens in groups.values():
        tokens.sort(key=lambda same: -_best(graph, [same]))
    return groups


def _through(graph: NeuronGraph, ends: Iterable[int]) -> dict[int, list[int]]:
    """Return which patterns lead through each node, as places among those that end at ``ends``."""
    through: dict[int, list[int]] = {}
    for place, end in enumerate(ends):
        for node in graph.path(end):
            through.setdefault(node, []).append(place)
    return through


def _best(graph: NeuronGraph, tokens: Iterable[Sequence[int]]) -> float:
    return max(float(graph.best[node]) for same in tokens for node in same)


def _named(
    graph: NeuronGraph,
    same: Sequence[int],
    texts: Mapping[int, str],
    through: Mapping[int, Sequence[int]],
) -> Named:
    token = int(graph.token[same[0]])
    importance = max(float(graph.importance[node]) for node in same) if graph.depth[same[0]] else None
    patterns = tuple(sorted({place for node in same for place in through[node]}))
    return Named(token, texts[token], importance, _best(graph, [same]), patterns)
