from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from n2gdb.core.arrays import FloatArray, IndexArray
from n2gdb.errors import IngestError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.trunk.packing import Packed, lengths_of
from n2gdb.ingest.trunk.trunk import Trunk
from tests.support.demo import demo_model, demo_windows, true_activations


def padded(rows: list[list[int]]) -> np.ndarray[Any, np.dtype[np.int32]]:
    width = max(map(len, rows))
    return np.array([row + [PAD] * (width - len(row)) for row in rows], np.int32)


def some_prompts() -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.intp]]]:
    random = np.random.default_rng(0)
    windows = demo_windows()
    rows = [[0, *windows[i, 5 : 5 + n].tolist()] for i, n in enumerate(random.integers(1, 20, 40))]
    return padded(rows), random.integers(0, 768, 40)


@pytest.mark.parametrize("trunk", [True, False])
@pytest.mark.parametrize("batch_tokens", [64, 200, 4096])
def test_shared_batches_give_what_each_prompt_gives_alone(batch_tokens: int, trunk: bool) -> None:
    prompts, neurons = some_prompts()
    model = demo_model() if trunk else replace(demo_model(), trunk=None)
    found = Engine(model, batch_tokens).activations(3, prompts, neurons)
    for row, prompt, neuron, length in zip(found, prompts, neurons, lengths_of(prompts), strict=True):
        alone = true_activations(3, neuron, prompt[:length])
        np.testing.assert_allclose(row[:length], alone, rtol=1e-4, atol=1e-7)
        assert not row[length:].any()


@pytest.mark.parametrize("trunk", [True, False])
def test_only_what_is_asked_is_gathered(trunk: bool) -> None:
    prompts, neurons = some_prompts()
    model = demo_model() if trunk else replace(demo_model(), trunk=None)
    engine = Engine(model, 200)
    asked = np.random.default_rng(1).random(prompts.shape) < 0.3
    everything = engine.activations(3, prompts, neurons)
    found = engine.activations(3, prompts, neurons, asked)
    np.testing.assert_allclose(found, np.where(asked, everything, 0), rtol=1e-4, atol=1e-7)


def test_what_prompts_begin_with_alike_is_run_once() -> None:
    prompts = padded([[0, 5, 6, 7], [0, 5, 6, 8], [0, 5, 9], [0, 5]])
    engine = Engine(demo_model(), 1024)
    engine.activations(3, prompts, np.zeros(4, np.intp))
    assert (engine.tokens_asked, engine.tokens_run) == (13, 6)


class Cramped:
    """A model on a device whose memory holds few tokens, run by its trunk or by its bridge."""

    def __init__(self, room: int, *, trunk: bool) -> None:
        self._model, self._room = demo_model(), room
        self.trunk = CrampedTrunk(room) if trunk else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def gathered(self, *asked: Any) -> FloatArray:
        return SubjectModel.gathered(self, *asked)  # type: ignore[arg-type]

    def activations(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        if tokens.numel() > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self._model.activations(tokens, layer)


class CrampedTrunk:
    """The demo model's trunk where few nodes have room."""

    def __init__(self, room: int) -> None:
        self._room = room

    def gathered(self, *asked: Any) -> FloatArray:
        return Trunk.gathered(self, *asked)  # type: ignore[arg-type]

    def at_nodes(self, packed: Packed, layer: int, asked: IndexArray) -> torch.Tensor:
        if len(packed) > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        trunk = demo_model().trunk
        assert trunk is not None
        return trunk.at_nodes(packed, layer, asked)


@pytest.mark.parametrize("trunk", [True, False])
def test_the_batch_is_halved_when_memory_runs_out(trunk: bool) -> None:
    prompts, neurons = some_prompts()
    cramped = Engine(Cramped(room=100, trunk=trunk), batch_tokens=4096)  # type: ignore[arg-type]
    roomy = Engine(demo_model(), batch_tokens=4096)
    np.testing.assert_allclose(
        cramped.activations(2, prompts, neurons),
        roomy.activations(2, prompts, neurons),
        rtol=1e-4,
        atol=1e-7,
    )
    assert cramped.batch_tokens <= 128


@pytest.mark.parametrize("trunk", [True, False])
def test_no_memory_at_all_is_said_in_one_line(trunk: bool) -> None:
    prompts, neurons = some_prompts()
    cramped = Cramped(room=1, trunk=trunk)
    with pytest.raises(IngestError, match="out of memory on cpu"):
        Engine(cramped, batch_tokens=128).activations(0, prompts, neurons)  # type: ignore[arg-type]


def test_another_error_of_the_model_is_not_swallowed() -> None:
    prompts, _ = some_prompts()
    with pytest.raises(IndexError):
        Engine(demo_model(), 512).activations(0, prompts, np.full(len(prompts), 10_000))


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
