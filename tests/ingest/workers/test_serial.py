"""One process learns a few pieces at a time: some ask the model, the others are finished side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock
from types import SimpleNamespace
from typing import Any

import pytest

from n2gdb.ingest.workers import serial
from n2gdb.ingest.workers.work import Piece

PIECES = [Piece(0, (number,)) for number in range(12)]


def crew(monkeypatch: pytest.MonkeyPatch, begin: Callable[..., Any], finish: Callable[..., Any]) -> Any:
    stopped: list[bool] = []
    engine = SimpleNamespace(askers=2, stop=lambda: stopped.append(True))
    ground = SimpleNamespace(corpus=SimpleNamespace(index=lambda: None))
    monkeypatch.setattr(serial, "begin_piece", begin)
    monkeypatch.setattr(serial, "finish_piece", finish)
    found: Any = serial.Alone(SimpleNamespace(engine=engine, ground=ground), 0)  # type: ignore[arg-type]
    found._prepared = SimpleNamespace(text=lambda layer: None)
    return SimpleNamespace(learn=lambda: list(found.learn(PIECES)), stopped=stopped)


class Meeting:
    """Counts who is there at once; everyone waits until so many have been."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.here, self.most = wanted, 0, 0
        self._lock, self._together = Lock(), Event()

    def attend(self, *given: Any) -> Any:
        with self._lock:
            self.here += 1
            self.most = max(self.most, self.here)
            if self.here >= self.wanted:
                self._together.set()
        assert self._together.wait(60)
        time.sleep(0.01)  # one more would be met here
        with self._lock:
            self.here -= 1
        return given[1]


def test_pieces_are_finished_side_by_side_and_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    finishing = Meeting(3)
    own = crew(monkeypatch, lambda bench, piece, text: piece, finishing.attend)
    assert own.learn() == PIECES


def test_no_more_pieces_ask_the_model_at_once_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = Meeting(2)
    own = crew(monkeypatch, asking.attend, lambda bench, begun: None)
    assert own.learn() == PIECES
    assert asking.most == 2


def test_an_error_of_a_piece_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def finish(bench: Any, begun: Piece) -> None:
        if begun == PIECES[1]:
            raise RuntimeError("the disk is full")

    own = crew(monkeypatch, lambda bench, piece, text: piece, finish)
    with pytest.raises(RuntimeError, match="the disk is full"):
        own.learn()
    assert own.stopped == [True]
