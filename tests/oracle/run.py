"""The long run: ``python -m tests.oracle.run --pairs 100000 --seed 7 --minutes 60 --jobs 2``.

Asks worlds of every kind random statements, or with ``--predictions`` runs their graphs on texts, and holds
every answer to the evaluator's. Prints the rate as it goes; at the end how many pairs had each construct, and
how many of these found something; of each shape of a statement that came out wrong the first, made as small
as it goes. A crash of the engine is told with its statement, and the run goes on. Exits with 1 where anything
differed or crashed.

``--world`` picks kinds: small (a few words, several models), smollm (a real vocabulary, deep patterns), wide
(18,432 neurons), demo ($N2GDB_DEMO_DB), or the path of a database with its shards beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from time import monotonic

from tests.generators.statements import Job, statement_pairs
from tests.generators.worlds import KINDS, missing
from tests.oracle.predictions import prediction_pairs
from tests.oracle.tally import Tally, total_of
from tests.support.child_process import Death, in_children

__all__ = ["run", "tallies"]


def tallies(jobs: Iterable[Job], children: int, predictions: bool = False) -> Iterator[Tally]:
    """Yield what came of each job, ``children`` of them at a time."""
    results: Iterator[list[Tally | Death]]
    results = in_children(prediction_pairs if predictions else statement_pairs, jobs, children)
    yield from (total_of(result) for result in results)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run until there are pairs enough, or time is up; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=1, help="child processes")
    parser.add_argument("--world", action="append", help="a kind of world, or a database; may be repeated")
    parser.add_argument("--predictions", action="store_true", help="run graphs on texts instead of asking")
    asked = parser.parse_args(arguments)
    kinds = [kind for kind in asked.world or KINDS if not _is_missing(kind)]
    if not kinds:
        return 2
    start, total, shown = monotonic(), Tally(), set[str]()
    for tally in tallies(_jobs(kinds, asked.seed * 1_000_000), asked.jobs, asked.predictions):
        total.add(tally)
        taken = monotonic() - start
        print(
            f"{total.pairs:>7,} pairs, {total.found:,} with rows, {total.refused} refused by both,"
            f" {total.differing} differ, {total.deaths} crashed; {total.pairs / taken:.0f}/s",
            flush=True,
        )
        for shape in total.differences.keys() - shown:
            shown.add(shape)
            print(f"--- {total.differences[shape]}", flush=True)
        if total.pairs >= asked.pairs or taken > asked.minutes * 60:
            break
    if total.had:
        print(f"{'construct':28}{'pairs':>9}{'with rows':>11}")
    for name, pairs in sorted(total.had.items()):
        print(f"{name:28}{pairs:>9,}{total.had_and_found[name]:>11,}")
    return 0 if total.is_right else 1


def _is_missing(kind: str) -> bool:
    if why := missing(kind):
        print(f"no world of the kind {kind}: {why}", file=sys.stderr)
    return why is not None


def _jobs(kinds: Sequence[str], seed: int) -> Iterator[Job]:
    """Yield worlds of each kind in turn, without an end."""
    for number in count(seed):
        for kind in kinds:
            yield Job(kind, number, KINDS.get(kind, 400))


if __name__ == "__main__":
    sys.exit(run())
