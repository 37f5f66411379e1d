"""Worlds that are stored: what lies in the shards of a database, read without the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from n2gdb.core.graph import NeuronGraph
from n2gdb.storage.columns import STATISTICS
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.shards import RunFolder, run_folders
from tests.generators.stored_evidence import classes_of, evidence_of, firings_of
from tests.generators.unit_sets import UnitSets
from tests.oracle.behaviours import counted
from tests.oracle.world import Model, Neuron, World

__all__ = ["SMOLLM", "example_texts", "smollm_runs", "world_beside", "world_of"]

_ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
#: Shards of 48 neurons of a real model: 49,152 tokens, patterns up to 30 positions deep.
SMOLLM = _ROOT.parent / "shared" / "smollm2-l10"


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
    texts = tuple(tokens["text"].to_pylist())
    classes, sets = classes_of(run.classes()), UnitSets.read(run.sources())
    return Model(number, row["name"], texts, row["tokenizer"], threshold, classes, special, sets)


def _neurons(model: Model, run: RunFolder) -> Iterator[Neuron]:
    graphs, evidence = graphs_from(run.nodes()), evidence_of(run)
    firings = firings_of(run, model.fire_threshold)
    for row in run.neurons().sort_by("unit").to_pylist():
        unit = row["unit"]
        graph = graphs.get(unit, NeuronGraph.empty())
        statistics = {name: value for name, value in row.items() if name in STATISTICS} | counted(graph)
        own = firings.get(unit, ())
        yield Neuron(
            model, model.sets.name_of(unit), statistics, graph, evidence=evidence.get(unit), firings=own
        )
