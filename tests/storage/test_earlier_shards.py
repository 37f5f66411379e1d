"""Shards from before units had sides, and from before they had records, are read as present ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName, place_of
from n2gdb.errors import DatabaseFormatError
from n2gdb.storage.build.database import build_database
from n2gdb.storage.checksum import seal_path
from n2gdb.storage.checksums import digest_of, record
from n2gdb.storage.connection import Connection
from n2gdb.storage.shards import RunFolder
from tests.support.small_run import write_run

#: Columns that shards had not before units had sides, beside the number of the unit.
SIDES = ("source", "kind", "side", "density")
#: Columns and tables that they had not before there were records.
MEASURED = (
    *("heldout_precision", "heldout_recall", "heldout_f1", "heldout_firings"),
    *("base", "evidence_threshold", "graph_weight", "support", "confidence", "text", "band"),
)
TABLES = ("evidence", "records")


def without_records(run: RunFolder) -> None:
    """Rewrite a run's shards as they were before there were records: nothing is measured on the corpus."""
    (run.path / "classes.parquet").unlink()
    for shard in run.shards():
        (shard / "checksums.sha256").unlink()
        for name in TABLES:
            (shard / f"{name}.parquet").unlink()
        for file in shard.glob("*.parquet"):
            table = pq.read_table(file, partitioning=None)
            if "band" in table.column_names:
                table = table.filter(pc.equal(table["band"], "top"))
            if "text" in table.column_names:
                table = table.filter(pc.equal(table["text"], "test"))
            pq.write_table(table.select([n for n in table.column_names if n not in MEASURED]), file)
            record(shard, [(file.name, digest_of(file))])


def made_earlier(run: RunFolder) -> None:
    """Rewrite them as they were before that: a layer and an index in place of a unit's number."""
    without_records(run)
    for file in (run.path / "neurons").rglob("*.parquet"):
        table = pq.read_table(file, partitioning=None)
        places = [place_of(unit) for unit in table["unit"].to_pylist()]
        known = {name: table[name] for name in table.column_names} | {
            "layer": pa.array([place.layer for place in places], pa.int64()),
            "index": pa.array([place.index for place in places], pa.int64()),
        }
        rest = [name for name in known if name not in ("unit", "layer", "index", *SIDES)]
        pq.write_table(pa.table({name: known[name] for name in ("layer", "index", *rest)}), file)
        record(file.parent, [(file.name, digest_of(file))])
    assert not (run.path / "sources.parquet").exists()


@pytest.mark.parametrize(
    ("made", "unknown"), [(without_records, ()), (made_earlier, ("density",))], ids=("7", "6")
)
def test_earlier_shards_give_the_same_database(
    tmp_path: Path,
    small_graphs: dict[NeuronName, NeuronGraph],
    made: Callable[[RunFolder], None],
    unknown: tuple[str, ...],
) -> None:
    now, earlier = (write_run(tmp_path / folder / "run", small_graphs) for folder in ("now", "earlier"))
    made(earlier)
    assert earlier.done() == now.done()
    assert not earlier.damaged()
    old = [name for name in now.nodes().column_names if name not in MEASURED]
    assert earlier.nodes().select(old).equals(now.nodes().select(old))
    assert earlier.nodes()["support"].null_count == len(now.nodes())
    assert earlier.examples().equals(now.examples().filter(pc.field("band") == "top"))
    assert earlier.scores().equals(now.scores().filter(pc.field("text") == "test"))
    not_known = [*unknown, *(name for name in MEASURED if name in now.neurons().column_names)]
    assert earlier.neurons().drop_columns(not_known).equals(now.neurons().drop_columns(not_known))
    assert all(earlier.neurons()[name].null_count == len(now.neurons()) for name in not_known)
    assert not any(map(len, (earlier.evidence(), earlier.records(), earlier.classes())))
    for run, file in ((now, "now"), (earlier, "earlier")):
        build_database(tmp_path / f"{file}.n2gdb", [run])
    with n2gdb.open(tmp_path / "now.n2gdb") as one, n2gdb.open(tmp_path / "earlier.n2gdb") as other:
        assert one.model().sources == other.model().sources
        for name in small_graphs:
            mine, theirs = one.neuron(name), other.neuron(name)
            assert (mine.graph, mine.f1, mine.examples) == (theirs.graph, theirs.f1, theirs.examples)
            assert theirs.graph.support is None
            assert theirs.statistics["heldout_f1"] is None


@pytest.mark.parametrize("version", [5, 9])
def test_earlier_databases_say_what_to_do(
    tmp_path: Path, small_graphs: dict[NeuronName, NeuronGraph], version: int
) -> None:
    path = tmp_path / "x.n2gdb"
    build_database(path, [write_run(tmp_path / "run", small_graphs)])
    with Connection(path, read_only=False) as connection:
        connection.rows("ALTER TABLE Model DROP schema_version")
        connection.rows("CREATE NODE TABLE Meta(key STRING PRIMARY KEY, value STRING)")
        connection.rows("CREATE (:Meta {key: 'schema_version', value: $version})", {"version": str(version)})
    seal_path(path).unlink()
    with pytest.raises(
        DatabaseFormatError, match=rf"schema version {version}, older.*build it again"
    ) as caught:
        Connection.open(path)
    assert "\n" not in str(caught.value)
