"""Loader: fills every table of a database from the shards of its runs, a few shards at a time.

One pass over the shards spools the rows of relationships to files, which the engine then copies, mapped into
memory. One copy a table: each further one would rewrite what the table holds of a node, and leave the old
pages in the file. What can only be known of all shards together is found on the way: each neuron's polysemy,
and, at about 40 bytes a node, which steps several neurons share and how rare their tokens are. Shards are
prepared side by side, and steps are found and weighed while the engine copies.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import Float64Array, Int64Array
from n2gdb.core.deadline import cancelled_by, check_time
from n2gdb.storage.build.ddl import NODE_TABLES, RELATIONSHIPS
from n2gdb.storage.build.likeness import STEPS, Likeness, Shares, StepSurvey, step_rows
from n2gdb.storage.build.measures import NeuronMeasures
from n2gdb.storage.build.rows import ModelRows
from n2gdb.storage.build.spool import Spool
from n2gdb.storage.read.outline import Outline, OutlinePart
from n2gdb.storage.read.shared_steps import SharedSteps
from n2gdb.storage.shards import RunFolder

__all__ = ["BATCH_NODES", "GROUP_NEURONS", "load", "memory_needed"]


#: Runs one statement with its parameters.
Write = Callable[[str, Mapping[str, Any]], object]

GROUP_NEURONS = 1 << 17  # whose relationships the engine stores together

_CORES = os.cpu_count() or 1
_LATER = 10  # the priority of what need not be ready before the engine has copied: a tenth of the usual share

_LEAST_MEMORY = 512 << 20
_NODE_MEMORY = 230  # measured, with the least: 2.6 times what a row of CONTEXT takes

#: Trie nodes read at a time, or a shard where it holds more.
BATCH_NODES = 250_000


def memory_needed(runs: Sequence[RunFolder]) -> int:
    """Return the bytes that the engine needs to copy the tries of some runs: a relationship table at once."""
    return _LEAST_MEMORY + _NODE_MEMORY * sum(run.count_nodes() for run in runs)


def load(
    write: Write, runs: Sequence[RunFolder], progress: Callable[[str], None], folder: Path
) -> list[Outline | SharedSteps]:
    """Fill an empty database, run i becomes model number i; return the arrays that go behind its pages.

    ``progress`` gets each stage as it starts; ``folder`` is for large files in between, and is there.
    """
    write("CALL threads=1", {})  # nodes are stored in the order in which threads come to them
    for definition in NODE_TABLES:
        write(definition, {})
    progress("read shards")
    models: list[ModelRows] = []
    for number, run in enumerate(runs):
        models.append(ModelRows.of(run, number, models[-1].tokens_up_to if models else 0))
    failed = threading.Event()
    with Spool(folder) as spool, _workers(failed) as pool:
        measures, graphs = _spooled(models, spool, pool)
        shared = pool.submit(_shared_steps, graphs, folder, failed)
        neurons = np.zeros(0, np.int64)  # keys, in the order in which the engine has them
        for model in models:
            for table, rows in model.entities(measures):
                progress(table)
                _copy(write, table, rows)
                if table == "Neuron":
                    neurons = np.concatenate([neurons, rows["key"].to_numpy()])
        groups = neurons[::GROUP_NEURONS]
        for name, relationship in sorted(RELATIONSHIPS.items(), key=lambda each: not each[1].from_neurons):
            if name not in spool.names:
                write(relationship.create(name), {})
                continue
            progress(name)
            # One thread stores from one end in less time than several, and leaves the others to the steps.
            write(f"CALL threads={1 if relationship.from_neurons else _CORES}", {})
            with spool.table(name) as stored:
                _fill(write, name, stored, groups)
        progress("shared steps")
        arrays: list[Outline | SharedSteps] = [shared.result()]
    if (outline := Outline.joined([graph.outline for graph in graphs])) is not None:
        arrays.append(outline)
    progress("checkpoint")
    write("CHECKPOINT", {})
    return arrays


@contextmanager
def _workers(failed: threading.Event) -> Iterator[Executor]:
    """Keep threads for the block; where it fails, ``failed`` tells those at work, and no more is begun."""
    pool = ThreadPoolExecutor(_CORES)
    try:
        yield pool
    except BaseException:
        failed.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


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


@dataclass(frozen=True, slots=True)
class _Graphs:
    """The graphs of a few shards of a model, with the largest activation of any pattern through each node."""

    model: ModelRows
    outline: OutlinePart
    best: Float64Array


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a few shards of a model become; ``rows`` of tables to be spooled, by their names."""

    graphs: _Graphs
    measures: NeuronMeasures
    rows: list[tuple[str, pa.Table]]

    @classmethod
    def of(cls, model: ModelRows, shards: Sequence[Path]) -> _Prepared:
        """Read some shards, and compute what follows from them."""
        measures, outline, best, tables = model.relationships(shards)
        return cls(_Graphs(model, outline, best), measures, list(tables))


def _spooled(
    models: Sequence[ModelRows], spool: Spool, pool: Executor
) -> tuple[NeuronMeasures, list[_Graphs]]:
    """Spool all relationships; return the measures of all neurons, and their graphs."""
    measures, graphs = [], []
    batches = ((model, shards) for model in models for shards in model.run.batches(BATCH_NODES))
    for prepared in _prepared(pool, batches):
        measures.append(prepared.measures)
        graphs.append(prepared.graphs)
        for table, rows in prepared.rows:
            spool.add(table, rows)
    spool.close()
    return NeuronMeasures.joined(measures), graphs


def _prepared(pool: Executor, batches: Iterable[tuple[ModelRows, Sequence[Path]]]) -> Iterator[_Prepared]:
    """Prepare a few batches at a time; yield them in their order."""
    waiting: deque[Future[_Prepared]] = deque()
    for model, shards in batches:
        waiting.append(pool.submit(_Prepared.of, model, shards))
        if len(waiting) > _CORES:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _shared_steps(graphs: Sequence[_Graphs], folder: Path, failed: threading.Event) -> SharedSteps:
    """Find the steps of all graphs, and weigh those that several have; the engine's threads go first."""
    if sys.platform == "linux":  # where threads have priorities of their own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LATER)
    surveys: list[StepSurvey] = []
    with cancelled_by(failed), Spool(folder) as spool:
        for each in graphs:
            check_time()
            steps = each.model.steps(each.outline, each.best)
            surveys.append(StepSurvey.of(*steps))
            for kind, found in zip(STEPS, steps, strict=True):
                spool.add(kind, step_rows(found))
        spool.close()
        likeness = Likeness.joined(surveys)
        surveys.clear()
        shares: list[Shares] = []
        for kind in spool.names:
            with spool.table(kind) as rows:
                shares += (likeness.shares(kind, batch) for batch in rows.to_batches())
    return likeness.shared_steps(shares)
