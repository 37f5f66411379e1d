"""A stored neuron's graph with the texts of its tokens, shown as a picture in notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from n2gdb.core.graph import NeuronGraph
from n2gdb.drawing.picture import draw_graph

__all__ = ["StoredGraph"]


@dataclass(frozen=True, eq=False, repr=False)
class StoredGraph(NeuronGraph):
    """A graph out of a database: equal to the same graph from elsewhere, and drawn with its tokens' texts."""

    texts: Callable[[Iterable[int]], Mapping[int, str]] = field(repr=False, kw_only=True)

    @classmethod
    def of(cls, graph: NeuronGraph, texts: Callable[[Iterable[int]], Mapping[int, str]]) -> StoredGraph:
        """Give a graph the texts of its tokens."""
        return cls(*_columns(graph), texts=texts)

    def __reduce__(self) -> tuple[Callable[..., StoredGraph], tuple[NeuronGraph, Mapping[int, str]]]:
        return _unpickled, (NeuronGraph(*_columns(self)), dict(self.texts(set(self.token.tolist()))))

    def _repr_svg_(self) -> str:
        return draw_graph(self, self.texts(set(self.token.tolist()))).svg()


def _columns(graph: NeuronGraph) -> tuple[Any, ...]:
    return tuple(getattr(graph, column.name) for column in fields(NeuronGraph))


def _unpickled(graph: NeuronGraph, texts: Mapping[int, str]) -> StoredGraph:
    """Return a graph that holds the texts of its tokens itself, and needs no database for them."""
    return StoredGraph.of(graph, lambda tokens: {token: texts[token] for token in tokens})
