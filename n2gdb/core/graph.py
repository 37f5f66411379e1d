"""The neuron graph: a trie of token patterns over token ids, stored in arrays, and run on text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from n2gdb.core.arrays import FloatArray, IndexArray, Int64Array, IntArray, IntegerArray
from n2gdb.core.readings import counted
from n2gdb.core.reals import as_decimal

__all__ = ["IndexedText", "NeuronGraph", "Pattern", "Step"]


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One named token of a pattern; ``depth`` counts back from the activating token, which is 0.

    >>> next(neuron.graph.patterns()).steps[0].depth
    0
    """

    depth: int
    token: int
    importance: float


@dataclass(frozen=True, slots=True)
class Pattern:
    """One complete path: the activating token first, then context going back through the text.

    ``steps`` holds only the named tokens, by rising depth; a gap in depth is a run of any-tokens.
    ``activation`` is the normalised activation that the end mark carries. ``support`` is how often the path
    occurs in the corpus, ``confidence`` on which share of these occurrences the unit fires; None where that
    was not counted, or there is none. Patterns are equal whatever these two are.

    >>> pattern = next(neuron.graph.patterns())
    >>> [(step.depth, db.text(step.token)) for step in pattern.steps], pattern.activation
    ([(0, ' other'), (1, ' the')], 1.0)
    """

    steps: tuple[Step, ...]
    activation: float
    support: int | None = field(default=None, compare=False)
    confidence: float | None = field(default=None, compare=False)

    @property
    def depth(self) -> int:
        """Positions before the activating token that the pattern spans.

        >>> [pattern.depth for pattern in neuron.graph.patterns()]
        [1, 1, 2]
        """
        return self.steps[-1].depth

    def decimal(self) -> Pattern:
        """Return the pattern with its reals as a database holds them: the shortest decimals (reals.py).

        >>> Pattern((Step(0, 7, 1.0),), float(np.float32(0.9))).decimal().activation
        0.9
        """
        steps = (replace(step, importance=as_decimal(step.importance)) for step in self.steps)
        confidence = None if self.confidence is None else as_decimal(self.confidence)
        return Pattern(tuple(steps), as_decimal(self.activation), self.support, confidence)

    def as_dict(self, texts: Mapping[int, str]) -> dict[str, object]:
        """Return plain values for JSON; ``texts`` are of its tokens.

        >>> Pattern((Step(0, 7, 1.0),), 0.75).as_dict({7: " end"})["activation"]
        0.75
        """
        steps = [
            {
                "depth": step.depth,
                "token": step.token,
                "text": texts[step.token],
                "importance": step.importance,
            }
            for step in self.steps
        ]
        return {"activation": self.activation, "steps": steps}


@dataclass(frozen=True, eq=False, repr=False)
class NeuronGraph:
    """The trie of a neuron's patterns: stored, compared, and run on text.

    Nodes are named tokens in preorder; siblings are sorted by (depth, token). Any-tokens are not nodes:
    a child whose depth exceeds its parent's by more than one has them between. An end mark never hangs
    on an any-token, so nothing is lost.

    token       (nodes,) int32    token id
    depth       (nodes,) int32    positions back from the activating token; 0 at a root
    parent      (nodes,) int32    preorder index of the parent; -1 at a root
    importance  (nodes,) float32  largest importance seen for this context token; 1 at a root
    end         (nodes,) float32  normalised activation of the pattern ending here; NaN where none ends
    support     (nodes,) int64    occurrences in the corpus of the path to the node; None where not counted
    confidence  (nodes,) float32  share of these on which the unit fires, NaN without any; None as support

    Graphs are equal whatever their support and confidence.

    Source: N2G, arXiv 2305.19911, section 3 (the trie), with any-tokens kept implicit.

    >>> graph = NeuronGraph.from_patterns([Pattern((Step(0, 7, 1.0), Step(2, 5, 0.9)), activation=0.75)])
    >>> len(graph), graph.n_patterns
    (2, 1)
    >>> graph.predict([5, 1, 7, 7]).tolist()
    [0.0, 0.0, 0.75, 0.0]
    """

    token: IntArray
    depth: IntArray
    parent: IntArray
    importance: FloatArray
    end: FloatArray
    support: Int64Array | None = None
    confidence: FloatArray | None = None

    @staticmethod
    def empty() -> NeuronGraph:
        """Return the graph of a neuron that never fires.

        >>> NeuronGraph.empty().n_patterns
        0
        """
        return NeuronGraph.from_patterns(())

    @staticmethod
    def from_patterns(patterns: Iterable[Pattern]) -> NeuronGraph:
        """Build a trie from patterns; where two agree, the larger importance and activation are kept.

        >>> NeuronGraph.from_patterns([Pattern((Step(0, 7, 1.0),), 0.75)])
        <NeuronGraph 1 pattern, 1 node>
        """
        root = _Node(-1, -1, 0.0)
        for pattern in patterns:
            if not pattern.steps or pattern.steps[0].depth != 0:
                raise ValueError("a pattern starts with its activating token, at depth 0")
            node = root
            for step in pattern.steps:
                if step.depth <= node.depth:
                    raise ValueError("the steps of a pattern go back through the text")
                node = node.child(step.depth, step.token, step.importance if step.depth else 1.0)
            node.end = max(node.end, pattern.activation) if node.end == node.end else pattern.activation
        return _graph_below(root)

    def __len__(self) -> int:
        return len(self.token)

    def __repr__(self) -> str:
        sizes = f"{counted(self.n_patterns, 'pattern')}, {counted(len(self), 'node')}"
        return f"<{type(self).__name__} {sizes}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NeuronGraph):
            return NotImplemented
        return (
            np.array_equal(self.token, other.token)
            and np.array_equal(self.depth, other.depth)
            and np.array_equal(self.parent, other.parent)
            and np.array_equal(self.importance, other.importance)
            and np.array_equal(self.end, other.end, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def last(self) -> IntArray:
        """Preorder index of the last node below each node, itself included: (nodes,) int32.

        >>> neuron.graph.last.tolist()
        [3, 1, 2, 3]
        """
        last = np.arange(len(self), dtype=np.int32)
        for node in range(len(self) - 1, -1, -1):
            parent = self.parent[node]
            if parent >= 0:
                last[parent] = max(last[parent], last[node])
        return last

    @cached_property
    def best(self) -> FloatArray:
        """Largest activation of the patterns through each node: (nodes,) float32.

        >>> neuron.graph.best.tolist()
        [1.0, 1.0, 0.75, 0.5]
        """
        best = self.end.copy()
        for node in range(len(self) - 1, -1, -1):
            parent = self.parent[node]
            if parent >= 0:
                best[parent] = np.fmax(best[parent], best[node])
        return best

    @property
    def n_patterns(self) -> int:
        """Number of patterns, which is the number of end marks.

        >>> neuron.graph.n_patterns
        3
        """
        return int(np.count_nonzero(~np.isnan(self.end)))

    def path(self, node: int) -> tuple[int, ...]:
        """Preorder indices from the activating token down to ``node``.

        >>> neuron.graph.path(1)
        (0, 1)
        """
        steps = [node]
        while (parent := int(self.parent[steps[-1]])) >= 0:
            steps.append(parent)
        return tuple(reversed(steps))

    def pattern(self, node: int) -> Pattern:
        """Return the pattern that ends at ``node``.

        >>> neuron.graph.pattern(1).activation
        1.0
        """
        steps = (
            Step(int(self.depth[i]), int(self.token[i]), float(self.importance[i])) for i in self.path(node)
        )
        return Pattern(tuple(steps), float(self.end[node]), *self._occurrences(node))

    def patterns(self) -> Iterator[Pattern]:
        """Yield every pattern, in preorder of its end mark.

        >>> [pattern.activation for pattern in neuron.graph.patterns()]
        [1.0, 0.75, 0.5]
        """
        token, depth, end = self.token.tolist(), self.depth.tolist(), self.end.tolist()
        importance = self.importance.tolist()
        paths: list[tuple[Step, ...]] = []
        for node, parent in enumerate(self.parent.tolist()):
            step = Step(depth[node], token[node], importance[node])
            paths.append((step,) if parent < 0 else (*paths[parent], step))
            if not math.isnan(end[node]):
                yield Pattern(paths[node], end[node], *self._occurrences(node))

    def _occurrences(self, node: int) -> tuple[int | None, float | None]:
        """Support and confidence of the path to a node; None where unknown."""
        if self.support is None or self.confidence is None:
            return None, None
        confidence = float(self.confidence[node])
        return int(self.support[node]), None if math.isnan(confidence) else confidence

    def predict(self, tokens: Sequence[int] | IntegerArray | IndexedText) -> FloatArray:
        """Predict the normalised activation at every position of ``tokens``: (positions,) float32.

        It is that of the pattern that ``matched`` names; 0 if no pattern matches.

        >>> neuron.graph.predict(neuron.tokenize(" the other")).tolist()
        [0.0, 1.0]
        """
        ends = self.matched(tokens)
        predicted = np.zeros(len(ends), np.float32)
        predicted[ends >= 0] = self.end[ends[ends >= 0]]
        return predicted

    def matched(self, tokens: Sequence[int] | IntegerArray | IndexedText) -> IntArray:
        """Return where the pattern that counts at every position ends: (positions,) int32.

        Preorder indices, -1 where no pattern matches. Literal and any-token branches are both followed;
        the longest matching pattern counts, of equally long ones the one that names more tokens, then the
        one that activates most. Many graphs on one long text run fastest over its ``IndexedText``.

        >>> neuron.graph.matched(neuron.tokenize(" the other")).tolist()
        [-1, 1]
        """
        indexed = tokens if isinstance(tokens, IndexedText) else None
        text = indexed.tokens if indexed else np.asarray(tokens, np.int64)  # (positions,)
        longest = np.full(len(text), -1, np.int64)  # rank of the best match so far
        strongest = np.zeros(len(text), np.float32)
        ends = np.full(len(text), -1, np.int32)
        at: list[IndexArray] = []  # per node, the positions where it matches
        named: list[int] = []
        for node in range(len(self)):
            parent, depth = int(self.parent[node]), int(self.depth[node])
            if parent < 0:
                token = int(self.token[node])
                candidates = indexed.positions(token) if indexed else np.flatnonzero(text == token)
            else:
                candidates = at[parent][at[parent] >= depth]
                candidates = candidates[text[candidates - depth] == self.token[node]]
            at.append(candidates)
            named.append(1 if parent < 0 else named[parent] + 1)
            if np.isnan(self.end[node]) or not len(candidates):
                continue
            rank = (depth << 16) + named[node]
            better = (rank > longest[candidates]) | (
                (rank == longest[candidates]) & (self.end[node] > strongest[candidates])
            )
            taken = candidates[better]
            longest[taken], strongest[taken], ends[taken] = rank, self.end[node], node
        return ends


class IndexedText:
    """A text that knows where each of its tokens stands, for running many graphs on it.

    ``tokens`` (positions,) int64; negative numbers stand for no token and match nothing.
    """

    __slots__ = ("_order", "_sorted", "tokens")

    def __init__(self, tokens: IntegerArray) -> None:
        self.tokens = np.asarray(tokens, np.int64)
        self._order = np.argsort(self.tokens, kind="stable")
        self._sorted = self.tokens[self._order]

    def positions(self, token: int) -> IndexArray:
        """Return where a token stands, in ascending order."""
        if token < 0:
            return self._order[:0]
        start, stop = np.searchsorted(self._sorted, (token, token + 1))
        return self._order[start:stop]


class _Node:
    """A trie node while a graph is being laid."""

    __slots__ = ("children", "depth", "end", "importance", "token")

    def __init__(self, depth: int, token: int, importance: float) -> None:
        self.depth = depth
        self.token = token
        self.importance = importance
        self.end = float("nan")
        self.children: dict[tuple[int, int], _Node] = {}

    def child(self, depth: int, token: int, importance: float) -> _Node:
        node = self.children.get((depth, token))
        if node is None:
            node = self.children[depth, token] = _Node(depth, token, importance)
        elif importance > node.importance:
            node.importance = importance
        return node

    def sorted_children(self, *, reverse: bool) -> list[_Node]:
        return [self.children[key] for key in sorted(self.children, reverse=reverse)]


def _graph_below(root: _Node) -> NeuronGraph:
    """Write a trie down in preorder."""
    rows: list[tuple[int, int, int, float, float]] = []
    stack = [(node, -1) for node in root.sorted_children(reverse=True)]
    while stack:
        node, parent = stack.pop()
        stack.extend((child, len(rows)) for child in node.sorted_children(reverse=True))
        rows.append((node.token, node.depth, parent, node.importance, node.end))
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return NeuronGraph(
        np.array(columns[0], np.int32),
        np.array(columns[1], np.int32),
        np.array(columns[2], np.int32),
        np.array(columns[3], np.float32),
        np.array(columns[4], np.float32),
    )
