"""Threads: independent pieces of work run in parallel, one core each.

Small tensors gain little from many cores, and waiting for one another at every step costs them much, most
of all on a machine with other work. An accelerator is fed by two threads, so that one prepares while the
other's work runs.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import Any, TypeVar

import torch

from n2gdb.ingest.models.subject import SubjectModel

__all__ = ["beside", "keep_freed_memory", "keep_to_one_core", "on_cores"]

#: How long a thread may keep the interpreter when another asks for it.
_SWITCH_SECONDS = 1e-4

#: Options of glibc's mallopt, and the greatest block that it may keep, which is all that it allows.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST_KEPT, _LARGEST_KEPT = 1 << 30, 1 << 25

#: Threads beside an accelerator: each takes some memory there.
_MOST_BESIDE = 8

#: Held while threads are started: two that ask at once would start them twice.
_STARTING = Lock()

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def on_cores(
    model: SubjectModel, work: Callable[[Piece], Result], pieces: Iterable[Piece]
) -> Iterator[Result]:
    """Yield what ``work`` makes of each piece with a model, in order, a few at a time.

    Pieces are drawn as needed. An error of ``work`` is raised where its result would come; the pieces then
    under way are finished first. A model without a trunk does one piece after the other: the hooks that read
    it stand in the model itself.
    """
    if model.trunk is None:
        yield from map(work, pieces)
        return
    pool, workers = _pool_for(model)
    running: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            running.append(pool.submit(work, piece))
            if len(running) > workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
        for future in running:
            if not future.cancelled():
                future.exception()


def beside(model: SubjectModel, work: Callable[..., None], pieces: Iterable[tuple[Any, ...]]) -> None:
    """Do work of this process on pieces that are independent of each other, and wait for all.

    Beside an accelerator they are done on several cores, which it leaves idle; on a CPU one after the other,
    since ``on_cores`` has its cores at work.
    """
    if model.device.type == "cpu":
        for piece in pieces:
            work(*piece)
        return
    for done in [_beside_pool().submit(work, *piece) for piece in pieces]:
        done.result()


def keep_to_one_core(model: SubjectModel) -> None:
    """Have torch run on this very thread whatever it asks for, on a CPU whose other cores have work.

    Torch gives each thread a team of as many as there are cores, which wait for work at full speed.
    """
    if model.device.type == "cpu":
        _pool_for(model)  # which counts the cores by what a thread may use
        torch.set_num_threads(1)


def _pool_for(model: SubjectModel) -> tuple[ThreadPoolExecutor, int]:
    with _STARTING:
        return _pool(model.device.type == "cpu")


@cache
def _beside_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(_MOST_BESIDE, os.cpu_count() or 1), "n2gdb-beside")


@cache
def _pool(on_cpu: bool) -> tuple[ThreadPoolExecutor, int]:
    """Threads for one kind of device, and how many: they live as long as the process.

    On a CPU torch runs from then on what a thread asks for on that thread, this one too.
    """
    # A thread that learns would else let those that feed the model wait for 5 ms at every step of theirs.
    sys.setswitchinterval(_SWITCH_SECONDS)
    if not on_cpu:
        return ThreadPoolExecutor(2, "n2gdb"), 2
    keep_freed_memory()
    workers = torch.get_num_threads()
    torch.set_num_threads(1)
    return ThreadPoolExecutor(workers, "n2gdb", torch.set_num_threads, (1,)), workers


def keep_freed_memory() -> None:
    """Have the C library keep what arrays free, where it is glibc: whatever comes next wants as much again.

    It would else give each large array back to the system, which then clears the next one page by page.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_TRIM_THRESHOLD, _MOST_KEPT)
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)
