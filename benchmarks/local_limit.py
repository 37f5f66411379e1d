"""What any predictor of the last tokens may hope for: the model itself, shown no more than these.

    python -m benchmarks.local_limit DATABASE HELDOUT [--windows 200] [--tokens 8,16]

At every position of a sample of held-out windows the model reads BOS and the last tokens alone; a firing is
predicted where a neuron's activation reaches half of its maximum all the same. Means are over the neurons
that fire in the sample; behind each stands a 95 % interval (bootstrap over neurons).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

import n2gdb
from benchmarks.evidence import SEED, interval
from n2gdb.ingest.corpus.documents import Windows, read_documents
from n2gdb.ingest.models.stored import load_stored_model, stored_config
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.storage.shards import run_folders

#: Tokens that the model reads at once.
AT_ONCE = 16_384


def main(
    database: Path,
    heldout: str,
    windows: Annotated[int, typer.Option(help="Held-out windows, drawn.")] = 200,
    tokens: Annotated[str, typer.Option(help="How many last tokens are shown.")] = "8,16",
) -> None:
    with n2gdb.open(database) as opened:
        info = opened.model()
    config, model = stored_config(info), load_stored_model(info, "cpu")
    (run,) = run_folders(database)
    width = min(config.window, model.n_ctx)
    all_windows = np.concatenate(list(Windows.of(read_documents(heldout), model, length=width)))
    drawn = np.random.default_rng(SEED).permutation(len(all_windows))[:windows]
    text = all_windows[np.sort(drawn)]
    largest = [layer_scan(run.path, layer).load().max_activation for layer in range(model.n_layers)]
    counted = model.counted(text)
    true = _fires(model, text, largest, config.fire_threshold)
    true = [fires.reshape(*text.shape, -1)[counted] for fires in true]
    print(f"{len(text):,} windows, {np.count_nonzero(counted):,} tokens")
    for shown in map(int, tokens.split(",")):
        row, position = np.nonzero(counted)
        back = position[:, None] - np.arange(shown)[::-1]
        # Where less stands before, the model reads all that there is: nothing is cut.
        prompts = np.where(back >= 1, text[row[:, None], np.maximum(back, 0)], -1)
        prompts = np.concatenate([np.full((len(prompts), 1), model.bos), prompts], axis=1)
        said = _at_end(model, prompts, largest, config.fire_threshold)
        for layer, (fires, predicted) in enumerate(zip(true, said, strict=True)):
            hits = (fires & predicted).sum(axis=0)
            n_true, n_said = fires.sum(axis=0), predicted.sum(axis=0)
            judged = n_true > 0
            f1 = 2 * hits[judged] / (n_true + n_said)[judged]
            precision = np.mean(hits[judged] / np.maximum(n_said[judged], 1))
            recall = np.mean(hits[judged] / n_true[judged])
            print(
                f"layer {layer}, last {shown:>3}: {len(f1):>4} neurons P {precision:.3f} R {recall:.3f}"
                f" F1 {f1.mean():.3f} {interval(f1)}",
                flush=True,
            )


def _at_end(model: SubjectModel, prompts: Any, largest: list[Any], threshold: float) -> list[Any]:
    """Whether neurons fire at the last token of prompts, by layer: (prompt, neuron) each.

    Prompts are BOS, -1 where nothing stands, and the last tokens; prompts of the same length run together.
    """
    length = (prompts >= 0).sum(axis=1)
    found = [np.zeros((len(prompts), len(each)), np.bool_) for each in largest]
    for size in np.unique(length).tolist():
        rows = np.flatnonzero(length == size)
        for start in range(0, len(rows), max(1, AT_ONCE // size)):
            some = rows[start : start + max(1, AT_ONCE // size)]
            own = prompts[some]
            tokens = np.concatenate([own[:, :1], own[:, own.shape[1] - size + 1 :]], axis=1)
            with torch.inference_mode():
                sites = model.all_activations(torch.from_numpy(tokens.astype(np.int64)))
            for layer, (site, most) in enumerate(zip(sites, largest, strict=True)):
                found[layer][some] = (site[:, -1].numpy() >= threshold * most) & (most > 0)
    return found


def _fires(model: SubjectModel, windows: Any, largest: list[Any], threshold: float) -> list[Any]:
    """Where neurons fire in windows, by layer: (window x position, neuron) each."""
    parts: list[list[Any]] = [[] for _ in largest]
    for start in range(0, len(windows), 16):
        with torch.inference_mode():
            tokens = torch.from_numpy(windows[start : start + 16].astype(np.int64)).clamp(min=0)
            sites = model.all_activations(tokens)
        for part, site, most in zip(parts, sites, largest, strict=True):
            part.append((site.flatten(0, 1).numpy() >= threshold * most) & (most > 0))
    return [np.concatenate(part) for part in parts]


if __name__ == "__main__":
    typer.run(main)
