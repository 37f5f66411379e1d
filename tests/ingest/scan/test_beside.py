"""Work of the host on independent pieces: in turn on a CPU, on several threads beside an accelerator."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import pytest
import torch

from n2gdb.ingest.inference import threads
from n2gdb.ingest.inference.threads import beside
from tests.support.demo import demo_model

BESIDE = {"cpu": False, "meta": True}


@pytest.mark.parametrize(("device", "elsewhere"), BESIDE.items())
def test_every_piece_is_done_before_it_returns(device: str, elsewhere: bool) -> None:
    done: dict[int, bool] = {}

    def work(piece: int, add: int) -> None:
        done[piece + add] = threading.current_thread() is not threading.main_thread()

    model = replace(demo_model(), device=torch.device(device))
    beside(model, work, ((piece, 100) for piece in range(40)))
    assert done == dict.fromkeys(range(100, 140), elsewhere)


@pytest.mark.parametrize("device", BESIDE)
def test_an_error_is_raised_where_the_work_was_asked_for(device: str) -> None:
    def work(piece: int) -> None:
        if piece == 3:
            raise ValueError("the third")

    with pytest.raises(ValueError, match="the third"):
        beside(replace(demo_model(), device=torch.device(device)), work, ((piece,) for piece in range(5)))


def test_threads_that_ask_at_once_share_the_same_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []

    @cache
    def slow_pool(on_cpu: bool) -> tuple[str, int]:
        made.append(on_cpu)
        time.sleep(0.05)
        return "pool", 1

    monkeypatch.setattr(threads, "_pool", slow_pool)
    at_once = threading.Barrier(3)

    def ask(_: int) -> object:
        at_once.wait(60)
        return threads._pool_for(demo_model())

    with ThreadPoolExecutor(3) as asking:
        assert set(asking.map(ask, range(3))) == {("pool", 1)}
    assert made == [True]
