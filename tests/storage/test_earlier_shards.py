"""Shards from before units had sides and sources are read as positive sides of neurons."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
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

#: Columns that shards had not, beside the number of the unit.
NEW = ("source", "kind", "side", "density")


def made_earlier(run: RunFolder) -> None:
    """Rewrite a run's shards as they were: a layer and an index in place of a unit's number."""
    for file in (run.path / "neurons").rglob("*.parquet"):
        table = pq.read_table(file, partitioning=None)
        places = [place_of(unit) for unit in table["unit"].to_pylist()]
        known = {name: table[name] for name in table.column_names} | {
            "layer": pa.array([place.layer for place in places], pa.int64()),
            "index": pa.array([place.index for place in places], pa.int64()),
        }
        rest = [name for name in known if name not in ("unit", "layer", "index", *NEW)]
        pq.write_table(pa.table({name: known[name] for name in ("layer", "index", *rest)}), file)
        record(file.parent, [(file.name, digest_of(file))])
    assert not (run.path / "sources.parquet").exists()


def test_earlier_shards_give_the_same_database(
    tmp_path: Path, small_graphs: dict[NeuronName, NeuronGraph]
) -> None:
    now, earlier = (write_run(tmp_path / folder / "run", small_graphs) for folder in ("now", "earlier"))
    made_earlier(earlier)
    assert earlier.done() == now.done()
    assert earlier.nodes().equals(now.nodes())
    assert earlier.examples().equals(now.examples())
    assert earlier.neurons().drop_columns(["density"]).equals(now.neurons().drop_columns(["density"]))
    assert earlier.neurons()["density"].null_count == len(now.neurons())
    for run, file in ((now, "now"), (earlier, "earlier")):
        build_database(tmp_path / f"{file}.n2gdb", [run])
    with n2gdb.open(tmp_path / "now.n2gdb") as one, n2gdb.open(tmp_path / "earlier.n2gdb") as other:
        assert one.model().sources == other.model().sources
        for name in small_graphs:
            mine, theirs = one.neuron(name), other.neuron(name)
            assert (mine.graph, mine.f1, mine.examples) == (theirs.graph, theirs.f1, theirs.examples)


def test_earlier_databases_say_what_to_do(
    tmp_path: Path, small_graphs: dict[NeuronName, NeuronGraph]
) -> None:
    path = tmp_path / "x.n2gdb"
    build_database(path, [write_run(tmp_path / "run", small_graphs)])
    with Connection(path, read_only=False) as connection:
        connection.rows("MATCH (m:Meta) WHERE m.key = 'schema_version' SET m.value = '5'")
    seal_path(path).unlink()
    with pytest.raises(DatabaseFormatError, match=r"schema version 5, older.*build it again") as caught:
        Connection.open(path)
    assert "\n" not in str(caught.value)
