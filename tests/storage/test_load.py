"""What the load computes of many tries at once: steps that neurons share, weights, token classes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from math import log
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from n2gdb.core.deadline import check_time
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.reals import as_decimal
from n2gdb.core.tokens import kinds_of, normalise
from n2gdb.core.tries import Tries
from n2gdb.core.units import NeuronName, unit_key
from n2gdb.storage.build import loading
from n2gdb.storage.build.database import build_database
from n2gdb.storage.build.ddl import RELATIONSHIPS
from n2gdb.storage.build.likeness import Likeness
from n2gdb.storage.build.spool import Spool
from n2gdb.storage.connection import Connection
from n2gdb.storage.graph_rows import nodes_table
from n2gdb.storage.read.shared_steps import SharedSteps
from tests.support.small_run import WORDS, random_graph, random_graphs, write_run

Graphs = dict[NeuronName, NeuronGraph]
Step3 = tuple[str, int, str]

TURNED = tuple(reversed(WORDS))  # the same words under other ids
TWICE = (*WORDS[:6], " the", " end", *WORDS[8:])  # two ids read alike


def key(name: NeuronName, model: int = 0) -> int:
    return unit_key(model, name.layer, name.index)


def word_steps(graph: NeuronGraph, words: tuple[str, ...]) -> dict[Step3, float]:
    """Steps by text, with the best activation through each: activating token, distance, token."""
    steps: dict[Step3, float] = {}
    for node in range(len(graph)):
        root = words[graph.token[graph.path(node)[0]]]
        step = (root, int(graph.depth[node]), words[graph.token[node]])
        steps[step] = max(steps.get(step, 0.0), as_decimal(float(graph.best[node])))
    return steps


def loosely(steps: dict[Step3, float]) -> dict[Step3, float]:
    """The same with case and space aside."""
    found: dict[Step3, float] = {}
    for (root, depth, text), best in steps.items():
        step = (normalise(root), depth, normalise(text))
        found[step] = max(found.get(step, 0.0), best)
    return found


def rarities(steps: Iterable[dict[Step3, float]]) -> dict[str, float]:
    """How rare each text is among graphs, case and space aside."""
    named = [{text for _, _, text in loosely(each)} for each in steps if each]
    counts = Counter(text for texts in named for text in texts)
    return {text: log(1 + len(named) / count) for text, count in counts.items()}


def dense(seed: int) -> Graphs:
    random = Random(seed)
    return {NeuronName(0, i): random_graph(random, words=len(WORDS), patterns=9, depth=3) for i in range(20)}


@pytest.fixture(scope="module", params=[(100, 7), (1_000_000, 1 << 17)], ids=["many parts", "at once"])
def three_models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("load")
    runs = [
        write_run(folder / "a", random_graphs(1, layers=4, neurons=10)),
        write_run(folder / "b", dense(2), TURNED),
        write_run(folder / "c", dense(3), TWICE),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for name, most in zip(("BATCH_NODES", "GROUP_NEURONS"), request.param, strict=True):
            patch.setattr(loading, name, most)
        build_database(folder / "x.n2gdb", runs)
    return folder / "x.n2gdb"


@pytest.fixture(scope="module")
def expected() -> dict[int, dict[Step3, float]]:
    """Every neuron's steps by text."""
    models = ((random_graphs(1, layers=4, neurons=10), WORDS), (dense(2), TURNED), (dense(3), TWICE))
    return {
        key(name, model): word_steps(graph, words)
        for model, (graphs, words) in enumerate(models)
        for name, graph in graphs.items()
    }


def test_stored_steps_are_those_of_several_neurons(
    three_models: Path, expected: dict[int, dict[Step3, float]]
) -> None:
    """Even keys are of steps with case and space aside; what is written in one way alone is stored once."""
    rarity = rarities(expected.values())
    loose = {neuron: loosely(steps) for neuron, steps in expected.items()}
    owners = Counter(step for steps in loose.values() for step in steps)
    written = {step for steps in expected.values() for step in steps}
    forms = Counter(next(iter(loosely({step: 1.0}))) for step in written)
    assert {forms[step] > 1 for step, count in owners.items() if count > 1} == {True, False}
    wanted: Counter[tuple[tuple[int, float], ...]] = Counter()
    for steps, twofold in ((loose, True), (expected, False)):
        for step in {step for each in steps.values() for step in each}:
            common = next(iter(loosely({step: 1.0})))
            alone = not twofold and (
                forms[common] == 1 or sum(step in each for each in expected.values()) == 1
            )
            if owners[common] > 1 and not alone:
                times = 2 if twofold and forms[common] == 1 else 1
                weight = times * rarity[common[2]]
                found = ((n, round(each[step] * weight, 9)) for n, each in steps.items() if step in each)
                wanted[tuple(sorted(found))] += 1
    stored = SharedSteps.read(three_models)
    passing: dict[int, dict[int, float]] = {}
    rows = zip(stored.step.tolist(), stored.unit[stored.holder].tolist(), stored.weight.tolist(), strict=True)
    for step, neuron, weight in rows:
        assert neuron not in passing.setdefault(step, {})
        passing[step][neuron] = round(weight, 9)
    assert list(passing) == list(range(len(stored.counts)))  # each has holders, in order
    assert [len(each) for each in passing.values()] == sorted(stored.counts.tolist())
    assert Counter(tuple(sorted(each.items())) for each in passing.values()) == wanted


def test_a_neuron_weighs_what_its_steps_do(
    three_models: Path, expected: dict[int, dict[Step3, float]]
) -> None:
    rarity = rarities(expected.values())
    stored = SharedSteps.read(three_models)
    found = dict(zip(stored.unit.tolist(), stored.total.tolist(), strict=True))
    assert found.keys() == {neuron for neuron, steps in expected.items() if steps}
    assert found.keys() < expected.keys()
    for neuron, weight in found.items():
        steps = expected[neuron]
        both = [*steps.items(), *loosely(steps).items()]
        assert weight == pytest.approx(sum(best * rarity[normalise(text)] for (_, _, text), best in both))


def test_tokens_carry_their_classes(three_models: Path) -> None:
    with Connection.open(three_models) as connection:
        rows = connection.rows("MATCH (t:Token) RETURN t.text, t.special, t.classes")
    assert len(rows) == 3 * len(WORDS)
    assert all(classes == kinds_of(text, special=special) for text, special, classes in rows)
    assert len({classes for _, _, classes in rows}) > 3


def test_step_keys_tell_tokens_and_distances_apart() -> None:
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
    keys, alike = np.arange(10, 15, dtype=np.int64), np.full(5, 7, np.int64)
    exact, loose = Tries.of(nodes).steps(nodes["unit"].to_numpy(), keys, alike)

    def of(graph: int) -> set[int]:
        return set(exact.step[exact.neuron == graph].tolist())

    # The activating token, and the token two positions before it: whatever stands between.
    assert [len(of(0) & of(other)) for other in range(5)] == [3, 1, 2, 0, 2]
    assert [len(of(3) & of(other)) for other in range(5)] == [0, 0, 0, 3, 0]
    assert [int(np.sum(loose.neuron == graph)) for graph in range(5)] == [3, 3, 3, 3, 2]
    assert len(set(loose.step.tolist())) == 4  # by their distance alone
    assert set(loose.token.tolist()) == {7}


def test_a_spool_gives_back_its_rows_and_removes_its_files(tmp_path: Path) -> None:
    one, two = pa.table({"x": [1, 2]}), pa.table({"y": ["a"]})
    with Spool(tmp_path) as spool:
        spool.add("One", one)
        spool.add("Two", two)
        spool.add("One", one)
        spool.close()
        assert spool.names == {"One", "Two"}
        for name, expected in (("One", {"x": [1, 2, 1, 2]}), ("Two", {"y": ["a"]})):
            with spool.table(name) as rows:
                assert rows.to_pydict() == expected
    assert not list(tmp_path.iterdir())


def test_what_runs_beside_a_load_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def weigh_for_long(surveys: object) -> None:
        begun.set()
        for _ in range(3000):
            check_time()
            time.sleep(0.01)

    def interrupted(write: loading.Write, table: str, rows: pa.Table) -> None:
        assert begun.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(Likeness, "joined", weigh_for_long)
    monkeypatch.setattr(loading, "_copy", interrupted)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        build_database(tmp_path / "x.n2gdb", [write_run(tmp_path / "run", random_graphs(seed=1))])
    assert time.monotonic() - start < 20
    assert not list(tmp_path.glob("x.n2gdb*"))


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
