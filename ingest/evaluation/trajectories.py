"""Trajectories: activations of top examples' pivots after ever longer contexts.

Source: N2G, arXiv 2305.19911, figure 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

from n2gdb.core.arrays import Float64Array, FloatArray, IndexArray, IntArray
from n2gdb.core.progress import Report, silent
from n2gdb.core.readings import Example
from n2gdb.core.trajectories import (
    EXAMPLES,
    LENGTHS,
    LONGEST,
    SAMPLE,
    ExampleTrajectory,
    LayerTrajectory,
    NeuronTrajectories,
)
from n2gdb.database import Database
from n2gdb.errors import SelectionError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.n2g.prune import Examples, Prompts, prune, reach_of, shortest_of
from n2gdb.ingest.n2g.saliency import measure_saliency
from n2gdb.ingest.sources.places import unit_number
from n2gdb.ingest.trunk.packing import lengths_of
from n2gdb.neuron import Neuron
from n2gdb.storage.read.examples import firing_neurons, strongest_examples

__all__ = ["average", "follow_contexts", "layer_trajectories", "neuron_trajectories"]


def follow_contexts(engine: Engine, layer: int, examples: Examples, lengths: Sequence[int]) -> FloatArray:
    """Normalised activation of each pivot in prompts of at most so many tokens, after a BOS.

    A prompt ends on the pivot and begins no earlier than its window or the last special token before it;
    without a BOS one more token stands before a lone pivot. Returns (example, length) float32.
    """
    asked = np.maximum(np.array(lengths), shortest_of(engine))
    length = np.minimum(asked, _reaches(engine, examples, max(lengths))[:, None])
    row = np.repeat(np.arange(len(length)), len(lengths))
    tokens = _suffixes(engine.model.bos, examples, row, length.ravel())
    found = engine.activations(layer, tokens, examples.neuron[row])
    followed: FloatArray = found[np.arange(len(row)), lengths_of(tokens) - 1].reshape(length.shape)
    followed /= examples.scale[:, None]
    return followed


def _reaches(engine: Engine, examples: Examples, longest: int) -> IndexArray:
    """Tokens of each example's longest prompt, ``longest`` at most: (example,)."""
    return reach_of(engine, examples, longest)


def _suffixes(bos: int | None, examples: Examples, row: IndexArray, length: IndexArray) -> IntArray:
    """Cut the last tokens up to pivots, each suffix of its own length, after a BOS: (suffix, position)."""
    place = np.arange(length.max())
    inside = place < length[:, None]
    position = examples.pivot[row, None] + 1 - length[:, None] + place  # (suffix, position)
    text = np.where(inside, examples.tokens[row[:, None], np.where(inside, position, 0)], PAD)
    tokens = text if bos is None else np.pad(text, ((0, 0), (1, 0)), constant_values=bos)
    return tokens.astype(np.int32)


def layer_trajectories(
    database: Database,
    engine: Engine,
    model: str | None = None,
    *,
    sample: int = SAMPLE,
    examples: int = EXAMPLES,
    lengths: Sequence[int] = LENGTHS,
    seed: int = 0,
    report: Report = silent,
) -> list[LayerTrajectory]:
    """Average the trajectories of ``sample`` neurons of every layer, drawn with ``seed``, dead ones aside.

    Of each its strongest ``examples`` are followed. An activation below zero counts as 0: it is no firing,
    and over a small maximum it would outweigh all others. ``engine`` runs the model of the database, which
    calls it ``model``. Raises SelectionError where none of its neurons fires.
    """
    info = database.model(model)
    drawn = _draw(database, info.number, sample, seed)
    if not drawn:
        raise SelectionError(f"{database.path} holds no neuron of {info.name} that fires")
    found = []
    report("trajectories", 0, len(drawn))
    for done, (layer, keys) in enumerate(drawn.items(), 1):
        rows = _read_examples(database, keys, examples, info.d_mlp)
        followed = follow_contexts(engine, layer, rows, lengths)
        found.append(average(info.name, layer, rows, lengths, followed))
        report("trajectories", done, len(drawn))
    return found


def _draw(database: Database, number: int, sample: int, seed: int) -> dict[int, list[int]]:
    """Draw keys of a model's neurons that fire, by layer."""
    rows = firing_neurons(database.connection, number)
    drawn = {}
    for layer, group in groupby(rows, key=lambda row: int(row[0])):
        keys = np.array([key for _, key in group])
        random = np.random.default_rng((seed, layer))
        chosen = random.choice(len(keys), min(sample, len(keys)), replace=False)
        drawn[layer] = sorted(keys[chosen].tolist())
    return drawn


def _read_examples(database: Database, keys: Sequence[int], most: int, d_mlp: int) -> Examples:
    """Read the strongest examples of neurons of one layer, by neuron and rank; negative sides come behind."""
    rows = [
        (unit_number(key, d_mlp), *row) for key, *row in strongest_examples(database.connection, keys, most)
    ]
    return _examples(*zip(*rows, strict=True))


def _examples(
    neuron: Sequence[int],
    tokens: Sequence[Sequence[int]],
    pivot: Sequence[int],
    activation: Sequence[float],
    scale: Sequence[float],
) -> Examples:
    padded = np.full((len(tokens), max(map(len, tokens))), PAD, np.int32)
    for row, window in enumerate(tokens):
        padded[row, : len(window)] = window
    return Examples(
        np.array(neuron, np.intp),
        padded,
        np.array(pivot, np.intp),
        np.array(activation, np.float32),
        np.array(scale, np.float32),
    )


def average(
    model: str, layer: int, rows: Examples, lengths: Sequence[int], followed: FloatArray
) -> LayerTrajectory:
    """Average over each neuron's examples, then over neurons; an activation below zero counts as 0."""
    _, place = np.unique(rows.neuron, return_inverse=True)
    means = _mean_by(place, followed.clip(min=0))  # (neuron, length)
    whole = _mean_by(place, (rows.activation / rows.scale)[:, None].clip(min=0))
    low, high = np.quantile(means, [0.25, 0.75], axis=0)
    return LayerTrajectory(
        model,
        layer,
        len(means),
        len(followed),
        tuple(lengths),
        tuple(means.mean(axis=0).tolist()),
        tuple(low.tolist()),
        tuple(high.tolist()),
        float(whole.mean()),
    )


def _mean_by(place: IndexArray, values: FloatArray) -> Float64Array:
    """Average the rows of one place: (row,), (row, column) -> (place, column)."""
    total = np.zeros((int(place.max()) + 1, values.shape[1]))
    np.add.at(total, place, values)
    return total / np.bincount(place)[:, None]


def neuron_trajectories(
    database: Database,
    engine: Engine,
    neuron: Neuron,
    config: N2GConfig,
) -> NeuronTrajectories:
    """Follow every top example of a neuron, with the importance of each token of its pruned prompt.

    ``engine`` runs the model of the database, ``config`` is what it was ingested with. Raises
    SelectionError for a neuron without examples or that never fires.
    """
    if not neuron.examples or not neuron.max_activation > 0:
        raise SelectionError(f"{neuron.name} never fires on the corpus, so it has no trajectories")
    count = len(neuron.examples)
    layer, unit = engine.model.unit_of(neuron.name)
    rows = _examples(
        [unit] * count,
        [example.tokens for example in neuron.examples],
        [example.pivot for example in neuron.examples],
        [example.activation for example in neuron.examples],
        [neuron.max_activation] * count,
    )
    longest = max(LONGEST, config.prune_limit)
    reach = _reaches(engine, rows, longest).tolist()
    followed = follow_contexts(engine, layer, rows, range(1, longest + 1))
    prompts = prune(engine, layer, rows, config)
    prompts, importance = measure_saliency(engine, layer, prompts, config)
    weights = dict(_importance_by_example(engine, prompts, importance))
    texts = database.texts({token for example in neuron.examples for token in example.tokens}, neuron.model)
    return NeuronTrajectories(
        neuron.model,
        neuron.name,
        neuron.max_activation,
        config.fire_threshold,
        config.importance_threshold,
        tuple(
            _trajectory(example, values[: reach[row]], weights.get(row, []), texts, whole)
            for row, (example, values, whole) in enumerate(
                zip(neuron.examples, followed, (rows.activation / rows.scale).tolist(), strict=True)
            )
        ),
    )


def _importance_by_example(
    engine: Engine, prompts: Prompts, importance: FloatArray
) -> Iterator[tuple[int, list[float]]]:
    """Yield each pruned example with the importance of its context tokens for its pivot, in text order."""
    front = int(engine.model.bos is not None)
    for prompt, (source, pivot) in enumerate(
        zip(prompts.source.tolist(), prompts.pivot.tolist(), strict=True)
    ):
        yield source, importance[prompt, front:pivot, pivot].tolist()


def _trajectory(
    example: Example,
    values: FloatArray,
    importance: Sequence[float],
    texts: Mapping[int, str],
    whole: float,
) -> ExampleTrajectory:
    """Lay an example out in text order; ``values`` are of rising length, ``importance`` ends at the pivot."""
    tokens = example.tokens[example.pivot + 1 - len(values) : example.pivot + 1]
    pruned = len(tokens) - 1 - len(importance)
    return ExampleTrajectory(
        example.rank,
        example.split,
        tokens,
        tuple(texts[token] for token in tokens),
        tuple(values[::-1].tolist()),
        (*[None] * pruned, *importance, None),
        whole,
    )
