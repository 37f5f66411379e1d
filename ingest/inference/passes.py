"""Passes over prompts: as packed trees, or as padded batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch

from n2gdb.core.arrays import FloatArray, IndexArray, IntArray
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.trunk.packing import Packed, lengths_of, pack, split_padded, split_runs

__all__ = ["PaddedPasses", "Passes", "TreePasses", "padded_batch", "passes_of"]


class Passes(Protocol):
    """A way to run distinct prompts, sorted and padded on the right with PAD."""

    @property
    def run(self) -> Callable[..., FloatArray]:
        """What runs one pass and gathers what is asked of it, here or in another process."""
        ...

    @property
    def askers(self) -> int:
        """How many passes may be under way at a time."""
        ...

    def split(self, prompts: IntArray, tokens: int) -> Iterator[IndexArray]:
        """Part prompts into passes of about so many tokens: yields rows, each one once."""
        ...

    def gathered(
        self, layer: int, prompts: IntArray, row: IndexArray, position: IndexArray, neuron: IndexArray
    ) -> tuple[FloatArray, int]:
        """Activation of one neuron of a layer at each asked place, and the tokens that were run for it.

        prompts (prompt, position); row, position, neuron (asked,) -> (asked,).
        """
        ...


@dataclass(frozen=True, slots=True)
class TreePasses:
    """What prompts begin with alike is run once; ``run`` is SubjectModel.gathered, here or elsewhere."""

    run: Callable[[Packed, int, IndexArray, IndexArray], FloatArray]

    @property
    def askers(self) -> int:
        """See Passes: while the activations of one pass come back, the next one's work is there."""
        return 2

    def split(self, prompts: IntArray, tokens: int) -> Iterator[IndexArray]:
        """See Passes."""
        return split_runs(prompts, tokens)

    def gathered(
        self, layer: int, prompts: IntArray, row: IndexArray, position: IndexArray, neuron: IndexArray
    ) -> tuple[FloatArray, int]:
        """See Passes."""
        packed = pack(prompts)
        return self.run(packed, layer, packed.path[row, position], neuron), len(packed)


@dataclass(frozen=True, slots=True)
class PaddedPasses:
    """Padded batches; ``run`` takes what ``gathered`` does, here or in another process."""

    run: Callable[[int, IntArray, IndexArray, IndexArray, IndexArray], FloatArray]

    @property
    def askers(self) -> int:
        """See Passes: the hooks that read a model without a trunk stand in the model itself."""
        return 1

    def split(self, prompts: IntArray, tokens: int) -> Iterator[IndexArray]:
        """See Passes."""
        return split_padded(prompts, tokens)

    def gathered(
        self, layer: int, prompts: IntArray, row: IndexArray, position: IndexArray, neuron: IndexArray
    ) -> tuple[FloatArray, int]:
        """See Passes."""
        tokens = len(prompts) * int(lengths_of(prompts).max())
        return self.run(layer, prompts, row, position, neuron), tokens


def passes_of(model: SubjectModel) -> TreePasses | PaddedPasses:
    """The way that a model of this process is run."""
    if model.trunk is not None:
        return TreePasses(model.gathered)
    return PaddedPasses(partial(_gathered, model))


def _gathered(
    model: SubjectModel,
    layer: int,
    prompts: IntArray,
    row: IndexArray,
    position: IndexArray,
    neuron: IndexArray,
) -> FloatArray:
    site = model.activations(padded_batch(model, prompts), layer)
    place = tuple(torch.from_numpy(part).to(site.device) for part in (row, position, neuron))
    found: FloatArray = site[place].cpu().numpy()
    return found


def padded_batch(model: SubjectModel, prompts: IntArray) -> torch.Tensor:
    """Prompts as the model takes them: (prompt, position) int64, any token at padding."""
    width = int(lengths_of(prompts).max())
    return torch.from_numpy(prompts[:, :width].astype(np.int64)).clamp_(min=0).to(model.device)
