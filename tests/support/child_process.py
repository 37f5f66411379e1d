"""Work in a child process that may die: what it came to, and at which piece it died or hung.

The child is started again behind the piece at which it died, so one crash hides no other.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeAlias, TypeVar

__all__ = ["Child", "Death", "Tell", "in_children"]

Result = TypeVar("Result")
#: Says which piece is begun: its number, and what it is.
Tell: TypeAlias = Callable[[int, str], None]
#: ``work(job, first, tell)`` yields what the pieces of a job from number ``first`` on come to.
Work: TypeAlias = Callable[[Any, int, Tell], Iterable[Result]]

#: Seconds without a word from the child, after which it hangs; the least before its first piece.
PATIENCE = 300.0


@dataclass(frozen=True)
class Death:
    """The child died, or hung, at a piece of its work: "signal SIGSEGV", "exit 1", "no answer in 300 s"."""

    piece: str
    how: str


class Child(Generic[Result]):
    """A process that does one job after the other; a context manager, which ends it."""

    def __init__(self, work: Work[Result], patience: float = PATIENCE) -> None:
        self._work = work
        self._patience = patience
        self._process: BaseProcess | None = None
        self._pipe: Connection

    def results(self, job: Any) -> Iterator[Result | Death]:
        """Yield what the pieces of a job come to, and a Death for each at which the child did not survive."""
        first, number, piece = 0, -1, "before the first piece"
        while True:
            self._begin()
            self._pipe.send((job, first))
            how = ""
            while not how:
                try:
                    # It starts, and prepares its work, in silence: for as long as a busy machine may take.
                    patience = self._patience if number >= first else max(self._patience, PATIENCE)
                    if not self._pipe.poll(patience):
                        how = f"no answer in {patience:.0f} s"
                        continue
                    kind, *said = self._pipe.recv()
                except (EOFError, ConnectionResetError):
                    how = self._ended()
                    continue
                if kind == "piece":
                    number, piece = said
                elif kind == "result":
                    yield said[0]
                else:
                    return
            self.close()
            yield Death(piece, how)
            if number < first:
                return  # it does not come to its work at all
            first = number + 1

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None

    def __enter__(self) -> Child[Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        if self._process is None:
            context = get_context("spawn")  # not forked: the engine's threads do not survive it
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(self._work, theirs), daemon=True)
            self._process.start()
            theirs.close()

    def _ended(self) -> str:
        assert self._process is not None
        self._process.join()
        code = self._process.exitcode or 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def _serve(work: Work[Result], pipe: Connection) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    while True:
        try:
            job, first = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        for result in work(job, first, lambda number, piece: pipe.send(("piece", number, piece))):
            pipe.send(("result", result))
        pipe.send(("end",))


def in_children(
    work: Work[Result], jobs: Iterable[Any], children: int, patience: float = PATIENCE
) -> Iterator[list[Result | Death]]:
    """Yield what each job comes to, ``children`` of them at a time, as they end; jobs are read as needed."""
    idle = [Child(work, patience) for _ in range(children)]
    every, coming = tuple(idle), iter(jobs)

    def done(child: Child[Result], job: Any) -> list[Result | Death]:
        try:
            return list(child.results(job))
        finally:
            idle.append(child)

    with ThreadPoolExecutor(children) as threads:
        waiting: set[Future[list[Result | Death]]] = set()
        try:
            while True:
                for job in islice(coming, len(idle)):
                    waiting.add(threads.submit(done, idle.pop(), job))
                if not waiting:
                    return
                ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (each.result() for each in ended)
        finally:
            for child in every:
                child.close()
