"""Similarity from the database: equal to its definitions, one against all and all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import n2gdb
from n2gdb.core.arrays import position_hash
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.units import NeuronName, item_key
from n2gdb.database import Database
from n2gdb.errors import QueryError
from n2gdb.grammar.ast import Metric
from n2gdb.similarity.firings import FiringSets
from n2gdb.similarity.neurons import scores_among
from n2gdb.similarity.search import Bounds, ComparisonSource, contained_in, contains, itself, similar
from n2gdb.similarity.sparse_sets import SparseSets
from n2gdb.storage import schema, shards
from n2gdb.storage.build.database import build_database
from n2gdb.storage.read.shared_steps import SharedSteps
from n2gdb.storage.schema import MOST_FIRINGS
from tests.oracle.similarity import containment, similarity
from tests.oracle.world import Model, Neuron, World
from tests.support.small_run import write_run
from tests.support.worlds import build_world

METRICS = ("graph", "cofiring", "tokens", "subset")


def _key(model: Model, name: NeuronName) -> int:
    return item_key(model.number, model.sets.number_of(name))


@dataclass(frozen=True)
class Alike:
    """A world of several models in which graphs share much, and its database."""

    database: Database
    world: World

    def key(self, neuron: Neuron) -> int:
        return _key(neuron.model, neuron.name)

    def neurons(self) -> dict[int, Neuron]:
        return {self.key(neuron): neuron for neuron in self.world.neurons}

    def source(self, *, is_warm: bool) -> ComparisonSource:
        database = self.database
        return ComparisonSource(database.connection.rows, lambda: database._likeness, is_warm)


@pytest.fixture(scope="module", params=[False, True], ids=["by statements", "by columns"])
def is_warm(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module", params=[1, 2, 3])
def alike(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alike]:
    path, world = build_world(tmp_path_factory.mktemp("alike"), request.param)
    with n2gdb.open(path) as database:
        yield Alike(database, world)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("above", "sharing"), [(0.0, 1), (0.25, 1), (0.9, 1), (0.0, 3)])
def test_the_most_similar_neurons_are_those_of_the_definition(
    alike: Alike, is_warm: bool, metric: str, above: float, sharing: int
) -> None:
    neurons, source = alike.neurons(), alike.source(is_warm=is_warm)
    for key, neuron in neurons.items():
        expected = {
            other: score
            for other, each in neurons.items()
            if other != key
            and (score := similarity(Metric(metric), neuron, each, alike.world)).size >= sharing
            and score.value > 0
            and score.value >= above - 1e-9
        }
        found = similar(source, key, Metric(metric), Bounds(above, sharing))
        assert {hit.neuron: hit.size for hit in found} == {k: s.size for k, s in expected.items()}
        for hit in found:
            assert hit.score == pytest.approx(expected[hit.neuron].value, abs=1e-6)
        ranks = [(-hit.score, -hit.size, hit.neuron) for hit in found]
        assert ranks == sorted(ranks)
        first = similar(source, key, Metric(metric), Bounds(above, sharing, limit=2))
        assert first == found[:2]
        own = itself(source, key, Metric(metric))
        assert (own.score, own.size) == similarity(Metric(metric), neuron, neuron, alike.world)


def test_similarity_is_the_same_whenever_it_is_asked(alike: Alike) -> None:
    """Threads add weights in any order; the last digits of a sum must not show which."""
    for key in list(alike.neurons())[:5]:
        asked = [similar(alike.source(is_warm=False), key, Metric.GRAPH) for _ in range(20)]
        assert all(found == asked[0] for found in asked)


def test_two_neurons_score_the_same_whether_all_are_read_or_only_these(alike: Alike) -> None:
    database, several = alike.database, list(alike.neurons())[::3]
    shared = SharedSteps.read(database.path)
    for among in (several[:2], several[-3:], several):
        found = scores_among(database.connection.table, database.models(), shared, among)
        assert set(found) == set(combinations(among, 2))
        for (first, second), scores in found.items():
            for metric in Metric:
                every = {hit.neuron: hit.score for hit in similar(alike.source(is_warm=True), first, metric)}
                assert scores[metric.value] == pytest.approx(every.get(second, 0.0), abs=1e-9), metric


def test_containment_goes_one_way(alike: Alike, is_warm: bool) -> None:
    neurons, source = alike.neurons(), alike.source(is_warm=is_warm)
    for key, neuron in neurons.items():
        others = {other: each for other, each in neurons.items() if other != key}
        inside = {o: s.size for o, each in others.items() if (s := containment(each, neuron)).value >= 0.5}
        around = {o: s.size for o, each in others.items() if (s := containment(neuron, each)).value >= 0.5}
        for search, wanted in ((contained_in, inside), (contains, around)):
            assert {score.neuron: score.size for score in search(source, key, Bounds(0.5))} == wanted
            large = {score.neuron for score in search(source, key, Bounds(0.5, sharing=3))}
            assert large == {other for other, size in wanted.items() if size >= 3}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("above", [0.1, 0.5, 0.9, 1.0])
def test_all_pairs_are_those_of_the_double_loop(alike: Alike, metric: str, above: float) -> None:
    neurons = sorted(alike.neurons().items())
    expected = {
        (left, right): score
        for place, (left, one) in enumerate(neurons)
        for right, other in neurons[place + 1 :]
        if (score := similarity(Metric(metric), one, other, alike.world)).size and score.value >= above - 1e-9
    }
    names = {model.name: model for model in alike.world.models}
    found = {
        (
            _key(names[pair.first_model], pair.first),
            _key(names[pair.second_model], pair.second),
        ): pair
        for pair in alike.database.pairs(metric, above=above, sharing=1)
    }
    assert {pair: each.size for pair, each in found.items()} == {pair: s.size for pair, s in expected.items()}
    for pair, score in expected.items():
        assert found[pair].similarity == pytest.approx(score.value, abs=1e-6)


def test_pairs_can_leave_out_a_layer_a_model_and_the_trivial(alike: Alike) -> None:
    every = list(alike.database.pairs("subset", above=0.3, sharing=1))
    across = list(alike.database.pairs("subset", above=0.3, sharing=1, across_layers=True))
    assert across == [p for p in every if (p.first_model, p.first.layer) != (p.second_model, p.second.layer)]
    large = list(alike.database.pairs("subset", above=0.3, sharing=3))
    assert large == [pair for pair in every if pair.size >= 3]
    name = alike.world.models[-1].name
    within = list(alike.database.pairs("subset", above=0.3, sharing=1, model=name))
    assert within == [pair for pair in every if pair.first_model == pair.second_model == name]
    assert len(every) > len(across) > 0
    assert len(every) > len(large) > 0


@pytest.mark.parametrize("above", [0, -1, 1.5])
def test_a_threshold_of_pairs_is_a_similarity(alike: Alike, above: float) -> None:
    with pytest.raises(QueryError, match="the least similarity of pairs must be above 0"):
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
        # "end" and "the" are as rare as each other: two of three graphs name them. As they are written,
        # steps of L0N0 sum to 3.5, of L0N1 to 1.5, and ` end` and ` end` with ` the` before it are common,
        # 0.5 each; with case and space aside they sum to 2.5 and 1, with as much in common: 2 / 6.5.
        (found,) = database.similar("L0N0")
        assert (str(found.neuron), found.size) == ("L0N1", 2)
        assert found.similarity == pytest.approx(2 / 6.5)
        # Activating {4, 5} and {4}: 1/2; context {1, 2} and {1, 2}: 1.
        (found,) = database.similar("L0N0", metric="tokens")
        assert (found.similarity, found.size) == (0.5, 3)
        (found,) = database.similar("L0N0", metric="subset")
        assert (found.similarity, found.size) == (1.0, 3)
        assert not list(database.similar("L1N0"))
        assert not list(database.similar("L1N1", metric="tokens"))
        assert [str(pair.second) for pair in database.pairs("subset")] == ["L0N1"]
        assert not database.pairs("subset", sharing=4)
        with pytest.raises(QueryError, match="no metric 'cosine'"):
            database.similar("L0N0", metric="cosine")


def likeness(tmp_path: Path, *graphs: list[Pattern]) -> dict[str, float]:
    """Return how alike the first of some graphs is to each of the others; dogs fill up the rest of 40."""
    made = {NeuronName(0, at): NeuronGraph.from_patterns(each) for at, each in enumerate(graphs)}
    made |= {NeuronName(1, at): NeuronGraph.from_patterns([pattern(1.0, 8)]) for at in range(40)}
    path = tmp_path / "alike.n2gdb"
    build_database(path, [write_run(tmp_path / "alike", made)])
    with n2gdb.open(path) as database:
        return {str(each.neuron): each.similarity for each in database.similar("L0N0", None)}


def test_rare_tokens_weigh_more_than_common_ones(tmp_path: Path) -> None:
    found = likeness(tmp_path, [pattern(1.0, 8), pattern(1.0, 12)], [pattern(1.0, 12)], [pattern(1.0, 8)])
    assert found["L0N1"] > 2 * found["L0N2"] > 0
    # 42 of 43 graphs name " dog", two " except".
    dog, rare = np.log1p(43 / 42), np.log1p(43 / 2)
    assert found["L0N1"] == pytest.approx(rare / (rare + dog))


def test_tokens_that_differ_in_case_or_space_count_in_part(tmp_path: Path) -> None:
    found = likeness(tmp_path, [pattern(1.0, 1)], [pattern(1.0, 2)], [pattern(1.0, 3)], [pattern(1.0, 1)])
    assert found == {"L0N3": 1.0, "L0N1": pytest.approx(1 / 3), "L0N2": pytest.approx(1 / 3)}


def test_one_token_more_on_a_path_moves_no_other(tmp_path: Path) -> None:
    plain = Pattern((Step(0, 4, 1.0), Step(3, 9, 1.0)), 1.0)
    more = Pattern((Step(0, 4, 1.0), Step(2, 11, 1.0), Step(3, 9, 1.0)), 1.0)
    further = Pattern((Step(0, 4, 1.0), Step(4, 9, 1.0)), 1.0)
    found = likeness(tmp_path, [plain], [more], [further])
    end, cat, except_ = np.log1p(43 / 3), np.log1p(43 / 3), np.log1p(43 / 1)
    assert found["L0N1"] == pytest.approx((end + cat) / (end + cat + except_))
    assert found["L0N2"] == pytest.approx(end / (end + 2 * cat))


def test_firings_are_compared_as_far_as_both_are_known() -> None:
    """Of units that fire too often to be kept whole, samples tell about the share."""
    random = np.random.default_rng(0)
    firings = [np.arange(40), np.arange(20, 60), random.permutation(4000)[:3000], np.arange(2000)]
    hashes = [np.sort(position_hash(each)) for each in firings]
    kept = [each[:MOST_FIRINGS] for each in hashes]
    every = np.unique(np.concatenate(kept))
    row = np.repeat(np.arange(4), [len(each) for each in kept])
    sampled = np.array([len(each) == MOST_FIRINGS for each in kept])
    sets = FiringSets.of(row, np.searchsorted(every, np.concatenate(kept)), sampled)
    other, share, size = sets.against(0)
    assert dict(zip(other.tolist(), size.tolist(), strict=True))[1] == 20
    assert share[other == 1] == 20 / 60
    other, share, _ = sets.against(2)
    true = len(np.intersect1d(firings[2], firings[3])) / len(np.union1d(firings[2], firings[3]))
    assert share[other == 3] == pytest.approx(true, abs=0.1)


def test_of_shards_from_before_firings_were_kept_stored_examples_are_compared(tmp_path: Path) -> None:
    graphs = {NeuronName(0, at): NeuronGraph.from_patterns([pattern(1.0, 8)]) for at in range(2)}
    before = pa.schema([field for field in schema.RECORDS if field.name != "firings"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "RECORDS", before)
        patch.setitem(shards._OPTIONAL_TABLES, "records", before)
        run = write_run(tmp_path / "old", graphs)
    path = tmp_path / "old.n2gdb"
    build_database(path, [run])
    with n2gdb.open(path) as database:
        assert not database._likeness.is_recorded
        answer = database.similar("L0N0", metric="cofiring")
        assert "no record of firings" in answer.notices[0]
        (found,) = answer
        assert (str(found.neuron), found.similarity) == ("L0N1", 1.0)


def test_the_rarest_elements_are_kept_until_too_little_is_left() -> None:
    row, element = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3]), np.array([1, 2, 3, 4, 1, 2, 3, 1, 2, 1])
    sets = SparseSets.of(row, element, 4)
    kept = [
        sets.element[sets.row == 0][sets.prefix(share)[sets.row == 0]].tolist() for share in (1.0, 0.75, 0.5)
    ]
    assert kept == [[0], [0, 1], [0, 1, 2]]
