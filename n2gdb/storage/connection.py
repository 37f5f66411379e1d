"""Connections to a database file; the only module that imports the engine, Kùzu.

    (Neuron)-[ACTIVATES_ON]->(Token)     one a root of a neuron's trie
    (Neuron)-[CONTEXT]->(Token)          one a deeper node; pre..last is its subtree's preorder interval
    (Neuron)-[WRITES]->(Token)           one a token that it promotes or suppresses most
    (Neuron)-[EVIDENCE]->(Token)         one a signed weight; CLASS_EVIDENCE of a class of tokens
    (Neuron)-[TOP_EXAMPLE]->(Window)     and EXAMPLE of lesser strength
    (Neuron)-[SCORE]->(Model)            how well one predictor of it does on one text

Properties of the engine that shape this file: an unbound parameter silently finds nothing; an empty file is
taken for a new database; nearly every error is a RuntimeError; Ctrl-C waits for the statement to end.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from math import ceil
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from n2gdb.core.deadline import seconds_left, within
from n2gdb.errors import (
    ArgumentError,
    DatabaseError,
    DatabaseFormatError,
    QueryTimeoutError,
    StorageError,
)
from n2gdb.storage.asking import Asking, Read
from n2gdb.storage.database_file import check_readable, check_schema_version, opening_error

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Connection", "Row"]

Row = tuple[Any, ...]

_ASYNC_HALF = "kuzu.async_connection"
_LEAST_ADDRESSES = 1 << 28
_POOL = 1 << 30  # no more than a cap: a back-reference over 300,000 neurons takes half of it
_THREADS = min(os.cpu_count() or 1, 4)  # of the engine, for one statement
_AT_ONCE = max(2, (os.cpu_count() or 1) // _THREADS)  # statements: idle threads of the engine are not free
_MOST_PREPARED = 128  # statements, by connection
_ROWS = 1024  # rows between two looks at the clock
_CHUNK = 100_000  # rows of an Arrow batch; small ones take half as long again
_PARAMETER = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|\$(\w+)", re.DOTALL)


class Connection:
    """A connection to a database file, read-only unless it builds one; a context manager.

    Any number of threads may use it at once: each statement runs on an engine connection of its own. A forked
    process reopens the file on first use.
    """

    __slots__ = ("__weakref__", "_busy", "_closed", "_database", "_file", "_idle", "_lanes", "_means", "path")

    def __init__(
        self, path: Path, *, read_only: bool = True, memory: int = _POOL, at_once: int = _AT_ONCE
    ) -> None:
        """Open the file without checks; readers use ``Connection.open``, which checks it.

        ``memory`` is the size of the engine's page cache in bytes.
        """
        self.path = path
        self._means = (read_only, memory, at_once * _THREADS if read_only else 0)
        self._closed = False
        self._idle: list[_Lane] = []
        self._busy: list[_Lane] = []
        self._lanes = threading.Condition()  # guards the four around it
        self._database: Any = None
        self._start()
        self._file = _identity(path)
        _OPEN.add(self)

    @classmethod
    def open(cls, path: Path, at_once: int = _AT_ONCE) -> Connection:
        """Open a database to read.

        ``at_once`` statements run with threads of their own; one beyond them may wait for a slow one to end.

        Raises DatabaseNotFoundError, DatabaseFormatError (empty, foreign, damaged, or another schema
        version), DatabaseLockedError, or DatabaseError if it cannot be opened for another reason.
        """
        check_readable(path)
        connection = cls(path, at_once=at_once)
        try:
            check_schema_version(path, _schema_version(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def rows(
        self, cypher: str, parameters: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> list[Row]:
        """Run one statement and return its rows, as tuples in the order of RETURN.

        Ctrl-C stops it at once. Raises QueryTimeoutError after ``timeout`` seconds or at an earlier deadline
        (``n2gdb.core.deadline``), ArgumentError if a ``$parameter`` is unbound or a bound one unused,
        DatabaseError if the engine reports an error.
        """
        rows: list[Row] = self._answered(cypher, dict(parameters or {}), timeout, _as_rows)
        return rows

    def table(
        self, cypher: str, parameters: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> pa.Table:
        """Run one statement and return an Arrow table with the columns of RETURN; raises like ``rows``."""
        return self._answered(cypher, dict(parameters or {}), timeout, _as_table)

    def close(self) -> None:
        """Close the file and interrupt statements that still run; closing twice does nothing."""
        with self._lanes:
            self._closed = True
            while self._busy:
                for lane in self._busy:
                    lane.engine.interrupt()
                self._lanes.wait(0.02)  # an interrupt before the engine has begun to run is lost
            while self._idle:
                self._idle.pop().close()
            if self._database is not None:
                self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        """Open the file in the engine."""
        read_only, memory, threads = self._means
        kuzu = _engine()
        try:
            self._database = kuzu.Database(
                self.path,
                buffer_pool_size=memory,
                max_db_size=_addresses(self.path, memory, read_only=read_only),
                read_only=read_only,
                max_num_threads=threads,
            )
            self._idle.append(self._new_lane())
        except RuntimeError as error:
            raise opening_error(self.path, str(error)) from error

    def _answered(self, cypher: str, given: dict[str, Any], timeout: float | None, read: Read) -> Any:
        _check_parameters(cypher, given)
        with within(timeout):
            try:
                return Asking(self._lent, cypher, given, read).answer()
            except RuntimeError as error:
                raise self._translated(error) from error

    @contextmanager
    def _lent(self) -> Iterator[_Lane]:
        """Lend an unused engine connection to the thread that runs a statement."""
        with self._lanes:
            if self._closed:
                raise DatabaseError(f"{self.path} was closed: open it again")
            if self._database is None:
                self._start_again()
            lane = self._idle.pop() if self._idle else self._new_lane()
            self._busy.append(lane)
        try:
            yield lane
        finally:
            with self._lanes:
                self._busy.remove(lane)
                self._idle.append(lane)
                self._lanes.notify_all()

    def _new_lane(self) -> _Lane:
        return _Lane(_engine().Connection(self._database, _THREADS if self._means[0] else 0))

    def _start_again(self) -> None:
        """Reopen the file in a forked process, unless the file was replaced."""
        if not self._means[0] or _identity(self.path) != self._file:
            raise DatabaseError(f"{self.path} has changed since this process was forked: open it again")
        self._start()

    def leave_to_parent(self) -> None:
        """Drop the engine in a forked process, whose threads and locks exist only in the parent.

        Its objects are never freed, as freeing them would wait for threads that do not exist.
        """
        import ctypes  # here, as it takes milliseconds that only a forked process needs

        for part in (self._database, *self._idle, *self._busy):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(part))
        self._database, self._idle, self._busy = None, [], []
        self._lanes = threading.Condition()

    def _translated(self, error: RuntimeError) -> Exception:
        """Return the n2gdb error for an error of the engine."""
        message = str(error).strip()
        # The engine's own reason is unreliable after a partial write: it fails to read what it did not write.
        if "Cannot write to file" in message or ("Cannot read from file" in message and not self._means[0]):
            return StorageError(f"no space left to write {self.path}: make room, then run again to go on")
        return DatabaseError(f"{self.path}: {message.splitlines()[0] if message else 'the engine failed'}")


#: Connections of this process, closed before it ends and dropped in forked children.
_OPEN: weakref.WeakSet[Connection] = weakref.WeakSet()


def _close_all() -> None:
    for connection in list(_OPEN):
        connection.close()


def _leave_all_to_parent() -> None:
    for connection in list(_OPEN):
        connection.leave_to_parent()


atexit.register(_close_all)  # a thread that still asks would meet an engine that is being taken down
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)


class _Lane:
    """An engine connection for one thread at a time, with its prepared statements.

    Preparing a statement includes planning it, so each text is prepared once, for all parameters.
    """

    __slots__ = ("_prepared", "engine")

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self._prepared: dict[str, Any] = {}

    def run(self, cypher: str, parameters: dict[str, Any], read: Callable[[Any], Any]) -> Any:
        # Prepared even without parameters: else every statement of a text that holds several would run.
        statement = self._statement(cypher, parameters)
        left = seconds_left()
        self.engine.set_query_timeout(0 if left is None else ceil(left * 1000) + 1)
        result = self.engine.execute(statement, parameters)
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


def _as_rows(result: Any, check: Callable[[], None]) -> list[Row]:
    rows: list[Row] = []
    while part := list(islice(result, _ROWS)):
        rows.extend(map(tuple, part))
        check()
    return rows


def _as_table(result: Any, check: Callable[[], None]) -> pa.Table:
    table = result.get_as_arrow(_CHUNK)
    check()
    return table


def _identity(path: Path) -> tuple[int, int, int, int]:
    """Return a key that changes when another file takes the path."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _addresses(path: Path, memory: int, *, read_only: bool) -> int:
    """Return the virtual memory to reserve for the pages of a file, a power of two.

    The engine's default of 8 TiB fails under a limit set with ``ulimit -v``.
    """
    needed = 4 * path.stat().st_size if read_only else 8 * memory
    return max(_LEAST_ADDRESSES, 1 << (needed - 1).bit_length() if needed else 0)


def _engine() -> ModuleType:
    """Import the engine when a database is first opened, without its asynchronous part.

    n2gdb never awaits, and asyncio takes four fifths of the engine's import time. Other code in the process
    that uses ``kuzu.AsyncConnection`` still gets it, imported on first use.
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


def _check_parameters(cypher: str, given: Mapping[str, Any]) -> None:
    wanted = {found.group(1) for found in _PARAMETER.finditer(cypher) if found.group(1)}
    for name in sorted(wanted - given.keys()):
        raise ArgumentError(f"the statement asks for ${name}, which has no value: give it one")
    for name in sorted(given.keys() - wanted):
        raise ArgumentError(f"${name} has a value, but the statement does not ask for it: leave it out")


def _schema_version(connection: Connection) -> int:
    try:
        rows = connection.rows("MATCH (m:Model) RETURN m.schema_version LIMIT 1")
    except QueryTimeoutError:
        raise
    except DatabaseError as error:
        rows = _earlier_version(connection, str(error))
    if len(rows) != 1 or not str(rows[0][0]).isdecimal():
        raise DatabaseFormatError(
            f"{connection.path} is a Kùzu database, but not one of n2gdb: name another file"
        )
    return int(rows[0][0])


def _earlier_version(connection: Connection, message: str) -> list[Row]:
    """Read the version of a database from before models had it; nothing where it is none of n2gdb."""
    if "Cannot find property schema_version" in message:
        return connection.rows("MATCH (m:Meta) WHERE m.key = 'schema_version' RETURN m.value")
    if "Table Model does not exist" in message:
        return []
    raise opening_error(connection.path, message)
