from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from n2gdb import NeuronGraph, Pattern, Step
from n2gdb.core.graph import IndexedText
from n2gdb.drawing.stored_graph import StoredGraph

tokens = st.integers(0, 4)
activations = st.floats(0.5, 1, width=32)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    depths = [0, *sorted(draw(st.sets(st.integers(1, 5), max_size=3)))]
    steps = (Step(depth, draw(tokens), draw(activations) if depth else 1.0) for depth in depths)
    return Pattern(tuple(steps), draw(activations))


def predicted_naively(graph: NeuronGraph, text: list[int]) -> list[float]:
    """Try every pattern at every position; the longest counts, then the most named, then the strongest."""
    found = []
    for end in range(len(text)):
        matches = [
            (pattern.depth, len(pattern.steps), pattern.activation)
            for pattern in graph.patterns()
            if all(step.depth <= end and text[end - step.depth] == step.token for step in pattern.steps)
        ]
        found.append(max(matches)[2] if matches else 0.0)
    return found


@given(st.lists(patterns(), max_size=8), st.lists(tokens, max_size=20))
def test_predict_is_the_longest_matching_pattern(paths: list[Pattern], text: list[int]) -> None:
    graph = NeuronGraph.from_patterns(paths)
    assert graph.predict(text).tolist() == predicted_naively(graph, text)


@given(st.lists(patterns(), max_size=8))
def test_patterns_give_the_graph_back(paths: list[Pattern]) -> None:
    graph = NeuronGraph.from_patterns(paths)
    assert NeuronGraph.from_patterns(graph.patterns()) == graph


@given(st.lists(patterns(), max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_patterns_does_not_matter(paths: list[Pattern], random: object) -> None:
    shuffled = sorted(paths, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert NeuronGraph.from_patterns(shuffled) == NeuronGraph.from_patterns(paths)


@given(st.lists(patterns(), max_size=8))
def test_preorder_intervals_hold_the_descendants(paths: list[Pattern]) -> None:
    graph = NeuronGraph.from_patterns(paths)
    for node in range(len(graph)):
        below = [other for other in range(len(graph)) if node in graph.path(other)]
        assert below == list(range(node, graph.last[node] + 1))
        ends = graph.end[below]
        assert graph.best[node] == np.nanmax(ends)


def test_predict_follows_the_literal_and_the_any_token_branch() -> None:
    literal = Pattern((Step(0, 1, 1), Step(1, 2, 0.9), Step(2, 3, 0.9)), 0.6)
    anything = Pattern((Step(0, 1, 1), Step(2, 4, 0.9)), 0.8)
    graph = NeuronGraph.from_patterns([literal, anything])
    # A greedy reader takes the literal 2 and then finds no 4.
    assert graph.predict([4, 2, 1]).tolist() == pytest.approx([0, 0, 0.8])
    assert graph.predict([3, 2, 1]).tolist() == pytest.approx([0, 0, 0.6])


def test_an_empty_graph_predicts_nothing() -> None:
    assert NeuronGraph.empty().predict([1, 2, 3]).tolist() == [0, 0, 0]
    assert NeuronGraph.empty().n_patterns == 0


@pytest.mark.parametrize("kind", [NeuronGraph, StoredGraph])
def test_every_kind_of_graph_makes_graphs_of_patterns(kind: type[NeuronGraph]) -> None:
    path = Pattern((Step(0, 7, 1.0), Step(2, 5, 0.9)), activation=0.75)
    assert kind.empty() == NeuronGraph.empty()
    assert kind.from_patterns([path]) == NeuronGraph.from_patterns([path])


@pytest.mark.parametrize("steps", [(), (Step(1, 2, 1.0),), (Step(0, 1, 1.0), Step(0, 2, 1.0))])
def test_a_pattern_goes_back_from_its_activating_token(steps: tuple[Step, ...]) -> None:
    with pytest.raises(ValueError, match="pattern"):
        NeuronGraph.from_patterns([Pattern(steps, 0.5)])


@given(st.lists(patterns(), max_size=8), st.lists(st.integers(-1, 5), max_size=20))
def test_an_indexed_text_gives_what_its_tokens_give(paths: list[Pattern], text: list[int]) -> None:
    graph = NeuronGraph.from_patterns(paths)
    indexed = IndexedText(np.array(text, np.int32))
    assert graph.matched(indexed).tolist() == graph.matched(text).tolist()
    assert graph.predict(indexed).tolist() == graph.predict(text).tolist()


def test_an_indexed_text_knows_where_its_tokens_stand() -> None:
    indexed = IndexedText(np.array([3, -1, 3, 0]))
    assert [indexed.positions(token).tolist() for token in (3, 0, 1, 9, -1)] == [[0, 2], [3], [], [], []]
