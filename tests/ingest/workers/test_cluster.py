"""Ingest on a Ray cluster of this machine: workers are killed, and the shards are those of one process."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray

import n2gdb
from n2gdb.core.progress import Report, silent
from n2gdb.errors import DatabaseNotFoundError, IngestError, MissingDependencyError, ModelError, StorageError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.models.subject import default_corpus
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.ingest.sources.formats import read_dictionaries
from n2gdb.ingest.workers import ray_workers as workers_module
from n2gdb.ingest.workers.ray_cluster import RayCluster, require_ray
from n2gdb.ingest.workers.ray_tasks import Job, learn_shard
from n2gdb.ingest.workers.ray_workers import Workers
from n2gdb.ingest.workers.work import Piece
from n2gdb.storage.shards import RunFolder, run_folders
from tests.ingest.sources.test_unit_sources import write_sae
from tests.support.demo import assert_same, demo_model

ROOT = Path(__file__).parents[3]
CHOSEN = Selection(layers=(1, 3), neurons=tuple(range(20)))
CONFIG = N2GConfig(tokens=30_000, window=128, top_k=6)
WORKERS = 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """A cluster of this machine's own, with more workers than it may have cores."""
    require_ray().init("local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    yield RayCluster()
    ray.shutdown()


def run_with(path: Path, report: Report, cluster: RayCluster | None) -> None:
    source = Source(default_corpus("demo"))
    ingest(demo_model(), source, path, CONFIG, CHOSEN, report, 1024, shard_neurons=4, cluster=cluster)


class KillOneWorkerAStage:
    """A report that kills a worker in the middle of a task, as soon as a stage has come forward."""

    def __init__(self, *stages: str) -> None:
        self.killed: dict[str, int] = {}
        self._stages = stages

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if stage in self._stages and stage not in self.killed and done:
            worker = stop_a_working_process()
            if worker is not None:
                worker.kill()
                self.killed[stage] = worker.pid


def stop_a_working_process() -> psutil.Process | None:
    """Stop a worker that is at a task, so that it cannot finish; None if there is none."""
    for process in filter(is_at_a_task, psutil.Process().children(recursive=True)):
        process.suspend()
        if is_at_a_task(process):
            return process
        process.resume()
    return None


def is_at_a_task(process: psutil.Process) -> bool:
    try:
        return list(process.cmdline()[:1]) == ["ray::_Worker.perform"]
    except psutil.NoSuchProcess:
        return False


def test_workers_that_are_killed_change_nothing(cluster: RayCluster, tmp_path: Path) -> None:
    alone, many = tmp_path / "alone.n2gdb", tmp_path / "many.n2gdb"
    run_with(alone, silent, None)
    killer = KillOneWorkerAStage("scan", "neurons")
    run_with(many, killer, cluster)
    assert set(killer.killed) == {"scan", "neurons"}
    assert not any(map(psutil.pid_exists, killer.killed.values()))
    (one,), (other,) = run_folders(alone), run_folders(many)
    assert [shard.name for shard in other.shards()] == [shard.name for shard in one.shards()]
    assert len(one.shards()) == 10
    assert_same(other, one)
    assert not [path for path in (other.path / "scan").iterdir() if path.name.startswith("parts")]


def test_latents_and_sites_are_the_same_on_a_cluster(cluster: RayCluster, tmp_path: Path) -> None:
    write_sae(tmp_path / "drawn", "blocks.1.hook_resid_post", latents=30, width=demo_model().d_model)
    read = read_dictionaries(str(tmp_path / "drawn"))
    chosen = Selection(layers=(1,), sites=("attn_out",), latents=tuple(range(12)))
    config = replace(CONFIG, dense=2.0, tokens=20_000)
    source, alone, many = Source(default_corpus("demo")), tmp_path / "alone.n2gdb", tmp_path / "many.n2gdb"
    for path, on in ((alone, None), (many, cluster)):
        ingest(
            *(demo_model(), source, path, config, chosen, silent, 1024),
            shard_neurons=8,
            cluster=on,
            dictionaries=read,
        )
    with n2gdb.open(many) as database:
        assert database.count("latents") == 12
        assert database.count("units WHERE source = 'attn_out'") == 24
    assert_same(*(next(iter(run_folders(path))) for path in (alone, many)))


@pytest.mark.parametrize(
    ("other", "kind", "message"),
    [
        ({"fingerprint": "0" * 64}, ModelError, "demo is another model on .*: put the same weights"),
        ({"code_version": "0.0.1"}, IngestError, "has n2gdb .*, not 0.0.1: install the same there"),
        ({"run": RunFolder(Path("not/shared"))}, StorageError, "does not see not/shared: keep the database"),
    ],
)
def test_a_worker_that_is_not_fit_says_so(
    other: dict[str, Any], kind: type[IngestError], message: str, tmp_path: Path
) -> None:
    model, run = demo_model(), RunFolder(tmp_path)
    corpus = CorpusStore(tmp_path / "corpus.windows", 1, 1, 1, "")
    corpus.path.touch()
    job = Job(
        model="demo",
        fingerprint=model.fingerprint,
        tokenizer_fingerprint=model.tokenizer_fingerprint,
        device="cpu",
        threads=1,
        corpus=corpus,
        run=run,
        config=CONFIG,
        batch_tokens=None,
        max_memory=None,
    )
    wrong = replace(job, **other)
    if "run" in other:
        wrong = replace(wrong, corpus=replace(corpus, path=wrong.run.path / "corpus.windows"))
    with pytest.raises(kind, match=message):
        learn_shard(wrong, Piece(0, (0,)))


def test_tasks(cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results come with their items, errors as they were raised; what kills every worker is given up."""
    monkeypatch.setattr(workers_module, "_LIVES", 2)
    crew = Workers("cpu")
    try:
        assert crew.count == WORKERS
        assert dict(crew.each(operator.neg, range(9), lambda item: (item,))) == {i: -i for i in range(9)}
        with pytest.raises(DatabaseNotFoundError, match=r"none\.n2gdb") as raised:
            list(crew.each(n2gdb.open, [tmp_path / "none.n2gdb"], lambda item: (item,)))
        assert type(raised.value) is DatabaseNotFoundError
        with pytest.raises(ZeroDivisionError):
            list(crew.each(operator.truediv, [0], lambda item: (1, item)))
        with pytest.raises(IngestError, match="lost 2 workers of the cluster, the last so: "):
            list(crew.each(os._exit, [1], lambda item: (item,)))
        assert dict(crew.each(operator.neg, range(9), lambda item: (item,))) == {i: -i for i in range(9)}
    finally:
        crew.close()


def test_a_device_that_no_machine_has_is_said(cluster: RayCluster) -> None:
    with pytest.raises(IngestError, match="the cluster has no cuda device"):
        Workers("cuda")


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "n2gdb\[ray\]"'):
        run_with(tmp_path / "x.n2gdb", silent, RayCluster())
    assert not list(tmp_path.iterdir())
    code = "import sys; sys.modules['ray'] = None; from n2gdb.cli.main import run; run()"
    arguments = ["ingest", "demo", "--ray", "local", "--db", str(tmp_path / "x.n2gdb")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith('not installed: pip install "n2gdb[ray]"')
    assert "Traceback" not in done.stderr


def test_ray_is_loaded_for_a_cluster_alone() -> None:
    code = "import n2gdb.ingest.pipeline, sys; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nonsense"])
def test_a_cluster_that_is_not_there_is_said(address: str) -> None:
    code = (
        "import sys\n"
        "from n2gdb.ingest.workers.ray_cluster import RayCluster, connected\n"
        "try:\n"
        "    with connected(RayCluster(sys.argv[1])):\n"
        "        pass\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, address], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"IngestError no Ray cluster can be used at {address!r}: ")
    assert not done.stderr
