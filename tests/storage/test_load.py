"""What the load computes of many tries at once: paths that neurons share, weights, token classes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.reals import as_decimal
from n2gdb.core.tokens import kinds_of
from n2gdb.core.tries import Tries
from n2gdb.core.units import NeuronName, unit_key
from n2gdb.storage.build import loading
from n2gdb.storage.build.database import build_database
from n2gdb.storage.build.ddl import RELATIONSHIPS
from n2gdb.storage.build.spool import Spool
from n2gdb.storage.connection import Connection
from n2gdb.storage.graph_rows import nodes_table
from tests.support.small_run import WORDS, random_graph, random_graphs, write_run

Graphs = dict[NeuronName, NeuronGraph]
WordPath = tuple[tuple[int, str], ...]

TURNED = tuple(reversed(WORDS))  # the same words under other ids
TWICE = (*WORDS[:6], " the", " end", *WORDS[8:])  # two ids read alike


def key(name: NeuronName, model: int = 0) -> int:
    return unit_key(model, name.layer, name.index)


def word_paths(graph: NeuronGraph, words: tuple[str, ...]) -> dict[WordPath, float]:
    """Root-to-node paths by text, with the best activation through each."""
    paths: dict[WordPath, float] = {}
    for node in range(len(graph)):
        path = tuple((int(graph.depth[step]), words[graph.token[step]]) for step in graph.path(node))
        paths[path] = max(paths.get(path, 0.0), float(graph.best[node]))
    return paths


def dense(seed: int) -> Graphs:
    random = Random(seed)
    return {NeuronName(0, i): random_graph(random, words=len(WORDS), patterns=9, depth=3) for i in range(20)}


@pytest.fixture(scope="module", params=[100, 1_000_000], ids=["many batches", "one batch"])
def three_models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("load")
    runs = [
        write_run(folder / "a", random_graphs(1, layers=4, neurons=10)),
        write_run(folder / "b", dense(2), TURNED),
        write_run(folder / "c", dense(3), TWICE),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "BATCH_NODES", request.param)
        build_database(folder / "x.n2gdb", runs)
    return folder / "x.n2gdb"


@pytest.fixture(scope="module")
def expected() -> dict[int, dict[WordPath, float]]:
    """Every neuron's paths by text."""
    models = ((random_graphs(1, layers=4, neurons=10), WORDS), (dense(2), TURNED), (dense(3), TWICE))
    return {
        key(name, model): {path: as_decimal(best) for path, best in word_paths(graph, words).items()}
        for model, (graphs, words) in enumerate(models)
        for name, graph in graphs.items()
    }


def test_stored_paths_are_those_of_several_neurons(
    three_models: Path, expected: dict[int, dict[WordPath, float]]
) -> None:
    owners = Counter(path for paths in expected.values() for path in paths)
    with Connection.open(three_models) as connection:
        rows = connection.rows("MATCH (n:Neuron)-[p:PASSES]->(x:Path) RETURN x.id, n.id, p.weight")
        ((stored,),) = connection.rows("MATCH (x:Path) RETURN count(*)")
    found: dict[int, dict[int, float]] = {}
    for path, neuron, weight in rows:
        assert neuron not in found.setdefault(path, {})
        found[path][neuron] = weight
    assert stored == len(found)
    assert all(path > 0 for path in found)
    # Two ids that read alike within one neuron may leave a path of that neuron alone.
    several = [tuple(sorted(weights.items())) for weights in found.values() if len(weights) > 1]
    wanted = [
        tuple(sorted((neuron, paths[path]) for neuron, paths in expected.items() if path in paths))
        for path, count in owners.items()
        if count > 1
    ]
    assert len({len(each) for each in wanted}) > 3
    assert Counter(several) == Counter(wanted)


def test_a_neuron_weighs_what_its_paths_do(
    three_models: Path, expected: dict[int, dict[WordPath, float]]
) -> None:
    with Connection.open(three_models) as connection:
        found: dict[int, float] = dict(connection.rows("MATCH (n:Neuron) RETURN n.id, n.weight"))
    assert found == {neuron: pytest.approx(sum(paths.values())) for neuron, paths in expected.items()}
    assert 0.0 in found.values()


def test_tokens_carry_their_classes(three_models: Path) -> None:
    with Connection.open(three_models) as connection:
        rows = connection.rows("MATCH (t:Token) RETURN t.text, t.special, t.classes")
    assert len(rows) == 3 * len(WORDS)
    assert all(classes == kinds_of(text, special=special) for text, special, classes in rows)
    assert len({classes for _, _, classes in rows}) > 3


def test_path_keys_tell_order_and_distance_apart() -> None:
    def path(*steps: tuple[int, int]) -> NeuronGraph:
        return NeuronGraph.from_patterns([Pattern(tuple(Step(*step, 1.0) for step in steps), 1.0)])

    graphs = [
        path((0, 1), (1, 2), (2, 3)),
        path((0, 1), (1, 3), (2, 2)),
        path((0, 1), (1, 2), (3, 3)),
        path((0, 2), (1, 1), (2, 3)),
        path((0, 1), (2, 3)),
    ]
    nodes = nodes_table([(i, graph) for i, graph in enumerate(graphs)])
    text_keys = np.arange(10, 15, dtype=np.int64)
    found = Tries.of(nodes).path_weights(nodes["unit"].to_numpy(), text_keys)
    ends = [found.path[found.neuron == i][-1] for i in range(len(graphs))]
    assert len(set(ends)) == len(graphs)
    first = [found.path[found.neuron == i][0] for i in range(len(graphs))]
    assert first[0] == first[1] == first[2] == first[4] != first[3]


def test_a_spool_gives_back_its_rows_and_removes_its_files(tmp_path: Path) -> None:
    one, two = pa.table({"x": [1, 2]}), pa.table({"y": ["a"]})
    with Spool(tmp_path) as spool:
        spool.add("One", one)
        spool.add("Two", two)
        spool.add("One", one)
        found = [(name, table.to_pydict()) for name, table in spool.tables()]
    assert found == [("One", {"x": [1, 2, 1, 2]}), ("Two", {"y": ["a"]})]
    assert not list(tmp_path.iterdir())


def test_every_column_is_there_and_what_no_neuron_has_is_null(three_models: Path) -> None:
    with Connection.open(three_models) as connection:
        for name, table in RELATIONSHIPS.items():
            columns = connection.rows(f"CALL table_info('{name}') RETURN name")
            assert {column for (column,) in columns} == set(table.columns), name
        ((nodes, written, supported, ends),) = connection.rows(
            "MATCH (:Neuron)-[c:CONTEXT]->(:Token)"
            " RETURN count(*), count(c.written), count(c.support), count(c.`end`)"
        )
    assert nodes > ends > 0
    assert supported > 0
    assert written == 0


def test_examples_are_found_from_windows_though_they_are_stored_from_neurons(three_models: Path) -> None:
    with Connection.open(three_models) as connection:
        from_neurons = connection.rows("MATCH (n:Neuron)-[e:TOP_EXAMPLE]->(w:Window) RETURN n.id, e.rank")
        from_windows = connection.rows(
            "MATCH (w:Window)<-[e:TOP_EXAMPLE]-(n:Neuron) WHERE w.window >= 0 RETURN n.id, e.rank"
        )
    assert sorted(from_neurons) == sorted(from_windows) != []


def test_no_batch_that_the_engine_copies_is_empty() -> None:
    chunks = [[], [1, 2], [], [3], []]
    rows = pa.table({"id": pa.chunked_array([pa.array(each, pa.int64()) for each in chunks])})
    copied: list[pa.Table] = []
    loading._copy(lambda _, given: copied.append(given["rows"]), "Path", rows)
    assert [batch.num_rows for batch in copied[0].to_batches()] == [2, 1]
    loading._copy(lambda _, given: copied.append(given["rows"]), "Path", rows.slice(0, 0))
    assert len(copied) == 1
