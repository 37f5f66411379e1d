"""Files that may not grow beyond some size, drawn at random: one line each, nothing lost, and it goes on."""

from __future__ import annotations

import os
import resource
import signal
import traceback
from collections.abc import Callable
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

CONFIG = N2GConfig(tokens=3_000, window=32, top_k=4, refine_windows=16)


def forked(work: Callable[[], str]) -> str:
    """What work says, done in a process whose limits are its own."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(write, work().encode())
        except BaseException:
            os.write(write, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    return said


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SubjectModel:
    folder = tmp_path_factory.mktemp("tiny")
    write_native(folder / "model", "gelu")
    return load_model(str(folder / "model"), "cpu")


def learn(tiny: SubjectModel, database: Path, most: int | None = None) -> str:
    """Ingest where no file may grow beyond ``most`` bytes; what it says of that."""
    if most is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        selection = Selection(layers=(0, 1), neurons=tuple(range(8)))
        ingest(tiny, Source("demo"), database, CONFIG, selection, silent, 256, shard_neurons=4)
    except StorageError as error:
        return str(error)
    return "done"


def test_a_disk_that_fills_at_any_size_loses_nothing(tiny: SubjectModel, tmp_path: Path) -> None:
    whole = tmp_path / "whole.n2gdb"
    assert forked(lambda: learn(tiny, whole)) == "done"
    sizes = [path.stat().st_size for path in shards_folder(whole).rglob("*") if path.is_file()]
    random = Random(0)
    broken = tmp_path / "broken.n2gdb"
    for most in sorted(random.randrange(1, max(sizes)) for _ in range(5)):
        said = forked(lambda most=most: learn(tiny, broken, most))  # type: ignore[misc]
        assert "\n" not in said and ("no space left" in said or "cannot be written" in said), said
        assert not broken.exists()
    assert forked(lambda: learn(tiny, broken)) == "done"
    (mine,), (theirs,) = run_folders(broken), run_folders(whole)
    assert_same(mine, theirs)
