"""Processes that learn beside the one with the model: the shards are those of one process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from n2gdb.core.progress import Report, silent
from n2gdb.errors import IngestError, StorageError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import SubjectModel, default_corpus
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.ingest.workers.processes import processes_for
from n2gdb.storage.shards import RunFolder
from tests.support.demo import assert_same, demo_model, only_run

ROOT = Path(__file__).parents[3]
CHOSEN = Selection(layers=(1, 3), neurons=tuple(range(12)))
CONFIG = N2GConfig(tokens=10_000, window=128, top_k=6, augment=("embedding", "model"))


def run_with(path: Path, processes: int, report: Report = silent, model: SubjectModel | None = None) -> None:
    source = Source(default_corpus("demo"))
    subject = model or demo_model()
    ingest(subject, source, path, CONFIG, CHOSEN, report, 1024, shard_neurons=4, processes=processes)


def learners() -> list[psutil.Process]:
    """The processes that learn: those below the one that starts them."""
    here = psutil.Process()
    return [each for child in here.children() for each in child.children(recursive=True)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run of one process."""
    path = tmp_path_factory.mktemp("alone") / "alone.n2gdb"
    run_with(path, 0)
    return only_run(path)


def test_processes_change_nothing(alone: RunFolder, tmp_path: Path) -> None:
    """What the model's own helper proposes goes over the line as well."""
    run_with(tmp_path / "many.n2gdb", 3)
    many = only_run(tmp_path / "many.n2gdb")
    assert len(many.shards()) == 6
    assert_same(many, alone)


def test_processes_change_nothing_without_a_trunk(tmp_path: Path) -> None:
    """Padded batches go over the line as trees do."""
    model = replace(demo_model(), trunk=None)
    run_with(tmp_path / "alone.n2gdb", 0, model=model)
    run_with(tmp_path / "many.n2gdb", 3, model=model)
    many = only_run(tmp_path / "many.n2gdb")
    assert len(many.shards()) == 6
    assert_same(many, only_run(tmp_path / "alone.n2gdb"))


def test_a_process_that_dies_ends_the_ingest_and_loses_no_shard(alone: RunFolder, tmp_path: Path) -> None:
    class KillOne:
        killed = 0

        def __call__(self, stage: str, done: int, total: int | None) -> None:
            if stage == "neurons" and done and not self.killed:
                victim = learners()[0]
                self.killed = victim.pid
                victim.kill()

    path, killer = tmp_path / "killed.n2gdb", KillOne()
    with pytest.raises(IngestError, match=r"has died \(exit code .*\): run again with fewer --processes"):
        run_with(path, 2, killer)
    assert killer.killed
    assert not learners()
    run_with(path, 0)
    assert_same(only_run(path), alone)


def test_what_a_process_raises_is_raised(tmp_path: Path) -> None:
    """As itself where it is n2gdb's own, and with where it came from where it is a fault."""

    class Failing:
        """Passes that fail."""

        def __init__(self, error: Exception) -> None:
            self.error = error

        def gathered(self, *asked: Any) -> Any:
            raise self.error

        def along_windows(self, *asked: Any) -> Any:
            return demo_model().trunk.along_windows(*asked)  # type: ignore[union-attr]

    for error in (StorageError("no room"), ZeroDivisionError("a fault")):
        model = replace(demo_model(), trunk=Failing(error))  # type: ignore[arg-type]
        with pytest.raises(type(error), match=str(error)) as raised:
            run_with(tmp_path / "failing.n2gdb", 2, model=model)
        assert ("learn_piece" in str(getattr(raised.value, "__notes__", ""))) is isinstance(
            error, ZeroDivisionError
        )


SCRIPT = """
from pathlib import Path
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import default_corpus, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.core.progress import silent

config, chosen = N2GConfig(tokens=6000, top_k=4), Selection((0,), (1, 2))
path = Path(__file__).with_name("script.n2gdb")
ingest(load_model("demo", "cpu"), Source(default_corpus("demo")), path, config, chosen, silent, processes=2)
print("once")
"""


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """Processes do not run it again."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "once\n"), done.stderr
    assert only_run(tmp_path / "script.n2gdb").shards()


def test_processes_that_cannot_be_started_end_the_ingest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("no more processes")

    monkeypatch.setattr("multiprocessing.context.ForkServerContext.Pipe", refuse)
    said = r"processes cannot be started \(no more processes\): run again with --processes 0"
    with pytest.raises(IngestError, match=said):
        run_with(tmp_path / "none.n2gdb", 2)


def test_a_gpu_gets_a_process_for_every_core_but_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the memory goes: a process with a layer of the demo model's examples takes 450 MB."""

    class OnGpu:
        device: Any = type("Device", (), {"type": "cuda"})
        d_mlp, n_ctx = 768, 256

    free = type("Memory", (), {"available": 64 << 30})()
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr("psutil.virtual_memory", lambda: free)
    assert processes_for(OnGpu(), N2GConfig()) == 15  # type: ignore[arg-type]
    # What the scan may take is memory of the GPU there.
    assert processes_for(OnGpu(), N2GConfig(), max_memory=2 << 30) == 15  # type: ignore[arg-type]
    free.available = 2 << 30
    assert processes_for(OnGpu(), N2GConfig()) == 2  # type: ignore[arg-type]
    assert processes_for(OnGpu(), N2GConfig(), 10**8) == 0  # type: ignore[arg-type]


def test_a_cpu_gets_a_process_for_every_core_where_there_is_much_to_learn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = type("Memory", (), {"available": 64 << 30})()
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setattr("psutil.virtual_memory", lambda: free)

    def processes(units: int, max_memory: int | None = None) -> int:
        return processes_for(demo_model(), N2GConfig(), 0, units, max_memory)

    assert processes(4608) == 3
    assert processes(511) == 0
    assert processes(4608, max_memory=1 << 30) == 1
    assert processes(4608, max_memory=256 << 20) == 0
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert processes(4608) == 0
