"""Worlds that are stored: what lies in the shards of a database, read without the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName, mlp_name
from n2gdb.storage.shards import RunFolder, run_folders
from tests.oracle.behaviours import counted
from tests.oracle.world import Model, Neuron, World

__all__ = ["SMOLLM", "example_texts", "smollm_runs", "world_beside", "world_of"]

_ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
#: Shards of 48 neurons of a real model: 49,152 tokens, patterns up to 30 positions deep.
SMOLLM = _ROOT.parent / "shared" / "smollm2-l10"

_COLUMNS = ("token", "depth", "parent", "importance", "end")


def smollm_runs() -> list[RunFolder]:
    """Return the run of the real model's neurons; none where its shards are not beside the repository."""
    return [RunFolder(path.parent) for path in sorted(SMOLLM.glob("*/model.parquet"))]


def world_of(runs: Sequence[RunFolder]) -> World:
    """Read what a database is built of, in the order in which it numbers models."""
    models = [_model(number, run) for number, run in enumerate(runs)]
    neurons = [neuron for model, run in zip(models, runs, strict=True) for neuron in _neurons(model, run)]
    return World(tuple(models), tuple(neurons))


def world_beside(database: Path) -> World:
    """Read the shards that lie beside a database."""
    return world_of(run_folders(database))


def example_texts(world: World, runs: Sequence[RunFolder], number: int = 200) -> tuple[str, ...]:
    """Return windows of the corpus in which neurons fired, as text, evenly drawn."""
    texts: list[str] = []
    for model, run in zip(world.models, runs, strict=True):
        windows = run.windows()["tokens"].to_pylist()
        for tokens in windows[:: max(1, len(windows) // number)]:
            texts.append("".join(model.texts[token] for token in tokens[1:] if token >= 0))
    return tuple(texts)


def _model(number: int, run: RunFolder) -> Model:
    (row,) = run.model().to_pylist()
    tokens = run.tokens().sort_by("token")
    assert tokens["token"].to_pylist() == list(range(len(tokens)))
    threshold = json.loads(row["configuration"] or "{}").get("fire_threshold", 0.5)
    ids = enumerate(tokens["special"].to_pylist())
    special = frozenset(token for token, is_special in ids if is_special)
    return Model(number, row["name"], tuple(tokens["text"].to_pylist()), row["tokenizer"], threshold, special)


def _neurons(model: Model, run: RunFolder) -> Iterator[Neuron]:
    graphs = _graphs(run.nodes())
    for row in run.neurons().sort_by("unit").to_pylist():
        name = mlp_name(row.pop("unit"))
        graph = graphs.get(name, NeuronGraph.empty())
        yield Neuron(model, name, row | counted(graph), graph)


def _graphs(nodes: pa.Table) -> dict[NeuronName, NeuronGraph]:
    """Part the nodes of many neurons, which lie together and in preorder."""
    unit = nodes["unit"].to_numpy()
    columns = [nodes[name].to_numpy() for name in _COLUMNS]
    starts = np.flatnonzero(np.diff(unit, prepend=-1)).tolist()
    return {
        mlp_name(int(unit[start])): NeuronGraph(*(each[start:stop] for each in columns))
        for start, stop in zip(starts, [*starts[1:], len(unit)], strict=True)
    }
