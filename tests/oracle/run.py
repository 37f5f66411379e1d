"""The long run: ``python -m tests.oracle.run --pairs 100000 --seed 7 --minutes 60 --jobs 2``.

Builds random worlds, asks each a few hundred random statements, and holds every answer to the evaluator's.
Prints the rate as it goes; at the end how many pairs had each construct, and how many of these found
something; of each kind of difference the first, made as small as it goes. Exits with 1 where there is any.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from random import Random
from time import monotonic

import n2gdb
from n2gdb.database import Database
from n2gdb.grammar.ast import Statement
from n2gdb.grammar.unparse import written
from tests.oracle.census import constructs, least
from tests.oracle.check import check
from tests.oracle.match import all_matches, cuts_of, takes
from tests.oracle.random_queries import known_of, random_statement
from tests.oracle.similarity import containment, similarity
from tests.oracle.world import World
from tests.support.worlds import build_world

__all__ = ["Tally", "tallies", "tally_of"]

#: Statements that one world is asked: building it takes as long as twenty.
ASKED = 300


@dataclass
class Tally:
    """What came of some pairs: how many there were, which refused, what they held, what differed."""

    pairs: int = 0
    refused: int = 0
    found: int = 0
    had: Counter[str] = field(default_factory=Counter)
    had_and_found: Counter[str] = field(default_factory=Counter)
    differences: dict[str, str] = field(default_factory=dict)
    differing: int = 0

    def add(self, other: Tally) -> None:
        """Add what came of other pairs."""
        self.pairs += other.pairs
        self.refused += other.refused
        self.found += other.found
        self.had += other.had
        self.had_and_found += other.had_and_found
        self.differences = {**other.differences, **self.differences}
        self.differing += other.differing


def tally_of(seed: int, number: int = ASKED) -> Tally:
    """Build one world and ask it ``number`` statements, each other than the ones before."""
    tally, asked = Tally(), set[str]()
    random = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path, world = build_world(Path(folder), seed)
        known = known_of(world)
        with n2gdb.open(path) as database:
            while len(asked) < number:
                statement = random_statement(random, known)
                text = written(statement)
                if text not in asked:
                    asked.add(text)
                    _tell(tally, statement, database, world, seed)
    for kept in (all_matches, takes, cuts_of, similarity, containment):
        kept.cache_clear()  # they hold the world
    return tally


def _tell(tally: Tally, statement: Statement, database: Database, world: World, seed: int) -> None:
    tally.pairs += 1
    names = constructs(statement, world)
    tally.had.update(names)
    try:
        rows = check(statement, database, world)
    except Exception as error:  # whatever it is, it is to be told
        tally.differing += 1
        kind = _kind(error)
        if kind not in tally.differences:
            small = least(statement, lambda each: _differs(each, database, world, kind))
            tally.differences[kind] = _report(small, statement, database, world, seed)
        return
    tally.refused += rows is None
    if rows:
        tally.found += 1
        tally.had_and_found.update(names)


def _differs(statement: Statement, database: Database, world: World, kind: str) -> bool:
    try:
        check(statement, database, world)
    except Exception as error:  # a smaller statement may be wrong in a way of its own
        return _kind(error) == kind
    return False


def _kind(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    return re.sub(r"\d+|'.*'", "_", f"{type(error).__name__}: {first}")[:60]


def _report(small: Statement, statement: Statement, database: Database, world: World, seed: int) -> str:
    try:
        check(small, database, world)
    except Exception as error:  # told in the report
        said = f"{type(error).__name__}: {error}"
    return f"world {seed}: {written(small)}\n{said}\n(from {' '.join(written(statement).split())})"


def main() -> int:
    """Run until there are pairs enough, or time is up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    start, total, shown = monotonic(), Tally(), set[str]()
    for tally in tallies(count(asked.seed * 1_000_000), asked.jobs):
        total.add(tally)
        taken = monotonic() - start
        print(
            f"{total.pairs:>7,} pairs, {total.found:,} with rows, {total.refused} refused by both,"
            f" {total.differing} differ; {total.pairs / taken:.0f}/s",
            flush=True,
        )
        for kind in total.differences.keys() - shown:
            shown.add(kind)
            print(f"--- {total.differences[kind]}", flush=True)
        if total.pairs >= asked.pairs or taken > asked.minutes * 60:
            break
    print(f"{'construct':28}{'pairs':>9}{'with rows':>11}")
    for name, pairs in sorted(total.had.items()):
        print(f"{name:28}{pairs:>9,}{total.had_and_found[name]:>11,}")
    return 1 if total.differing else 0


def tallies(seeds: Iterable[int], jobs: int, asked: int = ASKED) -> Iterator[Tally]:
    """Yield what came of each world, ``jobs`` of them at a time."""
    if jobs == 1:
        yield from (tally_of(seed, asked) for seed in seeds)
        return
    coming = iter(seeds)
    # Not forked: the engine's threads do not survive it.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(tally_of, seed, asked) for seed in islice(coming, jobs)}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                waiting |= {pool.submit(tally_of, seed, asked) for seed in islice(coming, len(done))}
                yield from (each.result() for each in done)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


if __name__ == "__main__":
    sys.exit(main())
