"""N2G for a block of neurons of one layer: split, prune, saliency, augment, build, refine, judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, Int64Array, IntArray
from n2gdb.core.graph import NeuronGraph
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.n2g.augment import Helper
from n2gdb.ingest.n2g.baselines import NGRAM_LOOKUP, TOKEN_LOOKUP, NgramTable
from n2gdb.ingest.n2g.build import build_graphs
from n2gdb.ingest.n2g.candidates import read_candidates
from n2gdb.ingest.n2g.firings import PromptFiring, read_firings
from n2gdb.ingest.n2g.judge import Verdict, judge, predict_windows
from n2gdb.ingest.n2g.measure import measure
from n2gdb.ingest.n2g.prune import Examples
from n2gdb.ingest.n2g.refine import refine
from n2gdb.ingest.n2g.text import LaidText, RandomText

__all__ = [
    "BASELINES",
    "Block",
    "Learned",
    "baseline_verdicts",
    "is_dead",
    "learn",
    "normalised",
    "refine_graphs",
    "split_examples",
    "verdict_of",
]


#: The paper's baselines, by the name that their scores are stored under.
BASELINES = {"lookup": TOKEN_LOOKUP, "ngram": NGRAM_LOOKUP}


@dataclass(frozen=True, slots=True)
class Block:
    """Some neurons of one layer with their top examples, strongest first."""

    layer: int
    neuron: IndexArray  # (neuron,) index in the layer
    max_activation: FloatArray  # (neuron,)
    tokens: IntArray  # (neuron, example, position), all PAD after a neuron's last example
    pivot: IndexArray  # (neuron, example)
    trace: FloatArray  # (neuron, example, position) activations; -inf where none counts

    @property
    def exists(self) -> BoolArray:
        """Which places hold an example: (neuron, example)."""
        found: BoolArray = (self.tokens != PAD).any(axis=2)
        return found


def is_dead(max_activation: FloatArray) -> BoolArray:
    """Whether a neuron never fires: its largest activation on the whole corpus is not above zero."""
    dead: BoolArray = ~(max_activation > 0)
    return dead


def split_examples(block: Block, seed: int) -> BoolArray:
    """Choose the training half of each neuron's examples: (neuron, example), True for training.

    Seeded by seed, layer and neuron, so that it does not depend on what else is ingested. Of an odd
    number the larger half trains.
    """
    exists = block.exists
    train = np.zeros_like(exists)
    for row, index in enumerate(block.neuron.tolist()):
        places = np.flatnonzero(exists[row])
        drawn = np.random.default_rng((seed, block.layer, index)).permutation(places)
        train[row, drawn[: (len(places) + 1) // 2]] = True
    return train


@dataclass(frozen=True, slots=True)
class Learned:
    """The graphs of a block as the paper builds them, and what they were read off."""

    graphs: list[NeuronGraph]
    firings: list[PromptFiring]


def learn(
    engine: Engine,
    block: Block,
    train: BoolArray,
    helpers: Sequence[Helper],
    config: N2GConfig,
) -> Learned:
    """Build the graph of every neuron of a block from its training examples; dead ones get none.

    Examples that stay below the activation threshold give no patterns, and are not run.

    Source: N2G, arXiv 2305.19911, section 3.
    """
    least = config.activation_threshold * block.max_activation[:, None]
    strongest = np.take_along_axis(block.trace, block.pivot[..., None], 2)[..., 0]  # (neuron, example)
    row, place = np.nonzero(train & (strongest > least) & ~is_dead(block.max_activation)[:, None])
    pivot = block.pivot[row, place]
    examples = Examples(
        block.neuron[row],
        block.tokens[row, place],
        pivot,
        block.trace[row, place, pivot],
        block.max_activation[row],
    )
    measured = measure(engine, block.layer, examples, helpers, config)
    firings = read_firings(
        measured, place, engine.model.special, config, first_counts=engine.model.first_counts
    )
    return Learned(build_graphs(firings, block.neuron.tolist(), config.importance_threshold), firings)


def refine_graphs(
    learned: Learned,
    block: Block,
    train: BoolArray,
    window: Int64Array,
    random: RandomText,
    config: N2GConfig,
) -> list[NeuronGraph]:
    """Let the graphs of a block learn from their mistakes on training windows and random text.

    window (neuron, example) holds the numbers of the top windows in the corpus; none of them is random text
    to its neuron.
    """
    candidates = read_candidates(learned.firings, config)
    return [
        refine(
            graph,
            candidates.get(neuron, {}),
            _training_text(block, row, train[row], config),
            random,
            neuron,
            window[row],
            config,
        )
        if train[row].any()
        else graph
        for row, (graph, neuron) in enumerate(zip(learned.graphs, block.neuron.tolist(), strict=True))
    ]


def _training_text(block: Block, row: int, train: BoolArray, config: N2GConfig) -> LaidText:
    return LaidText.of(
        block.tokens[row, train], normalised(block, row, train), np.flatnonzero(train), config.prune_limit
    )


def verdict_of(graph: NeuronGraph, block: Block, row: int, test: BoolArray, config: N2GConfig) -> Verdict:
    """Judge one neuron's graph on its test examples; ``test`` (example,) says which they are."""
    predicted = predict_windows(graph, block.tokens[row, test])
    return judge(predicted, normalised(block, row, test), config.fire_threshold)


def baseline_verdicts(
    block: Block, row: int, train: BoolArray, test: BoolArray, config: N2GConfig
) -> dict[str, Verdict]:
    """Judge the look-up tables that one neuron's training examples give, on its test examples."""
    known, asked = block.tokens[row, train], block.tokens[row, test]
    learned, true = normalised(block, row, train), normalised(block, row, test)
    table = NgramTable.learn(max(BASELINES.values()), known, learned, config.fire_threshold)
    predicted = list(table.predictions(asked))
    return {name: judge(predicted[n - 1], true, config.fire_threshold) for name, n in BASELINES.items()}


def normalised(block: Block, row: int, examples: BoolArray) -> FloatArray:
    """Return a neuron's normalised activations on some of its examples: (example, position)."""
    largest = float(block.max_activation[row])
    scale = max(largest, float(np.finfo(np.float32).tiny)) if largest > 0 else 1.0
    found: FloatArray = block.trace[row, examples] / np.float32(scale)
    return found
