"""Conversion of a neuron's graph to NetworkX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from n2gdb.core.reals import as_decimal
from n2gdb.errors import MissingDependencyError

if TYPE_CHECKING:
    import networkx as nx

    from n2gdb.core.graph import NeuronGraph

__all__ = ["to_networkx"]


def to_networkx(graph: NeuronGraph, texts: Mapping[int, str]) -> nx.DiGraph:
    """Return the trie as a directed graph, edges leading from the activating tokens back to their context.

    Nodes are preorder indices with token, text, depth, importance, activation (the largest of the patterns
    through it) and end (the activation of the pattern that ends there, or None).

    Raises MissingDependencyError if networkx is not installed.
    """
    try:
        import networkx as nx
    except ImportError as error:
        raise MissingDependencyError(
            "networkx is not installed: run pip install 'n2gdb[networkx]'"
        ) from error
    drawn = nx.DiGraph()
    for node in range(len(graph)):
        token = int(graph.token[node])
        drawn.add_node(
            node,
            token=token,
            text=texts[token],
            depth=int(graph.depth[node]),
            importance=as_decimal(float(graph.importance[node])),
            activation=as_decimal(float(graph.best[node])),
            end=None if np.isnan(graph.end[node]) else as_decimal(float(graph.end[node])),
        )
        if (parent := int(graph.parent[node])) >= 0:
            drawn.add_edge(parent, node, positions=int(graph.depth[node] - graph.depth[parent]))
    return drawn
