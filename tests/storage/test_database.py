"""The Python API: what `n2gdb.open` gives, neuron by neuron and query by query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import n2gdb
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.units import NeuronName
from n2gdb.errors import DatabaseError, DatabaseFormatError, QueryError, UnknownNameError
from n2gdb.storage.build.database import build_database
from n2gdb.storage.checksum import seal_path
from tests.support.small_run import WINDOW, WORDS, random_graphs, write_run

Graphs = dict[NeuronName, NeuronGraph]


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    runs = [
        write_run(folder / name, random_graphs(seed, layers=1, neurons=6))
        for name, seed in (("one", 1), ("two", 2))
    ]
    build_database(folder / "two.n2gdb", runs)
    return folder / "two.n2gdb"


def test_every_neuron_is_as_it_was_stored(small: n2gdb.Database, small_graphs: Graphs) -> None:
    for name, graph in small_graphs.items():
        neuron = small.neuron(name)
        assert neuron.graph == graph
        assert (neuron.n_patterns, neuron.n_nodes) == (graph.n_patterns, len(graph))
        assert np.array_equal(neuron.graph.predict(WINDOW), graph.predict(WINDOW))


def test_a_neuron_is_found_by_any_of_its_names(small: n2gdb.Database) -> None:
    names = ("L1N3", "l1n3", "1/3", "blocks.1.mlp/3", NeuronName(1, 3))
    assert {small.neuron(name) for name in names} == {small.neuron("L1N3")}
    assert small.neuron("L1N3").model == "small"


def test_statistics_are_those_of_the_run(small: n2gdb.Database) -> None:
    neuron = small.neuron("L0N4")
    assert (neuron.f1, neuron.precision, neuron.recall) == (None, None, None)
    assert neuron.statistics["n_nodes"] == neuron.n_nodes
    assert list(neuron.statistics)[:4] == ["source", "kind", "side", "density"]


def test_examples_come_strongest_first(small: n2gdb.Database) -> None:
    first, second = small.neuron("L0N0").examples
    assert (first.rank, first.activation, first.split, first.pivot) == (0, 4.0, "train", 8)
    assert (second.rank, second.activation, second.split) == (1, 3.0, "test")
    assert first.tokens == WINDOW
    assert (first.start, first.trace) == (4, (0.0, 0.25, 0.5, 0.75, 1.0))


def test_token_texts(small: n2gdb.Database) -> None:
    assert small.text(1) == " the"
    assert small.texts([3, 1, 3]) == {1: " the", 3: " The"}
    with pytest.raises(UnknownNameError, match="has no token 99: its ids end at 12"):
        small.text(99)


def test_info_counts_what_was_stored(small: n2gdb.Database, small_graphs: Graphs) -> None:
    info = small.info()
    assert [(layer.layer, layer.neurons) for layer in info.layers] == [(0, 20), (1, 20), (2, 20)]
    assert sum(layer.patterns for layer in info.layers) == sum(g.n_patterns for g in small_graphs.values())
    assert sum(layer.dead for layer in info.layers) == sum(not len(g) for g in small_graphs.values())
    scores = [small.neuron(name).f1 for name in small_graphs if name.layer == 0]
    judged = [score for score in scores if score is not None]
    assert info.layers[0].judged == len(judged)
    assert info.layers[0].mean_f1 == pytest.approx(sum(judged) / len(judged))
    assert info.size == small.path.stat().st_size
    assert info.as_dict()["models"][0]["configuration"] == {"top_k": 2}


def test_a_query_finds_neurons_with_their_evidence(small: n2gdb.Database, small_graphs: Graphs) -> None:
    answer = small.query("neurons MATCHING 'dog' LIMIT 3")
    dog = WORDS.index(" dog")
    firing = {name for name, graph in small_graphs.items() if dog in graph.token[graph.depth == 0]}
    assert answer.total == len(firing)
    assert len(answer) == 3
    assert {hit.neuron for hit in answer} <= firing
    assert [hit.path.split(" · ")[-1] for hit in answer] == ["·dog"] * 3
    assert answer[0] == next(iter(answer))
    assert answer[:2] == tuple(answer)[:2]
    assert answer.notices == ()


@pytest.mark.parametrize("cut", ["", " LIMIT 2", " LIMIT 100", " LIMIT 2 OFFSET 1", " LIMIT 5 OFFSET 1000"])
def test_the_total_leaves_limit_and_offset_aside(small: n2gdb.Database, cut: str) -> None:
    query = "neurons MATCHING 'dog'"
    assert small.query(query + cut).total == small.count(query + cut) == len(small.query(query)) > 2


def test_an_unknown_token_is_said_with_near_ones(small: n2gdb.Database, small_graphs: Graphs) -> None:
    answer = small.query("neurons MATCHING 'dogs'")
    dog = WORDS.index(" dog")
    named = sum(dog in graph.token for graph in small_graphs.values())
    assert len(answer) == 0
    assert answer.notices == (f"no token of small reads 'dogs'; near: 'dog' ({named} neurons)",)


def test_an_exact_token_that_is_spelled_otherwise(small: n2gdb.Database) -> None:
    (notice,) = small.query('neurons MATCHING "THE"').notices
    assert notice.startswith('no token of small reads "THE"; near: " The" (')
    assert '" the" (' in notice


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("'netwok'", "; near: 'network' (1 neuron)"),
        ("'dogs'", ", and none is near"),
        ('"Networks"', '; near: " network" (1 neuron)'),
        ("'cats'", "; near: 'cat' (1 neuron)"),
    ],
)
def test_only_tokens_that_a_graph_names_are_offered(tmp_path: Path, asked: str, near: str) -> None:
    words = ("<eos>", " network", "network", "networked", " dog", "Dog", " cat")
    pattern = Pattern((Step(0, 1, 1.0), Step(1, 6, 0.9)), 0.8)
    graphs = {NeuronName(0, 0): NeuronGraph.from_patterns([pattern])}
    path = tmp_path / "few.n2gdb"
    build_database(path, [write_run(tmp_path / "few", graphs, words)])
    with n2gdb.open(path) as database:
        assert database.query(f"neurons MATCHING {asked}").notices == (
            f"no token of few reads {asked}{near}",
        )


def test_a_token_with_none_near(small: n2gdb.Database) -> None:
    assert small.query("neurons MATCHING 'zzzzzzzzzz'").notices == (
        "no token of small reads 'zzzzzzzzzz', and none is near",
    )


def test_an_unknown_token_is_said_though_others_are_found(small: n2gdb.Database) -> None:
    answer = small.query("neurons MATCHING 'dog' OR MATCHING 'dogs'")
    assert len(answer) > 0
    assert len(answer.notices) == 1
    assert len(small.query("neurons MATCHING 'dog' AND NOT MATCHING 'dogs'").notices) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("L7N0", "small has no layer 7: its layers are 0 to 2"),
        ("L1N500", "small has no neuron L1N500: layer 1 has N0 to N19"),
        ("neuron 5", "'neuron 5' is not a neuron's name: write L3N45"),
    ],
)
def test_a_neuron_that_is_not_there(small: n2gdb.Database, name: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        small.neuron(name)


def test_a_neuron_that_was_not_ingested(tmp_path: Path) -> None:
    graphs = random_graphs(1, layers=2, neurons=4)
    chosen = {name: graph for name, graph in graphs.items() if name.index in (1, 3) and name.layer == 1}
    build_database(tmp_path / "x.n2gdb", [write_run(tmp_path / "run", chosen)])
    with n2gdb.open(tmp_path / "x.n2gdb") as database:
        with pytest.raises(
            UnknownNameError, match=r"L1N2 of run was not ingested.* 2 neurons of layer 1, N1 to N3"
        ):
            database.neuron("L1N2")
        with pytest.raises(UnknownNameError, match=r"L0N1 of run was not ingested.* none of layer 0"):
            database.neuron("L0N1")


def test_two_models_are_told_apart(two_models: Path) -> None:
    with n2gdb.open(two_models) as database:
        assert [model.name for model in database.models()] == ["one", "two"]
        for model, seed in (("one", 1), ("two", 2)):
            for name, graph in random_graphs(seed, layers=1, neurons=6).items():
                assert database.neuron(name, model).graph == graph
        with pytest.raises(UnknownNameError, match="holds several models, name one: one, two"):
            database.neuron("L0N0")
        with pytest.raises(UnknownNameError, match="holds no model 'twa': it holds one, two") as caught:
            database.neuron("L0N0", "twa")
        assert caught.value.near == ("two",)
        assert "no token of one or two reads" in database.query("neurons MATCHING 'dogs'").notices[0]


def test_the_path_may_come_from_the_environment(small_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N2GDB_DB", str(small_path))
    with n2gdb.open() as database:
        assert database.path == small_path


def test_without_a_path_it_is_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("N2GDB_DB", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseError, match=r"no database at neurons\.n2gdb"):
        n2gdb.open()


def test_a_closed_database_answers_no_more(small_path: Path) -> None:
    with n2gdb.open(small_path) as database:
        neuron = database.neuron("L0N0")
    with pytest.raises(DatabaseError, match="was closed"):
        len(neuron.graph)


def test_verify_tells_a_changed_byte(tmp_path: Path) -> None:
    path = tmp_path / "x.n2gdb"
    build_database(path, [write_run(tmp_path / "run", random_graphs(1, layers=1, neurons=3))])
    with n2gdb.open(path) as database:
        database.verify()
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.write_bytes(raw)
        with pytest.raises(DatabaseFormatError, match="is damaged"):
            database.verify()
        with pytest.raises(DatabaseFormatError, match="is damaged"):
            n2gdb.open(path)
        seal_path(path).unlink()
        with pytest.raises(DatabaseError, match="has no checksum beside it"):
            database.verify()


def test_a_query_that_is_wrong_raises_query_errors(small: n2gdb.Database) -> None:
    for text in ("neurons MATCHING", "neurons WHERE colour = 3", "neurons WHERE activation > 0.5"):
        with pytest.raises(QueryError):
            small.query(text)


def test_public_names_are_there_and_no_others() -> None:
    for name in n2gdb.__all__:
        assert getattr(n2gdb, name) is not None
        assert name in dir(n2gdb)
    with pytest.raises(AttributeError, match="no attribute 'opn'"):
        n2gdb.opn  # type: ignore[attr-defined]  # noqa: B018
