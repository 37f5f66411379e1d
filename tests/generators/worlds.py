"""The worlds that the evaluator is compared on: a few words, a real vocabulary, long answers, databases."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import n2gdb
from n2gdb.database import Database
from n2gdb.storage.shards import run_folders
from tests.generators.stored_world import example_texts, smollm_runs, world_of
from tests.generators.wide_world import wide_run
from tests.oracle.clauses import forget
from tests.oracle.random.known import Known, known_of
from tests.oracle.world import World
from tests.support.worlds import build_in_any_order, build_world

__all__ = ["DEMO", "KINDS", "Asked", "asked", "missing"]

#: Statements that one world of a kind is asked: building it takes as long as some of them.
KINDS: Mapping[str, int] = {"small": 300, "smollm": 400, "long": 100, "wide": 100, "demo": 100}
#: Layers of 3,072 neurons each of the worlds whose answers are long.
_LAYERS = {"long": 2, "wide": 6}
#: A database of the whole demo model, its shards beside it; there is none in the repository.
DEMO = os.environ.get("N2GDB_DEMO_DB")


@dataclass(frozen=True)
class Asked:
    """A world with its database, open, and what statements about it can name."""

    database: Database
    world: World
    known: Known


def missing(kind: str) -> str | None:
    """Say why there is no world of a kind here, None where there is."""
    if kind == "smollm" and not smollm_runs():
        return "the shards of a real model do not lie beside the repository"
    if kind == "demo" and not (DEMO and run_folders(Path(DEMO))):
        return "N2GDB_DEMO_DB names no database of the whole demo model with its shards"
    return None


@contextmanager
def asked(kind: str, seed: int) -> Iterator[Asked]:
    """Build and open a world of a kind, or a database that lies at ``kind`` with its shards beside it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = folder / "world.n2gdb"
        examples: tuple[str, ...] = ()
        if kind == "small":
            path, world = build_world(folder, seed)
        else:
            if kind == "smollm" or kind in _LAYERS:
                runs = smollm_runs() if kind == "smollm" else [wide_run(folder, _LAYERS[kind], seed=seed)]
                build_in_any_order(path, runs, Random(seed))
            else:
                path = Path(DEMO or "") if kind == "demo" else Path(kind)
                runs = run_folders(path)
            world = world_of(runs)
            examples = example_texts(world, runs)
        try:
            with n2gdb.open(path) as database:
                yield Asked(database, world, known_of(world, examples))
        finally:
            forget()  # what is kept of this world
