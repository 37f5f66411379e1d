"""Kept answers: made once, also where several ask for one at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from n2gdb.core.deadline import cancelled_by, within
from n2gdb.errors import QueryCancelledError, QueryTimeoutError
from n2gdb.explorer.asked import Asked
from n2gdb.explorer.kept import KeptAnswers

ONE, OTHER = Asked((("q", "one"),)), Asked((("q", "other"),))


class Slow:
    """Makes answers, as slowly as it is let."""

    def __init__(self) -> None:
        self.made: list[Asked] = []
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, asked: Asked) -> bytes:
        self.made.append(asked)
        self.begun.set()
        assert self.may_end.wait(20)
        return repr(asked).encode()


@pytest.fixture
def slow() -> Slow:
    return Slow()


def started(ask: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_who_asks_for_what_is_being_made_waits_for_it(slow: Slow) -> None:
    kept, answers = KeptAnswers(slow, 8), list[bytes]()
    threads = [started(lambda: answers.append(kept(ONE))) for _ in range(3)]
    assert slow.begun.wait(20)
    slow.may_end.set()
    for thread in threads:
        thread.join(20)
    assert (len(answers), len(set(answers)), slow.made) == (3, 1, [ONE])
    assert kept(OTHER) != answers[0]
    assert slow.made == [ONE, OTHER]


def test_who_waits_ends_with_its_time_or_when_it_is_cancelled(slow: Slow) -> None:
    kept, event = KeptAnswers(slow, 8), threading.Event()
    first = started(lambda: kept(ONE))
    assert slow.begun.wait(20)
    with within(0.2), pytest.raises(QueryTimeoutError):
        kept(ONE)
    event.set()
    with cancelled_by(event), pytest.raises(QueryCancelledError):
        kept(ONE)
    slow.may_end.set()
    first.join(20)
    assert slow.made == [ONE]
    assert kept(ONE)


def test_the_latest_are_kept_and_what_failed_is_made_anew() -> None:
    made: list[Asked] = []

    def make(asked: Asked) -> bytes:
        made.append(asked)
        if len(made) == 1:
            raise QueryTimeoutError("too slow")
        return b"made"

    kept = KeptAnswers(make, 1)
    with pytest.raises(QueryTimeoutError):
        kept(ONE)
    assert [kept(each) for each in (ONE, ONE, OTHER, ONE)] == [b"made"] * 4
    assert made == [ONE, ONE, OTHER, ONE]
