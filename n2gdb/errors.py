"""The exceptions of n2gdb, all subclasses of N2gdbError.

    N2gdbError
    ├── QueryError            a query that cannot be read or answered; shows the place, if there is one
    │   ├── QuerySyntaxError      it does not parse
    │   ├── ArgumentError         a wrong argument; a TypeError and a ValueError too
    │   ├── UnknownNameError      a field, neuron or model that does not exist; suggests similar names
    │   └── QueryTimeoutError     it exceeded its time limit
    │       └── QueryCancelledError   whoever asked gave it up
    ├── DatabaseError         a database file that cannot be used
    │   ├── DatabaseNotFoundError no such file
    │   ├── DatabaseFormatError   foreign, empty, damaged, or of another schema version
    │   │   └── RebuildError          damaged or outdated: must be built again from its shards
    │   └── DatabaseLockedError   another process holds it
    ├── IngestError           an ingest that cannot continue
    │   ├── ModelError            a model that cannot be found or read
    │   ├── CorpusError           a corpus that is unreadable or has no text
    │   └── SelectionError        layers or neurons out of range
    ├── StorageError          no space left, or a path that cannot be written
    ├── FigureError           a figure that cannot be drawn or written
    ├── MissingDependencyError  an optional package that is not installed; an ImportError too
    └── UsageError            command-line options that do not make sense together

A message says in one line what is wrong, where, and what to do; a query error adds two lines that show the
place.
"""

from __future__ import annotations

import unicodedata

__all__ = [
    "ArgumentError",
    "CorpusError",
    "DatabaseError",
    "DatabaseFormatError",
    "DatabaseLockedError",
    "DatabaseNotFoundError",
    "FigureError",
    "IngestError",
    "MissingDependencyError",
    "ModelError",
    "N2gdbError",
    "QueryCancelledError",
    "QueryError",
    "QuerySyntaxError",
    "QueryTimeoutError",
    "RebuildError",
    "SelectionError",
    "StorageError",
    "UnknownNameError",
    "UsageError",
    "columns_of",
    "one_line",
]

_WIDEST = 160  # characters of a line that is shown with a caret


def one_line(error: BaseException, limit: int = 200) -> str:
    """Return the message of another library's error on one line, at most ``limit`` characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def columns_of(text: str) -> int:
    """Return the width of a text in terminal columns: wide characters take two, combining accents none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _around(line: str, at: int) -> tuple[str, int]:
    """Return a line as it is shown, of a long one the part around a place, and the columns before the place.

    What a terminal would not show in a column of its own, such as a tab, stands as one sign.
    """
    start = max(0, at - _WIDEST // 2) if len(line) > _WIDEST else 0
    shown = "".join(
        " " if char == "\t" else char if char.isprintable() else "\ufffd"
        for char in line[start : start + _WIDEST]
    )
    before, behind = "…" if start else "", "…" if start + _WIDEST < len(line) else ""
    return f"{before}{shown}{behind}", columns_of(before + shown[: at - start])


class N2gdbError(Exception):
    """The base class of all errors of n2gdb.

    >>> try:
    ...     db.neuron("L9N0")
    ... except N2gdbError as error:
    ...     print(type(error).__name__)
    UnknownNameError
    """


class QueryError(N2gdbError):
    """A query that cannot be read or answered.

    ``line`` and ``column`` give the place of the error in ``text``, the query, counted from 1; ``str()``
    shows the line with a caret under the column. Line 0 means that the error has no single place.

    >>> try:
    ...     db.query("neurons WHERE layr = 3")
    ... except QueryError as error:
    ...     print(error)
    no field layr: did you mean layer?
      neurons WHERE layr = 3
                    ^
    """

    def __init__(self, message: str, *, text: str = "", line: int = 0, column: int = 0) -> None:
        self.message = message
        self.text = text
        self.line = line
        self.column = column
        super().__init__(message)

    @property
    def is_placed(self) -> bool:
        """Whether the error has a place in the query.

        >>> try:
        ...     db.query("neurons WHERE layr = 3")
        ... except QueryError as error:
        ...     print(error.is_placed)
        True
        """
        return 0 < self.line <= len(self.text.split("\n"))

    def __str__(self) -> str:
        if not self.is_placed:
            return self.message
        shown, place = _around(self.text.split("\n")[self.line - 1].rstrip("\r"), self.column - 1)
        return f"{self.message}\n  {shown}\n  {' ' * place}^"


class QuerySyntaxError(QueryError):
    """A query that does not parse.

    >>> try:
    ...     db.query("neurons MATCHNG 'the'")
    ... except QuerySyntaxError as error:
    ...     print(error.message, (error.line, error.column))
    unexpected MATCHNG: did you mean MATCHING? (1, 9)
    """


class ArgumentError(QueryError, TypeError, ValueError):
    """An argument of the Python API that has the wrong type, or a value that makes no sense.

    >>> try:
    ...     db.query("neurons MATCHING :first")
    ... except ArgumentError as error:
    ...     print(error)
    no value for :first: give one, as in query(text, {'first': ...})
    """


class UnknownNameError(QueryError):
    """A field, neuron or model that does not exist; ``near`` holds similar names that do.

    >>> try:
    ...     neurons().returning("nuron")
    ... except UnknownNameError as error:
    ...     print(error, error.near)
    no column nuron: did you mean neuron? ('neuron',)
    """

    def __init__(self, message: str, near: tuple[str, ...] = ()) -> None:
        self.near = near
        super().__init__(message)


class QueryTimeoutError(QueryError):
    """A query that exceeded its time limit.

    >>> try:
    ...     db.query("neurons MATCHING 'the'", timeout=1e-9)
    ... except QueryTimeoutError as error:
    ...     print(error)
    the query exceeded its limit of 1e-09 s: narrow the query, or allow more time
    """


class QueryCancelledError(QueryTimeoutError):
    """A query that was cancelled before it was answered."""


class DatabaseError(N2gdbError):
    """A database file that cannot be used."""


class DatabaseNotFoundError(DatabaseError):
    """A database file that does not exist.

    >>> try:
    ...     n2gdb.open("missing.n2gdb")
    ... except DatabaseNotFoundError as error:
    ...     print(str(error).partition(":")[0])
    no database at missing.n2gdb
    """


class DatabaseFormatError(DatabaseError):
    """A file that is not a database of n2gdb, is empty or damaged, or has another schema version."""


class RebuildError(DatabaseFormatError):
    """A database of n2gdb that is damaged, was changed, or has an older version: build it again."""


class DatabaseLockedError(DatabaseError):
    """A database that another process has open for writing."""


class IngestError(N2gdbError):
    """An ingest that cannot continue."""


class ModelError(IngestError):
    """A model that cannot be found or read."""


class CorpusError(IngestError):
    """A corpus that is unreadable or has no text."""


class SelectionError(IngestError):
    """Layers or neurons that the model does not have."""


class StorageError(N2gdbError):
    """A path that cannot be written or read, for example because no space is left on the disk."""


class FigureError(N2gdbError):
    """A figure that cannot be drawn or written, for an unknown file type or as there is nothing to draw."""


class MissingDependencyError(N2gdbError, ImportError):
    """An optional package that is not installed; the message says how to install it."""


class UsageError(N2gdbError):
    """Command-line arguments that cannot be used together or as given."""
