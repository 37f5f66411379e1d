"""Turns: long requests are answered a few at a time, in the order they came; short ones do not wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from n2gdb.errors import QueryTimeoutError

__all__ = ["Turns"]

#: Requests that are tried at once while all turns are taken, and the seconds for each.
_TRIED, _TRY = 2, 0.5
#: Seconds that a request waits for its turn.
_LONGEST_WAIT = 60.0
#: Seconds beyond a request's limit after which it is given up.
_PATIENCE = 1.0
#: Threads, those that were given up and end by themselves included.
_THREADS = 64


class Turns:
    """Turns at answering requests, in the order in which they come.

    Were all answered at once, each would be slowed down by the others until none ends in time. Where all
    turns are taken, a request is tried for a moment first: it may need no more.
    """

    def __init__(self, together: int) -> None:
        self._turns = anyio.CapacityLimiter(together)
        self._tries = anyio.CapacityLimiter(_TRIED)
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def take(self, run: Callable[[float], bool], limit: float) -> None:
        """Call ``run`` in a thread, with the seconds that it has: ``limit`` at its turn, or less in a try.

        It tells whether it is done. Raises QueryTimeoutError where no turn comes, or it does not end.
        """
        if limit > _TRY and not self._is_free():
            async with _turn(self._tries):
                if await self._called(run, _TRY):
                    return
        async with _turn(self._turns):
            if not await self._called(run, limit):
                raise QueryTimeoutError("the server took too long: narrow the question, or ask again")

    def _is_free(self) -> bool:
        return self._turns.available_tokens >= 1 and not self._turns.statistics().tasks_waiting

    async def _called(self, run: Callable[[float], bool], seconds: float) -> bool:
        try:
            with anyio.fail_after(seconds + _PATIENCE):
                return await anyio.to_thread.run_sync(
                    run, seconds, abandon_on_cancel=True, limiter=self._threads
                )
        except TimeoutError:
            return False


@asynccontextmanager
async def _turn(limiter: anyio.CapacityLimiter) -> AsyncIterator[None]:
    try:
        with anyio.fail_after(_LONGEST_WAIT):
            await limiter.acquire()
    except TimeoutError:
        raise QueryTimeoutError("the server is busy with other questions: ask again in a minute") from None
    try:
        yield
    finally:
        limiter.release()
