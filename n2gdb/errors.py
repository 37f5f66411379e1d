"""Every error that n2gdb raises on purpose, under one root.

    N2gdbError
    ├── QueryError            a query that cannot be read or answered; shows where it stands, if anywhere
    │   ├── QuerySyntaxError      it does not parse
    │   ├── ArgumentError         an argument of a kind that is not taken; a TypeError too
    │   ├── UnknownNameError      a field, neuron or model that does not exist; carries near names
    │   └── QueryTimeoutError     it ran past its limit
    │       └── QueryCancelledError   whoever asked gave it up
    ├── DatabaseError         a database file that cannot be used
    │   ├── DatabaseNotFoundError no such file
    │   ├── DatabaseFormatError   foreign, empty, damaged, or of another schema version
    │   │   └── RebuildError          damaged or outdated: it is to be built again from its shards
    │   └── DatabaseLockedError   another process holds it
    ├── IngestError           a run that cannot go on
    │   ├── ModelError            a model that cannot be found or read
    │   ├── CorpusError           a corpus that is unreadable or has no text
    │   └── SelectionError        layers or neurons out of range
    ├── StorageError          no room left, or a place that cannot be written
    ├── FigureError           a figure that cannot be drawn or written
    ├── MissingDependencyError  an optional package that is not installed; an ImportError too
    └── UsageError            a command of the command line that is misused

A message says what was wrong, where, and what to do, in one line; only the caret of a
query error adds two.
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


def one_line(error: BaseException, limit: int = 200) -> str:
    """Write what another library's error says on one line, for use inside a message."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes: a wide character two, an accent on another none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


class N2gdbError(Exception):
    """The root of all errors that n2gdb raises on purpose.

    >>> try:
    ...     db.neuron("L9N0")
    ... except N2gdbError as error:
    ...     print(type(error).__name__)
    UnknownNameError
    """


class QueryError(N2gdbError):
    """A query that cannot be read or answered.

    ``line`` and ``column`` of the fault in ``text``, the query, count from 1; ``str()`` shows the line with a
    caret under the column. Line 0 is no place: the fault is not of one part of the query.
    """

    def __init__(self, message: str, *, text: str = "", line: int = 0, column: int = 0) -> None:
        self.message = message
        self.text = text
        self.line = line
        self.column = column
        super().__init__(message)

    @property
    def is_placed(self) -> bool:
        """Whether the fault stands at one place of a query."""
        return 0 < self.line <= len(self.text.split("\n"))

    def __str__(self) -> str:
        if not self.is_placed:
            return self.message
        shown = self.text.split("\n")[self.line - 1].rstrip("\r")
        return f"{self.message}\n  {shown}\n  {' ' * columns_of(shown[: self.column - 1])}^"


class QuerySyntaxError(QueryError):
    """A query that does not parse."""


class ArgumentError(QueryError, TypeError):
    """An argument of the Python interface that is of no kind that it takes."""


class UnknownNameError(QueryError):
    """A field, neuron or model that does not exist; ``near`` holds the nearest names that do."""

    def __init__(self, message: str, near: tuple[str, ...] = ()) -> None:
        self.near = near
        super().__init__(message)


class QueryTimeoutError(QueryError):
    """A query ran past its time limit."""


class QueryCancelledError(QueryTimeoutError):
    """Whoever asked a query gave it up before it was answered."""


class DatabaseError(N2gdbError):
    """A database file that cannot be used."""


class DatabaseNotFoundError(DatabaseError):
    """No database file at this path."""


class DatabaseFormatError(DatabaseError):
    """A file that is foreign, empty, damaged, or of another schema version."""


class RebuildError(DatabaseFormatError):
    """A database of n2gdb that is damaged, was written to, or is of an older version: build it again."""


class DatabaseLockedError(DatabaseError):
    """Another process holds the database."""


class IngestError(N2gdbError):
    """An ingest that cannot go on."""


class ModelError(IngestError):
    """A model that cannot be found or read."""


class CorpusError(IngestError):
    """A corpus that is unreadable or has no text."""


class SelectionError(IngestError):
    """Layers or neurons that the model does not have."""


class StorageError(N2gdbError):
    """No room left on the disk, or a place that cannot be written."""


class FigureError(N2gdbError):
    """A figure that cannot be drawn or written: an unknown file type, nothing to draw."""


class MissingDependencyError(N2gdbError, ImportError):
    """An optional package that is not installed; the message says how to install it."""


class UsageError(N2gdbError):
    """A command of the command line that is misused, as by options that do not go together."""
