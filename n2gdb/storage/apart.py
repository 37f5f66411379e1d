"""Runs a statement in a process of its own, as some statements crash the engine."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from n2gdb.core.deadline import check_time, seconds_left, within
from n2gdb.errors import DatabaseError
from n2gdb.storage.connection import Connection

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ask_apart"]

T = TypeVar("T")

_GRACE = 0.3  # seconds for the child to say by itself that its time is over


def ask_apart(
    path: Path,
    cypher: str,
    parameters: Mapping[str, Any],
    timeout: float | None,
    plain: Callable[[pa.Table], T],
) -> T:
    """Return what ``plain`` makes of the columns that one statement gives, which must be possible to pickle.

    Raises as ``Connection.open`` and ``Connection.table`` do, and DatabaseError where the engine crashes.
    """
    context = get_context("fork")  # the child has all that is loaded here, and its statement begins at once
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_ask, args=(theirs, path, cypher, parameters, timeout, plain))
    child.start()
    theirs.close()
    try:
        with within(timeout):
            left = seconds_left()
            if not ours.poll(None if left is None else left + _GRACE):
                check_time()  # raises: some statements hear neither the engine's clock nor an interrupt
            answer = ours.recv()
    except EOFError:
        child.join()
        raise DatabaseError(
            f"{path}: the engine crashed on this statement ({_ending(child.exitcode)}), as it does if SKIP"
            " after ORDER BY skips every row: write LIMIT without SKIP"
        ) from None
    finally:
        child.kill()
        child.join()
        ours.close()
    if isinstance(answer, Exception):
        raise answer
    return answer  # type: ignore[no-any-return]


def _ask(
    pipe: Pipe,
    path: Path,
    cypher: str,
    parameters: Mapping[str, Any],
    timeout: float | None,
    plain: Callable[[pa.Table], object],
) -> None:
    """Send the answer, or the error that there is instead; Ctrl-C is the parent's to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        with Connection.open(path) as connection:
            answer = plain(connection.table(cypher, parameters, timeout))
    except Exception as error:  # whoever waits raises it
        pipe.send(error)
    else:
        pipe.send(answer)


def _end_with_parent() -> None:
    """End a statement that nobody waits for, where the parent was killed."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _ending(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
