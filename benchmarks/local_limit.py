"""What any predictor of the last tokens may hope for: the model itself, shown no more than these.

    python -m benchmarks.local_limit DATABASE HELDOUT [--windows 200] [--tokens 8,16] [--cache FOLDER]

At every position of a sample of held-out windows the model reads BOS and the last tokens alone; a firing is
predicted where a neuron's activation reaches half of its maximum all the same. The database's graphs and
evidence are judged on the same neurons in the same windows. Means are over the neurons that fire in the
sample; behind each stands a 95 % interval (bootstrap over neurons), and the gain over evidence, paired.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

import n2gdb
from benchmarks.judging import Judging, print_verdicts
from n2gdb.core.units import unit_key
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.judge import Verdict
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.storage.read.evidence import read_model_evidence, read_token_classes

#: Tokens that the model reads at once.
AT_ONCE = 16_384


def main(
    database: Path,
    heldout: str,
    windows: Annotated[int, typer.Option(help="Held-out windows, drawn.")] = 200,
    tokens: Annotated[str, typer.Option(help="How many last tokens are shown.")] = "8,16",
    cache: Annotated[Path | None, typer.Option(help="Folder of held-out firings.")] = None,
) -> None:
    bench = Judging.of(database, heldout, cache, windows)
    with n2gdb.open(database) as opened:
        info = opened.model()
        evidence = read_model_evidence(opened.connection, info.number)
        classes = read_token_classes(opened.connection, info.number)
    model, text, threshold = bench.model, bench.heldout, bench.config.fire_threshold
    largest = [layer_scan(bench.run.path, layer).load().max_activation for layer in range(model.n_layers)]
    print(f"{len(text.windows):,} windows, {np.count_nonzero(text.counted):,} tokens")
    row, position = np.nonzero(text.counted)
    shown = {}
    for last in map(int, tokens.split(",")):
        back = position[:, None] - np.arange(last)[::-1]
        # Where less stands before, the model reads all that there is: nothing is cut.
        prompts = np.where(back >= 1, text.windows[row[:, None], np.maximum(back, 0)], -1)
        prompts = np.concatenate([np.full((len(prompts), 1), model.bos), prompts], axis=1)
        shown[f"last {last}"] = _at_end(model, prompts, largest, threshold)
    for layer in range(model.n_layers):
        firings, graphs = bench.firings(layer), bench.graphs(layer)
        found: dict[str, list[tuple[Verdict, ...]]] = {}
        for unit, where in firings.items():
            by_graph = text.predicted(graphs[unit], threshold)
            own = evidence.get(unit_key(0, layer, unit))
            said = {
                "graph": by_graph,
                "evidence": by_graph if own is None else text.foreseen(own, classes, by_graph),
            }
            for name, of_layers in shown.items():
                said[name] = np.zeros_like(text.counted)
                said[name][text.counted] = of_layers[layer][:, unit]
            for name, predicted in said.items():
                found.setdefault(name, []).append((text.verdict(predicted, where),))
        counts = [len(where) for where in firings.values()]
        print(f"layer {layer}: {len(firings)} neurons fire, the median {np.median(counts):.0f} times")
        print_verdicts(found, np.arange(len(firings)), "evidence")


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


if __name__ == "__main__":
    typer.run(main)
