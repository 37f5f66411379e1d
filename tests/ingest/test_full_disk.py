"""Files that may not grow beyond some size, drawn at random: one line each, nothing lost, and it goes on."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random

import pytest

from n2gdb.core.progress import silent
from n2gdb.errors import StorageError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import SubjectModel, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.storage.shards import run_folders, shards_folder
from tests.support.demo import assert_same
from tests.support.tiny_models import write_native

PATIENCE = 300  # seconds
CONFIG = N2GConfig(tokens=3_000, window=32, top_k=4, refine_windows=16)


@pytest.fixture(scope="module")
def child() -> Iterator[ProcessPoolExecutor]:
    """A process of its own for the limits, not a fork: that would wait for threads which it has not."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield pool


@cache
def loaded(model: Path) -> SubjectModel:
    return load_model(str(model), "cpu")


def learn(model: Path, database: Path, most: int | None = None) -> str:
    """Ingest where no file may grow beyond ``most`` bytes; what it says of that."""
    subject, hard = loaded(model), resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if most is None else most, hard))
    try:
        selection = Selection(layers=(0, 1), neurons=tuple(range(8)))
        ingest(subject, Source("demo"), database, CONFIG, selection, silent, 256, shard_neurons=4)
    except StorageError as error:
        return str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    return "done"


def test_a_disk_that_fills_at_any_size_loses_nothing(child: ProcessPoolExecutor, tmp_path: Path) -> None:
    model, whole = tmp_path / "model", tmp_path / "whole.n2gdb"
    write_native(model, "gelu")
    assert child.submit(learn, model, whole).result(PATIENCE) == "done"
    sizes = [path.stat().st_size for path in shards_folder(whole).rglob("*") if path.is_file()]
    random = Random(0)
    broken = tmp_path / "broken.n2gdb"
    for most in sorted(random.randrange(1, max(sizes)) for _ in range(5)):
        said = child.submit(learn, model, broken, most).result(PATIENCE)
        assert "\n" not in said and ("no space left" in said or "cannot be written" in said), said
        assert not broken.exists()
    assert child.submit(learn, model, broken).result(PATIENCE) == "done"
    (mine,), (theirs,) = run_folders(broken), run_folders(whole)
    assert_same(mine, theirs)
