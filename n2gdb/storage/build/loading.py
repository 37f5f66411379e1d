"""Loader: fills every table of a database from the shards of its runs, a few shards at a time.

One pass over the shards spools the rows of relationships to files, which the engine then copies, mapped into
memory. One copy a table: each further one would rewrite what the table holds of a node, and leave the old
pages in the file. What can only be known of all shards together is found on the way: each neuron's polysemy,
and, at about 40 bytes a node, which steps several neurons share and how rare their tokens are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import Int64Array
from n2gdb.core.tries import GraphSteps
from n2gdb.storage.build.ddl import NODE_TABLES, RELATIONSHIPS
from n2gdb.storage.build.likeness import STEPS, Likeness, StepSurvey
from n2gdb.storage.build.measures import NeuronMeasures
from n2gdb.storage.build.rows import ModelRows
from n2gdb.storage.build.spool import Spool
from n2gdb.storage.read.outline import Outline
from n2gdb.storage.shards import RunFolder

__all__ = ["BATCH_NODES", "GROUP_NEURONS", "load", "memory_needed"]


#: Runs one statement with its parameters.
Write = Callable[[str, Mapping[str, Any]], object]

GROUP_NEURONS = 1 << 17  # whose relationships the engine stores together

_LEAST_MEMORY = 512 << 20
_NODE_MEMORY = 230  # measured, with the least: 2.6 times what a row of CONTEXT takes

#: Trie nodes read at a time, or a shard where it holds more.
BATCH_NODES = 1_000_000


def memory_needed(runs: Sequence[RunFolder]) -> int:
    """Return the bytes that the engine needs to copy the tries of some runs: a relationship table at once."""
    return _LEAST_MEMORY + _NODE_MEMORY * sum(run.count_nodes() for run in runs)


def load(
    write: Write, runs: Sequence[RunFolder], progress: Callable[[str], None], folder: Path
) -> Outline | None:
    """Fill an empty database, run i becomes model number i; return the outline of its tries.

    ``progress`` gets each stage as it starts; ``folder`` is for large files in between, and is there.
    """
    write("CALL threads=1", {})  # more would store rows in the order in which they finish, no sooner
    for definition in NODE_TABLES:
        write(definition, {})
    progress("read shards")
    models: list[ModelRows] = []
    for number, run in enumerate(runs):
        models.append(ModelRows.of(run, number, models[-1].tokens_up_to if models else 0))
    with Spool(folder) as spool:
        likeness, measures, outline = _spooled(models, spool)
        neurons = np.zeros(0, np.int64)  # keys, in the order in which the engine has them
        for table, rows in _nodes(models, likeness, measures):
            progress(table)
            _copy(write, table, rows)
            if table == "Neuron":
                neurons = np.concatenate([neurons, rows["key"].to_numpy()])
        groups = neurons[::GROUP_NEURONS]
        passes = [likeness.rows(*(GraphSteps.nothing(),) * 2)]
        for table, rows in spool.tables():
            if table in STEPS:
                passes += [_passes(likeness, table, batch) for batch in rows.to_batches()]
                continue
            progress(table)
            _fill(write, table, rows, groups)
        progress("PASSES")
        _fill(write, "PASSES", pa.concat_tables(passes), groups)
        for table in RELATIONSHIPS.keys() - spool.names - {"PASSES"}:
            write(RELATIONSHIPS[table].create(table), {})
    progress("checkpoint")
    write("CHECKPOINT", {})
    return outline


def _copy(write: Write, table: str, rows: pa.Table) -> None:
    """Copy rows into a table; the engine silently ends at an empty batch, so those are left out."""
    batches = [batch for batch in rows.to_batches() if len(batch)]
    if batches:
        write(f"COPY {table} FROM $rows", {"rows": pa.Table.from_batches(batches)})


def _fill(write: Write, table: str, rows: pa.Table, groups: Int64Array) -> None:
    """Create a table of relationships with its rows; columns that are null throughout are added afterwards.

    To store a null costs the engine ten times what a number does where a thousand or more stand together.
    ``groups`` are the keys of the neurons that begin a group of the engine's, rising.
    """
    columns = rows.column_names if len(rows) else []
    nothing = [name for name in columns[2:] if rows[name].null_count == len(rows)]
    write(RELATIONSHIPS[table].create(table, nothing), {})
    for part in _groups(rows, groups) if RELATIONSHIPS[table].from_neurons else [rows]:
        _copy(write, table, part.drop_columns(nothing))
    for name in nothing:
        write(RELATIONSHIPS[table].add(table, name), {})


def _groups(rows: pa.Table, groups: Int64Array) -> list[pa.Table]:
    """Divide rows by the engine's group of their neurons.

    In one copy the engine gives every group the space of the largest so far. What is stored from neurons
    alone can be copied a group at a time, so that each takes its own.
    """
    if len(groups) <= 1 or not len(rows):
        return [rows]
    group = np.searchsorted(groups, rows.column(0).to_numpy(), side="right") - 1
    return [rows.filter(pa.array(group == number)) for number in range(len(groups))]


def _nodes(
    models: Sequence[ModelRows], likeness: Likeness, measures: NeuronMeasures
) -> Iterator[tuple[str, pa.Table]]:
    """Yield (node table, its rows)."""
    for model in models:
        yield from model.entities(measures, likeness)
    yield "Path", likeness.paths


def _passes(likeness: Likeness, kind: str, steps: pa.RecordBatch) -> pa.Table:
    """Rows of PASSES, from steps of one kind."""
    return likeness.rows(
        **{each: GraphSteps.read(steps) if each == kind else GraphSteps.nothing() for each in STEPS}
    )


def _spooled(models: Sequence[ModelRows], spool: Spool) -> tuple[Likeness, NeuronMeasures, Outline | None]:
    """Spool all relationships, and steps for those of PASSES.

    Return what the steps of all neurons have in common, their measures, and the outline of their tries.
    """
    surveys, measures, outlines = [], [], []
    for model in models:
        for shards in model.run.batches(BATCH_NODES):
            steps, measured, outline, tables = model.relationships(shards)
            outlines.append(outline)
            surveys.append(StepSurvey.of(*steps))
            measures.append(measured)
            for kind, each in zip(STEPS, steps, strict=True):
                spool.add(kind, each.table())
            for table, rows in tables:
                spool.add(table, rows)
    return Likeness.joined(surveys), NeuronMeasures.joined(measures), Outline.joined(outlines)
