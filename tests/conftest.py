"""Databases that many tests share, and the marker ``fast``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName
from n2gdb.storage.build.database import build_database
from tests.support.fast import FAST_EXAMPLES, is_fast
from tests.support.small_run import random_graphs, write_run

# A slow machine, or the first import, is no fault of the code.
settings.register_profile("untimed", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=FAST_EXAMPLES)


#: Whether this is one of several processes that run tests.
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if IS_WORKER:  # each gets a core: torch, which reads this when it is loaded, would take all for one
    os.environ.setdefault("OMP_NUM_THREADS", "1")

#: Processes that run tests, where there are cores for more; each may come to need 2 GB.
MOST_PROCESSES = 4


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run all tests in a process for each core, unless ``-n`` says otherwise; those of one file in one.

    Without pytest-xdist, with ``--pdb``, and where files or folders are named, one process runs them.
    """
    option = config.option
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not IS_WORKER
    if is_whole and getattr(option, "numprocesses", 0) is None and not option.usepdb:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        option.numprocesses = min(MOST_PROCESSES, cores)
        option.dist = "loadfile"


def pytest_configure(config: pytest.Config) -> None:
    """Draw fewer random examples where only fast tests are asked for."""
    settings.load_profile("fast" if config.getoption("markexpr") == "fast" else "untimed")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave slow modules unread where only fast tests are asked for: some load torch."""
    only_fast = config.getoption("markexpr") == "fast" and collection_path.match("test_*.py")
    return True if only_fast and not is_fast(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of fast modules."""
    for item in items:
        if is_fast(item.path):
            item.add_marker(pytest.mark.fast)


@pytest.fixture(autouse=True)
def _fast_tests_load_no_torch(request: pytest.FixtureRequest) -> Iterator[None]:
    before = "torch" in sys.modules
    yield
    loaded = "torch" in sys.modules and not before
    assert not (loaded and request.node.get_closest_marker("fast")), "a fast test loaded torch"


@pytest.fixture(scope="session")
def small_graphs() -> dict[NeuronName, NeuronGraph]:
    """The graphs of the small database: 3 layers of 20 neurons."""
    return random_graphs(seed=7)


@pytest.fixture(scope="session")
def small_path(tmp_path_factory: pytest.TempPathFactory, small_graphs: dict[NeuronName, NeuronGraph]) -> Path:
    """A small random database of one model, ``small``."""
    folder = tmp_path_factory.mktemp("small")
    path = folder / "small.n2gdb"
    build_database(path, [write_run(folder / "small", small_graphs)])
    return path


@pytest.fixture(scope="session")
def small(small_path: Path) -> Iterator[n2gdb.Database]:
    """The small database, open."""
    with n2gdb.open(small_path) as database:
        yield database
