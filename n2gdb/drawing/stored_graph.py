"""A stored neuron's graph with the texts of its tokens, shown as a picture in notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from n2gdb.core.graph import NeuronGraph
from n2gdb.drawing.picture import draw_graph

__all__ = ["StoredGraph"]


@dataclass(frozen=True, eq=False)
class StoredGraph(NeuronGraph):
    """A graph out of a database: equal to the same graph from elsewhere, and drawn with its tokens' texts."""

    texts: Callable[[Iterable[int]], Mapping[int, str]] = field(repr=False, kw_only=True)

    @classmethod
    def of(cls, graph: NeuronGraph, texts: Callable[[Iterable[int]], Mapping[int, str]]) -> StoredGraph:
        """Give a graph the texts of its tokens."""
        columns = (graph.token, graph.depth, graph.parent, graph.importance, graph.end)
        return cls(*columns, texts=texts)

    def _repr_svg_(self) -> str:
        return draw_graph(self, self.texts(set(self.token.tolist()))).svg()
