"""Progress of a long command: one bar per stage on a terminal, one line per stage elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["stages"]


@contextmanager
def stages() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function that takes a stage's name, how much is done, and how much there is."""
    if sys.stderr.isatty():
        with _bars() as report:
            yield report
    else:
        yield _Lines().report


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int | None], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    with Progress(
        TextColumn("{task.description:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[pace]}"),
        console=Console(stderr=True),
    ) as progress:
        tasks: dict[str, TaskID] = {}
        paces: dict[str, _Pace] = {}

        def end_stages() -> None:
            for task in tasks.values():
                ended = progress.tasks[task].completed or 1
                progress.update(task, total=ended, completed=ended)
                progress.stop_task(task)

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                end_stages()
                tasks[stage] = progress.add_task(stage, total=total, pace="")
                paces[stage] = _Pace(done)
            progress.update(tasks[stage], completed=done, total=total, pace=paces[stage].text(done, total))

        yield report
        end_stages()


class _Pace:
    """How fast a stage has gone since it began, and how long the rest will take at that rate."""

    def __init__(self, before: int) -> None:
        self._begun, self._before = time.monotonic(), before

    def text(self, done: int, total: int | None) -> str:
        """Say it: ``25.0/s, 98 s left``; empty while nothing is known."""
        rate = (done - self._before) / max(time.monotonic() - self._begun, 1e-9)
        if done == self._before:
            return ""
        return f"{rate:,.1f}/s" if total is None else f"{rate:,.1f}/s, {(total - done) / rate:,.0f} s left"


class _Lines:
    """Without a terminal: a line as a stage begins, and one every half minute."""

    def __init__(self) -> None:
        self._stage, self._said = "", 0.0
        self._pace = _Pace(0)

    def report(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._pace = stage, _Pace(done)
        elif now - self._said < 30 and done != total:
            return
        self._said = now
        amount = f"{done:,} of {total:,}" if total is not None else f"{done:,}" if done else ""
        line = ", ".join(part for part in (amount, self._pace.text(done, total)) if part)
        print(f"{stage}: {line}" if line else stage, file=sys.stderr, flush=True)
