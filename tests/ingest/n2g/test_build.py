from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from n2gdb import NeuronGraph, Pattern, Step
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.n2g.build import absorb_siblings, build_graphs
from n2gdb.ingest.n2g.firings import read_firings
from n2gdb.ingest.n2g.measure import Measured
from n2gdb.ingest.n2g.prune import Prompts
from tests.core.test_graph import patterns, tokens


def path(activation: float, *steps: tuple[int, int]) -> Pattern:
    return Pattern(tuple(Step(depth, token, 1.0) for depth, token in steps), activation)


def read(found: list[Pattern]) -> set[tuple[tuple[tuple[int, int], ...], float]]:
    return {(tuple((s.depth, s.token) for s in p.steps), p.activation) for p in found}


def test_any_tokens_absorb_what_follows_a_sibling() -> None:
    # 9 with 5 two back (anything between), and 9 with 6 before it and 7 before that.
    found = absorb_siblings([path(0.8, (0, 9), (2, 5)), path(0.7, (0, 9), (1, 6), (2, 7))])
    assert read(found) == {(((0, 9), (2, 5)), 0.8), (((0, 9), (2, 7)), 0.7)}


def test_a_sibling_that_ends_a_pattern_stays() -> None:
    found = absorb_siblings(
        [path(0.8, (0, 9), (2, 5)), path(0.7, (0, 9), (1, 6), (2, 7)), path(0.6, (0, 9), (1, 6))]
    )
    assert read(found) == {
        (((0, 9), (2, 5)), 0.8),
        (((0, 9), (1, 6)), 0.6),
        (((0, 9), (1, 6), (2, 7)), 0.7),
        (((0, 9), (2, 7)), 0.7),
    }


def test_without_any_tokens_nothing_is_absorbed() -> None:
    paths = [path(0.8, (0, 9), (1, 5)), path(0.7, (0, 9), (1, 6), (2, 7))]
    assert read(absorb_siblings(paths)) == read(paths)


@given(st.lists(patterns(), max_size=6), st.lists(tokens, max_size=12))
def test_absorbing_only_ever_lets_more_text_fire(paths: list[Pattern], text: list[int]) -> None:
    before = NeuronGraph.from_patterns(paths).predict(text) > 0
    after = NeuronGraph.from_patterns(absorb_siblings(paths)).predict(text) > 0
    assert (after | ~before).all()


@given(st.lists(patterns(), max_size=6))
def test_no_end_mark_hangs_on_an_any_token(paths: list[Pattern]) -> None:
    for found in absorb_siblings(paths):
        depths = [step.depth for step in found.steps]
        assert depths[0] == 0 and depths == sorted(set(depths))


def test_a_prompt_becomes_the_pattern_of_its_important_context() -> None:
    prompt = Prompts(
        source=np.array([0]),
        neuron=np.array([3]),
        tokens=np.array([[0, 11, 12, 13, -1]], np.int32),
        pivot=np.array([3]),
        activations=np.array([[0, 0.1, 0.2, 2.0, 0]], np.float32),
        factor=np.array([0.4], np.float32),
    )
    importance = np.zeros((1, 5, 5), np.float32)
    importance[0, 1, 3] = 0.9
    importance[0, 2, 3] = 0.7  # not above the threshold: an any-token
    measured = Measured(prompt, importance, np.array([0]), np.array([np.inf], np.float32), 1)
    (graph,) = build_graphs(read_firings(measured, np.array([0]), {0}, N2GConfig()), [3], 0.75)
    (pattern,) = graph.patterns()
    assert [(s.depth, s.token) for s in pattern.steps] == [(0, 13), (2, 11)]
    assert round(pattern.activation, 3) == 0.8
    assert graph.predict([11, 99, 13]).tolist() == pytest.approx([0, 0, 0.8])


def test_a_special_token_never_fires() -> None:
    prompt = Prompts(
        source=np.array([0]),
        neuron=np.array([3]),
        tokens=np.array([[0, 11, 12]], np.int32),
        pivot=np.array([2]),
        activations=np.array([[900.0, 0.1, 2.0]], np.float32),  # a BOS swamps every maximum
        factor=np.array([0.4], np.float32),
    )
    measured = Measured(
        prompt, np.zeros((1, 3, 3), np.float32), np.array([0]), np.array([np.inf], np.float32), 1
    )
    (graph,) = build_graphs(read_firings(measured, np.array([0]), {0}, N2GConfig()), [3], 0.75)
    assert [pattern.steps[0].token for pattern in graph.patterns()] == [12]
