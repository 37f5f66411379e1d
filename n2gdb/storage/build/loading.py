"""Loader: fills every table of a database from the shards of its runs, a few shards at a time.

Two passes over the shards. The first finds what can only be known of all of them: which steps several
neurons share and how rare their tokens are, at about 40 bytes a node, and each neuron's polysemy. The
second spools the rows of relationships to files, which the engine then copies, mapped into memory. One copy
a table: each further one would rewrite what the table holds of a node, and leave the old pages in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from n2gdb.storage.build.ddl import DEFINITIONS
from n2gdb.storage.build.likeness import Likeness
from n2gdb.storage.build.measures import NeuronMeasures
from n2gdb.storage.build.rows import ModelRows
from n2gdb.storage.build.spool import Spool
from n2gdb.storage.shards import RunFolder
from n2gdb.version import SCHEMA_VERSION, __version__

__all__ = ["BATCH_NODES", "load", "memory_needed"]


#: Runs one statement with its parameters.
Write = Callable[[str, Mapping[str, Any]], object]

_LEAST_MEMORY = 512 << 20
_NODE_MEMORY = 230  # measured, with the least: 2.6 times what a row of CONTEXT takes

#: Trie nodes read at a time, or a shard where it holds more.
BATCH_NODES = 1_000_000


def memory_needed(runs: Sequence[RunFolder]) -> int:
    """Return the bytes that the engine needs to copy the tries of some runs: a relationship table at once."""
    return _LEAST_MEMORY + _NODE_MEMORY * sum(run.count_nodes() for run in runs)


def load(write: Write, runs: Sequence[RunFolder], progress: Callable[[str], None], folder: Path) -> None:
    """Fill an empty database; run i becomes model number i.

    ``progress`` gets each stage as it starts; ``folder`` is for large files in between, and is there.
    """
    write("CALL threads=1", {})  # more would store rows in the order in which they finish, no sooner
    for definition in DEFINITIONS:
        write(definition, {})
    progress("read shards")
    models = [ModelRows.of(run, number) for number, run in enumerate(runs)]
    likeness, measures = _survey(models)
    for table, rows in _tables(models, likeness, measures, folder):
        progress(table)
        if len(rows):
            write(f"COPY {table} FROM $rows", {"rows": rows})
    for key, value in (("schema_version", str(SCHEMA_VERSION)), ("code_version", __version__)):
        write("CREATE (:Meta {key: $key, value: $value})", {"key": key, "value": value})
    progress("checkpoint")
    write("CHECKPOINT", {})


def _tables(
    models: Sequence[ModelRows], likeness: Likeness, measures: NeuronMeasures, folder: Path
) -> Iterator[tuple[str, pa.Table]]:
    """Yield (database table, rows to add), nodes before relationships."""
    for model in models:
        yield from model.entities(measures, likeness)
    yield "Path", pa.table([likeness.paths], ["id"])
    with Spool(folder) as spool:
        for model, shards in _batches(models):
            for table, rows in model.relationships(shards, likeness):
                spool.add(table, rows)
        yield from spool.tables()


def _batches(models: Sequence[ModelRows]) -> Iterator[tuple[ModelRows, Sequence[Path]]]:
    for model in models:
        for shards in model.run.batches(BATCH_NODES):
            yield model, shards


def _survey(models: Sequence[ModelRows]) -> tuple[Likeness, NeuronMeasures]:
    """Return what the steps of all neurons have in common, and the measures of all neurons."""
    steps, measures = [], []
    for model, shards in _batches(models):
        found, measured = model.survey(shards)
        steps.append(found)
        measures.append(measured)
    return Likeness.joined(steps), NeuronMeasures.joined(measures)
