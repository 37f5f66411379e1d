"""Databases that many tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.ids import NeuronName
from n2gdb.storage.build.database import build_database
from tests.support.small_run import random_graphs, write_run

# A slow machine, or the first import, is no fault of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


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
