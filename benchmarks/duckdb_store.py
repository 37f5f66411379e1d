"""The rows of a run in DuckDB: tables of tokens, neurons, trie nodes sorted by token, and shared steps.

Examples, their windows, evidence and records are there as they are in shards: both files hold the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from n2gdb.core.arrays import Int64Array
from n2gdb.core.tokens import kinds_of
from n2gdb.core.tries import Tries
from n2gdb.storage.build.likeness import LOOSE, STEPS, Likeness, StepSurvey, step_rows
from n2gdb.storage.build.rows import ModelRows
from n2gdb.storage.build.spool import Spool
from n2gdb.storage.shards import RunFolder

__all__ = ["build_duckdb", "set_text"]

#: Columns of trie nodes that are taken over as they are.
_OF_NODES = ("depth", "pre", "importance", "end", "support", "confidence")


def build_duckdb(path: Path, run: RunFolder) -> None:
    """Build a DuckDB file from a run, a shard at a time; what follows from tries is computed once, as there.

    Steps can be numbered and weighed when those of all shards are known: they wait beside the file.
    """
    path.unlink(missing_ok=True)
    model = ModelRows.of(run, 0)
    surveys: list[StepSurvey] = []
    with (
        TemporaryDirectory(dir=path.parent) as folder,
        Spool(Path(folder)) as spool,
        duckdb.connect(str(path)) as connection,
    ):
        _create(connection, "token", _tokens(run))
        for shard in run.shards():
            nodes = run.nodes([shard])
            tries = Tries.of(nodes)
            steps = tries.steps(_neuron_key(nodes), model.text_keys, model.norm_keys)
            surveys.append(StepSurvey.of(*steps))
            for kind, each in zip(STEPS, steps, strict=True):
                spool.add(kind, step_rows(each))
            _create(connection, "unsorted", _nodes(nodes, tries))
            _create(connection, "example", run.examples([shard]))
            _create(connection, "evidence", run.evidence([shard]))
            _create(connection, "record", run.records([shard]))
        connection.execute("CREATE TABLE node AS SELECT * FROM unsorted ORDER BY token, neuron, pre")
        connection.execute("DROP TABLE unsorted")
        likeness = Likeness.joined(surveys)
        neurons = run.neurons()
        key = _neuron_key(neurons)
        weight = np.zeros(len(key))
        weight[pc.index_in(pa.array(likeness.neuron), pa.array(key)).to_numpy()] = likeness.total
        weighed = neurons.append_column("id", pa.array(key))
        _create(connection, "neuron", weighed.append_column("weight", pa.array(weight)))
        spool.close()
        for kind in STEPS:
            with spool.table(kind) as spooled:
                for batch in spooled.to_batches():
                    _create(connection, "unsorted_step", _steps(batch, kind, likeness))
        connection.execute("CREATE TABLE step AS SELECT * FROM unsorted_step ORDER BY path, neuron")
        connection.execute("DROP TABLE unsorted_step")
        _create(connection, "example_window", run.windows())
        connection.execute("CREATE TABLE text (position INTEGER, token INTEGER)")
        connection.execute("CHECKPOINT")


def set_text(connection: duckdb.DuckDBPyConnection, tokens: list[int]) -> None:
    """Put the tokens of a text into the table ``text``."""
    connection.execute("DELETE FROM text")
    connection.executemany("INSERT INTO text VALUES (?, ?)", list(enumerate(tokens)))


def _create(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Append to a table, made by its first rows."""
    connection.register("rows", rows)
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} AS SELECT * FROM rows LIMIT 0")
    connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM rows")
    connection.unregister("rows")


def _tokens(run: RunFolder) -> pa.Table:
    tokens = run.tokens()
    kinds = [kinds_of(text) for text in tokens["text"].to_pylist()]
    columns = {"id": tokens["token"].cast(pa.int32()), "text": tokens["text"], "norm": tokens["norm"]}
    return pa.table(columns | {"classes": kinds})


def _nodes(nodes: pa.Table, tries: Tries) -> pa.Table:
    level = np.zeros(len(nodes), np.int32)
    for above, rows in enumerate(tries.levels):
        level[rows] = above
    columns: Mapping[str, object] = {
        "neuron": _neuron_key(nodes),
        "token": nodes["token"],
        "act_token": tries.token[tries.root].astype(np.int32),
        "last": tries.last,
        "level": level,
        "best": tries.best,
    }
    return pa.table({**columns, **{name: nodes[name] for name in _OF_NODES}})


def _steps(steps: pa.RecordBatch, kind: str, likeness: Likeness) -> pa.Table:
    """Rows of the steps that several graphs have; those with case and space aside have even numbers."""
    shares = likeness.shares(kind, steps)
    path = 2 * shares.step.astype(np.int64) + (kind != LOOSE)
    return pa.table({"neuron": likeness.neuron[shares.holder], "path": path, "weight": shares.weight})


def _neuron_key(table: pa.Table) -> Int64Array:
    key: Int64Array = table["unit"].to_numpy()
    return key
