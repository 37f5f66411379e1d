"""Adds direct effects, the tokens that neurons promote and suppress, to an existing database."""

from __future__ import annotations

import os
from pathlib import Path

from n2gdb.core.progress import Report, silent
from n2gdb.core.units import MLP, NEGATIVE, POSITIVE
from n2gdb.errors import DatabaseNotFoundError, ModelError, StorageError
from n2gdb.ingest.evaluation.effects import write_effects
from n2gdb.ingest.models.read_units import stored_places, with_units
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.run_lock import sole_writer
from n2gdb.ingest.standing import Identity, held_neurons, runs_to_keep
from n2gdb.storage.build.database import build_database
from n2gdb.storage.database_file import check_replaceable
from n2gdb.storage.shards import RunFolder, run_folders, shards_folder

__all__ = ["add_effects", "check_present"]


def add_effects(database: Path, model: SubjectModel, report: Report = silent) -> int:
    """Add the effects of a model's neurons to its shards, and build the database anew from all shards.

    The file is replaced as a whole at the end: whatever happens before leaves it as it was. Returns of how
    many neurons effects were added; 0 where all were there.

    Raises DatabaseNotFoundError, StorageError if a shard is missing or damaged, and ModelError where the
    database holds no neurons of this model, where what they write is not known, and where the dictionary of
    latents that have no effects yet is no longer where it was read from.
    """
    check_present(database)
    with sole_writer(shards_folder(database)):
        run = _run_of(database, model)
        others = runs_to_keep(database, run, Identity.of(run.model()), ())
        if damaged := run.damaged():
            raise StorageError(f"{damaged[0]} is damaged: ingest {model.source} again as it was")
        if run.without_effects():
            model = with_units(model, POSITIVE + NEGATIVE, stored_places(_other_sources(run)))
        added = write_effects(model, run, report)
        build_database(database, [*others, run], lambda stage: report(f"load {stage}", 0, None))
    return added


def check_present(database: Path) -> None:
    """See before a model is loaded that the database can be replaced; raises like ``add_effects``."""
    if not os.path.lexists(database):
        raise DatabaseNotFoundError(f"{database} is not there: n2gdb ingest makes it")
    check_replaceable(database)
    _runs_of(database)


def _other_sources(run: RunFolder) -> list[dict[str, object]]:
    """The rows of a run's sources that are not MLPs."""
    return [row for row in run.sources().to_pylist() if row["kind"] != MLP]


def _runs_of(database: Path) -> list[RunFolder]:
    """Return the runs whose shards are beside a database; raise StorageError where there are none."""
    if runs := list(run_folders(database)):
        return runs
    raise StorageError(
        f"{database} has no shards beside it: put them into {shards_folder(database)}, or ingest again"
    )


def _run_of(database: Path, model: SubjectModel) -> RunFolder:
    """Return the run of a model that a database was built from; the last one where its file is outdated."""
    runs = {Identity.of(run.model()): run for run in _runs_of(database)}
    held = held_neurons(database, has_shards=True) or runs
    own = [identity for identity in held if identity.model == model.fingerprint]
    if not own:
        names = ", ".join(sorted({identity.name for identity in held}))
        raise ModelError(
            f"{database} was learned from {names}, whose weights are not those of {model.source}: name that"
            " model"
        )
    there = [runs[identity] for identity in own if identity in runs]
    if not there:
        raise StorageError(
            f"{database} holds neurons of {own[0].name} whose shards are not in {shards_folder(database)}:"
            " put them there, or ingest again"
        )
    return max(there, key=lambda run: (run.path / "model.parquet").stat().st_mtime_ns)
