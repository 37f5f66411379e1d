"""The batched engine: prompts of many neurons share passes, and common prefixes are run once.

Prompts are rows of token ids, padded on the right with PAD. A model with a trunk runs them as packed
trees; any other as padded batches (``passes``), each distinct prompt once: attention is causal, so padding
changes nothing before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from threading import Lock

import numpy as np
import torch

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, IntArray
from n2gdb.errors import IngestError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.inference.memory import bytes_for, prompt_tokens
from n2gdb.ingest.inference.passes import Passes, padded_batch, passes_of
from n2gdb.ingest.inference.threads import on_cores
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.trunk.packing import count_nodes, share_prefixes, split_padded

__all__ = ["Engine"]


#: A batch holds at least this many tokens, however little memory there is.
_SMALLEST_BATCH = 64

#: Few prompts are parted into smaller batches, so that no core is without one, but into none of fewer tokens.
#: Whatever the number of cores: rounding differs from batch to batch, and results are not to.
_PARTS, _SMALL_BATCH = {"cpu": 4, "mps": 1, "cuda": 1}, 192


class _StoppedError(Exception):
    """The ingest ends, and nobody waits for the activations any more."""


class Engine:
    """Runs prompts through one model and gathers only the activations that are asked for.

    ``batch_tokens`` is the number of tokens in a batch, by the device and its memory if None; it is halved
    whenever memory runs out. ``tokens_asked`` and ``tokens_run`` add up what was asked for, and what was run
    for it after sharing, padding included. Several threads may ask at a time (``askers``). ``passes`` are
    the model's own if None.
    """

    def __init__(
        self, model: SubjectModel, batch_tokens: int | None = None, passes: Passes | None = None
    ) -> None:
        self.model = model
        self.passes: Passes = passes_of(model) if passes is None else passes
        self.batch_tokens = batch_tokens or prompt_tokens(model, bytes_for(model.device))
        self.tokens_run = 0
        self.tokens_asked = 0
        self._stopped = False
        self._counting, self._own_pass = Lock(), Lock()

    @property
    def askers(self) -> int:
        """How many threads may ask at a time: while one sorts its results, another's passes run."""
        return self.passes.askers

    def stop(self) -> None:
        """Have whatever thread waits for passes give up; the engine is of no use afterwards."""
        self._stopped = True

    def activations(
        self, layer: int, prompts: IntArray, neurons: IndexArray, asked: BoolArray | None = None
    ) -> FloatArray:
        """Activations of one neuron of ``layer`` along each prompt.

        prompts (request, position), neurons (request,), asked (request, position), everywhere if None
        -> (request, position) float32, 0 at padding and where nothing is asked.
        """
        real = prompts != PAD
        wanted = real if asked is None else asked & real
        found = np.zeros(prompts.shape, np.float32)

        def run(runs: IntArray, request: IndexArray, owner: IndexArray) -> int:
            row, position = np.nonzero(wanted[request])
            asked_of = neurons[request[row]]
            values, tokens = self.passes.gathered(layer, runs, owner[row], position, asked_of)
            found[request[row], position] = values
            return tokens

        self._run(prompts, run, self.passes.split)
        return found

    def likeliest_next(
        self, prompts: IntArray, positions: IndexArray, n: int, banned: IndexArray
    ) -> IndexArray:
        """The model's ``n`` likeliest tokens at a position, given what stands before it.

        prompts (request, position), positions (request,) all > 0 -> (request, n) token ids.
        """
        found = np.zeros((len(prompts), n), np.intp)

        def run(runs: IntArray, request: IndexArray, owner: IndexArray) -> int:
            tokens = padded_batch(self.model, runs)
            logits = self.model.logits(tokens)  # (run, position, token)
            row, before = (
                torch.from_numpy(part).to(logits.device) for part in (owner, positions[request] - 1)
            )
            chosen = logits[row, before]  # (request, token)
            chosen[:, torch.from_numpy(banned).to(logits.device)] = -torch.inf
            found[request] = chosen.topk(n, dim=-1).indices.cpu().numpy()
            return tokens.numel()

        # Logits come of the model's own pass, which is not made for several threads.
        with self._own_pass:
            self._run(prompts, run, split_padded, map)
        return found

    def _run(
        self,
        prompts: IntArray,
        run: Callable[[IntArray, IndexArray, IndexArray], int],
        split: Callable[[IntArray, int], Iterable[IndexArray]],
        over: Callable[..., Iterable[int | RuntimeError]] | None = None,
    ) -> None:
        """Run each distinct prompt once, batch by batch.

        ``run`` takes a batch's prompts, the requests that they answer, and which of them answers each; it
        returns how many tokens that took. ``over`` runs it over batches, side by side on each core if None.
        """
        if not len(prompts):
            return
        tokens_run = 0
        sharing = share_prefixes(prompts)
        runs = prompts[sharing.runs]
        requests = np.argsort(sharing.owner, kind="stable")
        bounds = np.searchsorted(sharing.owner[requests], np.arange(len(runs) + 1))

        def attempt(batch: IndexArray) -> int | RuntimeError:
            if self._stopped:
                raise _StoppedError
            each = [requests[bounds[row] : bounds[row + 1]] for row in batch.tolist()]
            owner = np.repeat(np.arange(len(batch)), list(map(len, each)))
            try:
                return run(runs[batch], np.concatenate(each), owner)
            except RuntimeError as error:
                return error

        over = over or partial(on_cores, self.model)
        rest: IndexArray = np.arange(len(runs))
        # What packs repeat of one another's beginnings is no more than a prompt each.
        part = -(-count_nodes(runs) // _PARTS[self.model.device.type]) + prompts.shape[1]
        while len(rest):
            most = self.batch_tokens
            size = min(most, max(_SMALL_BATCH, part))
            batches = [rest[some] for some in split(runs[rest], size)]
            failed: list[IndexArray] = []
            for batch, outcome in zip(batches, over(attempt, batches), strict=True):
                if isinstance(outcome, RuntimeError):
                    _require_out_of_memory(outcome)
                    failed.append(batch)
                else:
                    tokens_run += outcome
            if failed:
                self._halve(most)
            rest = np.concatenate([rest[:0], *failed])
        with self._counting:
            self.tokens_asked += int(np.count_nonzero(prompts != PAD))
            self.tokens_run += tokens_run

    def _halve(self, tried: int) -> None:
        """Shrink the batch after memory ran out with so many tokens; raise IngestError when none is left."""
        with self._counting:
            if tried <= _SMALLEST_BATCH:
                raise IngestError(
                    f"out of memory on {self.model.device} even with {tried} tokens a batch: "
                    "free some, or choose another --device"
                )
            # Another thread may have met the same.
            self.batch_tokens = min(self.batch_tokens, tried // 2)
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()


def _require_out_of_memory(error: RuntimeError) -> None:
    """Raise any error that is not of memory; the CPU's allocator has no error class of its own."""
    if not isinstance(error, torch.OutOfMemoryError) and "memory" not in str(error).lower():
        raise error
