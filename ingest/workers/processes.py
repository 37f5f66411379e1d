"""Worker processes around one device: this process runs the passes, the others do the rest.

An accelerator waits for whoever sorts prompts, reads patterns, refines and judges, and threads that do so
wait for each other: one process in Python keeps neither a GPU busy nor the cores. So each core has a process
that learns pieces, and asks this one for what only the model knows. One model is loaded, however many learn.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from types import ModuleType
from typing import Any

import psutil
import torch

from n2gdb.core.progress import Report, silent
from n2gdb.errors import IngestError, N2gdbError, one_line
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.inference.memory import text_bytes
from n2gdb.ingest.inference.passes import Passes
from n2gdb.ingest.inference.threads import keep_freed_memory, keep_to_one_core
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.workers.ipc import RequestKind, Served, ServedHelper
from n2gdb.ingest.workers.serial import Alone
from n2gdb.ingest.workers.work import Bench, LayerText, Piece, Prepared, learn_piece
from n2gdb.storage.shards import RunFolder

__all__ = ["ProcessCrew", "process_crew", "processes_for", "start_ahead"]

#: More processes than these ask for more passes than a GPU runs.
_MOST_PROCESSES = 32

#: On a CPU, processes start for no fewer units than these: that takes seconds.
_LEAST_UNITS = 512

#: Bytes of a process, its text aside.
_PROCESS_BYTES = 400 << 20

#: A process that has loaded all it needs, and no device, starts others at once where that can be had.
_START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def processes_for(
    model: SubjectModel,
    config: N2GConfig,
    positions: int = 0,
    units: int = _LEAST_UNITS,
    max_memory: int | None = None,
) -> int:
    """How many processes learn beside the one that runs the passes: one a core, but one core feeds a GPU.

    As many as half of the free memory holds, each with a layer's top examples and a corpus of so many
    ``positions``; on a CPU half of ``max_memory``, which on a GPU is of the device. None on a CPU that has
    few units to learn, or a single core.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = psutil.virtual_memory().available
    if model.device.type == "cuda":
        cores -= 1
    elif model.device.type != "cpu" or units < _LEAST_UNITS or cores == 1:
        return 0
    else:
        memory = min(memory, max_memory or memory)
    examples = 4 * model.d_mlp * config.top_k * min(config.window, model.n_ctx)
    room = memory // 2 // (_PROCESS_BYTES + 2 * examples + text_bytes(positions))
    return int(min(cores, room, _MOST_PROCESSES))


def start_ahead(device: str) -> None:
    """Begin to load what processes beside a GPU need, so that they are ready when the model is.

    ``device`` is as of ``load_model``; without a GPU nothing happens.
    """
    if device in ("auto", "cuda") and torch.cuda.is_available():
        _start_loading()


def _start_loading() -> None:
    if _START == "forkserver":
        multiprocessing.get_context(_START).set_forkserver_preload([__name__])
        # Ctrl-C would end it with a traceback while it loads. It inherits what is blocked; the tracker, which
        # it starts otherwise, unblocks.
        resource_tracker.ensure_running()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def process_crew(bench: Bench, scan_bytes: int, processes: int) -> Iterator[ProcessCrew]:
    """Start so many processes beside this one, and end them when the work is over."""
    crew = ProcessCrew(bench, scan_bytes, processes)
    try:
        yield crew
    finally:
        crew.close()


class ProcessCrew:
    """Scans here, and learns in processes that ask for passes. See Crew."""

    def __init__(self, bench: Bench, scan_bytes: int, processes: int) -> None:
        self._bench, self._alone = bench, Alone(bench, scan_bytes)
        self._running = BoundedSemaphore(bench.engine.askers)
        # Hooks that read a model are met by whatever runs through it, a helper's passes too.
        self._proposing = self._running if bench.engine.askers == 1 else Lock()
        self._closed = False
        self._beside: list[tuple[Any, Connection]] = []
        self._serving: list[Thread] = []
        # They load while the corpus is scanned.
        self._starter = ThreadPoolExecutor(1, "n2gdb-start")
        self._started = self._starter.submit(self._start_all, processes)

    def prepare(self, layers: Iterable[int], report: Report) -> None:
        """See Crew."""
        self._alone.prepare(layers, report)

    def learn(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """See Crew; raises what a process raised, and IngestError where one dies."""
        # Deep layers take longest, so they come first: no core waits long for the last piece of another.
        waiting = deque(reversed(pieces))
        outcomes: SimpleQueue[Piece | BaseException] = SimpleQueue()
        try:
            self._started.result()
        except OSError as error:
            said = f"processes cannot be started ({one_line(error)}): run again with --processes 0"
            raise IngestError(said) from error
        for process, connection in self._beside:
            serve = (process, connection, waiting, outcomes)
            self._serving.append(Thread(target=self._serve, args=serve))
            self._serving[-1].start()
        for _ in pieces:
            outcome = outcomes.get()
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome

    def close(self) -> None:
        """End the processes, whatever they are at: a shard is there whole or not at all."""
        self._closed = True
        self._starter.shutdown()
        for process, _ in self._beside:
            process.terminate()
        # A pass that is under way ends first: the device is not let go of in the middle of one.
        for thread in self._serving:
            thread.join()
        for process, connection in self._beside:
            connection.close()
            process.join()

    def _start_all(self, processes: int) -> None:
        _start_loading()
        context: Any = multiprocessing.get_context(_START)
        work = _Work.of(self._bench)
        for _ in range(processes):
            if self._closed:
                return
            ours, theirs = context.Pipe()
            process = context.Process(target=_learn, args=(theirs, work), daemon=True)
            with _main_hidden():
                process.start()
            theirs.close()
            self._beside.append((process, ours))

    def _serve(
        self,
        process: Any,
        connection: Connection,
        waiting: deque[Piece],
        outcomes: SimpleQueue[Piece | BaseException],
    ) -> None:
        """Answer a process until there is no piece left."""
        keep_to_one_core(self._bench.engine.model)
        try:
            while True:
                what, arguments = connection.recv()
                if what in (RequestKind.DONE, RequestKind.FAILED):
                    outcomes.put(arguments[0])
                    answer = None
                elif what is RequestKind.NEXT:
                    answer = _next(waiting)
                else:
                    answer = self._answer(what, arguments)
                connection.send(answer)
        except (EOFError, OSError):
            if self._closed:
                return
            process.join()
            if process.exitcode:
                died = f"a process that learns has died (exit code {process.exitcode})"
                outcomes.put(IngestError(f"{died}: run again with fewer --processes to need less memory"))
        except BaseException as error:
            outcomes.put(error)

    def _answer(self, what: RequestKind, arguments: tuple[Any, ...]) -> Any:
        """Run what only the process with the model can; what that raises is an answer too."""
        try:
            if what is RequestKind.PROPOSE:
                number, *rest = arguments
                with self._proposing:
                    return self._bench.helpers[number].propose(*rest)
            with self._running:
                return self._bench.engine.passes.run(*arguments)
        except Exception as error:
            if isinstance(error, torch.OutOfMemoryError):
                torch.cuda.empty_cache()
            return error


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Keep a new process from running the program's main module once more, as Python would have it do.

    It needs nothing from there, and a script that is not guarded by its name would begin another ingest.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _next(waiting: deque[Piece]) -> Piece | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


@dataclass(frozen=True, slots=True)
class _Work:
    """What a process learns from; of the model it needs what its tokens are, and none of its weights."""

    model: SubjectModel
    corpus: CorpusStore
    run: RunFolder
    config: N2GConfig
    heldout: CorpusStore | None
    batch_tokens: int
    passes_of: Callable[[Callable[..., Any]], Passes]
    n_helpers: int

    @classmethod
    def of(cls, bench: Bench) -> _Work:
        model = replace(bench.engine.model, bridge=None, points=(), trunk=None)
        batch_tokens, passes = bench.engine.batch_tokens, type(bench.engine.passes)
        own = (bench.corpus, bench.run, bench.config, bench.heldout)
        return cls(model, *own, batch_tokens, passes, len(bench.helpers))

    def bench(self, served: Served) -> Bench:
        engine = Engine(self.model, self.batch_tokens, self.passes_of(served.run))
        helpers = [ServedHelper(served, number) for number in range(self.n_helpers)]
        return Bench(engine, helpers, self.corpus, self.run, self.config, self.heldout)


def _learn(connection: Connection, work: _Work) -> None:
    """Learn pieces in a process of its own until there is none left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that is asked
    torch.set_num_threads(1)
    keep_freed_memory()
    gc.freeze()
    served = Served(connection)
    bench = work.bench(served)

    @lru_cache(maxsize=1)
    def text_of(layer: int) -> LayerText:
        ready = Prepared.of(work.model, work.corpus, work.heldout, work.run, (layer,), work.config, silent)
        return ready.text(layer)

    try:
        while (piece := served.next_piece()) is not None:
            learn_piece(bench, piece, text_of(piece.layer))
            served.done(piece)
    except Exception as error:
        if not isinstance(error, N2gdbError):
            error.add_note("".join(traceback.format_exception(error)))
        served.failed(error)
