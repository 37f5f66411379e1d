"""One process learns a few pieces at a time: some ask the model, the others are finished side by side."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Lock
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


def test_pieces_are_finished_side_by_side_and_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    together = Barrier(3, timeout=20)
    own = crew(monkeypatch, lambda bench, piece, text: piece, lambda bench, begun: together.wait())
    assert own.learn() == PIECES


def test_no_more_pieces_ask_the_model_at_once_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    asking, most, lock = 0, 0, Lock()

    def begin(bench: Any, piece: Piece, text: Any) -> Piece:
        nonlocal asking, most
        with lock:
            asking += 1
            most = max(most, asking)
        threads.wait()
        with lock:
            asking -= 1
        return piece

    threads = Barrier(2, timeout=20)
    own = crew(monkeypatch, begin, lambda bench, begun: None)
    assert own.learn() == PIECES
    assert most == 2


def test_an_error_of_a_piece_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def finish(bench: Any, begun: Piece) -> None:
        if begun == PIECES[1]:
            raise RuntimeError("the disk is full")

    own = crew(monkeypatch, lambda bench, piece, text: piece, finish)
    with pytest.raises(RuntimeError, match="the disk is full"):
        own.learn()
    assert own.stopped == [True]
