"""Statements at random, in a child process.

    python -m tests.generators.fuzz --statements 10000 --seed 1 --jobs 2

Valid, odd and broken statements are asked of an open database: some plainly, some with a short timeout, some
interrupted as by Ctrl-C. Each must be answered, refused in the package's own words, timed out or
interrupted, and the database must answer after it. What is none of these is told with its statement: an
exception of another kind, the engine's own words, a crash of the process, no answer at all. Exits with 1
where there is any.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from random import Random

from n2gdb.database import Database
from n2gdb.errors import N2gdbError, QueryTimeoutError
from n2gdb.query.answer import Answer
from tests.generators.fuzz_text import fuzz_text
from tests.generators.statements import Job
from tests.generators.worlds import KINDS, asked, missing
from tests.oracle.tally import kind_of
from tests.support.child_process import Death, Tell, in_children

__all__ = ["Outcome", "fuzz", "fuzzed", "run"]

#: Statements that a world is asked; the longest that one may take, and that its child may be silent.
_ASKED, _TIMEOUT, _PATIENCE = 500, 60.0, 240.0
#: Seconds of the processor that a statement may take beyond a time limit: whatever else runs, it has stopped.
_LATE = 2.0
#: What the engine says, and the package should not.
_ENGINE_TEXT = re.compile(r"\bexception\b|Buffer manager|Runtime error|Binder|kuzu", re.IGNORECASE)
#: Outcomes that are as they should be.
_RIGHT = frozenset({"answered", "refused", "timed out", "interrupted"})


class Outcome(tuple[str, str]):
    """What a statement came to; where that is not as it should be, the statement and what was said."""

    __slots__ = ()

    @property
    def is_right(self) -> bool:
        return self[0] in _RIGHT


def fuzz(job: Job, first: int, tell: Tell) -> Iterator[Outcome]:
    """Yield what each of a job's statements comes to, from number ``first`` on."""
    with asked(job.kind, job.seed) as world:
        random = Random(job.seed)
        for number in range(job.number):
            kind, text = fuzz_text(random, world.known)
            way, seconds = (
                random.choice(("plain", "plain", "timeout", "interrupt")),
                10 ** random.uniform(-5, -1),
            )
            if number < first:
                continue
            told = f"{job.kind} {job.seed} ({kind}, {way} {seconds:.5f}): {text!r}"
            tell(number, told)
            outcome, said = _outcome(world.database, text, way, seconds)
            if way != "plain" and outcome in _RIGHT:
                alive, said_then = _outcome(world.database, "COUNT neurons", "plain", 0)
                if alive != "answered":
                    outcome, said = f"deaf after {outcome}", said_then
            yield Outcome((outcome, "" if outcome in _RIGHT else f"{told}\n  {said[:300]}"))


def _outcome(database: Database, text: str, way: str, seconds: float) -> tuple[str, str]:
    """Ask a statement, and return what came of it and what was said."""
    before = time.process_time()
    try:
        with _interrupted(seconds if way == "interrupt" else None):
            _read(database.query(text, timeout=seconds if way == "timeout" else _TIMEOUT))
    except KeyboardInterrupt:
        return "interrupted", ""
    except QueryTimeoutError as error:
        if way == "timeout" and time.process_time() - before > _LATE:
            return "past its time limit", str(error)
        return ("timed out" if way == "timeout" else f"longer than {_TIMEOUT:.0f} s"), str(error)
    except N2gdbError as error:
        said = str(error)
        engine = _ENGINE_TEXT.search(said.partition("\n")[0].replace(text, ""))
        return ("the engine's words" if engine else "refused"), said
    except Exception as error:  # whatever it is, it is to be told
        return f"{type(error).__name__}", kind_of(error)
    return "answered", ""


def _read(answer: Answer[object]) -> None:  # type: ignore[type-var]
    """Look at an answer as its readers do: the first rows, the last, the total, the notices."""
    _ = answer[:20], answer[-20:], answer.total, answer.notices


@contextmanager
def _interrupted(seconds: float | None) -> Iterator[None]:
    """Raise KeyboardInterrupt in the body after some seconds, as Ctrl-C does."""
    if seconds is None:
        yield
        return
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def fuzzed(jobs: Iterator[Job] | Sequence[Job], children: int) -> Iterator[list[Outcome]]:
    """Yield what the statements of each job come to; crashes are outcomes too."""
    for results in in_children(fuzz, jobs, children, _PATIENCE):
        yield [
            Outcome((f"crash: {each.how}", each.piece)) if isinstance(each, Death) else each
            for each in results
        ]


def run(arguments: Sequence[str] | None = None) -> int:
    """Fuzz until there are statements enough; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--statements", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="child processes")
    parser.add_argument("--world", action="append", help="a kind of world, or a database; may be repeated")
    given = parser.parse_args(arguments)
    kinds = [kind for kind in given.world or KINDS if missing(kind) is None]
    jobs = (Job(kind, number, _ASKED) for number in count(given.seed * 1_000_000) for kind in kinds)
    total: Counter[str] = Counter()
    for outcomes in fuzzed(jobs, given.jobs):
        for outcome in outcomes:
            total[outcome[0]] += 1
            if not outcome.is_right and total[outcome[0]] <= 20:
                print(f"--- {outcome[0]}\n{outcome[1]}", flush=True)
        said = ", ".join(f"{times:,} {name}" for name, times in total.most_common())
        print(f"{total.total():>7,} statements: {said}", flush=True)
        if total.total() >= given.statements:
            break
    return 0 if set(total) <= _RIGHT else 1


if __name__ == "__main__":
    sys.exit(run())
