"""The batched engine: prompts of many neurons share padded batches, each distinct prompt run once.

Prompts are rows of token ids, padded on the right with PAD. Attention is causal, so padding changes
nothing before it, and a prompt that is a prefix of another needs no pass of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from n2gdb.errors import IngestError
from n2gdb.ingest.models import SubjectModel
from n2gdb.ingest.windows import PAD

__all__ = ["Engine", "Sharing", "lengths_of", "share_prefixes"]

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]

#: A batch holds at least this many tokens, however little memory there is.
_SMALLEST_BATCH = 64


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which prompts to run, and which run answers each request."""

    runs: npt.NDArray[np.intp]  # (run,) rows of the request
    owner: npt.NDArray[np.intp]  # (request,) index into runs


def lengths_of(prompts: IntArray) -> npt.NDArray[np.intp]:
    """Count the tokens of each padded prompt: (prompt, position) -> (prompt,)."""
    lengths: npt.NDArray[np.intp] = np.count_nonzero(prompts != PAD, axis=1)
    return lengths


def share_prefixes(prompts: IntArray) -> Sharing:
    """Drop prompts that repeat another or are a prefix of it.

    Sorted as byte strings, with padding smallest, a prefix stands right before what extends it.
    """
    width = prompts.shape[1]
    keys = np.ascontiguousarray((prompts + 1).astype(">u4")).view(f"S{4 * width}").ravel()
    order = np.argsort(keys, kind="stable")
    row = prompts[order]  # (request, position)
    is_prefix = ((row[:-1] == row[1:]) | (row[:-1] == PAD)).all(axis=1)
    is_run = np.append(~is_prefix, True)[: len(row)]
    owner = np.empty(len(row), np.intp)
    owner[order] = np.cumsum(is_run) - is_run
    return Sharing(order[is_run], owner)


class Engine:
    """Runs prompts through one model and gathers only the activations that are asked for.

    ``batch_tokens`` is the number of tokens in a batch; None measures which is fastest on this device.
    It is halved whenever memory runs out. ``tokens_asked``, ``tokens_run`` and ``seconds`` add up what
    was asked for, what was run for it after sharing, padding included, and how long that took in all.
    """

    def __init__(self, model: SubjectModel, batch_tokens: int | None = None) -> None:
        self.model = model
        self.batch_tokens = batch_tokens or self._fastest_batch()
        self.tokens_run = 0
        self.tokens_asked = 0
        self.seconds = 0.0

    def activations(self, layer: int, prompts: IntArray, neurons: npt.NDArray[np.intp]) -> FloatArray:
        """Activations of one neuron of ``layer`` along each prompt.

        prompts (request, position), neurons (request,) -> (request, position) float32, 0 at padding.
        """

        def gather(run: torch.Tensor, tokens: torch.Tensor, request: npt.NDArray[np.intp]) -> torch.Tensor:
            site = self.model.activations(tokens, layer).transpose(1, 2)  # (run, neuron, position)
            return site[run, torch.from_numpy(neurons[request]).to(site.device)]  # (request, position)

        found = np.zeros(prompts.shape, np.float32)
        for request, rows in self._passes(prompts, gather):
            found[request, : rows.shape[1]] = rows
        found[prompts == PAD] = 0.0
        return found

    def likeliest_next(
        self, prompts: IntArray, positions: npt.NDArray[np.intp], n: int, banned: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.intp]:
        """The model's ``n`` likeliest tokens at a position, given what stands before it.

        prompts (request, position), positions (request,) all > 0 -> (request, n) token ids.
        """

        def gather(run: torch.Tensor, tokens: torch.Tensor, request: npt.NDArray[np.intp]) -> torch.Tensor:
            logits = self.model.logits(tokens)  # (run, position, token)
            before = torch.from_numpy(positions[request] - 1).to(logits.device)
            chosen = logits[run, before]  # (request, token)
            chosen[:, torch.from_numpy(banned).to(logits.device)] = -torch.inf
            return chosen.topk(n, dim=-1).indices

        found = np.zeros((len(prompts), n), np.intp)
        for request, tokens in self._passes(prompts, gather):
            found[request] = tokens
        return found

    def _passes(
        self,
        prompts: IntArray,
        gather: Callable[[torch.Tensor, torch.Tensor, npt.NDArray[np.intp]], torch.Tensor],
    ) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.generic]]]:
        """Run each distinct prompt once, by rising length, and yield what ``gather`` takes of it."""
        if not len(prompts):
            return
        begun = time.perf_counter()
        sharing = share_prefixes(prompts)
        length = lengths_of(prompts)
        by_length = np.argsort(length[sharing.runs], kind="stable")
        runs = sharing.runs[by_length]
        place = np.empty(len(runs), np.intp)
        place[by_length] = np.arange(len(runs))
        owner = place[sharing.owner]  # (request,) index into runs by length
        requests = np.argsort(owner, kind="stable")
        bounds = np.searchsorted(owner[requests], np.arange(len(runs) + 1))
        self.tokens_asked += int(length.sum())
        run_length = length[runs]
        start = 0
        while start < len(runs):
            stop = self._batch_end(run_length, start)
            request = requests[bounds[start] : bounds[stop]]
            width = int(run_length[stop - 1])
            tokens = torch.from_numpy(prompts[runs[start:stop], :width].astype(np.int64))
            run = torch.from_numpy(owner[request] - start)
            try:
                device = self.model.device
                rows = gather(run.to(device), tokens.clamp_(min=0).to(device), request)
            except RuntimeError as error:
                self._halve(error)
                continue
            self.tokens_run += tokens.numel()
            start = stop
            answer = rows.cpu().numpy()
            self.seconds += time.perf_counter() - begun
            yield request, answer
            begun = time.perf_counter()

    def _batch_end(self, length: npt.NDArray[np.intp], start: int) -> int:
        """First run after the batch that starts at ``start``; lengths rise, so the last is the widest."""
        stop = start + 1
        most = min(len(length), start + max(1, self.batch_tokens // int(length[start])))
        fits = length[start:most] * np.arange(1, most - start + 1) <= self.batch_tokens
        return max(stop, start + int(np.count_nonzero(fits)))

    def _halve(self, error: RuntimeError) -> None:
        """Shrink the batch after running out of memory; raise any other error, or when none is left."""
        if not _is_out_of_memory(error):
            raise error
        if self.batch_tokens <= _SMALLEST_BATCH:
            raise IngestError(
                f"out of memory on {self.model.device} even with {self.batch_tokens} tokens a batch: "
                "free some, or choose another --device"
            ) from error
        self.batch_tokens //= 2
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()

    def _fastest_batch(self) -> int:
        """Double the batch while that is at least 5 % faster a token, and memory lasts."""
        width, best, rate = 16, 0, 0.0
        largest = 1 << (12 if self.model.device.type == "cpu" else 18)
        tokens = 1 << 9
        while tokens <= largest:
            try:
                now = self._measure(tokens // width, width)
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                if not best:
                    raise IngestError(f"not even {tokens} tokens fit on {self.model.device}") from error
                break
            if best and now < 1.05 * rate:
                break
            best, rate, tokens = tokens, now, tokens * 2
        return best

    def _measure(self, batch: int, width: int) -> float:
        """Tokens a second through the first half of the layers, for a batch of this shape."""
        middle = self.model.n_layers // 2
        tokens = torch.zeros((batch, width), dtype=torch.int64, device=self.model.device)
        fastest = np.inf
        for _ in range(5):
            start = time.perf_counter()
            self.model.activations(tokens, middle).sum().item()
            fastest = min(fastest, time.perf_counter() - start)
        return tokens.numel() / fastest


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device ran out of memory; the CPU's allocator has no error class of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "memory" in str(error).lower()
