"""Interruptible statements: the caller can stop waiting at any time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeAlias

from n2gdb.core.deadline import check_time, seconds_left
from n2gdb.errors import DatabaseError

__all__ = ["Asking", "Read"]

#: Reads a result of the engine; calls its second argument regularly, which raises to stop it.
Read: TypeAlias = Callable[[Any, Callable[[], None]], Any]

_GRACE = 0.1  # seconds for the engine to end a statement at its deadline by itself
_PATIENCE = 5.0  # seconds for it to end one that is interrupted
#: Seconds between two looks at whether the question was cancelled. A signal that comes just before a wait is
#: noticed only after it: a wait without an end would lose Ctrl-C.
_LOOK = 0.05


class Asking:
    """One statement, run in another thread so that Ctrl-C and the deadline end the caller's wait.

    Only that thread holds the engine connection, so the engine is never freed while a statement runs.
    """

    __slots__ = (
        *("_lend", "_text", "_given", "_read"),
        *("_outcome", "_finished", "_lock", "_lane", "_given_up"),
    )

    def __init__(
        self,
        lend: Callable[[], AbstractContextManager[Any]],
        text: str,
        given: dict[str, Any],
        read: Read,
    ) -> None:
        """``lend`` provides an engine connection while the statement runs."""
        self._lend, self._text, self._given, self._read = lend, text, given, read
        self._outcome: list[Any] = []
        self._finished = threading.Event()  # not join(): an interrupted join takes the thread for ended
        self._lock = threading.Lock()  # guards the next
        self._lane: Any = None
        self._given_up = False

    def answer(self) -> Any:
        """Run the statement and return its result, read by ``read``; re-raise its exception."""
        left = seconds_left()
        context = copy_context()  # the deadline holds in the thread, too
        try:
            _in_a_thread(partial(context.run, self._work), self._finished)
            end = None if left is None else time.monotonic() + left + _GRACE
            while not self._finished.wait(_wait(end)):
                check_time()
        except BaseException:
            self._give_up()
            raise
        (result,) = self._outcome
        if isinstance(result, BaseException):
            if "Interrupted" in str(result):
                check_time()
            raise result
        return result

    def _work(self) -> None:
        try:
            with self._lend() as lane:
                with self._lock:
                    self._lane = lane
                try:
                    self._check()
                    self._outcome.append(
                        lane.run(self._text, self._given, lambda result: self._read(result, self._check))
                    )
                finally:
                    with self._lock:
                        self._lane = None
        except BaseException as error:  # whoever waits raises it
            _empty(error)
            self._outcome.append(error)

    def _check(self) -> None:
        """Raise if the caller has given up, or the deadline is over."""
        if self._given_up:
            raise DatabaseError("the statement was given up before it was answered")
        check_time()

    def _give_up(self) -> None:
        """Stop the statement; if the engine is still planning, it stops after that."""
        self._given_up = True
        last = time.monotonic() + _PATIENCE
        while time.monotonic() < last:
            with self._lock:
                if self._lane is None:
                    return
                self._lane.engine.interrupt()
            if self._finished.wait(0.02):  # an interrupt before the engine has begun to run is lost
                return


def _empty(error: BaseException) -> None:
    """Let go of what an error's frames hold, while it is in the thread that ran the statement.

    Else whoever waits would free the engine's results, and Ctrl-C in the midst of that would be lost.
    """
    trace = error.__traceback__
    while trace is not None:
        with suppress(RuntimeError):  # the frame that runs still
            trace.tb_frame.clear()
        trace = trace.tb_next


class _Worker:
    """A thread that runs one statement after another, as starting one takes as long as a small statement."""

    __slots__ = ("_given",)

    def __init__(self) -> None:
        self._given: SimpleQueue[tuple[Callable[[], None], threading.Event]] = SimpleQueue()
        threading.Thread(target=self._run, name="n2gdb query", daemon=True).start()

    def do(self, work: Callable[[], None], finished: threading.Event) -> None:
        self._given.put((work, finished))

    def _run(self) -> None:
        while True:
            work, finished = self._given.get()
            work()
            del work  # it holds the rows
            _IDLE.append(self)  # first: whoever waits may ask again at once
            finished.set()


#: Workers without a statement; a forked process has none.
_IDLE: list[_Worker] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_IDLE.clear)


def _in_a_thread(work: Callable[[], None], finished: threading.Event) -> None:
    """Do something that raises nothing in an idle worker, or a new one, and then set ``finished``."""
    try:
        worker = _IDLE.pop()
    except IndexError:
        worker = _Worker()
    worker.do(work, finished)


def _wait(end: float | None) -> float:
    """Return the seconds to wait for a statement before looking at the clock and for signals."""
    return _LOOK if end is None else min(_LOOK, max(0.0, end - time.monotonic()))
