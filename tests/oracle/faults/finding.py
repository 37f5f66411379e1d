"""How many pairs the oracle asks until it finds a fault that was put back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count

from tests.generators.statements import Job, statement_pairs
from tests.generators.worlds import KINDS
from tests.oracle.faults.old import FAULTS
from tests.oracle.predictions import prediction_pairs
from tests.oracle.tally import Tally
from tests.support.child_process import Child, Death, Tell

__all__ = ["Search", "Sought", "searched"]


@dataclass(frozen=True)
class Search:
    """The fault to put back, and worlds of a kind to ask, from one seed on: statements, or texts."""

    fault: str
    kind: str
    seed: int
    most: int  # pairs
    texts: bool = False


@dataclass(frozen=True)
class Sought:
    """How many pairs were asked, and what was wrong at the last; nothing where all were right."""

    pairs: int
    wrong: str


def searched(search: Search) -> Sought:
    """Ask in a child process, which the fault may kill, until something is wrong."""
    pairs = 0
    with Child(_pairs) as child:
        for result in child.results(search):
            pairs += 1
            if isinstance(result, Death):
                return Sought(pairs, f"{result.how}\n{result.piece}")
            if not result.is_right:
                return Sought(pairs, result.wrong())
    return Sought(pairs, "")


def _pairs(search: Search, first: int, tell: Tell) -> Iterator[Tally]:
    """Yield what each pair of a search comes to, up to the first that is wrong."""
    number = KINDS.get(search.kind, 400)
    ask = prediction_pairs if search.texts else statement_pairs
    left = search.most - first
    with FAULTS[search.fault].put_back():
        jobs = (Job(search.kind, seed, number) for seed in count(search.seed))
        pairs = chain.from_iterable(ask(job, 0, tell) for job in jobs)
        for tally in pairs:
            yield tally
            left -= 1
            if not (tally.is_right and left):
                return
