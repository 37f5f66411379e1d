"""Work units: some neurons of one layer, learned together and written as one shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array
from n2gdb.core.progress import silent
from n2gdb.errors import StorageError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.augment import Helper
from n2gdb.ingest.n2g.learn import (
    BASELINES,
    Block,
    Learned,
    baseline_verdicts,
    learn,
    refine_graphs,
    split_examples,
    verdict_of,
)
from n2gdb.ingest.n2g.random_text import random_text
from n2gdb.ingest.n2g.records import examples_table, neurons_table, scores_table
from n2gdb.ingest.n2g.text import RandomText
from n2gdb.ingest.scan.layers import scan_layers
from n2gdb.ingest.scan.top_windows import TopExamples
from n2gdb.ingest.sources.places import UnitPlaceOf
from n2gdb.storage.shards import RunFolder, nodes_table

__all__ = [
    "SHARD_NEURONS",
    "Begun",
    "Bench",
    "LayerText",
    "Piece",
    "begin_piece",
    "finish_piece",
    "learn_piece",
    "pieces_of",
    "read_layer_text",
]

#: Neurons of a shard: what is lost when a run is killed, and what shares batches.
SHARD_NEURONS = 256


@dataclass(frozen=True, slots=True)
class Piece:
    """Some units of one place, by rising number: a layer's MLP, or a part of a dictionary."""

    layer: int
    neurons: tuple[int, ...]

    @property
    def shard(self) -> str:
        """Name of the shard that these neurons fill; no other piece of a run has their first."""
        first, last = self.neurons[0], self.neurons[-1]
        return f"L{self.layer:03d}-{first:06d}-{last:06d}-{len(self.neurons):04d}"

    def is_done(self, run: RunFolder) -> bool:
        """Whether the shard is complete: it takes its name only then."""
        return (run.path / "neurons" / self.shard).is_dir()


@dataclass(frozen=True, slots=True)
class LayerText:
    """What the neurons of one layer are learned from."""

    scan: TopExamples
    random: RandomText | None
    """Random text to weigh graphs on; None where they are not refined."""


def read_layer_text(
    model: SubjectModel, corpus: CorpusStore, run: RunFolder, layer: int, config: N2GConfig
) -> LayerText:
    """Read the text of a layer that is prepared; what is missing is scanned."""
    scanned = scan_layers(model, corpus, run.path, (layer,), config, silent)
    random = random_text(model, corpus, run.path, scanned, config, silent) if config.refine_rounds else {}
    return LayerText(scanned[layer].load(), random.get(layer))


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker holds, whatever piece is on it."""

    engine: Engine
    helpers: Sequence[Helper]
    corpus: CorpusStore
    run: RunFolder
    config: N2GConfig


def pieces_of(pending: Sequence[tuple[int, int]], size: int) -> list[Piece]:
    """Part units, (place, number there) in ascending order, into pieces of at most ``size``."""
    pieces = []
    for place, here in groupby(pending, key=lambda unit: unit[0]):
        units = [unit for _, unit in here]
        pieces += [Piece(place, tuple(units[start : start + size])) for start in range(0, len(units), size)]
    return pieces


@dataclass(frozen=True, slots=True)
class Begun:
    """A piece that the model has been asked about: what is left needs no more passes."""

    piece: Piece
    block: Block
    window: Int64Array  # (neuron, example) numbers of the windows in the corpus
    train: BoolArray  # (neuron, example)
    learned: Learned
    random: RandomText | None


def begin_piece(bench: Bench, piece: Piece, text: LayerText) -> Begun:
    """Ask the model for all that a piece's graphs are built of, and build them."""
    block, window = _block(text.scan, piece, bench.corpus)
    train = split_examples(block, bench.config.seed)
    learned = learn(bench.engine, block, train, bench.helpers, bench.config)
    return Begun(piece, block, window, train, learned, text.random)


def finish_piece(bench: Bench, begun: Begun) -> None:
    """Refine a piece's graphs where there is random text to weigh them on, judge them, write the shard."""
    config, block, train, learned = bench.config, begun.block, begun.train, begun.learned
    graphs = learned.graphs
    if begun.random is not None:
        graphs = refine_graphs(learned, block, train, begun.window, begun.random, config)
    test = block.exists & ~train
    verdicts = [verdict_of(graph, block, row, test[row], config) for row, graph in enumerate(graphs)]
    units = bench.engine.model.at(block.layer)
    keys = units.keys(block.neuron)
    try:
        bench.run.write_shard(
            begun.piece.shard,
            neurons_table(block, units, graphs, verdicts, _density(bench.engine.model, begun)),
            nodes_table(list(zip(keys.tolist(), graphs, strict=True))),
            examples_table(block, keys, begun.window, train),
            _other_scores(learned, block, units, train, test, config),
        )
    except StorageError:
        # A worker that was given up for lost may have come first after all.
        if not begun.piece.is_done(bench.run):
            raise


def _density(model: SubjectModel, begun: Begun) -> FloatArray | None:
    """Share of random text on which each unit of a piece fires, a latent wherever it is above zero: (unit,).

    None if there is no random text.
    """
    random, units = begun.random, begun.block.neuron
    if random is None:
        return None
    counted = np.count_nonzero(model.counted(random.windows))
    if random.active is not None and model.at(begun.block.layer).dictionary is not None:
        fires = random.active[units]
    else:
        fires = np.array([len(random.firings.get(unit, ())) for unit in units.tolist()])
    share: FloatArray = (fires / max(1, int(counted))).astype(np.float32)
    return share


def learn_piece(bench: Bench, piece: Piece, text: LayerText) -> None:
    """Learn a piece's graphs and write its shard.

    A piece whose shard is complete is not done again, not even by two workers at once.
    """
    if not piece.is_done(bench.run):
        finish_piece(bench, begin_piece(bench, piece, text))


def _block(scan: TopExamples, piece: Piece, corpus: CorpusStore) -> tuple[Block, Int64Array]:
    """A block's examples with their tokens, and the windows' numbers (neuron, example)."""
    neurons = np.array(piece.neurons, np.intp)
    window = scan.window[neurons]
    text = corpus.tokens_of(np.maximum(window, 0).ravel()).reshape(*window.shape, -1)
    text[window < 0] = PAD
    block = Block(
        piece.layer, neurons, scan.max_activation[neurons], text, scan.pivot[neurons], scan.trace[neurons]
    )
    return block, window


def _other_scores(
    learned: Learned,
    block: Block,
    units: UnitPlaceOf,
    train: BoolArray,
    test: BoolArray,
    config: N2GConfig,
) -> pa.Table:
    """How the graphs before refinement and the look-up tables do on the same examples."""
    rows = range(len(block.neuron))
    plain = [verdict_of(graph, block, row, test[row], config) for row, graph in enumerate(learned.graphs)]
    tables = [baseline_verdicts(block, row, train[row], test[row], config) for row in rows]
    none = [None] * len(tables)
    return pa.concat_tables(
        [
            scores_table(block, units, "plain", plain, list(map(len, learned.graphs))),
            *(
                scores_table(block, units, name, [table[name] for table in tables], none)
                for name in BASELINES
            ),
        ]
    )
