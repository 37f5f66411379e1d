"""The database file: built from shards, opened, asked. The only file that knows the engine, Kùzu.

    (Neuron)-[ACTIVATES_ON]->(Token)     one a root of a neuron's trie
    (Neuron)-[CONTEXT]->(Token)          one a deeper node; pre..last is its subtree's preorder interval
    (Neuron)-[PASSES]->(Path)            one a root-to-node path that other neurons have too
    (Neuron)-[TOP_EXAMPLE]->(Window)

Facts of the engine that shape this file: an unbound parameter silently answers nothing; an empty file is
taken for a new database; nearly every error is a RuntimeError; Ctrl-C alone waits for the query.
"""

from __future__ import annotations

import errno
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from n2gdb.errors import (
    DatabaseError,
    DatabaseFormatError,
    DatabaseLockedError,
    DatabaseNotFoundError,
    QueryError,
    QueryTimeoutError,
    StorageError,
)
from n2gdb.storage.checksum import move_sealed
from n2gdb.version import SCHEMA_VERSION

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.storage.shards import RunFolder

__all__ = ["Connection", "Row", "build_database"]

Row = tuple[Any, ...]

_MAGIC = b"KUZU"
_ASYNC_HALF = "kuzu.async_connection"
_MAX_DB_SIZE = 1 << 36  # virtual memory to reserve; the engine's default of 8 TiB is refused by ulimits
_POOL = 1 << 30  # no more than a cap: a back-reference over 300,000 neurons takes half of it
_MOST_PREPARED = 128  # statements, by connection
_CHUNK = 100_000  # rows of an Arrow batch; small ones take half as long again
_PARAMETER = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|\$(\w+)", re.DOTALL)
_LEFT_OVERS = ("", ".wal", ".shadow", ".tmp")


class Connection:
    """A connection to a database file, read-only unless it builds one; a context manager.

    Any number of threads may ask at once: each statement runs on an engine connection of its own.
    """

    __slots__ = ("_busy", "_closed", "_database", "_idle", "_lanes", "path", "timeout")

    def __init__(self, path: Path, *, read_only: bool = True, memory: int = _POOL) -> None:
        """Hand the file to the engine unchecked: ``Connection.open`` is the door for readers.

        ``memory`` is what the engine may take for pages, in bytes.
        """
        kuzu = _engine()
        self.path = path
        self.timeout: float | None = None  # seconds for statements that are given no limit of their own
        self._closed = False
        self._idle: list[_Lane] = []
        self._busy: list[_Lane] = []
        self._lanes = threading.Condition()  # guards the three above
        try:
            self._database = kuzu.Database(
                path, buffer_pool_size=memory, max_db_size=_MAX_DB_SIZE, read_only=read_only
            )
            self._idle.append(_Lane(kuzu.Connection(self._database)))
        except RuntimeError as error:
            raise _opening_error(path, str(error)) from error

    @classmethod
    def open(cls, path: Path) -> Connection:
        """Open a database to read.

        Raises DatabaseNotFoundError, DatabaseFormatError (empty, foreign, damaged, other schema version)
        or DatabaseLockedError.
        """
        _check_file(path)
        connection = cls(path)
        try:
            _check_schema_version(path, _schema_version(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def rows(
        self, cypher: str, parameters: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> list[Row]:
        """Run one statement and return its rows, as tuples in the order of RETURN.

        Ctrl-C stops it at once. Raises QueryTimeoutError after ``timeout`` seconds, QueryError where
        a ``$parameter`` is not bound or a bound one is not used, DatabaseError where the engine refuses.
        """
        rows: list[Row] = self._answered(cypher, dict(parameters or {}), timeout, _as_rows)
        return rows

    def table(
        self, cypher: str, parameters: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> pa.Table:
        """Run one statement of many rows and return its columns, named as RETURN names them; raises alike."""
        return self._answered(cypher, dict(parameters or {}), timeout, _as_table)

    def close(self) -> None:
        """Give the file back, ending what other threads still ask; closing twice does nothing."""
        with self._lanes:
            self._closed = True
            while self._busy:
                for lane in self._busy:
                    lane.engine.interrupt()
                self._lanes.wait(0.02)  # an interrupt before the engine has begun to run is lost
            while self._idle:
                self._idle.pop().close()
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answered(
        self, cypher: str, given: dict[str, Any], timeout: float | None, read: Callable[[Any], Any]
    ) -> Any:
        _check_parameters(cypher, given)
        timeout = self.timeout if timeout is None else timeout
        if timeout is not None and not timeout > 0:
            raise QueryError(f"a timeout is a number of seconds above 0, not {timeout:g}")
        with self._lent() as lane:
            lane.engine.set_query_timeout(max(1, round(timeout * 1000)) if timeout else 0)
            outcome: list[Any] = []
            finished = threading.Event()  # not join(): an interrupted join takes the thread for ended

            def work() -> None:
                try:
                    outcome.append(lane.run(cypher, given, read))
                except Exception as error:
                    outcome.append(error)
                finally:
                    finished.set()

            threading.Thread(target=work, name="n2gdb query", daemon=True).start()
            try:
                finished.wait()
            except BaseException:
                while not finished.wait(0.02):  # an interrupt before the engine has begun to run is lost
                    lane.engine.interrupt()
                raise
        (result,) = outcome
        if isinstance(result, Exception):
            raise self._translated(result, timeout) from result
        return result

    @contextmanager
    def _lent(self) -> Iterator[_Lane]:
        """Lend an engine connection that no other thread uses."""
        with self._lanes:
            if self._closed:
                raise DatabaseError(f"{self.path} was closed: open it again")
            lane = self._idle.pop() if self._idle else _Lane(_engine().Connection(self._database))
            self._busy.append(lane)
        try:
            yield lane
        finally:
            with self._lanes:
                self._busy.remove(lane)
                self._idle.append(lane)
                self._lanes.notify_all()

    def _translated(self, error: Exception, timeout: float | None) -> Exception:
        """Return the error to raise for one that the engine raised."""
        if not isinstance(error, RuntimeError):
            return error
        message = str(error).strip()
        if "Interrupted" in message and timeout:
            return QueryTimeoutError(f"the query ran past its limit of {timeout:g} s: narrow it or raise it")
        if "Cannot write to file" in message:  # the engine's own reason is unreliable after a partial write
            return StorageError(f"no space left to write {self.path}: make room, then run again to go on")
        return DatabaseError(f"{self.path}: {message.splitlines()[0]}")


class _Lane:
    """An engine connection for one thread at a time, and the statements that it has prepared.

    To prepare a statement takes as long as to plan it, which running it does again: the same text, with
    whatever parameters, is prepared once.
    """

    __slots__ = ("_prepared", "engine")

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self._prepared: dict[str, Any] = {}

    def run(self, cypher: str, parameters: dict[str, Any], read: Callable[[Any], Any]) -> Any:
        # Prepared even without parameters: else every statement of a text that holds several would run.
        result = self.engine.execute(self._statement(cypher, parameters), parameters)
        try:
            return read(result)
        finally:
            result.close()

    def close(self) -> None:
        self._prepared.clear()
        self.engine.close()

    def _statement(self, cypher: str, parameters: dict[str, Any]) -> Any:
        if "COPY" in cypher:  # the table that it copies from is bound when the statement is prepared
            return _engine().PreparedStatement(self.engine, cypher, parameters)
        if cypher not in self._prepared:
            if len(self._prepared) >= _MOST_PREPARED:
                self._prepared.pop(next(iter(self._prepared)))
            self._prepared[cypher] = _engine().PreparedStatement(self.engine, cypher, parameters)
        return self._prepared[cypher]


def _as_rows(result: Any) -> list[Row]:
    return [tuple(row) for row in result.get_all()]


def _as_table(result: Any) -> pa.Table:
    return result.get_as_arrow(_CHUNK)


def build_database(
    path: Path, runs: Sequence[RunFolder], progress: Callable[[str], None] | None = None
) -> None:
    """Build the database at ``path`` from complete shards; run i becomes model number i.

    Everything goes to a temporary file beside it that is moved into place at the end: whatever happens
    before leaves an older database as it was. ``progress`` gets the name of each stage as it starts.
    Raises StorageError where there is no room or no permission.
    """
    from n2gdb.storage.build.loading import load, memory_needed  # it loads pyarrow, which a query never needs

    building = path.with_name(path.name + ".building")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(building)
        try:
            memory = memory_needed(runs)
            with Connection(building, read_only=False, memory=memory) as connection:
                folder = _spool_folder(building)
                folder.mkdir()
                load(connection.rows, runs, progress or _silent, folder)
            move_sealed(building, path)
        finally:
            _remove(building)
    except OSError as error:
        reason = "no space left" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise StorageError(
            f"{path} cannot be written ({reason}): make room or choose another place"
        ) from error


def _engine() -> ModuleType:
    """Import the engine when a database is really opened, and without its asynchronous half.

    Nothing here awaits, and asyncio takes four fifths of the time that the engine takes to import. Whoever
    calls ``kuzu.AsyncConnection`` in the same process gets it, imported then.
    """
    if "kuzu" not in sys.modules:
        deferred = ModuleType(_ASYNC_HALF)
        deferred.AsyncConnection = _async_connection  # type: ignore[attr-defined]
        sys.modules[_ASYNC_HALF] = deferred
        try:
            import kuzu
        finally:
            del sys.modules[_ASYNC_HALF]
    import kuzu

    return kuzu  # type: ignore[no-any-return]


def _async_connection(*arguments: Any, **options: Any) -> Any:
    return import_module(_ASYNC_HALF).AsyncConnection(*arguments, **options)


def _silent(stage: str) -> None:
    """Report no progress."""


def _remove(building: Path) -> None:
    for suffix in _LEFT_OVERS:
        building.with_name(building.name + suffix).unlink(missing_ok=True)
    shutil.rmtree(_spool_folder(building), ignore_errors=True)


def _spool_folder(building: Path) -> Path:
    return building.with_name(building.name + ".rows")


def _check_parameters(cypher: str, given: Mapping[str, Any]) -> None:
    wanted = {found.group(1) for found in _PARAMETER.finditer(cypher) if found.group(1)}
    for name in sorted(wanted - given.keys()):
        raise QueryError(f"the statement asks for ${name}, which is not bound")
    for name in sorted(given.keys() - wanted):
        raise QueryError(f"${name} is bound, but the statement does not ask for it")


def _check_file(path: Path) -> None:
    """Refuse what the engine would misread: it takes an empty file for a new database."""
    if path.is_dir():
        raise DatabaseFormatError(f"{path} is a folder, not a database file: name the file itself")
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except FileNotFoundError as error:
        raise DatabaseNotFoundError(
            f"no database at {path}: make one with `n2gdb ingest demo --db {path}`, or name another with --db"
        ) from error
    except OSError as error:
        raise DatabaseError(f"{path} cannot be read: {error.strerror or error}") from error
    if not start:
        raise DatabaseFormatError(f"{path} is empty: build it with `n2gdb ingest`")
    if start != _MAGIC:
        raise DatabaseFormatError(f"{path} is not a database of n2gdb: its first bytes are foreign")


def _opening_error(path: Path, message: str) -> DatabaseError | StorageError:
    if "Could not set lock" in message:
        return DatabaseLockedError(
            f"{path} is held by another process, which writes to it: wait for it, or end it"
        )
    if "different version" in message:
        return DatabaseFormatError(
            f"{path} was written by another version of the storage engine: build it again with `n2gdb ingest`"
        )
    if "No space left" in message or "Permission denied" in message:
        return StorageError(f"{path} cannot be written: {message.splitlines()[0]}")
    return DatabaseFormatError(
        f"{path} is damaged ({message.splitlines()[0]}): build it again with `n2gdb ingest`"
    )


def _schema_version(connection: Connection) -> int:
    try:
        rows = connection.rows("MATCH (m:Meta) WHERE m.key = 'schema_version' RETURN m.value")
    except DatabaseError as error:
        if "Table Meta does not exist" not in str(error):
            raise _opening_error(connection.path, str(error)) from error
        rows = []
    if len(rows) != 1 or not str(rows[0][0]).isdecimal():
        raise DatabaseFormatError(f"{connection.path} is a Kùzu database, but not one of n2gdb")
    return int(rows[0][0])


def _check_schema_version(path: Path, found: int) -> None:
    if found > SCHEMA_VERSION:
        raise DatabaseFormatError(
            f"{path} has schema version {found}, newer than this n2gdb reads ({SCHEMA_VERSION}):"
            " upgrade n2gdb"
        )
    if found < SCHEMA_VERSION:
        raise DatabaseFormatError(
            f"{path} has schema version {found}, older than this n2gdb reads ({SCHEMA_VERSION}):"
            " build it again with `n2gdb ingest`"
        )
