"""The store gives back exactly what was put in, and a failed build leaves the older database."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.reals import decimals
from n2gdb.core.units import NeuronName, unit_key
from n2gdb.errors import DatabaseError, QueryError, QueryTimeoutError, StorageError
from n2gdb.storage import checksum as seal
from n2gdb.storage.asking import Asking
from n2gdb.storage.build.database import build_database
from n2gdb.storage.checksum import move_sealed, seal_path, verify_seal
from n2gdb.storage.checksums import digest_of, record
from n2gdb.storage.connection import Connection
from n2gdb.storage.read.neurons import load_graph
from tests.support.small_run import WORDS, random_graphs, write_run

SLOW = "MATCH (a:Token), (b:Token), (c:Token), (d:Token), (e:Token), (f:Token), (g:Token), (h:Token)"
SLOW += " WHERE a.token + b.token + c.token + d.token + e.token + f.token + g.token + h.token = -1"
SLOW += " RETURN count(*)"

Graphs = dict[NeuronName, NeuronGraph]

IS_TOKEN = pc.field("token") < len(WORDS)
IS_TOP = pc.field("band") == "top"
IS_ROOT = pc.field("parent") < 0


def key(name: NeuronName, model: int = 0) -> int:
    return unit_key(model, name.layer, name.index)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    depths = [0, *sorted(draw(st.sets(st.integers(1, 40), max_size=5)))]
    unit = st.floats(2**-20, 2.0, width=32)
    steps = (Step(depth, draw(st.integers(1, len(WORDS) - 1)), draw(unit)) for depth in depths)
    return Pattern(tuple(steps), draw(unit))


GRAPH = st.lists(patterns(), max_size=8).map(NeuronGraph.from_patterns)


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(
    drawn=st.lists(GRAPH, min_size=30, max_size=60),
    text=st.lists(st.integers(0, len(WORDS) - 1), max_size=60),
)
def test_stored_graphs_come_back_exactly_and_predict_the_same(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[NeuronGraph], text: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    graphs = {NeuronName(i % 3, i): graph for i, graph in enumerate(drawn)}
    build_database(folder / "x.n2gdb", [write_run(folder / "run", graphs)])
    with Connection.open(folder / "x.n2gdb") as connection:
        for name, graph in graphs.items():
            loaded = load_graph(connection, key(name))
            assert loaded == graph
            assert np.array_equal(loaded.predict(text), graph.predict(text))


def test_derived_columns_are_those_of_the_graph(small_path: Path, small_graphs: Graphs) -> None:
    with Connection.open(small_path) as connection:
        for name, graph in small_graphs.items():
            rows = connection.rows(
                "MATCH (n:Neuron)-[c:CONTEXT]->(t:Token) WHERE n.id = $key"
                " RETURN c.pre, c.last, c.activation, c.act_token, c.repeats ORDER BY c.pre",
                {"key": key(name)},
            )
            assert rows == [
                (node, graph.last[node], graph.best[node], graph.token[path[0]], repeats)
                for node in range(len(graph))
                if len(path := graph.path(node)) > 1
                for repeats in [graph.token[node] in graph.token[list(path[:-1])]]
            ]


def test_every_column_lands_in_its_own(tmp_path: Path, small_graphs: Graphs) -> None:
    run = write_run(tmp_path / "run", small_graphs)
    build_database(tmp_path / "x.n2gdb", [run])
    tokens, classes = (run.evidence().filter(each) for each in (IS_TOKEN, ~IS_TOKEN))
    top, others = (run.examples().filter(each) for each in (IS_TOP, ~IS_TOP))
    roots, context = (run.nodes().filter(each) for each in (IS_ROOT, ~IS_ROOT))
    stored = {
        "MATCH (x:Model)": run.model(),
        "MATCH (m:Model) UNWIND m.sources AS x": run.sources(),
        "MATCH (x:Token)": run.tokens(),
        "MATCH (x:Neuron)": run.neurons().drop_columns(["unit"]),
        "MATCH (x:Window)": run.windows(),
        "MATCH (x:Neuron) WHERE x.positions IS NOT NULL": run.records().drop_columns(["unit"]),
        "MATCH (x:TokenClass)": run.classes(),
        "MATCH (n:Neuron)-[x:SCORE]->(:Model)": run.scores().drop_columns(["unit", "layer", "index"]),
        "MATCH (n:Neuron)-[x:EVIDENCE]->()": tokens.drop_columns(["unit", "token"]),
        "MATCH (n:Neuron)-[x:CLASS_EVIDENCE]->()": classes.drop_columns(["unit", "token"]),
        "MATCH (n:Neuron)-[x:TOP_EXAMPLE]->()": top.drop_columns(["unit", "window", "band"]),
        "MATCH (n:Neuron)-[x:EXAMPLE]->()": others.drop_columns(["unit", "window"]),
        "MATCH (n:Neuron)-[x:ACTIVATES_ON]->()": roots.select(["pre", "end", "support", "confidence"]),
        "MATCH (n:Neuron)-[x:CONTEXT]->()": context.drop_columns(["unit", "token"]),
    }
    assert all(len(table) for table in stored.values())
    with Connection.open(tmp_path / "x.n2gdb") as connection:
        for match, table in stored.items():
            columns = ", ".join(f"x.`{name}`" for name in table.column_names)
            rows = connection.rows(f"{match} RETURN {columns}")
            expected = [tuple(row.values()) for row in decimals(table).to_pylist()]
            assert sorted(map(repr, rows)) == sorted(map(repr, expected))


def test_two_models_share_a_database(tmp_path: Path) -> None:
    one, two = random_graphs(1, layers=1, neurons=4), random_graphs(2, layers=1, neurons=4)
    build_database(tmp_path / "x.n2gdb", [write_run(tmp_path / "one", one), write_run(tmp_path / "two", two)])
    with Connection.open(tmp_path / "x.n2gdb") as connection:
        for model, graphs in enumerate((one, two)):
            assert {name: load_graph(connection, key(name, model)) for name in graphs} == graphs


def test_tokens_and_neurons_lie_in_the_order_of_their_ids(small_path: Path) -> None:
    with Connection.open(small_path) as connection:
        for table in ("Token", "Neuron"):
            rows = connection.rows(f"MATCH (x:{table}) RETURN x.id ORDER BY offset(id(x))")
            assert rows == sorted(rows)


def test_a_run_without_neurons_makes_a_database(tmp_path: Path) -> None:
    graphs = {NeuronName(0, 0): NeuronGraph.empty()}
    build_database(tmp_path / "x.n2gdb", [write_run(tmp_path / "run", graphs)])
    with Connection.open(tmp_path / "x.n2gdb") as connection:
        assert len(load_graph(connection, key(NeuronName(0, 0)))) == 0


def test_progress_names_the_stages(tmp_path: Path, small_graphs: Graphs) -> None:
    stages: list[str] = []
    build_database(tmp_path / "x.n2gdb", [write_run(tmp_path / "run", small_graphs)], stages.append)
    assert stages[0] == "read shards"
    assert stages[-1] == "checkpoint"
    assert "CONTEXT" in stages


def fail_with(error: BaseException) -> Callable[[str], None]:
    def progress(stage: str) -> None:
        if stage == "CONTEXT":
            raise error

    return progress


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(errno.ENOSPC, "No space left on device"), StorageError),
        (RuntimeError("broken"), RuntimeError),
    ],
)
def test_a_failed_build_leaves_the_older_database(
    tmp_path: Path, small_graphs: Graphs, error: BaseException, raised: type[BaseException]
) -> None:
    path = tmp_path / "x.n2gdb"
    run = write_run(tmp_path / "run", small_graphs)
    build_database(path, [run])
    before = path.read_bytes()
    with pytest.raises(raised):
        build_database(path, [run], fail_with(error))
    assert path.read_bytes() == before
    assert verify_seal(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run", "x.n2gdb", "x.n2gdb.sha256"]


def test_what_a_killed_build_left_is_no_obstacle(tmp_path: Path, small_graphs: Graphs) -> None:
    for name in ("x.n2gdb.building", "x.n2gdb.building.wal"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "x.n2gdb.building.rows").mkdir()
    (tmp_path / "x.n2gdb.building.rows" / "CONTEXT.arrow").write_bytes(b"half")
    build_database(tmp_path / "x.n2gdb", [write_run(tmp_path / "run", small_graphs)])
    Connection.open(tmp_path / "x.n2gdb").close()
    assert not list(tmp_path.glob("*.building*"))


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, small_graphs: Graphs) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="cannot be written"):
        build_database(tmp_path / "file" / "x.n2gdb", [write_run(tmp_path / "run", small_graphs)])


def test_the_checksum_is_of_the_file_as_built(small_path: Path) -> None:
    digest = hashlib.sha256(small_path.read_bytes()).hexdigest()
    record, line = seal_path(small_path).read_text().splitlines()
    assert line == f"{digest}  {small_path.name}"
    assert record.startswith(f"# size {small_path.stat().st_size} written ")
    check: list[str | Path] = ["sha256sum", "--check", "--strict", seal_path(small_path)]
    checked = subprocess.run(check, cwd=small_path.parent, check=False)
    assert checked.returncode == 0


def crash(*_: object) -> None:
    raise OSError("crash")


def test_a_crash_between_the_two_moves_still_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, built = tmp_path / "x.n2gdb", tmp_path / "x.n2gdb.building"
    built.write_bytes(b"old")
    move_sealed(built, database)
    built.write_bytes(b"new")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="crash"):
        patch.setattr(seal, "_move", crash)
        move_sealed(built, database)
    assert database.read_bytes() == b"old"
    assert verify_seal(database)
    move_sealed(built, database)
    assert verify_seal(database)
    database.write_bytes(b"older")
    assert not verify_seal(database)


def test_ties_between_parameters_and_statement_are_checked(small_path: Path) -> None:
    with Connection.open(small_path) as connection:
        with pytest.raises(QueryError, match=r"asks for \$layer, which has no value"):
            connection.rows("MATCH (n:Neuron) WHERE n.layer = $layer RETURN n.id")
        with pytest.raises(QueryError, match=r"\$layer has a value, but"):
            connection.rows("MATCH (n:Neuron) RETURN n.id", {"layer": 1})
        assert connection.rows("RETURN 'costs $five' AS price, \"$two\" AS other") == [
            ("costs $five", "$two")
        ]


def test_one_statement_at_a_time(small_path: Path) -> None:
    with Connection.open(small_path) as connection, pytest.raises(DatabaseError, match="multiple statements"):
        connection.rows("RETURN 1; RETURN 2")


def test_a_reader_cannot_write(small_path: Path) -> None:
    with Connection.open(small_path) as connection, pytest.raises(DatabaseError, match="read-only"):
        connection.rows("MATCH (n:Neuron) SET n.layer = 9")


def test_a_broken_statement_is_one_line(small_path: Path) -> None:
    with Connection.open(small_path) as connection, pytest.raises(DatabaseError) as caught:
        connection.rows("MATCH (n:Neuron RETURN n.id")
    assert "\n" not in str(caught.value)


def test_a_closed_database_says_so(small_path: Path) -> None:
    connection = Connection.open(small_path)
    connection.close()
    connection.close()
    with pytest.raises(DatabaseError, match="closed"):
        connection.rows("RETURN 1")


def test_a_slow_statement_ends_at_its_limit(small_path: Path) -> None:
    with Connection.open(small_path) as connection:
        begun = time.perf_counter()
        with pytest.raises(QueryTimeoutError, match=r"limit of 0.1 s"):
            connection.rows(SLOW, timeout=0.1)
        assert time.perf_counter() - begun < 15
        assert connection.rows("RETURN 1") == [(1,)]


def test_ctrl_c_stops_a_statement_at_once(small_path: Path) -> None:
    with Connection.open(small_path) as connection:
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        begun = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            timer.start()  # within: it may fire before its start has returned
            connection.rows(SLOW)
        assert 0.3 <= time.perf_counter() - begun < 20
        assert connection.rows("RETURN 1") == [(1,)]


def test_random_node_order_within_a_shard_does_not_matter(tmp_path: Path) -> None:
    graphs = random_graphs(5, layers=1, neurons=6)
    run = write_run(tmp_path / "run", graphs)
    (shard,) = run.shards()
    rows = pa.parquet.read_table(shard / "nodes.parquet")
    order = list(range(len(rows)))
    Random(0).shuffle(order)
    pa.parquet.write_table(rows.take(order), shard / "nodes.parquet")
    record(shard, [("nodes.parquet", digest_of(shard / "nodes.parquet"))])
    build_database(tmp_path / "x.n2gdb", [run])
    with Connection.open(tmp_path / "x.n2gdb") as connection:
        assert {name: load_graph(connection, key(name)) for name in graphs} == graphs


def test_the_engine_comes_without_asyncio_until_it_is_asked_for(small_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from n2gdb.storage.connection import Connection\n"
        "c = Connection.open(Path(sys.argv[1])); print('asyncio' in sys.modules)\n"
        "kuzu = sys.modules['kuzu']; print(type(kuzu.AsyncConnection(c._database)).__name__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(small_path)], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "AsyncConnection"]


def test_one_thread_runs_the_statements_that_follow_each_other(small_path: Path) -> None:
    ran_in: set[int] = set()

    def read(result: object, check: object) -> None:
        ran_in.add(threading.get_ident())

    with Connection.open(small_path) as connection:
        for _ in range(20):
            Asking(connection._lent, "RETURN 1", {}, read).answer()
    assert len(ran_in) == 1
    assert threading.get_ident() not in ran_in
