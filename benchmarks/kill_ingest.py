"""Kills an ingest at random moments, resumes it, and compares the result with an undisturbed run.

    python -m benchmarks.kill_ingest [--kills 100] [--processes 0,2] [--seed 0]

A tiny model is ingested into a database that holds another one. SIGKILL goes to the whole process group: half
of the kills at times drawn over the ingest's life, half a moment after a message of its progress, each kind
of message as likely, so that the short stages (the load, the file moved into place) are met as often as the
long ones. After each kill the database must open and hold what it held before, or all that it is to hold; run
again, the same as a run that nothing broke, in every table. Prints how many kills met which stage.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from select import select

import torch

from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import SubjectModel, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.storage.connection import Connection
from n2gdb.storage.shards import shards_folder
from tests.support.tiny_models import write_native

CONFIG = N2GConfig(tokens=4_000, window=32, top_k=4, refine_windows=32)
CHOSEN = Selection(neurons=tuple(range(8)))

#: Seconds after which an ingest of the tiny model counts as hanging.
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class World:
    """Two tiny models, and a database of the first, to be copied for each kill."""

    folder: Path
    old: SubjectModel
    new: SubjectModel
    processes: int

    @classmethod
    def made(cls, folder: Path, processes: int) -> World:
        # The ingests are forked, and OpenMP hangs in a forked process where the one before it had a team.
        torch.set_num_threads(1)
        models = []
        for name in ("gelu", "relu"):
            write_native(folder / name, name)
            models.append(replace(load_model(str(folder / name), "cpu"), name=name))
        world = cls(folder, *models, processes)
        (folder / "base").mkdir()
        run_to_end(world, world.old, folder / "base" / "x.n2gdb")
        return world

    def copy(self, name: str) -> Path:
        shutil.copytree(self.folder / "base", self.folder / name)
        return self.folder / name / "x.n2gdb"


@dataclass(slots=True)
class Begun:
    """An ingest in a process group of its own; its messages come through a pipe."""

    pid: int
    messages: int
    since: float

    @classmethod
    def of(cls, world: World, model: SubjectModel, database: Path) -> Begun:
        read, write = os.pipe()
        pid = os.fork()
        if pid:
            os.close(write)
            return cls(pid, read, time.monotonic())
        os.setsid()
        os.close(read)
        code = 1
        try:

            def report(stage: str, done: int, total: int | None) -> None:
                os.write(write, f"{stage}\n".encode())

            ingest(
                model,
                Source("demo"),
                database,
                CONFIG,
                CHOSEN,
                report,
                256,
                shard_neurons=4,
                processes=world.processes,
            )
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def follow(self, until: Callable[[list[str], float], bool]) -> list[str]:
        """Read messages until ``until`` says so, of them and of the seconds gone, or the ingest ends."""
        said: list[str] = []
        rest = b""
        while not until(said, gone := time.monotonic() - self.since):
            if gone > PATIENCE:
                os.killpg(self.pid, signal.SIGKILL)
                raise TimeoutError(f"an ingest hangs after {said[-1:]}")
            if select([self.messages], [], [], 0.001)[0]:
                raw = os.read(self.messages, 1 << 16)
                if not raw:
                    break
                *lines, rest = (rest + raw).split(b"\n")
                said += [line.decode() for line in lines]
        return said

    def end(self) -> int:
        """Wait for it; return its exit code, or minus the signal that ended it."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.messages)
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> bool:
        """Kill its group; return whether it was still running."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.end() == -signal.SIGKILL


def run_to_end(world: World, model: SubjectModel, database: Path) -> tuple[list[str], float]:
    """Ingest unbroken; return the stages in order and the seconds it took."""
    begun = Begun.of(world, model, database)
    said = begun.follow(lambda said, gone: False)
    seconds = time.monotonic() - begun.since
    if code := begun.end():
        raise RuntimeError(f"an ingest ended with {code} after {said[-1:]}")
    return said, seconds


def content(database: Path) -> dict[str, str]:
    """A digest of each table's rows, in a process of its own: an open engine does not outlive a fork."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(write, json.dumps(_digests(database)).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        raw = answer.read()
    os.waitpid(pid, 0)
    if not raw:
        raise RuntimeError(f"{database} cannot be read")
    found: dict[str, str] = json.loads(raw)
    return found


def _digests(database: Path) -> dict[str, str]:
    found = {}
    with Connection.open(database) as connection:
        for name, kind in connection.rows("CALL show_tables() RETURN name, type"):
            node = f"MATCH (a:{name}) RETURN a.*"
            edge = f"MATCH (a)-[r:{name}]->(b) RETURN a.id, b.id, r.*"
            rows = connection.rows(node if kind == "NODE" else edge)
            text = "\n".join(sorted(map(repr, rows)))
            found[name] = hashlib.sha256(text.encode()).hexdigest()
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a kill met, and whether all was well afterwards."""

    stage: str
    killed: bool
    faults: tuple[str, ...]


def kill_once(
    world: World,
    name: str,
    random: Random,
    stages: list[str],
    life: float,
    before: dict[str, str],
    after: dict[str, str],
) -> Outcome:
    """Kill one ingest, look at what is left, go on, and compare."""
    database = world.copy(name)
    begun = Begun.of(world, world.new, database)
    if random.random() < 0.5:
        moment = random.uniform(0, life)
        said = begun.follow(lambda said, gone: gone >= moment)
    else:
        stage = random.choice(sorted(set(stages)))
        nth, delay = random.randint(1, stages.count(stage)), random.choice((0.0, random.uniform(0, 0.1)))
        said = begun.follow(lambda said, gone: said.count(stage) >= nth)
        time.sleep(delay)
    killed = begun.kill()
    faults = []
    if content(database) not in (before, after):
        faults.append("the database is neither the old one nor the new one")
    try:
        run_to_end(world, world.new, database)
        if content(database) != after:
            faults.append("the database differs from an unbroken run's")
        left = sorted(path.name for path in database.parent.iterdir())
        if left != sorted([database.name, shards_folder(database).name, database.name + ".sha256"]):
            faults.append(f"there are left-overs: {left}")
    except (RuntimeError, TimeoutError) as error:
        faults.append(f"it does not go on: {error}")
    if not faults:
        shutil.rmtree(database.parent)
    return Outcome(said[-1] if said else "start", killed, tuple(faults))


def kill_often(folder: Path, processes: int, kills: int, seed: int) -> list[Outcome]:
    """Kill an ingest so many times, each time a fresh one."""
    world = World.made(folder, processes)
    before = content(folder / "base" / "x.n2gdb")
    stages, life = run_to_end(world, world.new, unbroken := world.copy("unbroken"))
    after = content(unbroken)
    random = Random(seed)
    outcomes = []
    for number in range(kills):
        outcome = kill_once(world, f"kill-{number}", random, stages, life, before, after)
        outcomes.append(outcome)
        for fault in outcome.faults:
            print(f"kill {number}, at {outcome.stage}: {fault}", flush=True)
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--processes", default="0,2")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    failed = 0
    for processes in map(int, chosen.processes.split(",")):
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            outcomes = kill_often(Path(folder), processes, chosen.kills, chosen.seed)
        met = Counter(outcome.stage for outcome in outcomes if outcome.killed)
        faults = sum(bool(outcome.faults) for outcome in outcomes)
        failed += faults
        print(f"--processes {processes}: {len(outcomes)} ingests, {sum(met.values())} killed while they ran,")
        print(f"  {faults} with faults, {time.monotonic() - started:.0f} s")
        print("  " + ", ".join(f"{stage} {count}" for stage, count in met.most_common()), flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
