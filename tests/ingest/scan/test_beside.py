"""Work of the host on independent pieces: in turn on a CPU, on several threads beside an accelerator."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

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
