"""Similarity from the database: equal to its definitions, one against all and all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import n2gdb
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.units import SIDES, NeuronName, unit_key
from n2gdb.database import Database
from n2gdb.errors import QueryError
from n2gdb.grammar.ast import Metric
from n2gdb.similarity.search import contained_in, contains, similar
from n2gdb.similarity.sparse_sets import SparseSets
from n2gdb.storage.build.database import build_database
from n2gdb.storage.read.names import neuron_of
from tests.oracle.similarity import containment, similarity
from tests.oracle.world import Neuron, World
from tests.support.small_run import write_run
from tests.support.worlds import build_world

METRICS = ("graph", "tokens", "subset")


def _key(model: int, name: NeuronName) -> int:
    return unit_key(model, name.layer, name.index, side=SIDES.index(name.side))


@dataclass(frozen=True)
class Alike:
    """A world of several models in which graphs share much, and its database."""

    database: Database
    world: World

    def key(self, neuron: Neuron) -> int:
        return _key(neuron.model.number, neuron.name)

    def neurons(self) -> dict[int, Neuron]:
        return {self.key(neuron): neuron for neuron in self.world.neurons}


@pytest.fixture(scope="module", params=[1, 2, 3])
def alike(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alike]:
    path, world = build_world(tmp_path_factory.mktemp("alike"), request.param)
    with n2gdb.open(path) as database:
        yield Alike(database, world)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("above", [0.0, 0.25, 0.9])
def test_the_most_similar_neurons_are_those_of_the_definition(
    alike: Alike, metric: str, above: float
) -> None:
    neurons = alike.neurons()
    for key, neuron in neurons.items():
        expected = {
            other: score
            for other, each in neurons.items()
            if other != key
            and (score := similarity(Metric(metric), neuron, each)).size
            and score.value > 0
            and score.value >= above - 1e-9
        }
        found = similar(alike.database.connection.rows, key, Metric(metric), above=above)
        assert {hit.neuron: hit.size for hit in found} == {k: s.size for k, s in expected.items()}
        for hit in found:
            assert hit.score == pytest.approx(expected[hit.neuron].value, abs=1e-6)
        ranks = [(-hit.score, -hit.size, neuron_of(alike.database.models(), hit.neuron)[1]) for hit in found]
        assert ranks == sorted(ranks)
        assert similar(alike.database.connection.rows, key, Metric(metric), above=above, limit=2) == found[:2]


def test_similarity_is_the_same_whenever_it_is_asked(alike: Alike) -> None:
    """Threads add weights in any order; the last digits of a sum must not show which."""
    for key in list(alike.neurons())[:5]:
        asked = [similar(alike.database.connection.rows, key, Metric.GRAPH) for _ in range(20)]
        assert all(found == asked[0] for found in asked)


def test_containment_goes_one_way(alike: Alike) -> None:
    neurons = alike.neurons()
    rows = alike.database.connection.rows
    for key, neuron in neurons.items():
        others = {other: each for other, each in neurons.items() if other != key}
        inside = {o: s.size for o, each in others.items() if (s := containment(each, neuron)).value >= 0.5}
        around = {o: s.size for o, each in others.items() if (s := containment(neuron, each)).value >= 0.5}
        assert {score.neuron: score.size for score in contained_in(rows, key, above=0.5)} == inside
        assert {score.neuron: score.size for score in contains(rows, key, above=0.5)} == around


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("above", [0.1, 0.5, 0.9, 1.0])
def test_all_pairs_are_those_of_the_double_loop(alike: Alike, metric: str, above: float) -> None:
    neurons = sorted(alike.neurons().items())
    expected = {
        (left, right): score
        for place, (left, one) in enumerate(neurons)
        for right, other in neurons[place + 1 :]
        if (score := similarity(Metric(metric), one, other)).size and score.value >= above - 1e-9
    }
    names = {model.name: model.number for model in alike.world.models}
    found = {
        (
            _key(names[pair.first_model], pair.first),
            _key(names[pair.second_model], pair.second),
        ): pair
        for pair in alike.database.pairs(metric, above=above)
    }
    assert {pair: each.size for pair, each in found.items()} == {pair: s.size for pair, s in expected.items()}
    for pair, score in expected.items():
        assert found[pair].similarity == pytest.approx(score.value, abs=1e-6)


def test_pairs_can_leave_out_a_layer_a_model_and_the_trivial(alike: Alike) -> None:
    every = list(alike.database.pairs("subset", above=0.3))
    across = list(alike.database.pairs("subset", above=0.3, across_layers=True))
    assert across == [p for p in every if (p.first_model, p.first.layer) != (p.second_model, p.second.layer)]
    large = list(alike.database.pairs("subset", above=0.3, min_size=3))
    assert large == [pair for pair in every if pair.size >= 3]
    name = alike.world.models[-1].name
    within = list(alike.database.pairs("subset", above=0.3, model=name))
    assert within == [pair for pair in every if pair.first_model == pair.second_model == name]
    assert len(every) > len(across) > 0
    assert len(every) > len(large) > 0


@pytest.mark.parametrize("above", [0, -1, 1.5])
def test_a_threshold_of_pairs_is_a_similarity(alike: Alike, above: float) -> None:
    with pytest.raises(QueryError, match="a threshold for pairs lies above 0"):
        alike.database.pairs(above=above)


def pattern(activation: float, *tokens: int) -> Pattern:
    """A pattern of adjacent tokens, the activating one first."""
    return Pattern(tuple(Step(depth, token, 0.9) for depth, token in enumerate(tokens)), activation)


def test_similarity_by_hand(tmp_path: Path) -> None:
    graphs = {
        NeuronName(0, 0): NeuronGraph.from_patterns([pattern(1.0, 4, 1), pattern(0.5, 5, 1, 2)]),
        NeuronName(0, 1): NeuronGraph.from_patterns([pattern(0.5, 4, 1), pattern(0.5, 4, 2)]),
        NeuronName(1, 0): NeuronGraph.from_patterns([pattern(0.8, 9)]),
        NeuronName(1, 1): NeuronGraph.empty(),
    }
    path = tmp_path / "hand.n2gdb"
    build_database(path, [write_run(tmp_path / "hand", graphs)])
    with n2gdb.open(path) as database:
        # Paths of L0N0: 4, 4<1 weigh 1; 5, 5<1, 5<1<2 weigh 0.5: 3.5. Of L0N1: 4, 4<1, 4<2 weigh 0.5: 1.5.
        # They share 4 and 4<1, 0.5 each: 1 / (3.5 + 1.5 - 1).
        (found,) = database.similar("L0N0")
        assert (str(found.neuron), found.similarity, found.size) == ("L0N1", 0.25, 2)
        # Activating {4, 5} and {4}: 1/2; context {1, 2} and {1, 2}: 1.
        (found,) = database.similar("L0N0", metric="tokens")
        assert (found.similarity, found.size) == (0.5, 3)
        (found,) = database.similar("L0N0", metric="subset")
        assert (found.similarity, found.size) == (1.0, 3)
        assert not list(database.similar("L1N0"))
        assert not list(database.similar("L1N1", metric="tokens"))
        assert [str(pair.second) for pair in database.pairs("subset")] == ["L0N1"]
        with pytest.raises(QueryError, match="no metric 'cosine'"):
            database.similar("L0N0", metric="cosine")


def test_the_rarest_elements_are_kept_until_too_little_is_left() -> None:
    row, element = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3]), np.array([1, 2, 3, 4, 1, 2, 3, 1, 2, 1])
    sets = SparseSets.of(row, element, 4)
    kept = [
        sets.element[sets.row == 0][sets.prefix(share)[sets.row == 0]].tolist() for share in (1.0, 0.75, 0.5)
    ]
    assert kept == [[0], [0, 1], [0, 1, 2]]
