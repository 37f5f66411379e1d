"""Refinement on texts small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from n2gdb import NeuronGraph, Pattern, Step
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.n2g.candidates import BARE, Candidate, Candidates, Level, read_candidates
from n2gdb.ingest.n2g.firings import read_firings
from n2gdb.ingest.n2g.measure import Measured
from n2gdb.ingest.n2g.prune import Prompts
from n2gdb.ingest.n2g.refine import refine
from n2gdb.ingest.n2g.text import LaidText, RandomText

CONFIG = N2GConfig(prune_limit=4)
PLAIN, DEEPER = Level(0.75, augmented=False), Level(0.5, augmented=False)
NONE = np.zeros(0, np.int64)


def path(*steps: tuple[int, int], activation: float = 1.0) -> Pattern:
    return Pattern(tuple(Step(depth, token, 1.0) for depth, token in steps), activation)


def candidates(*read: tuple[Level, Pattern, set[int]]) -> Candidates:
    found: Candidates = {}
    for level, pattern, places in read:
        context = tuple((step.depth, step.token) for step in pattern.steps[1:])
        levels = found.setdefault(pattern.steps[0].token, {}).setdefault(level, {})
        levels[context] = Candidate(pattern.steps[1:], pattern.activation, places)
    return found


def text(*windows: list[tuple[int, float]]) -> LaidText:
    """Windows of (token, normalised activation)."""
    tokens = np.array([[token for token, _ in window] for window in windows], np.int32)
    activation = np.array([[value for _, value in window] for window in windows], np.float32)
    return LaidText.of(tokens, activation, np.arange(len(windows)), CONFIG.prune_limit)


def random_text(windows: list[list[int]], firings: list[int] | None = None) -> RandomText:
    found = {0: np.array(firings or [], np.intp)}
    number = np.arange(100, 100 + len(windows))
    return RandomText(number, np.array(windows, np.int32), CONFIG.prune_limit, found)


def paths(graph: NeuronGraph) -> set[tuple[tuple[int, int], ...]]:
    return {tuple((step.depth, step.token) for step in found.steps) for found in graph.patterns()}


def refined(known: Candidates, seen: LaidText, random: RandomText, plain: NeuronGraph) -> NeuronGraph:
    return refine(plain, known, seen, random, 0, NONE, CONFIG)


#: A neuron that fires on 7 behind 5, and on no other 7.
BEHIND_FIVE = text(
    [(5, 0), (7, 1), (1, 0), (7, 0), (2, 0), (7, 0)],
    [(5, 0), (7, 1), (3, 0), (7, 0), (4, 0), (7, 0)],
    [(5, 0), (7, 1), (8, 0), (7, 0), (9, 0), (7, 0)],
)
EMPTY = random_text([[1, 2, 3, 4, 1, 2]])


def test_a_path_is_deepened_by_the_context_that_separates_true_from_false() -> None:
    bare, deeper = path((0, 7)), path((0, 7), (1, 5))
    known = candidates((PLAIN, bare, {0, 1, 2}), (DEEPER, deeper, {0, 1, 2}))
    graph = refined(known, BEHIND_FIVE, EMPTY, NeuronGraph.from_patterns([bare]))
    assert paths(graph) == {((0, 7), (1, 5))}


def test_context_that_carries_to_no_other_example_is_not_believed() -> None:
    """Each deeper pattern meets the one example that it was read off: as good as none."""
    seen = text(
        [(1, 0), (7, 1), (4, 0), (7, 0)], [(2, 0), (7, 1), (4, 0), (7, 0)], [(3, 0), (7, 1), (4, 0), (9, 0)]
    )
    known = candidates((PLAIN, path((0, 7)), {0, 1, 2}))
    known[7][DEEPER] = {
        ((1, token),): Candidate((Step(1, token, 1.0),), 1.0, {token - 1}) for token in (1, 2, 3)
    }
    graph = refined(known, seen, EMPTY, NeuronGraph.from_patterns([path((0, 7))]))
    assert paths(graph) == {((0, 7),)}


def test_a_token_that_is_wrong_more_often_than_right_goes() -> None:
    seen = text(
        [(7, 1), (8, 0), (8, 0), (8, 0), (8, 0)], [(7, 1), (8, 0), (8, 0), (8, 0), (8, 0)], [(7, 1)] * 5
    )
    known = candidates((PLAIN, path((0, 7)), {0, 1, 2}), (PLAIN, path((0, 8)), {0}))
    plain = NeuronGraph.from_patterns([path((0, 7)), path((0, 8))])
    assert paths(refined(known, seen, EMPTY, plain)) == {((0, 7),)}


def test_a_token_that_floods_random_text_goes() -> None:
    """In training it is right half the time; elsewhere it is common and never right."""
    seen = text([(7, 1), (7, 1), (8, 1), (8, 0)], [(7, 1), (7, 1), (8, 1), (8, 0)])
    known = candidates((PLAIN, path((0, 7)), {0, 1}), (PLAIN, path((0, 8)), {0, 1}))
    plain = NeuronGraph.from_patterns([path((0, 7)), path((0, 8))])
    quiet = random_text([[7, 1, 2, 3]], firings=[0])
    flooded = random_text([[7, 8, 8, 8], [8, 8, 8, 8], [8, 8, 8, 8], [8, 8, 8, 8]], firings=[0])
    assert ((0, 8),) in paths(refined(known, seen, quiet, plain))
    assert paths(refined(known, seen, flooded, plain)) == {((0, 7),)}


def test_a_miss_becomes_a_path() -> None:
    """9 fires in three examples, and no candidate was read off it."""
    seen = text([(7, 1), (9, 0.8)], [(7, 1), (9, 0.8)], [(7, 1), (9, 0.6)])
    known = candidates((PLAIN, path((0, 7)), {0, 1, 2}))
    graph = refined(known, seen, EMPTY, NeuronGraph.from_patterns([path((0, 7)), path((0, 6))]))
    assert paths(graph) == {((0, 7),), ((0, 9),)}


def test_an_end_mark_carries_the_mean_activation_that_it_meets() -> None:
    seen = text([(7, 1), (9, 0), (7, 0.75)], [(7, 0.75), (9, 0), (7, 0.5)])
    known = candidates((PLAIN, path((0, 7), activation=3.0), {0, 1}))
    graph = refined(known, seen, EMPTY, NeuronGraph.from_patterns([path((0, 7), activation=3.0)]))
    assert graph.end.tolist() == [pytest.approx(0.75)]


def test_an_end_mark_still_fires_where_its_mean_does_not() -> None:
    seen = text([(7, 1), (9, 0), (7, 0.2)], [(7, 0.6), (9, 0), (7, 0.0)])
    known = candidates((PLAIN, path((0, 7)), {0, 1}))
    graph = refined(known, seen, EMPTY, NeuronGraph.from_patterns([path((0, 7))]))
    assert graph.end.tolist() == [0.5]


def test_a_graph_has_no_more_nodes_than_allowed() -> None:
    tokens = range(10, 40)
    seen = text([(token, 1.0) for token in tokens], [(token, 1.0) for token in tokens])
    known = candidates((PLAIN, path((0, 10)), {0, 1}))
    plain = NeuronGraph.from_patterns([path((0, 10)), *(path((0, token)) for token in (50, 51, 52, 53, 54))])
    assert len(refined(known, seen, EMPTY, plain)) == 2 * len(plain)


def test_a_neuron_without_a_training_firing_keeps_its_graph() -> None:
    plain = NeuronGraph.from_patterns([path((0, 7))])
    assert refined(candidates((PLAIN, path((0, 7)), {0})), text([(7, 0.2)]), EMPTY, plain) == plain


def test_a_neurons_own_examples_are_not_random_text_to_it() -> None:
    random = random_text([[7, 8], [8, 7]], firings=[0, 3])
    assert random.text.tokens.tolist() == [-1] * 4 + [7, 8] + [-1] * 4 + [8, 7]
    assert np.flatnonzero(random.fires(0)).tolist() == [4, 11]
    assert random.hidden(np.array([101])).tolist() == [False] * 6 + [True] * 6
    assert not random.fires(1).any()


def test_candidates_are_read_at_every_threshold_with_variants_and_without() -> None:
    """An original, 5 6 7, and a variant of it, 5 8 7, whose slot has importance 0.6."""
    prompts = Prompts(
        source=np.array([0, 0]),
        neuron=np.array([3, 3]),
        tokens=np.array([[0, 5, 6, 7], [0, 5, 8, 7]], np.int32),
        pivot=np.array([3, 3]),
        activations=np.array([[0, 0, 0, 2.0], [0, 0, 0, 1.8]], np.float32),
        factor=np.array([0.5, 0.5], np.float32),
    )
    importance = np.zeros((1, 4, 4), np.float32)
    importance[0, 1, 3], importance[0, 2, 3] = 0.8, 0.6
    slot = np.array([np.inf, 0.6], np.float32)
    measured = Measured(prompts, importance, np.array([0, 0]), slot, 1)
    config = N2GConfig(refine_thresholds=(0.5,))
    found = read_candidates(read_firings(measured, np.array([4]), {0}, config), config)
    read = {level: set(levels) for level, levels in found[3][7].items()}
    far, near, other = (2, 5), (1, 6), (1, 8)
    assert read == {
        Level(0.75, augmented=False): {(far,)},
        Level(0.75, augmented=True): {(far,)},
        Level(0.5, augmented=False): {(near, far)},
        Level(0.5, augmented=True): {(near, far), (other, far)},
    }
    assert all(each.places == {4} for levels in found[3][7].values() for each in levels.values())
    assert BARE not in found[3][7]
