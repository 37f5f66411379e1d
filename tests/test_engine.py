from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from n2gdb.errors import IngestError
from n2gdb.ingest.engine import Engine, lengths_of, share_prefixes
from n2gdb.ingest.windows import PAD
from tests.demo import demo_model, demo_windows, true_activations


def padded(rows: list[list[int]]) -> np.ndarray[Any, np.dtype[np.int32]]:
    width = max(map(len, rows))
    return np.array([row + [PAD] * (width - len(row)) for row in rows], np.int32)


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=1, max_size=30))
def test_every_prompt_is_answered_by_a_run_that_begins_with_it(rows: list[list[int]]) -> None:
    sharing = share_prefixes(padded(rows))
    for row, owner in zip(rows, sharing.owner, strict=True):
        run = rows[sharing.runs[owner]]
        assert run[: len(row)] == row
    kept = [tuple(rows[i]) for i in sharing.runs]
    assert not any(a != b and b[: len(a)] == a for a in kept for b in kept), "a prefix was run"
    assert len(set(kept)) == len(kept), "a duplicate was run"


def some_prompts() -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.intp]]]:
    random = np.random.default_rng(0)
    windows = demo_windows()
    rows = [[0, *windows[i, 5 : 5 + n].tolist()] for i, n in enumerate(random.integers(1, 20, 40))]
    return padded(rows), random.integers(0, 768, 40)


@pytest.mark.parametrize("batch_tokens", [64, 200, 4096])
def test_shared_batches_give_what_each_prompt_gives_alone(batch_tokens: int) -> None:
    prompts, neurons = some_prompts()
    found = Engine(demo_model(), batch_tokens).activations(3, prompts, neurons)
    for row, prompt, neuron, length in zip(found, prompts, neurons, lengths_of(prompts), strict=True):
        alone = true_activations(3, neuron, prompt[:length])
        np.testing.assert_allclose(row[:length], alone, rtol=1e-4, atol=1e-7)
        assert not row[length:].any()


class Cramped:
    """A model on a device whose memory holds few tokens."""

    def __init__(self, room: int) -> None:
        self._model, self._room = demo_model(), room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def activations(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        if tokens.numel() > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self._model.activations(tokens, layer)


def test_the_batch_is_halved_when_memory_runs_out() -> None:
    prompts, neurons = some_prompts()
    cramped = Engine(Cramped(room=300), batch_tokens=4096)  # type: ignore[arg-type]
    roomy = Engine(demo_model(), batch_tokens=4096)
    np.testing.assert_allclose(
        cramped.activations(2, prompts, neurons),
        roomy.activations(2, prompts, neurons),
        rtol=1e-4,
        atol=1e-7,
    )
    assert cramped.batch_tokens <= 300


def test_no_memory_at_all_is_said_in_one_line() -> None:
    prompts, neurons = some_prompts()
    with pytest.raises(IngestError, match="out of memory on cpu"):
        Engine(Cramped(room=1), batch_tokens=128).activations(0, prompts, neurons)  # type: ignore[arg-type]


def test_another_error_of_the_model_is_not_swallowed() -> None:
    prompts, _ = some_prompts()
    with pytest.raises(IndexError):
        Engine(demo_model(), 512).activations(0, prompts, np.full(len(prompts), 10_000))


def test_a_batch_size_is_found() -> None:
    assert Engine(demo_model()).batch_tokens in (512, 1024, 2048, 4096)


def test_likeliest_next_tokens_are_the_models_own() -> None:
    prompts, _ = some_prompts()
    length = lengths_of(prompts)
    banned = np.array([0, 1])
    found = Engine(demo_model(), 512).likeliest_next(prompts, length - 1, 3, banned)
    for row in range(5):
        before = torch.from_numpy(prompts[row, : length[row] - 1].astype(np.int64))[None]
        logits = demo_model().logits(before)[0, -1].clone()
        logits[banned] = -torch.inf
        assert found[row].tolist() == logits.topk(3).indices.tolist()
