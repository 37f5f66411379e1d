"""Revision drops, deepens and adds the patterns that the record speaks for, of units whose rule is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.revise import RevisionConfig, revise_graphs
from n2gdb.ingest.evidence.support import count_patterns
from n2gdb.ingest.scan.record import Recorder

WIDTH, WINDOWS, VOCABULARY, BOS = 64, 1500, 24, 0
CONFIG = RevisionConfig()
NONE = np.zeros(0, np.int64)
#: Windows that graphs were read off, and that they are judged by.
TRAIN, TEST = np.arange(10), np.arange(10, 20)


def text(seed: int = 0) -> CorpusText:
    windows = np.random.default_rng(seed).integers(1, VOCABULARY, (WINDOWS, WIDTH)).astype(np.int32)
    windows[:, 0] = BOS
    return CorpusText.of(windows, [BOS])


TEXT = text()


def fires(of: CorpusText) -> npt.NDArray[np.bool_]:
    """Unit 0: 5 after 7. Unit 1: 11, 12 or 13. Unit 2: 5 with 7 before and 9 three back. (position, unit)."""
    position = np.arange(len(of.tokens))
    after = (of.tokens == 5) & (of.before(position, 1) == 7)
    deep = after & (of.before(position, 3) == 9)
    return np.stack([after, np.isin(of.tokens, [11, 12, 13]), deep], axis=1)


def activations() -> npt.NDArray[np.float32]:
    found = (0.9 * fires(TEXT) + 0.05 * TEXT.counted[:, None]).astype(np.float32)
    found[~TEXT.counted] = -np.inf
    return found


def pattern(*steps: tuple[int, int]) -> Pattern:
    return Pattern(tuple(Step(depth, token, 1.0) for depth, token in steps), 0.8)


def revised(
    graphs: dict[int, NeuronGraph],
    config: RevisionConfig = CONFIG,
    activation: npt.NDArray[np.float32] | None = None,
) -> list[NeuronGraph]:
    recorder = Recorder(len(graphs))
    every = activations() if activation is None else activation
    recorder.add(torch.from_numpy(every[:, list(graphs)]), 0)
    n = len(graphs)
    return revise_graphs(TEXT, recorder.record(), [TRAIN] * n, [TEST] * n, list(graphs.values()), 0.5, config)


def named(graph: NeuronGraph) -> set[tuple[tuple[int, int], ...]]:
    return {tuple((step.depth, step.token) for step in each.steps) for each in graph.patterns()}


BARE = NeuronGraph.from_patterns([pattern((0, 5))])


def test_a_pattern_that_names_every_position_looked_at_gets_no_deeper() -> None:
    full = NeuronGraph.from_patterns([pattern((0, 5), (1, 7))])
    (graph,) = revised({2: full}, replace(CONFIG, depth=1))
    assert named(graph) <= named(full)
    (graph,) = revised({2: full}, replace(CONFIG, depth=3))
    assert named(graph) == {((0, 5), (1, 7), (3, 9))}


def test_a_pattern_that_is_seldom_right_gets_the_context_that_makes_it_so() -> None:
    (graph,) = revised({0: BARE})
    assert named(graph) == {((0, 5), (1, 7))}
    other = text(seed=1)
    said = graph.predict(np.where(other.counted, other.tokens, -1)) >= 0.5
    assert np.array_equal(said, fires(other)[:, 0])
    (step,) = next(graph.patterns()).steps[1:]
    assert 0.9 < step.importance <= 1


def test_context_of_two_tokens_is_found_one_after_the_other() -> None:
    (graph,) = revised({2: BARE})
    assert named(graph) == {((0, 5), (1, 7), (3, 9))}


def test_a_pattern_that_is_never_right_goes_and_tokens_that_fire_come() -> None:
    (graph,) = revised({1: NeuronGraph.from_patterns([pattern((0, 11)), pattern((0, 3)), pattern((0, 4))])})
    assert named(graph) == {((0, 11),), ((0, 12),), ((0, 13),)}
    wrong = NeuronGraph.from_patterns([pattern((0, 11)), pattern((0, 3))])
    (graph,) = revised({1: wrong}, replace(CONFIG, add=False))
    assert named(graph) == {((0, 11),)}
    (graph,) = revised({0: BARE}, replace(CONFIG, deepen=False, add=False))
    assert named(graph) <= {((0, 5),)}


@pytest.mark.parametrize(
    ("unit", "patterns"),
    [(0, [pattern((0, 5), (1, 7))]), (1, [pattern((0, token)) for token in (11, 12, 13)])],
)
def test_a_graph_that_is_right_stays(unit: int, patterns: list[Pattern]) -> None:
    graph = NeuronGraph.from_patterns(patterns)
    assert revised({unit: graph}) == [graph]


def test_confidence_on_the_corpus_rises() -> None:
    recorder = Recorder(1)
    recorder.add(torch.from_numpy(activations()[:, :1]), 0)
    before, after = (
        count_patterns(TEXT, recorder.record(), [0], [graph], 0.5)[0].confidence[-1]
        for graph in (BARE, *revised({0: BARE}))
    )
    assert before < 0.1
    assert after > 0.99


def test_nothing_is_learned_from_windows_that_a_unit_is_judged_by() -> None:
    plain = activations()
    changed = plain.copy()
    judged = np.isin(np.arange(len(plain)) // TEXT.width, TEST)
    changed[judged & TEXT.counted] = 0.9 * (TEXT.tokens[judged & TEXT.counted] == 6)[:, None]
    assert revised({0: BARE}, activation=changed) == revised({0: BARE}, activation=plain)


def test_a_unit_that_fires_too_rarely_beside_its_examples_keeps_its_graph() -> None:
    activation = activations()
    window = np.arange(len(activation)) // TEXT.width
    fired = np.flatnonzero((activation[:, 0] > 0.5) & (window >= 20))
    few, enough = (int(CONFIG.firings) + more for more in (-1, 0))
    for left, changes in ((few, False), (enough, True)):
        some = activation.copy()
        some[fired[left:], 0] = 0.05
        (graph,) = revised({0: BARE}, activation=some)
        assert (graph != BARE) == changes


def test_a_unit_is_revised_alike_alone_and_beside_others() -> None:
    together = revised({0: BARE, 1: BARE, 2: BARE})
    assert together == [revised({unit: BARE})[0] for unit in range(3)]


def test_there_are_never_many_more_nodes_than_before() -> None:
    twelve = NeuronGraph.from_patterns([pattern((0, token)) for token in range(1, 13)])
    for most in (1.0, 2.0):
        (graph,) = revised({1: twelve}, replace(CONFIG, nodes=most, levels=(0.02,)))
        assert len(graph) <= most * len(twelve)


def test_a_run_that_revises_is_another() -> None:
    assert N2GConfig(revise=False).fingerprint() != N2GConfig().fingerprint()
    assert N2GConfig(revise=False).scan_fingerprint() == N2GConfig().scan_fingerprint()
