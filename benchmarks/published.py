"""The forward passes that the published code makes, timed here: what ours is set against, in one run.

    python -m benchmarks.published REFERENCE.npz [--neurons 2] [--rounds 3]

One neuron after another and one example after another, as ``train_and_eval`` of the authors' script does
with its defaults and without augmentation, on TransformerLens' ``run_with_cache``: for a training example
a pass over the whole window, passes over batches of four suffixes (every fifth length up to 30) until one
keeps half of the activation, and three passes over that suffix and up to five tokens of its sentence behind
it (every token masked, in a batch; the prompt alone, where augmentation would begin; and every token masked
once more); for a test example a pass over the whole window. The passes are all that is timed: the n x n
activations that the script reads one by one, its tries, pictures and reports are left out, so the script
itself takes longer.

Ours are the graphs of ``benchmarks.reference``, learned and judged, taking turns with the passes.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from benchmarks.reference import read_block, timed, training_half
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.inference.threads import on_cores
from n2gdb.ingest.models.subject import SubjectModel, load_model

#: The script's own: lengths tried, suffixes in a pass, tokens kept behind the pivot, token that masks.
CUTOFF, INTERVAL, BATCH, BEHIND, MASK = 30, 5, 4, 5, 1

#: Characters that end its sentences.
_ENDS = frozenset(".!\n")


def main(
    reference: Path,
    neurons: Annotated[int, typer.Option(help="Neurons a layer and round that the passes are made for.")] = 2,
    rounds: Annotated[int, typer.Option(help="Turns that both take.")] = 3,
    model: str = "demo",
) -> None:
    data = np.load(reference)
    subject = load_model(model, "cpu")
    engine, config = Engine(subject), N2GConfig(augment=(), refine_rounds=0)
    ending = np.array([not _ENDS.isdisjoint(text) for text in subject.token_texts()])
    layers: list[Any] = []
    for layer in range(subject.n_layers):
        rows = np.flatnonzero(data["neurons"][:, 0] == layer)
        block = read_block(subject, data, layer, rows)
        train = training_half(block, data)
        layers.append((engine, block, train, [], None, config))
    theirs, ours = [], []
    threads = torch.get_num_threads()
    list(on_cores(subject, abs, ()))  # starts as many threads as theirs have; each of ours then has one
    for number in range(rounds):
        taken = []
        torch.set_num_threads(threads)
        for _, block, train, *_ in layers:
            some = range(number * neurons, (number + 1) * neurons)
            taken.append(np.mean([passes_of(subject, block, row, train[row], ending) for row in some]))
        theirs.append(float(np.mean(taken)))
        torch.set_num_threads(1)
        seconds, _ = timed(layers, 1)
        ours.append(seconds / sum(len(block.neuron) for _, block, *_ in layers))
        by_layer = " ".join(f"{one:.2f}" for one in taken)
        print(f"published: {theirs[-1]:.3f} s a neuron in passes alone (by layer {by_layer})", end="; ")
        print(f"ours: {ours[-1]:.4f} s in all; {theirs[-1] / ours[-1]:.0f} times", flush=True)
    print(f"median of the {rounds} ratios: {np.median(np.divide(theirs, ours)):.0f} times")


def passes_of(
    model: SubjectModel, block: Any, row: int, train: np.ndarray[Any, Any], ending: np.ndarray[Any, Any]
) -> float:
    """Seconds that the published code's passes for one neuron take; ``ending`` tokens end a sentence."""
    start = time.perf_counter()
    for tokens, learned in zip(block.tokens[row], train, strict=True):
        window = torch.from_numpy(tokens.astype(np.int64))
        activations = _site(model, window[None], block, row)[0]
        if learned:
            kept, pivot = _pruned(model, window, activations, block, row)
            behind = _behind(tokens, pivot, ending)
            suffix = torch.cat([window[:1], window[pivot - kept + 1 : pivot + 1 + behind]])
            masked = suffix.repeat(len(suffix) + 1, 1)  # (variant, position), the first left as it is
            masked[torch.arange(1, len(masked)), torch.arange(len(suffix))] = MASK
            for prompts in (masked, suffix[None], masked):
                _site(model, prompts, block, row)
    return time.perf_counter() - start


def _pruned(
    model: SubjectModel, window: torch.Tensor, activations: torch.Tensor, block: Any, row: int
) -> tuple[int, int]:
    """The shortest tried length of a suffix that keeps half of the activation, and where it ends."""
    pivot = int(activations[1:].argmax()) + 1  # tokens behind BOS
    tried = [n for n in range(1, min(CUTOFF, pivot) + 1) if n % INTERVAL == 0 or n == pivot]
    kept = tried[-1]
    for start in range(0, len(tried), BATCH):
        lengths = tried[start : start + BATCH]
        prompts = torch.zeros((len(lengths), lengths[-1] + 1), dtype=torch.int64)
        prompts[:, 0] = window[0]
        for number, length in enumerate(lengths):
            prompts[number, 1 : length + 1] = window[pivot - length + 1 : pivot + 1]
        sites = _site(model, prompts, block, row)
        enough = [n for n, site in zip(lengths, sites, strict=True) if site[n] > activations[pivot] / 2]
        if enough:
            kept = enough[0]
            break
    return kept, pivot


def _behind(tokens: np.ndarray[Any, Any], pivot: int, ending: np.ndarray[Any, Any]) -> int:
    """Tokens kept behind the pivot: no more than are left of its sentence."""
    ends = np.flatnonzero(ending[tokens[pivot : pivot + BEHIND]])
    left = ends[0] if len(ends) else len(tokens) - 1 - pivot
    return int(min(BEHIND, left))


def _site(model: SubjectModel, tokens: torch.Tensor, block: Any, row: int) -> torch.Tensor:
    """A neuron's activations in a pass that keeps every hook point of the model: (batch, position)."""
    _, cache = model.bridge.run_with_cache(tokens)
    site: torch.Tensor = cache[model.site.format(layer=block.layer)]
    return site.view(*tokens.shape, model.d_mlp)[..., int(block.neuron[row])]


if __name__ == "__main__":
    typer.run(main)
