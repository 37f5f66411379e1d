"""Synthetic benchmark data has the shape that it claims."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.synthetic_tries import TWINS, nodes_of_neurons
from benchmarks.synthetic_words import VOCABULARY, token_text, tokenizer_json
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.tokenizer import Tokenizer
from n2gdb.core.tokens import kinds_of, normalise
from n2gdb.core.units import NeuronName
from n2gdb.storage.graph_rows import graphs_from
from tests.generators.unit_sets import mlp_name

NEURONS = 1200


@pytest.fixture(scope="module")
def graphs() -> dict[NeuronName, NeuronGraph]:
    nodes, _ = nodes_of_neurons(0, NEURONS)
    return {mlp_name(unit): graph for unit, graph in graphs_from(nodes).items()}


def paths(graph: NeuronGraph) -> set[tuple[tuple[int, int], ...]]:
    return {
        tuple((int(graph.depth[step]), int(graph.token[step])) for step in graph.path(node))
        for node in range(len(graph))
    }


def test_every_neuron_has_a_trie_in_order(graphs: dict[NeuronName, NeuronGraph]) -> None:
    assert list(graphs) == [NeuronName(0, index) for index in range(NEURONS)]
    for graph in list(graphs.values())[:100]:
        assert graph == NeuronGraph.from_patterns(graph.patterns())
    assert 80 < np.mean([len(graph) for graph in graphs.values()]) < 100


def test_patterns_are_counted() -> None:
    nodes, patterns = nodes_of_neurons(3, 50, seed=1)
    assert [graph.n_patterns for graph in graphs_from(nodes).values()] == patterns.tolist()


def test_the_same_seed_gives_the_same_neurons() -> None:
    first, second, other = (nodes_of_neurons(0, 40, seed)[0] for seed in (1, 1, 2))
    assert first == second != other


def test_tokens_repeat_on_some_paths(graphs: dict[NeuronName, NeuronGraph]) -> None:
    repeats = [
        graph.token[node] in graph.token[list(graph.path(node)[:-1])]
        for graph in list(graphs.values())[:200]
        for node in range(len(graph))
    ]
    assert 0.01 < np.mean(repeats) < 0.1


def test_neurons_share_paths_and_few_are_twins(graphs: dict[NeuronName, NeuronGraph]) -> None:
    found = [paths(graph) for graph in graphs.values()]
    owners: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for neuron, each in enumerate(found):
        for path in each:
            owners.setdefault(path, []).append(neuron)
    shared = [len(path) for path, neurons in owners.items() if len(neurons) > 1]
    assert max(shared) > 4
    assert 0.02 < len(shared) / len(owners) < 0.3
    twins = 0
    for neuron, each in enumerate(found):  # twins have their deepest path in common, or nearly never not
        others = (found[other] for other in owners[max(each, key=len)] if other != neuron)
        twins += any(len(each & other) > 0.8 * len(each | other) for other in others)
    assert 0 < twins < 2 * TWINS * NEURONS


def test_texts_differ_and_are_of_every_class() -> None:
    texts = [token_text(token) for token in range(VOCABULARY)]
    assert len(set(texts)) == VOCABULARY
    held = {bit for text in texts for bit in range(6) if kinds_of(text) >> bit & 1}
    assert held == set(range(6))
    assert len({normalise(text) for text in texts}) < 0.6 * VOCABULARY


def test_the_tokenizer_cuts_a_text_of_even_tokens() -> None:
    tokens = (0, 48, 6, 14, 22, 4000)
    assert Tokenizer(tokenizer_json()).cut("".join(token_text(token) for token in tokens)) == tokens
