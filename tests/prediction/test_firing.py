"""Firing on text from the database equals running every graph on it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.reals import as_decimal
from n2gdb.core.units import NeuronName, unit_key
from n2gdb.prediction.firing import Firing, firing_statements, read_firings
from n2gdb.storage.build.database import build_database
from n2gdb.storage.connection import Connection
from tests.support.small_run import WORDS, random_graph, random_graphs, write_run

Graphs = dict[NeuronName, NeuronGraph]


def key(name: NeuronName, model: int = 0) -> int:
    return unit_key(model, name.layer, name.index)


def predicted(graphs: Graphs, text: list[int], model: int = 0) -> dict[tuple[int, int], float]:
    """Every firing by running each graph: (neuron, position) to activation."""
    return {
        (key(name, model), position): as_decimal(float(activation))
        for name, graph in graphs.items()
        for position, activation in enumerate(graph.predict(text))
        if activation >= 0.5
    }


def by_place(firings: list[Firing]) -> dict[tuple[int, int], float]:
    found = {(each.neuron, each.position): each.activation for each in firings}
    assert len(found) == len(firings)
    return found


@pytest.fixture(scope="module")
def dense_graphs() -> Graphs:
    """Graphs over four words, so that texts match long patterns and ties occur."""
    random = Random(3)
    return {NeuronName(i % 2, i): random_graph(random, words=5, patterns=30, depth=8) for i in range(60)}


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory, dense_graphs: Graphs) -> Path:
    folder = tmp_path_factory.mktemp("firing")
    other = random_graphs(9, layers=1, neurons=5)
    build_database(
        folder / "x.n2gdb", [write_run(folder / "other", other), write_run(folder / "dense", dense_graphs)]
    )
    return folder / "x.n2gdb"


def test_firings_are_those_that_the_graphs_predict(two_models: Path, dense_graphs: Graphs) -> None:
    random = Random(1)
    with Connection.open(two_models) as connection:
        for length in (1, 2, 5, 13, 40, 150):
            text = [random.randrange(5) for _ in range(length)]
            found = by_place(read_firings(connection.table, text, model=1, threshold=0.5, by="graph"))
            assert found == predicted(dense_graphs, text, model=1)
            assert found or length < 5


def test_the_end_is_that_of_the_pattern_that_counts(two_models: Path, dense_graphs: Graphs) -> None:
    graphs = {key(name, 1): graph for name, graph in dense_graphs.items()}
    text = [1, 2, 3, 1, 1, 4, 2, 1, 2, 3]
    with Connection.open(two_models) as connection:
        for firing in read_firings(connection.table, text, model=1, threshold=0.5, by="graph"):
            assert firing.end is not None
            pattern = graphs[firing.neuron].pattern(firing.end)
            assert all(text[firing.position - step.depth] == step.token for step in pattern.steps)
            assert np.float32(pattern.activation) == np.float32(firing.activation)


@pytest.mark.parametrize("positions", [[9], [0], [3, 9, 3], []])
def test_positions_may_be_chosen(two_models: Path, dense_graphs: Graphs, positions: list[int]) -> None:
    text = [1, 2, 3, 1, 1, 4, 2, 1, 2, 3]
    expected = {
        place: value for place, value in predicted(dense_graphs, text, 1).items() if place[1] in positions
    }
    with Connection.open(two_models) as connection:
        assert (
            by_place(
                read_firings(connection.table, text, model=1, threshold=0.5, by="graph", positions=positions)
            )
            == expected
        )


def test_the_longest_pattern_counts_even_where_it_is_too_weak(tmp_path: Path) -> None:
    strong, weak = Pattern((Step(0, 1, 1),), 0.9), Pattern((Step(0, 1, 1), Step(2, 3, 0.8)), 0.4)
    graphs = {NeuronName(0, 0): NeuronGraph.from_patterns([strong, weak])}
    build_database(tmp_path / "x.n2gdb", [write_run(tmp_path / "run", graphs)])
    with Connection.open(tmp_path / "x.n2gdb") as connection:
        assert by_place(read_firings(connection.table, [2, 3, 1], model=0, threshold=0.5, by="graph")) == {
            (0, 2): pytest.approx(0.9)
        }
        assert read_firings(connection.table, [3, 2, 1], model=0, threshold=0.5, by="graph") == []
        low = read_firings(connection.table, [3, 2, 1], model=0, threshold=0.3, by="graph")
        assert by_place(low) == {(0, 2): pytest.approx(0.4)}


def test_a_text_without_tokens_fires_nothing(two_models: Path) -> None:
    with Connection.open(two_models) as connection:
        assert read_firings(connection.table, [], model=1, threshold=0.5, by="graph") == []
        assert read_firings(connection.table, [len(WORDS) + 5], model=1, threshold=0.5, by="graph") == []
    assert firing_statements([], 1) == ()


@pytest.mark.parametrize("position", [-1, 2])
def test_a_position_outside_the_text_is_an_error(two_models: Path, position: int) -> None:
    with (
        Connection.open(two_models) as connection,
        pytest.raises(IndexError, match=f"has 2 tokens: no position {position}"),
    ):
        read_firings(connection.table, [1, 2], model=1, threshold=0.5, by="graph", positions=[position])


def test_statements_name_tokens_by_parameters_alone() -> None:
    (roots, of_roots), (context, of_context) = firing_statements([5, 7, 5], 1, [2])
    assert list(of_roots.values()) == [[1 << 32 | 5]]
    assert list(of_context.values()) == [[1 << 32 | 5, 1 << 32 | 7], 1 << 32 | 5, 2]
    assert all(f"${name}" in roots for name in of_roots)
    assert all(f"${name}" in context for name in of_context)
