"""The columnar shards of a run: the source of truth that every database is built from.

    <database>.shards/<run>/{model,sources,tokens,windows,classes}.parquet  checksums.sha256
    <database>.shards/<run>/neurons/<shard>/{neurons,nodes,examples,scores}.parquet  checksums.sha256
    <database>.shards/<run>/neurons/<shard>/{evidence,records}.parquet
    <database>.shards/<run>/neurons/<shard>/effects.parquet

Shards from before there were evidence and records have neither. The effects of a shard's neurons are in a
file of their own: they follow from the model's weights, may be missing, and can be added to a complete shard.

Files are replaced as a whole, and a shard is complete or absent, so an interrupted run resumes from what is
on disk. Partly written files have names that start with a dot. Every file is compared with its checksum when
it is read, so a damaged file is never mistaken for valid data.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from n2gdb.core.arrays import Int64Array
from n2gdb.errors import StorageError, one_line
from n2gdb.storage import schema
from n2gdb.storage.checksums import digest_of, is_as_written, is_listed, record
from n2gdb.storage.earlier_shards import as_present, mlp_sources

__all__ = [
    "RunFolder",
    "run_folders",
    "shards_folder",
    "storing",
]

_SHARD_TABLES = {
    "neurons": schema.NEURONS,
    "nodes": schema.NODES,
    "examples": schema.EXAMPLES,
    "scores": schema.SCORES,
}
#: Tables that a shard may lack.
_OPTIONAL_TABLES = {"evidence": schema.EVIDENCE, "records": schema.RECORDS}

_EFFECTS = "effects.parquet"


def shards_folder(database: Path) -> Path:
    """Return the folder that holds the runs of a database: ``X.n2gdb.shards`` for ``X.n2gdb``."""
    return database.with_name(database.name + ".shards")


def run_folders(database: Path) -> list[RunFolder]:
    """Return the runs of a database, by name; a folder without a model is not a run yet."""
    folder = shards_folder(database)
    if not folder.is_dir():
        return []
    return [RunFolder(path) for path in sorted(folder.iterdir()) if (path / "model.parquet").is_file()]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One model's run on disk; writes raise StorageError if space or permission is missing."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Create the folder, or open an existing one."""
        with storing(path):
            (path / "neurons").mkdir(parents=True, exist_ok=True)
        return cls(path)

    def write_model(self, table: pa.Table) -> None:
        """Replace the model's row: ``schema.MODEL``."""
        self._replace("model", table, schema.MODEL)

    def write_sources(self, table: pa.Table) -> None:
        """Replace the sources: ``schema.SOURCES``."""
        self._replace("sources", table, schema.SOURCES)

    def write_tokens(self, table: pa.Table) -> None:
        """Replace the vocabulary: ``schema.TOKENS``."""
        self._replace("tokens", table, schema.TOKENS)

    def write_windows(self, table: pa.Table) -> None:
        """Replace the windows that examples point to: ``schema.WINDOWS``."""
        self._replace("windows", table, schema.WINDOWS)

    def write_classes(self, table: pa.Table) -> None:
        """Replace the classes of tokens that evidence may weigh: ``schema.CLASSES``."""
        self._replace("classes", table, schema.CLASSES)

    def write_shard(
        self,
        name: str,
        neurons: pa.Table,
        nodes: pa.Table,
        examples: pa.Table,
        scores: pa.Table | None = None,
        evidence: pa.Table | None = None,
        records: pa.Table | None = None,
    ) -> None:
        """Write a shard of finished neurons atomically; a complete shard is never replaced.

        ``evidence`` and ``records`` are left out where they are None. Raises StorageError if the shard exists
        or cannot be written.
        """
        if not name or name.startswith(".") or "/" in name:
            raise ValueError(f"{name!r} cannot be a shard's name")
        complete, partial = self.path / "neurons" / name, self.path / "neurons" / f".{name}"
        if complete.exists():
            raise StorageError(f"shard {complete} is complete already: remove it to compute it again")
        scores = schema.SCORES.empty_table() if scores is None else scores
        tables = {"neurons": neurons, "nodes": nodes, "examples": examples, "scores": scores}
        checked = {key: _cast(tables[key], wanted, key) for key, wanted in _SHARD_TABLES.items()}
        beside = (("evidence", evidence), ("records", records))
        checked |= {
            key: _cast(table, _OPTIONAL_TABLES[key], key) for key, table in beside if table is not None
        }
        with storing(complete):
            shutil.rmtree(partial, ignore_errors=True)
            try:
                partial.mkdir(parents=True)
                for key, table in checked.items():
                    _write(partial / f"{key}.parquet", table)
                written = (f"{key}.parquet" for key in checked)
                record(partial, [(name, digest_of(partial / name)) for name in written])
                _sync_folder(partial)
                partial.rename(complete)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            _sync_folder(complete.parent)

    def write_effects(self, shard: Path, table: pa.Table) -> None:
        """Add the effects of a complete shard's neurons, or replace them: ``schema.EFFECTS``."""
        self._replace("effects", table, schema.EFFECTS, shard)

    def without_effects(self) -> list[Path]:
        """Return the complete shards whose effects are missing or cannot be read."""
        return [shard for shard in self.shards() if not _has_effects(shard)]

    def shards(self) -> list[Path]:
        """Return the folders of the complete shards, sorted by name."""
        folder = self.path / "neurons"
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))

    def done(self, shards: Sequence[Path] | None = None) -> set[int]:
        """Return the numbers of all units in some shards; by default in all complete ones."""
        chosen = self.shards() if shards is None else shards
        return {unit for shard in chosen for unit in self.neurons([shard])["unit"].to_pylist()}

    def damaged(self) -> list[Path]:
        """Return the complete shards that were altered or cannot be read."""
        return [shard for shard in self.shards() if not _is_whole(shard)]

    def clean(self) -> None:
        """Remove partly written files of an interrupted run, and damaged shards."""
        with storing(self.path):
            for shard in self.damaged():
                shard.rename(shard.with_name(f".{shard.name}"))
            for folder in (self.path, self.path / "neurons", self.path / "scan", *self.shards()):
                for path in folder.glob(".*"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def example_windows(self) -> Int64Array:
        """Return the windows that examples refer to, sorted: (windows,)."""
        found = [
            _read(shard / "examples.parquet", ["window"])["window"].to_numpy() for shard in self.shards()
        ]
        return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))

    def has_whole_model(self) -> bool:
        """Whether the model's row exists and is undamaged."""
        path = self.path / "model.parquet"
        return path.is_file() and is_as_written(path)

    def model(self) -> pa.Table:
        """Read the model's row: ``schema.MODEL``."""
        return _read(self.path / "model.parquet")

    def sources(self) -> pa.Table:
        """Read the sources: ``schema.SOURCES``; a run of an older version has only its MLPs."""
        path = self.path / "sources.parquet"
        return _read(path) if path.is_file() else mlp_sources(self.model().to_pylist()[0])

    def tokens(self) -> pa.Table:
        """Read the vocabulary: ``schema.TOKENS``."""
        return _read(self.path / "tokens.parquet")

    def windows(self) -> pa.Table:
        """Read the windows: ``schema.WINDOWS``."""
        return _read(self.path / "windows.parquet")

    def has_classes(self) -> bool:
        """Tell whether the classes of tokens are there, as they were written."""
        path = self.path / "classes.parquet"
        return path.is_file() and is_as_written(path)

    def classes(self) -> pa.Table:
        """Read the classes of tokens: ``schema.CLASSES``; empty where evidence has none."""
        path = self.path / "classes.parquet"
        return _read(path) if path.is_file() else schema.CLASSES.empty_table()

    def count_nodes(self) -> int:
        """Count the trie nodes of all shards, without reading them."""
        return sum(_count(shard / "nodes.parquet") for shard in self.shards())

    def batches(self, nodes: int) -> Iterator[list[Path]]:
        """Group the complete shards, in order, into batches of at least ``nodes`` nodes, except the last."""
        batch: list[Path] = []
        held = 0
        for shard in self.shards():
            batch.append(shard)
            held += _count(shard / "nodes.parquet")
            if held >= nodes:
                yield batch
                batch, held = [], 0
        if batch:
            yield batch

    def neurons(self, shards: Sequence[Path] | None = None) -> pa.Table:
        """Read the neurons of some shards, or of all, by unit: ``schema.NEURONS``."""
        return self._gather("neurons", ("unit",), shards)

    def nodes(self, shards: Sequence[Path] | None = None) -> pa.Table:
        """Read the trie nodes of some shards, or of all, by (unit, pre): ``schema.NODES``."""
        return self._gather("nodes", ("unit", "pre"), shards)

    def examples(self, shards: Sequence[Path] | None = None) -> pa.Table:
        """Read the examples of some shards, or of all, by (unit, band, rank): ``schema.EXAMPLES``."""
        table = self._gather("examples", ("unit",), shards)
        place = pc.index_in(table["band"], pa.array(schema.BANDS))
        return _by(table.append_column("place", place), ("unit", "place", "rank")).drop_columns(["place"])

    def scores(self, shards: Sequence[Path] | None = None) -> pa.Table:
        """Read the scores of some shards, or of all, by (unit, text, predictor): ``schema.SCORES``."""
        return self._gather("scores", ("unit", "text", "predictor"), shards)

    def evidence(self, shards: Sequence[Path] | None = None) -> pa.Table:
        """Read the evidence of some shards, or of all, by (unit, depth, token): ``schema.EVIDENCE``."""
        return self._gather("evidence", ("unit", "depth", "token"), shards)

    def records(self, shards: Sequence[Path] | None = None) -> pa.Table:
        """Read the records of some shards, or of all, by unit: ``schema.RECORDS``."""
        return self._gather("records", ("unit",), shards)

    def effects(self, shards: Sequence[Path] | None = None) -> pa.Table:
        """Read the effects by unit and falling logit: ``schema.EFFECTS``; may be empty."""
        chosen = self.shards() if shards is None else shards
        paths = [shard / _EFFECTS for shard in chosen if (shard / _EFFECTS).exists()]
        tables = [as_present(_read(path), schema.EFFECTS) for path in paths]
        table = pa.concat_tables([schema.EFFECTS.empty_table(), *tables])
        return table.sort_by([("unit", "ascending"), ("logit", "descending")])

    def _gather(self, key: str, order: tuple[str, ...], shards: Sequence[Path] | None) -> pa.Table:
        chosen = self.shards() if shards is None else shards
        wanted = (_SHARD_TABLES | _OPTIONAL_TABLES)[key]
        paths = [shard / f"{key}.parquet" for shard in chosen if _holds(shard, key)]
        table = pa.concat_tables([wanted.empty_table(), *(as_present(_read(path), wanted) for path in paths)])
        return _by(table, order)

    def _replace(self, key: str, table: pa.Table, wanted: pa.Schema, folder: Path | None = None) -> None:
        folder = folder or self.path
        path, partial = folder / f"{key}.parquet", folder / f".{key}.parquet"
        checked = _cast(table, wanted, key)
        with storing(path):
            try:
                _write(partial, checked)
                record(folder, [(path.name, digest_of(partial))])
                partial.replace(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            _sync_folder(folder)


def _by(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return a table by its columns, rising: as it is where it stands so, as most shards do."""
    return table if _rises(table, columns) else table.sort_by([(each, "ascending") for each in columns])


def _rises(table: pa.Table, columns: Sequence[str]) -> bool:
    """Tell whether rows are known to rise by columns, those of numbers."""
    tied = np.ones(max(len(table) - 1, 0), np.bool_)
    for column in columns:
        if not pa.types.is_integer(table.schema.field(column).type):
            return False
        values = table[column].to_numpy()
        if np.any(tied & (values[1:] < values[:-1])):
            return False
        tied &= values[1:] == values[:-1]
    return True


def _cast(table: pa.Table, wanted: pa.Schema, name: str) -> pa.Table:
    """Cast ``table`` to the wanted types; raise ValueError if columns differ in name or order."""
    if table.column_names != wanted.names:
        raise ValueError(f"table {name} has columns {table.column_names}, not {wanted.names}")
    return table.cast(wanted)


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        if not is_as_written(path):
            raise _damaged(path, "its checksum differs")
        return pq.read_table(path, columns=columns, partitioning=None, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, one_line(error)) from error


def _count(path: Path) -> int:
    """Return the number of rows, from the file's footer alone."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, one_line(error)) from error


def _is_whole(shard: Path) -> bool:
    try:
        for key in (*_SHARD_TABLES, *_OPTIONAL_TABLES):
            if _holds(shard, key):
                _read(shard / f"{key}.parquet")
    except StorageError:
        return False
    return True


def _holds(shard: Path, key: str) -> bool:
    """Tell whether a shard was written with a table: only of some may it lack a file."""
    return key in _SHARD_TABLES or is_listed(shard / f"{key}.parquet")


def _has_effects(shard: Path) -> bool:
    try:
        _read(shard / _EFFECTS)
    except StorageError:
        return False
    return True


def _damaged(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"{path} cannot be read ({reason}): ingest its model again, which learns again what is damaged"
    )


def _write(path: Path, table: pa.Table) -> None:
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Flush a rename in the folder to disk, so that it survives a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn operating system errors on writing into StorageError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"no space left to write {path}: free some, then run again to go on"
            ) from error
        file = next((each for each in (path, *path.parents) if each.is_file()), None)
        if file is not None and isinstance(error, FileExistsError | NotADirectoryError):
            raise StorageError(
                f"{file} is a file, where a folder is needed: move it away, or choose another --db"
            ) from error
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
