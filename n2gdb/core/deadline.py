"""Deadlines: one per query, for its statements, their planning, and the Python between them; and cancelling.

Whoever answers a question opens ``within``; what takes long below it looks at the clock with ``check_time``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from numbers import Real
from typing import Any, TypeVar

from n2gdb.core.arguments import shown
from n2gdb.errors import ArgumentError, QueryCancelledError, QueryTimeoutError
from n2gdb.grammar.records import dataclass

__all__ = ["cancelled_by", "check_time", "seconds_left", "timed", "within"]

T = TypeVar("T")

_TOGETHER = 1024  # items between two looks at the clock


@dataclass(slots=True)
class _Deadline:
    """When a question must have ended, by the monotonic clock, and the seconds that it was given.

    Ctrl-C may come as a block ends, so that whoever opened it ends it late, when other blocks have begun. So
    what is over is marked, and never puts back what it found.
    """

    end: float
    limit: float
    around: _Deadline | None
    is_over: bool = False

    @property
    def error(self) -> QueryTimeoutError:
        return QueryTimeoutError(
            f"the query exceeded its limit of {self.limit:g} s: narrow the query, or allow more time"
        )


#: A third of a year: clocks take no more.
_LONGEST = 10_000_000

_DEADLINE: ContextVar[_Deadline | None] = ContextVar("n2gdb deadline", default=None)
_CANCELLED: ContextVar[threading.Event | None] = ContextVar("n2gdb cancelled", default=None)


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Give all that the block does so many seconds; None sets no limit, and an earlier deadline stays.

    Raises ArgumentError for a number that is not above 0. What is past its deadline raises QueryTimeoutError.
    """
    if seconds is not None and not _lies_ahead(seconds):
        raise ArgumentError(
            f"timeout must be a number of seconds above 0 and up to {_LONGEST:,}, not {shown(seconds)}"
        )
    if seconds is None:
        yield
        return
    end, limit, around = time.monotonic() + float(seconds), float(seconds), _current()
    if around is not None and around.end < end:
        end, limit = around.end, around.limit
    mine = _Deadline(end, limit, around)
    try:
        _DEADLINE.set(mine)  # within the try: Ctrl-C may come as soon as it is set
        yield
    finally:
        mine.is_over = True


def _current() -> _Deadline | None:
    deadline = _DEADLINE.get()
    while deadline is not None and deadline.is_over:
        deadline = deadline.around
    return deadline


def _lies_ahead(seconds: object) -> bool:
    number: Any = seconds  # Real, as it is declared, has no order
    return isinstance(seconds, Real) and not isinstance(number, bool) and bool(0 < number <= _LONGEST)


@contextmanager
def cancelled_by(event: threading.Event) -> Iterator[None]:
    """End all that the block does as soon as another thread sets the event: it raises QueryCancelledError."""
    token = _CANCELLED.set(event)
    try:
        yield
    finally:
        _CANCELLED.reset(token)


def seconds_left() -> float | None:
    """Return the seconds until the deadline, None where there is none.

    Raises QueryTimeoutError after it, QueryCancelledError where the query was cancelled.
    """
    cancelled = _CANCELLED.get()
    if cancelled is not None and cancelled.is_set():
        raise QueryCancelledError("the query was cancelled")
    deadline = _current()
    if deadline is None:
        return None
    left = deadline.end - time.monotonic()
    if left <= 0:
        raise deadline.error
    return left


def check_time() -> None:
    """Raise QueryTimeoutError if the deadline is over, QueryCancelledError if nobody wants the answer."""
    seconds_left()


def timed(items: Iterable[T]) -> Iterator[T]:
    """Yield items, looking at the clock now and then: for long loops between statements."""
    rest = iter(items)
    while part := tuple(islice(rest, _TOGETHER)):
        check_time()
        yield from part
