"""Databases that many tests share, and the marker ``fast``."""

from __future__ import annotations

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
