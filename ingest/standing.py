"""Existing databases: an ingest never drops what the shards beside it cannot restore.

A database is built anew from shards. So what its file holds is compared with them before anything is
learned: a file that was passed on without its shards, or whose shards were removed, is refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from n2gdb.core.arrays import Int64Array
from n2gdb.core.units import unit_of
from n2gdb.errors import RebuildError, StorageError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.storage import schema
from n2gdb.storage.connection import Connection
from n2gdb.storage.read.catalog import read_models
from n2gdb.storage.read.neurons import read_places
from n2gdb.storage.shards import RunFolder, run_folders, shards_folder

__all__ = ["Identity", "held_neurons", "require_room", "runs_to_keep", "windows_of"]

#: Numbers of units among those of their model, as ``units.unit_key`` gives them.
Neurons = set[int]


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two runs the same: the model's name, and what its graphs were learned from."""

    name: str
    model: str
    tokenizer: str
    corpus: str
    configuration: str

    @classmethod
    def of(cls, row: pa.Table) -> Identity:
        """Read it off a row of ``schema.MODEL``."""
        first = row.to_pylist()[0]
        model, tokenizer, corpus = (first[f"{what}_fingerprint"] for what in ("model", "tokenizer", "corpus"))
        return cls(first["name"], model, tokenizer, corpus, first["configuration"])


def require_room(database: Path, scan: int) -> None:
    """Raise StorageError if there is surely too little space, before hours are spent.

    ``scan`` bytes go to the shards, and the new database stands beside the old one until it is whole. The
    rest cannot be known before it is learned.
    """
    old = database.stat().st_size if database.exists() else 0
    for folder, needed in ((shards_folder(database), scan), (database.parent, old)):
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise StorageError(
                f"{folder} has room for {free / 1e6:,.0f} MB, and at least {needed / 1e6:,.0f} MB will be"
                " written there: make room, ask for fewer layers, or choose another --db"
            )


def runs_to_keep(database: Path, run: RunFolder, own: Identity, coming: Iterable[int]) -> list[RunFolder]:
    """Return the runs of other models that stand in a database, or are to: each model's once.

    ``run`` is being ingested, with ``coming`` neurons. Raises StorageError if the file holds neurons that
    no shard holds, and where a run cannot be loaded; DatabaseError for a file that is not a database.
    """
    others = {
        Identity.of(other.model()): other
        for other in run_folders(database)
        if other.path.name != run.path.name
    }
    held = held_neurons(database, bool(others) or bool(run.done()))
    for identity, neurons in held.items():
        if identity == own:
            there = run.done() | set(coming)
        else:
            there = _whole_neurons(others[identity]) if identity in others else set()
        if lost := neurons - there:
            way = _way_out(database, identity, own, others.get(identity))
            are = f"{len(lost):,} neuron{'s' * (len(lost) > 1)} of {identity.name}"
            raise StorageError(
                f"{database} holds {are} that no whole shard beside it holds, and would lose: {way},"
                " or choose another --db"
            )
    kept = _one_each({identity: run for identity, run in others.items() if identity.name != own.name}, held)
    for name, other in kept.items():
        _require_whole(other, name)
    return sorted(kept.values(), key=lambda other: other.path)


def windows_of(numbers: Int64Array, corpus: CorpusStore) -> pa.Table:
    """Return windows of a corpus by their numbers, rising: ``schema.WINDOWS``."""
    text = corpus.tokens_of(numbers)
    real = text != PAD
    offsets = np.concatenate([[0], np.cumsum(real.sum(axis=1))]).astype(np.int32)
    rows = pa.ListArray.from_arrays(pa.array(offsets), pa.array(text[real]))
    return pa.table([pa.array(numbers), rows], schema=schema.WINDOWS)


def held_neurons(database: Path, has_shards: bool) -> dict[Identity, Neurons]:
    """What a database holds; nothing if it cannot be read any more but there are shards to build it of."""
    if not database.exists() or (database.is_file() and not database.stat().st_size):
        return {}
    try:
        connection = Connection.open(database)
    except RebuildError:
        if has_shards:
            return {}
        raise
    with connection:
        models = read_models(connection)
        rows = read_places(connection)
    found: dict[Identity, Neurons] = {}
    for model in models:
        prints = (model.model_fingerprint, model.tokenizer_fingerprint, model.corpus_fingerprint)
        own = rows.filter(pc.equal(rows["model"], model.number))
        neurons = {unit_of(key) for key in own["key"].to_pylist()}
        found[Identity(model.name, *prints, model.configuration)] = neurons
    return found


def _whole_neurons(run: RunFolder) -> Neurons:
    """The neurons of a run's shards that are as they were written."""
    damaged = set(run.damaged())
    return run.done([shard for shard in run.shards() if shard not in damaged])


def _way_out(database: Path, identity: Identity, own: Identity, run: RunFolder | None) -> str:
    if identity == own:
        return "ask for all of them, which learns them again"
    if run is None:
        return f"put their shards into {shards_folder(database)}"
    return f"ingest {identity.name} again as it was, which learns again what is missing from {run.path}"


def _one_each(runs: Mapping[Identity, RunFolder], held: Mapping[Identity, Neurons]) -> dict[str, RunFolder]:
    """Of the runs of each model the one that the database holds, else the one that was ingested last."""
    by_age = sorted(
        runs.items(), key=lambda item: (item[0] in held, (item[1].path / "model.parquet").stat().st_mtime_ns)
    )
    return {identity.name: run for identity, run in by_age}


def _require_whole(run: RunFolder, name: str) -> None:
    """Raise StorageError for a run that cannot be loaded; windows that its last ingest did not write are."""
    if damaged := run.damaged():
        raise StorageError(f"{damaged[0]} is damaged: ingest {name} again as it was, which learns it again")
    run.tokens()
    wanted = run.example_windows()
    if _has_windows(run, wanted):
        return
    corpus = CorpusStore.of_run(run)
    if corpus is None or corpus.n_windows <= wanted.max():
        raise StorageError(f"{run.path} lacks text that its examples point to: ingest {name} again as it was")
    run.write_windows(windows_of(wanted, corpus))


def _has_windows(run: RunFolder, wanted: Int64Array) -> bool:
    try:
        return bool(np.isin(wanted, run.windows()["window"].to_numpy()).all())
    except StorageError:
        return False
