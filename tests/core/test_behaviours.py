"""Behaviours: the parts that a graph's picture falls into, counted and numbered."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from n2gdb.core.behaviours import behaviours, linked_tries
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.tries import Tries
from n2gdb.storage.graph_rows import nodes_table
from tests.core.test_graph import patterns
from tests.oracle.behaviours import behaviours_of

GRAPHS = st.lists(patterns(), max_size=8).map(NeuronGraph.from_patterns)


def pattern(activation: float, *steps: tuple[int, int]) -> Pattern:
    return Pattern(tuple(Step(depth, token, 1.0) for depth, token in steps), activation)


def test_tokens_that_share_context_at_a_depth_are_one_behaviour() -> None:
    graph = NeuronGraph.from_patterns(
        [
            pattern(0.6, (0, 1), (1, 9)),
            pattern(0.7, (0, 2), (2, 9)),  # the same token, but further back
            pattern(0.8, (0, 3), (1, 9), (4, 7)),
            pattern(0.9, (0, 4), (2, 5), (4, 7)),  # linked by 7 alone
        ]
    )
    assert behaviours(graph).tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0]


def test_the_strongest_behaviour_comes_first() -> None:
    graph = NeuronGraph.from_patterns([pattern(0.6, (0, 1)), pattern(0.9, (0, 2)), pattern(0.6, (0, 3))])
    assert behaviours(graph).tolist() == [1, 0, 2]
    assert behaviours(NeuronGraph.empty()).tolist() == []


@given(GRAPHS)
def test_behaviours_are_what_hangs_together(graph: NeuronGraph) -> None:
    found = behaviours(graph)
    parts = [set(np.flatnonzero(found == number).tolist()) for number in range(max(found, default=-1) + 1)]
    assert sorted(parts, key=lambda part: min(part)) == behaviours_of(graph)
    best = [max(graph.best[list(part)]) for part in parts]
    assert best == sorted(best, reverse=True)


@given(st.lists(GRAPHS, max_size=4))
def test_many_graphs_are_linked_as_each_alone(graphs: list[NeuronGraph]) -> None:
    nodes = nodes_table([(index, graph) for index, graph in enumerate(graphs)])
    tries, neuron = Tries.of(nodes), nodes["unit"].to_numpy()
    linked = linked_tries(neuron, tries.token, tries.depth, tries.root)
    counts = [len(np.unique(linked[neuron == index])) for index in range(len(graphs))]
    assert counts == [len(behaviours_of(graph)) for graph in graphs]
