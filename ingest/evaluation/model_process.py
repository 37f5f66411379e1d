"""A model in a process of its own: loaded once, asked for activations, its memory and crashes isolated."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from n2gdb.core.deadline import check_time
from n2gdb.errors import ModelError, N2gdbError, one_line
from n2gdb.neuron import Neuron

__all__ = ["ModelProcess"]

_LOOK = 0.1  # seconds between two looks at the clock
_ENDS = 2.0  # seconds for the process to end when it is told to


class ModelProcess:
    """Runs the models of a database in another process; a context manager, for any number of threads.

    The process begins to load the first model at once, so that it is there when somebody asks.
    """

    def __init__(self, database: Path, device: str = "auto") -> None:
        """Take the file of the database, whose models are loaded from where they were ingested."""
        self._database, self._device = database, device
        self._one_at_a_time = threading.Lock()
        self._asked = 0
        self._process: Any = None
        self._pipe: Pipe | None = None
        self._start()

    def activations(self, neuron: Neuron, tokens: Sequence[int]) -> tuple[list[float], dict[str, Any]]:
        """Return a neuron's normalised activation on each token, and what that cost.

        Raises N2gdbError as ``true_activations`` does, ModelError where the process is gone.
        """
        found, cost = self._ask("activations", str(neuron.name), neuron.model, list(tokens))
        return found, cost

    def trajectories(self, neuron: Neuron) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a neuron's trajectories as JSON can hold them, and what that cost."""
        found, cost = self._ask("trajectories", str(neuron.name), neuron.model, None)
        return found, cost

    def close(self) -> None:
        """End the process."""
        if self._pipe is not None:
            self._pipe.close()
        self._process.join(_ENDS)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def __enter__(self) -> ModelProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self) -> None:
        # A fresh interpreter: threads of the engine and of a server do not live on in a fork.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self._database, self._device), name="n2gdb model", daemon=True
        )
        self._process.start()
        theirs.close()

    def _ask(self, what: str, name: str, model: str, tokens: list[int] | None) -> tuple[Any, dict[str, Any]]:
        while not self._one_at_a_time.acquire(timeout=_LOOK):
            check_time()
        try:
            if not self._process.is_alive():
                self._start()
            assert self._pipe is not None, "it was started"
            self._asked += 1
            self._pipe.send((self._asked, what, name, model, tokens))
            while True:
                while not self._pipe.poll(_LOOK):
                    check_time()
                number, told, cost = self._pipe.recv()
                if number == self._asked:  # else of a question that was given up
                    break
        except (EOFError, OSError) as error:
            raise ModelError(
                f"the process that runs the model has ended ({one_line(error)}): ask again to start another"
            ) from error
        finally:
            self._one_at_a_time.release()
        if isinstance(told, N2gdbError):
            raise told
        return told, cost


def _serve(pipe: Pipe, path: Path, device: str) -> None:
    """Answer questions until the other side is gone."""
    import signal

    import psutil

    from n2gdb.database import open_database

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes the pipe
    took: dict[str, float] = {}
    engines: dict[str, Any] = {}

    def engine_of(model: str, neuron: Neuron | None) -> Any:
        latent = neuron is not None and neuron.name.latent
        key = f"{model}/{neuron.name}" if neuron is not None and latent else model
        if key not in engines:
            begun = time.perf_counter()
            from n2gdb.ingest.inference.engine import Engine
            from n2gdb.ingest.models.stored import load_stored_model

            if latent:
                engines.clear()  # one dictionary is held at a time
            unit = neuron.name if neuron is not None else None
            engines[key] = Engine(load_stored_model(database.model(model), device, unit))
            took[key] = time.perf_counter() - begun
        return engines[key], took[key]

    with open_database(path) as database:
        with suppress(N2gdbError):  # whoever asks is told
            engine_of(database.models()[0].name, None)
        while True:
            try:
                number, what, name, model, tokens = pipe.recv()
            except (EOFError, OSError):
                return
            told: Any
            cost: dict[str, Any] = {}
            try:
                neuron = database.neuron(name, model)
                engine, load_seconds = engine_of(model, neuron)
                begun = time.perf_counter()
                told = _run(database, engine, neuron, what, tokens)
                memory = psutil.Process().memory_info().rss
                cost = {
                    "load_seconds": load_seconds,
                    "run_seconds": time.perf_counter() - begun,
                    "memory": memory,
                }
            except N2gdbError as error:
                told = error
            except Exception as error:  # the process lives on for other questions
                told = ModelError(f"the model could not be run: {one_line(error)}")
            pipe.send((number, told, cost))


def _run(database: Any, engine: Any, neuron: Neuron, what: str, tokens: list[int] | None) -> Any:
    if what == "activations":
        from n2gdb.ingest.evaluation.true_activations import true_activations

        return true_activations(engine, neuron, tokens or []).tolist()
    from n2gdb.ingest.evaluation.trajectories import neuron_trajectories
    from n2gdb.ingest.models.stored import stored_config

    found = neuron_trajectories(database, engine, neuron, stored_config(database.model(neuron.model)))
    return found.as_dict()
