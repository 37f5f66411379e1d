"""Ray workers: processes that each hold a model, take one task at a time, and may be lost."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from n2gdb.errors import IngestError, N2gdbError, one_line
from n2gdb.ingest.workers.ray_cluster import require_ray

__all__ = ["CPUS", "Workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")

#: CPUs of a worker, and threads of its torch: another worker gains more than another thread.
CPUS = 1

#: Workers that one task may lose before it is given up: it is the task then, not the machines.
_LIVES = 16


class _Worker:
    """A process of the cluster; what it loads stays in its modules' caches."""

    def ready(self) -> None:
        """Answer once the process runs."""

    def perform(self, task: Callable[..., Result], *arguments: Any) -> Result:
        """Run one task."""
        return task(*arguments)


class Workers:
    """As many workers as the connected cluster has devices, one CPU or GPU each.

    They are kept from task to task and from stage to stage, so that each loads the model once. Tasks go
    only to workers that run: a machine that is lost takes with it what it was doing and no more, and one
    that joins is put to use.
    """

    def __init__(self, device: str) -> None:
        self._ray = require_ray()
        self.device = (self._slots("cuda") and "cuda") or "cpu" if device == "auto" else device
        if not self.count:
            raise IngestError(f"the cluster has no {self.device} device: let machines that have one join it")
        options = {"num_cpus": CPUS, "num_gpus": int(self.device == "cuda")}
        self._class = self._ray.remote(_Worker).options(**options)
        self._starting: dict[Any, Any] = {}  # by the answer that each gives once it runs
        self._idle: list[Any] = []
        self._busy: dict[Any, Any] = {}  # by the answer to its task
        self._stillborn = 0

    @property
    def count(self) -> int:
        """Workers that the cluster has room for."""
        return self._slots(self.device)

    def share(self, value: object) -> Any:
        """Send a value to the cluster once, to stand for itself among the arguments of tasks."""
        return self._ray.put(value)

    def each(
        self, task: Callable[..., Result], items: Iterable[Item], arguments: Callable[[Item], tuple[Any, ...]]
    ) -> Iterator[tuple[Item, Result]]:
        """Run a task for every item, and yield each with its result as it is finished, in no order.

        A task whose worker is lost is run again. Raises the N2gdbError that a task raises as itself, and
        IngestError for a task that lost too many workers.
        """
        waiting, running = deque(enumerate(items)), dict[Any, tuple[int, Item]]()
        lost = Counter[int]()
        while waiting or running:
            self._grow()
            while waiting and self._idle:
                number, item = waiting.popleft()
                running[self._begin(task, arguments(item))] = number, item
            (answer,), _ = self._ray.wait([*self._starting, *running], num_returns=1)
            if answer in self._starting:
                self._greet(answer)
                continue
            number, item = running.pop(answer)
            try:
                result = self._result(answer)
            except self._ray.exceptions.RayTaskError as error:
                raise self._own(error) from None
            except self._ray.exceptions.RayError as error:
                lost[number] += 1
                if lost[number] == _LIVES:
                    raise _given_up(f"one task ({task.__name__})", error) from error
                waiting.appendleft((number, item))
            else:
                yield item, result

    def close(self) -> None:
        """End the workers, whatever they are at."""
        for worker in [*self._starting.values(), *self._idle, *self._busy.values()]:
            self._ray.kill(worker)
        self._starting, self._idle, self._busy = {}, [], {}

    def _slots(self, device: str) -> int:
        there = self._ray.cluster_resources()
        return int(there.get("GPU", 0) if device == "cuda" else there.get("CPU", 0) // CPUS)

    def _grow(self) -> None:
        """Ask for workers in place of those that were lost, and on machines that joined."""
        for _ in range(self.count - len(self._starting) - len(self._idle) - len(self._busy)):
            worker = self._class.remote()
            self._starting[worker.ready.remote()] = worker

    def _greet(self, answer: Any) -> None:
        """Take a worker that runs among the idle; one that died as it started is forgotten."""
        worker = self._starting.pop(answer)
        try:
            self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(worker)
            self._stillborn += 1
            if self._stillborn == _LIVES:
                raise _given_up("starting", error) from error
        else:
            self._idle.append(worker)

    def _begin(self, task: Callable[..., Result], arguments: tuple[Any, ...]) -> Any:
        worker = self._idle.pop()
        answer = worker.perform.remote(task, *arguments)
        self._busy[answer] = worker
        return answer

    def _result(self, answer: Any) -> Any:
        """Return a task's result; its worker is idle again, or forgotten if it was lost."""
        worker = self._busy.pop(answer)
        try:
            result = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError:
            self._idle.append(worker)
            raise
        except self._ray.exceptions.RayError:
            self._ray.kill(worker)
            raise
        self._idle.append(worker)
        return result

    def _own(self, error: Any) -> Exception:
        """The error that a task raised: n2gdb's own as itself, a fault with the worker's traceback."""
        if isinstance(error.cause, N2gdbError):
            return error.cause
        if isinstance(error.cause, self._ray.exceptions.RayError):
            return IngestError(f"a worker of the cluster cannot take up tasks: {one_line(error.cause)}")
        fault: Exception = error
        return fault


def _given_up(what: str, error: Exception) -> IngestError:
    return IngestError(f"{what} lost {_LIVES} workers of the cluster, the last so: {one_line(error)}")
