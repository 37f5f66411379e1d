"""A child that dies or hangs is told of, and its work goes on behind the piece at which it did."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

from tests.support.child_process import Death, Tell, in_children


def pieces(job: list[str], first: int, tell: Tell) -> Iterator[str]:
    for number, piece in enumerate(job):
        if number < first:
            continue
        tell(number, piece)
        if piece == "dies":
            os.kill(os.getpid(), signal.SIGSEGV)
        if piece == "hangs":
            time.sleep(60)
        if piece == "leaves":
            os._exit(3)
        yield piece.upper()


def test_work_goes_on_behind_what_the_child_does_not_survive() -> None:
    jobs = [["a", "dies", "b", "hangs", "leaves"], ["c"]]
    results = list(in_children(pieces, jobs, children=2, patience=5))
    assert sorted(results, key=len) == [
        ["C"],
        [
            "A",
            Death("dies", "signal SIGSEGV"),
            "B",
            Death("hangs", "no answer in 5 s"),
            Death("leaves", "exit 3"),
        ],
    ]
