"""Trajectories of a tiny model against its activations computed by hand from the weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.progress import silent
from n2gdb.core.readings import Example
from n2gdb.core.units import NeuronName
from n2gdb.errors import ModelError, SelectionError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.evaluation.trajectories import (
    average,
    follow_contexts,
    layer_trajectories,
    neuron_trajectories,
)
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.stored import load_stored_model, stored_config
from n2gdb.ingest.models.subject import load_model
from n2gdb.ingest.n2g.prune import Examples
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.neuron import Neuron
from n2gdb.storage.build.database import build_database
from tests.support.small_run import write_run
from tests.support.tiny_models import NEURONS, compute_native, write_native

CONFIG = N2GConfig(window=20, top_k=4, prune_limit=7, importance_threshold=0.1, augment=(), refine_rounds=0)
BOS, MASK, LAYER = 0, 1, 1


@dataclass
class World:
    """A ReLU model with its database, and its activations computed by hand."""

    path: Path
    weights: dict[str, torch.Tensor]
    database: n2gdb.Database

    @cached_property
    def engine(self) -> Engine:
        return Engine(load_stored_model(self.database.model(), "cpu"), 512)

    def activation(self, layer: int, neuron: int, tokens: list[int]) -> float:
        """The activation on the last of some tokens, behind a BOS."""
        found = compute_native(self.weights, torch.tensor([[BOS, *tokens]]), "relu", layer + 1)
        return float(found[layer][0, -1, neuron])

    def living(self, layer: int) -> list[Neuron]:
        return [each for each in self.database.neurons(layer=layer) if each.max_activation > 0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("trajectories")
    weights = write_native(folder / "tiny", "relu")
    corpus = folder / "texts.jsonl"
    random = np.random.default_rng(0)
    words = ["the", " cat", " sat", " on", " import", " numpy", "!", " mat"]
    texts = ["".join(random.choice(words, 9)) for _ in range(60)]
    corpus.write_text("\n".join(json.dumps({"text": text}) for text in texts), encoding="utf-8")
    path = folder / "tiny.n2gdb"
    ingest(load_model(folder / "tiny", "cpu"), Source(str(corpus)), path, CONFIG, Selection(), silent, 512)
    with n2gdb.open(path) as database:
        yield World(folder / "tiny", weights, database)


def text_before(example: Example) -> list[int]:
    """The tokens up to the pivot that no special token parts from it."""
    tokens = list(example.tokens[: example.pivot + 1])
    last_special = max((place for place, token in enumerate(tokens[:-1]) if token in (BOS, MASK)), default=-1)
    return tokens[last_special + 1 :]


def by_hand(world: World, neuron: Neuron, example: Example, longest: int) -> list[float]:
    """Normalised activations behind 1, 2, ... tokens, as many as there are."""
    tokens = text_before(example)
    layer, index = neuron.name.layer, neuron.name.index
    return [
        world.activation(layer, index, tokens[-n:]) / neuron.max_activation
        for n in range(1, min(len(tokens), longest) + 1)
    ]


def test_the_pivot_is_run_behind_ever_more_of_its_context(world: World) -> None:
    neuron = world.living(LAYER)[0]
    found = neuron_trajectories(world.database, world.engine, neuron, CONFIG)
    assert found.neuron == neuron.name
    assert [each.rank for each in found.examples] == [each.rank for each in neuron.examples]
    for each, example in zip(found.examples, neuron.examples, strict=True):
        assert list(each.tokens) == text_before(example)
        assert each.activation[::-1] == pytest.approx(by_hand(world, neuron, example, 30), abs=1e-5)
        assert each.whole == pytest.approx(example.activation / neuron.max_activation)
        assert each.texts == tuple(world.database.texts(each.tokens)[token] for token in each.tokens)


def test_the_whole_window_is_reached_where_nothing_parts_it(world: World) -> None:
    """Behind all that stands before it in its window, a pivot has the activation that was scanned."""
    checked = 0
    for neuron in world.living(LAYER)[:6]:
        for each, example in zip(
            neuron_trajectories(world.database, world.engine, neuron, CONFIG).examples,
            neuron.examples,
            strict=True,
        ):
            if len(each.tokens) == example.pivot:  # all but the BOS
                assert each.activation[0] == pytest.approx(each.whole, abs=1e-4)
                checked += 1
    assert checked


def test_importance_is_what_masking_takes_from_the_pruned_prompt(world: World) -> None:
    checked, marked = 0, 0
    for neuron in world.living(LAYER):
        found = neuron_trajectories(world.database, world.engine, neuron, CONFIG)
        for each in found.examples:
            kept = [place for place, value in enumerate(each.importance) if value is not None]
            first = kept[0] if kept else len(each.tokens) - 1
            assert kept == list(range(first, len(each.tokens) - 1)), "not one piece up to the pivot"
            assert len(each.tokens) - first <= CONFIG.prune_limit
            plain = each.activation[first] * found.max_activation
            for place in kept:
                masked = [*each.tokens[first:place], MASK, *each.tokens[place + 1 :]]
                after = world.activation(LAYER, neuron.name.index, masked)
                assert each.importance[place] == pytest.approx(1 - after / plain, abs=1e-3)
                checked += 1
            expected = [value is not None and value > 0.1 for value in each.importance]
            assert list(found.important(each)) == expected
            marked += sum(expected)
    assert checked > 10
    assert marked


def test_a_layer_is_the_mean_over_neurons_of_the_means_over_examples(world: World) -> None:
    found = layer_trajectories(world.database, world.engine, sample=1000, examples=2, lengths=(1, 2, 5))
    assert [each.layer for each in found] == [0, 1, 2]
    living = world.living(LAYER)
    means, whole = [], []
    for neuron in living:
        rows = []
        for example in neuron.examples[:2]:
            values = by_hand(world, neuron, example, 5)
            rows.append([max(0.0, values[min(length, len(values)) - 1]) for length in (1, 2, 5)])
        means.append(np.mean(rows, axis=0))
        largest = [max(0.0, example.activation) for example in neuron.examples[:2]]
        whole.append(np.mean(largest) / neuron.max_activation)
    layer = found[LAYER]
    assert (layer.neurons, layer.examples) == (len(living), sum(len(n.examples[:2]) for n in living))
    assert layer.lengths == (1, 2, 5)
    assert layer.mean == pytest.approx(np.mean(means, axis=0), abs=1e-5)
    assert layer.low == pytest.approx(np.quantile(means, 0.25, axis=0), abs=1e-5)
    assert layer.high == pytest.approx(np.quantile(means, 0.75, axis=0), abs=1e-5)
    assert layer.whole == pytest.approx(np.mean(whole), abs=1e-5)


def test_neurons_are_drawn_by_seed(world: World) -> None:
    def drawn(seed: int) -> list[tuple[float, ...]]:
        found = layer_trajectories(world.database, world.engine, sample=3, examples=1, lengths=[2], seed=seed)
        assert [each.neurons for each in found] == [3, 3, 3]
        return [each.mean for each in found]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_progress_is_told_layer_by_layer(world: World) -> None:
    told: list[tuple[str, int, int | None]] = []
    layer_trajectories(
        world.database,
        world.engine,
        sample=1,
        examples=1,
        lengths=[1],
        report=lambda stage, done, total: told.append((stage, done, total)),
    )
    assert told == [("trajectories", done, 3) for done in range(4)]


def test_no_prompt_crosses_a_special_token(world: World) -> None:
    tokens = np.array([[BOS, 40, MASK, 41, 42, 43]], np.int32)
    one, pivot = np.array([0], np.intp), np.array([5], np.intp)
    scale = np.array([2.0], np.float32)
    found = follow_contexts(world.engine, 0, Examples(one, tokens, pivot, scale, scale), range(1, 6))
    suffixes = [[43], [42, 43], [41, 42, 43], [41, 42, 43], [41, 42, 43]]
    assert found[0] == pytest.approx([world.activation(0, 0, suffix) / 2 for suffix in suffixes], abs=1e-5)


def test_a_dead_neuron_has_no_trajectories(world: World) -> None:
    neuron = replace(world.living(0)[0], statistics={**world.living(0)[0].statistics, "max_activation": 0.0})
    with pytest.raises(SelectionError, match=f"{neuron.name} never fires"):
        neuron_trajectories(world.database, world.engine, neuron, CONFIG)


def test_a_database_where_no_neuron_fires_is_said(world: World, tmp_path: Path) -> None:
    silent_graph = {NeuronName(0, 0): NeuronGraph.from_patterns([])}
    build_database(tmp_path / "x.n2gdb", [write_run(tmp_path / "dead", silent_graph)])
    with (
        n2gdb.open(tmp_path / "x.n2gdb") as database,
        pytest.raises(SelectionError, match="of dead that fires"),
    ):
        layer_trajectories(database, world.engine)


def test_a_mean_counts_short_examples_as_they_are(world: World) -> None:
    found = neuron_trajectories(world.database, world.engine, world.living(LAYER)[0], CONFIG)
    first, second = found.examples[:2]
    short = replace(first, tokens=(5, 6), activation=(0.5, 0.25))
    long = replace(second, tokens=(7, 8, 9), activation=(1.0, 0.25, 0.75))
    assert replace(found, examples=(short, long)).mean() == pytest.approx((0.5, 0.375, 0.75))


def test_the_configuration_is_the_stored_one(world: World) -> None:
    assert stored_config(world.database.model()) == CONFIG
    bare = replace(world.database.model(), configuration='{"top_k": 9, "of_another_version": 1}')
    assert stored_config(bare) == N2GConfig(top_k=9)


@pytest.mark.parametrize("part", ["model", "tokenizer"])
def test_another_model_of_the_same_name_is_refused(world: World, part: str) -> None:
    stored = world.database.model()
    infos = {
        "model": replace(stored, model_fingerprint="0123456789abcdef"),
        "tokenizer": replace(stored, tokenizer_fingerprint="0123456789abcdef"),
    }
    with pytest.raises(ModelError, match=r"no longer the model .* not 0123456789ab; .*ingest this one"):
        load_stored_model(infos[part], "cpu")


def test_a_tiny_model_fires(world: World) -> None:
    """The tests above speak of something."""
    assert len(world.living(LAYER)) > NEURONS // 2


def test_an_activation_below_zero_counts_as_none() -> None:
    """Two neurons with two examples each, at two lengths: -9 would outweigh all others."""
    rows = Examples(
        np.array([4, 4, 7, 7]),
        np.zeros((4, 1), np.int32),
        np.zeros(4, np.intp),
        np.array([2, -6, 3, 3], np.float32),
        np.array([2, 2, 4, 4], np.float32),
    )
    followed = np.array([[0.5, 1.0], [-9.0, 0.5], [0.25, 0.5], [0.5, 1.0]], np.float32)
    found = average("small", 3, rows, (1, 4), followed)
    assert (found.model, found.layer, found.neurons, found.examples) == ("small", 3, 2, 4)
    assert found.mean == pytest.approx((0.3125, 0.75))  # neurons (0.25, 0.75) and (0.375, 0.75)
    assert found.low == pytest.approx((0.28125, 0.75))
    assert found.high == pytest.approx((0.34375, 0.75))
    assert found.whole == pytest.approx((0.5 + 0.75) / 2)
