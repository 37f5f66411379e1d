"""Progress of a long command: a bar a stage on a terminal, a line a stage elsewhere."""

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
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    speed = TextColumn("{task.fields[rate]}")
    with Progress(
        TextColumn("{task.description:<16}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        speed,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        tasks: dict[str, TaskID] = {}
        begun: dict[str, tuple[float, int]] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                for task in tasks.values():
                    progress.stop_task(task)
                    progress.update(task, total=progress.tasks[task].completed or 1)
                    progress.update(task, completed=progress.tasks[task].total)
                tasks[stage] = progress.add_task(stage, total=total, rate="")
                begun[stage] = time.monotonic(), done
            start, before = begun[stage]
            rate = (done - before) / max(time.monotonic() - start, 1e-9)
            shown = f"{rate:,.0f}/s" if done > before else ""
            progress.update(tasks[stage], completed=done, total=total, rate=shown)

        yield report


class _Lines:
    """Without a terminal: a line as a stage begins, and one every half minute."""

    def __init__(self) -> None:
        self._stage = ""
        self._begun = self._said = 0.0
        self._before = 0

    def report(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._begun, self._before = stage, now, done
        elif now - self._said < 30 and done != total:
            return
        self._said = now
        print(self._line(stage, done, total, now - self._begun), file=sys.stderr, flush=True)

    def _line(self, stage: str, done: int, total: int | None, seconds: float) -> str:
        if total is None:
            return f"{stage}: {done:,}" if done else stage
        rate = (done - self._before) / seconds if seconds > 0 else 0.0
        left = f", {rate:,.1f}/s, {(total - done) / rate:,.0f} s left" if rate else ""
        return f"{stage}: {done:,} of {total:,}{left}"
