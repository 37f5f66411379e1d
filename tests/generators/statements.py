"""Random statements, asked of a database and of the evaluator: pairs as work for a child process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

from n2gdb.grammar.ast import Statement
from n2gdb.grammar.unparse import written
from tests.generators.worlds import Asked, asked
from tests.oracle.census import constructs, least
from tests.oracle.check import check
from tests.oracle.random.known import Known
from tests.oracle.random.queries import random_statement
from tests.oracle.tally import Tally, kind_of
from tests.support.child_process import Tell

__all__ = ["Job", "statement_pairs"]

#: Statements of a world with one kind of error that are made small; each takes as long as tens of pairs.
_MADE_SMALL = 8


@dataclass(frozen=True)
class Job:
    """A world, by its kind and seed, and how many questions it is asked."""

    kind: str
    seed: int
    number: int


def statement_pairs(job: Job, first: int, tell: Tell) -> Iterator[Tally]:
    """Yield what each of a job's statements comes to, from number ``first`` on."""
    with asked(job.kind, job.seed) as world:
        seen: Counter[str] = Counter()
        for number, statement in enumerate(islice(_distinct(Random(job.seed), world.known), job.number)):
            if number < first:
                continue
            tell(number, f"{job.kind} {job.seed}: {written(statement)}")
            yield _tally(statement, world, job, number, tell, seen)


def _distinct(random: Random, known: Known) -> Iterator[Statement]:
    seen: set[str] = set()
    while True:
        statement = random_statement(random, known)
        text = written(statement)
        if text not in seen:
            seen.add(text)
            yield statement


def _tally(
    statement: Statement, world: Asked, job: Job, number: int, tell: Tell, seen: Counter[str]
) -> Tally:
    names = constructs(statement, world.world)
    tally = Tally(pairs=1)
    tally.had.update(names)
    try:
        rows = check(statement, world.database, world.world)
    except Exception as error:  # whatever it is, it is to be told
        tally.differing += 1
        kind = kind_of(error)
        seen[kind] += 1
        if seen[kind] <= _MADE_SMALL:
            small = least(statement, lambda each: _differs(each, world, kind, number, tell))
            shape = " ".join([kind, *sorted(constructs(small, world.world))])
            tally.differences[shape] = _report(small, statement, world, job)
        return tally
    tally.refused += rows is None
    if rows:
        tally.found += 1
        tally.had_and_found.update(names)
    return tally


def _differs(statement: Statement, world: Asked, kind: str, number: int, tell: Tell) -> bool:
    try:
        tell(number, f"made smaller: {written(statement)}")
        check(statement, world.database, world.world)
    except Exception as error:  # a smaller statement may be wrong in a way of its own
        return kind_of(error) == kind
    return False


def _report(small: Statement, statement: Statement, world: Asked, job: Job) -> str:
    said = "right when asked again"
    try:
        check(small, world.database, world.world)
    except Exception as error:  # told in the report
        said = f"{type(error).__name__}: {error}"
    whole = " ".join(written(statement).split())
    return f"{job.kind} {job.seed}: {written(small)}\n{said[:1500]}\n(from {whole})"
