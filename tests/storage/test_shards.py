"""Shards are complete or absent, and give back what was written."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName
from n2gdb.errors import StorageError
from n2gdb.storage import schema
from n2gdb.storage.checksums import CHECKSUMS
from n2gdb.storage.graph_rows import graphs_from, nodes_table
from n2gdb.storage.shards import RunFolder, run_folders, shards_folder
from tests.generators.unit_sets import mlp_name, mlp_unit
from tests.support.small_run import model_table, random_graphs, write_run, write_shards

GRAPHS = random_graphs(seed=1, layers=2, neurons=8)


def disk_full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def numbered(graphs: Mapping[NeuronName, NeuronGraph]) -> list[tuple[int, NeuronGraph]]:
    return [(mlp_unit(name), graph) for name, graph in graphs.items()]


def test_nodes_table_and_back_give_the_same_graphs() -> None:
    table = nodes_table(numbered(GRAPHS))
    assert table.schema == schema.NODES
    assert table["end"].null_count == sum(len(graph) - graph.n_patterns for graph in GRAPHS.values())
    assert graphs_from(table) == {mlp_unit(name): graph for name, graph in GRAPHS.items() if len(graph)}


def test_rows_may_come_in_any_order() -> None:
    table = nodes_table(numbered(GRAPHS))
    assert graphs_from(table.sort_by([("token", "ascending")])) == graphs_from(table)


def test_no_graphs_and_empty_graphs_are_no_rows() -> None:
    assert len(nodes_table([])) == 0
    assert len(nodes_table([(0, NeuronGraph.empty())])) == 0
    assert graphs_from(nodes_table([])) == {}


def test_a_run_reads_back_sorted_whatever_the_order_of_its_shards(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    for name in sorted(GRAPHS, reverse=True):
        neurons = pa.Table.from_pylist(
            [{"unit": mlp_unit(name), "layer": name.layer, "index": name.index, "state": "live"}],
            schema=schema.NEURONS,
        )
        shard = f"{100 - name.layer * 10 - name.index}"
        run.write_shard(
            shard, neurons, nodes_table([(mlp_unit(name), GRAPHS[name])]), schema.EXAMPLES.empty_table()
        )
    assert run.done() == set(map(mlp_unit, GRAPHS))
    rows = run.neurons()
    assert rows["unit"].to_pylist() == sorted(run.done())
    named = zip(rows["layer"].to_pylist(), rows["index"].to_pylist(), strict=True)
    assert list(named) == sorted((name.layer, name.index) for name in GRAPHS)
    assert run.nodes() == nodes_table(sorted(numbered(GRAPHS), key=lambda item: item[0]))


def test_every_table_reads_back(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", GRAPHS)
    assert run.model() == model_table("run", GRAPHS, 13)
    assert run.tokens().schema == schema.TOKENS
    assert run.windows().schema == schema.WINDOWS
    assert run.examples().schema == schema.EXAMPLES
    assert [path.name for path in run.shards()] == ["L0", "L1"]


def test_a_run_without_shards_has_empty_tables(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    assert (run.shards(), run.done(), len(run.nodes()), len(run.examples())) == ([], set(), 0, 0)


def test_runs_of_a_database_are_those_with_a_model(tmp_path: Path) -> None:
    database = tmp_path / "x.n2gdb"
    assert run_folders(database) == []
    folder = shards_folder(database)
    write_run(folder / "b", GRAPHS)
    write_run(folder / "a", GRAPHS)
    RunFolder.create(folder / "begun")
    assert [run.path.name for run in run_folders(database)] == ["a", "b"]


def test_a_table_of_another_shape_is_refused(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    with pytest.raises(ValueError, match="table windows has columns"):
        run.write_windows(pa.table({"window": [1]}))


@pytest.mark.parametrize("name", ["", ".hidden", "a/b"])
def test_a_shard_must_have_a_plain_name(tmp_path: Path, name: str) -> None:
    run = RunFolder.create(tmp_path / "run")
    empty = (schema.NEURONS.empty_table(), schema.NODES.empty_table(), schema.EXAMPLES.empty_table())
    with pytest.raises(ValueError, match="cannot be a shard's name"):
        run.write_shard(name, *empty)


def test_a_complete_shard_is_not_replaced(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", GRAPHS)
    with pytest.raises(StorageError, match="complete already"):
        write_shards(run, GRAPHS)


def test_no_space_leaves_no_half_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder.create(tmp_path / "run")
    monkeypatch.setattr(pq, "write_table", disk_full)
    with pytest.raises(StorageError, match=r"no space left to write .*L0"):
        write_shards(run, GRAPHS)
    assert files(run.path) == ["neurons"]


def test_no_space_leaves_the_older_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "run", GRAPHS)
    before = run.windows()
    monkeypatch.setattr(pq, "write_table", disk_full)
    with pytest.raises(StorageError, match="no space left"):
        run.write_windows(before.slice(0, 0))
    assert run.windows() == before
    assert ".windows.parquet" not in files(run.path)


def test_a_killed_write_is_neither_read_nor_kept(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", GRAPHS)
    before = files(run.path)
    (run.path / "neurons" / ".L7").mkdir()
    (run.path / "neurons" / ".L7" / "neurons.parquet").write_bytes(b"half")
    (run.path / ".tokens.parquet").write_bytes(b"half")
    assert [path.name for path in run.shards()] == ["L0", "L1"]
    run.clean()
    assert files(run.path) == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match=r"file is a file, where a folder is needed"):
        RunFolder.create(tmp_path / "file" / "run")


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", GRAPHS)
    (run.shards()[0] / "nodes.parquet").write_bytes(b"damaged")
    with pytest.raises(StorageError, match=r"L0/nodes.parquet cannot be read"):
        run.nodes()


def tables_of(run: RunFolder) -> list[pa.Table]:
    return [
        run.neurons(),
        run.nodes(),
        run.examples(),
        run.scores(),
        run.model(),
        run.tokens(),
        run.windows(),
    ]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "table",
    ["neurons", "nodes", "examples", "scores", "model", "tokens", "windows"],
)
def test_a_flipped_bit_or_a_lost_end_is_never_read(tmp_path: Path, table: str, seed: int) -> None:
    run = write_run(tmp_path / "run", GRAPHS)
    in_shard = table in ("neurons", "nodes", "examples", "scores")
    path = (run.shards()[0] if in_shard else run.path) / f"{table}.parquet"
    random = Random(seed)
    raw = bytearray(path.read_bytes())
    if seed % 4:
        raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
    else:
        del raw[random.randrange(len(raw)) :]
    path.write_bytes(raw)
    with pytest.raises(StorageError, match=f"{table}.parquet cannot be read"):
        tables_of(run)
    assert [shard.name for shard in run.damaged()] == (["L0"] if in_shard else [])


def test_damaged_shards_are_removed_and_the_others_stay(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", GRAPHS)
    (run.shards()[0] / "scores.parquet").unlink()
    run.clean()
    assert [shard.name for shard in run.shards()] == ["L1"]
    assert {mlp_name(unit).layer for unit in run.done()} == {1}
    assert ".L0" not in files(run.path)


def test_shards_from_before_there_were_checksums_are_read(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", GRAPHS)
    before = tables_of(run)
    for folder in (run.path, *run.shards()):
        (folder / CHECKSUMS).unlink()
    assert tables_of(run) == before and not run.damaged()
    (run.shards()[1] / "nodes.parquet").write_bytes(b"damaged")
    assert [shard.name for shard in run.damaged()] == ["L1"]


def test_a_table_that_is_replaced_is_known_before_and_after(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", GRAPHS)
    old = (run.path / "windows.parquet").read_bytes()
    run.write_windows(run.windows().slice(0, 0))
    assert len(run.windows()) == 0
    (run.path / "windows.parquet").write_bytes(old)  # as a crash between the two writes leaves it
    assert len(run.windows()) == 1
    assert "windows.parquet" in (run.path / CHECKSUMS).read_text()


@pytest.mark.parametrize("file", ["x.n2gdb.shards", "runs"])
def test_a_file_where_a_folder_is_needed_is_named(file: str, tmp_path: Path) -> None:
    (tmp_path / file).touch()
    folder = shards_folder(tmp_path / ("x.n2gdb" if file.startswith("x") else "runs/x.n2gdb"))
    with pytest.raises(StorageError, match=rf"{file} is a file, where a folder is needed: move it away"):
        RunFolder.create(folder / "run")
