"""Work units: some neurons of one layer, learned together and written as one shard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, Int64Array
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.progress import Report
from n2gdb.errors import StorageError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.augment import Helper
from n2gdb.ingest.n2g.judge import UNJUDGED
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
from n2gdb.ingest.n2g.random_text import heldout_firings, random_text
from n2gdb.ingest.n2g.records import examples_table, scores_table
from n2gdb.ingest.n2g.text import RandomText
from n2gdb.ingest.scan.layer_file import LayerScan
from n2gdb.ingest.scan.layers import scan_layers
from n2gdb.ingest.scan.place_record import RecordFile
from n2gdb.ingest.scan.record import ActivationRecord
from n2gdb.ingest.scan.top_windows import TopExamples
from n2gdb.ingest.sources.places import UnitPlaceOf
from n2gdb.ingest.workers.measure import Ground, ground_of, measure_piece
from n2gdb.ingest.workers.measured_rows import (
    evidence_table,
    measured_scores,
    neurons_table,
    range_table,
    records_table,
)
from n2gdb.storage.graph_rows import nodes_table
from n2gdb.storage.shards import RunFolder

__all__ = [
    "SHARD_NEURONS",
    "Begun",
    "Bench",
    "LayerText",
    "Piece",
    "Prepared",
    "begin_piece",
    "finish_piece",
    "learn_piece",
    "pieces_of",
]

#: Neurons of a shard: what is lost when a run is killed, and what shares batches.
SHARD_NEURONS = 256

#: The least normalised activation that counts as one.
_ABOVE_ZERO = float(np.finfo(np.float32).tiny)


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
    record: RecordFile
    random: RandomText | None
    """Random text to weigh graphs on; None where they are not refined."""
    heldout: Mapping[int, IndexArray]
    """Where each unit fires in held-out text."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known of scanned places before anything is learned."""

    scanned: Mapping[int, LayerScan]
    random: Mapping[int, RandomText]
    heldout: Mapping[int, Mapping[int, IndexArray]]

    @classmethod
    def of(
        cls,
        model: SubjectModel,
        corpus: CorpusStore,
        heldout: CorpusStore | None,
        run: RunFolder,
        layers: Iterable[int],
        config: N2GConfig,
        report: Report,
        max_memory: int | None = None,
    ) -> Prepared:
        """Scan the corpus for layers, and find where they fire in other text; what is there stays."""
        folder = run.path
        scanned = scan_layers(model, corpus, folder, layers, config, report, max_memory)
        random = random_text(model, corpus, folder, scanned, config, report) if config.refine_rounds else {}
        fires = heldout_firings(model, heldout, folder, scanned, config, report) if heldout else {}
        return cls(scanned, random, fires)

    def text(self, layer: int) -> LayerText:
        """What the units of one place are learned from."""
        scan = self.scanned[layer]
        return LayerText(scan.load(), scan.record, self.random.get(layer), self.heldout.get(layer, {}))


@dataclass(frozen=True, eq=False)
class Bench:
    """What a worker holds, whatever piece is on it."""

    engine: Engine
    helpers: Sequence[Helper]
    corpus: CorpusStore
    run: RunFolder
    config: N2GConfig
    heldout: CorpusStore | None = None

    @cached_property
    def ground(self) -> Ground:
        """The texts that pieces are measured on."""
        return ground_of(self.engine.model, self.corpus, self.heldout, self.run, self.config)


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
    record: RecordFile
    heldout: Mapping[int, IndexArray]
    dense: BoolArray  # (neuron,) whether it fires too often for a graph


def begin_piece(bench: Bench, piece: Piece, text: LayerText) -> Begun:
    """Ask the model for all that a piece's graphs are built of, and build them."""
    block, window = _block(text.scan, piece, bench.corpus)
    train = split_examples(block, bench.config.seed)
    dense = _are_dense(bench, block, text.record)
    learned = learn(bench.engine, block, train & ~dense[:, None], bench.helpers, bench.config)
    return Begun(piece, block, window, train, learned, text.random, text.record, text.heldout, dense)


def finish_piece(bench: Bench, begun: Begun) -> None:
    """Refine a piece's graphs where there is random text to weigh them on, measure, judge and write them."""
    config, block, train, learned = bench.config, begun.block, begun.train, begun.learned
    graphs = learned.graphs
    if begun.random is not None:
        shown = train & ~begun.dense[:, None]
        graphs = refine_graphs(learned, block, shown, begun.window, begun.random, config)
    test = block.exists & ~train
    verdicts = [
        UNJUDGED if begun.dense[row] else verdict_of(graph, block, row, test[row], config)
        for row, graph in enumerate(graphs)
    ]
    units = bench.engine.model.at(block.layer)
    record = begun.record.load(block.neuron)
    measured = measure_piece(
        bench.ground, block, begun.window, train, graphs, verdicts, record, begun.heldout, config
    )
    keys = units.keys(block.neuron)
    density = _density(record, config.fire_threshold, of_latents=units.dictionary is not None)
    try:
        bench.run.write_shard(
            begun.piece.shard,
            neurons_table(block, units, verdicts, measured, density, begun.dense),
            nodes_table(list(zip(keys.tolist(), measured.graphs, strict=True))),
            pa.concat_tables(
                [
                    examples_table(block, keys, begun.window, train),
                    range_table(record, keys, bench.corpus.width, config),
                ]
            ),
            pa.concat_tables(
                [
                    _other_scores(begun, units, graphs, test, config),
                    measured_scores(block, units, measured),
                ]
            ),
            evidence_table(keys, measured.evidence),
            records_table(keys, record, config.fire_threshold),
        )
    except StorageError:
        # A worker that was given up for lost may have come first after all.
        if not begun.piece.is_done(bench.run):
            raise


def _density(record: ActivationRecord, threshold: float, *, of_latents: bool) -> FloatArray:
    """Share of the corpus on which each unit fires, a latent wherever it is above zero: (unit,)."""
    fires = record.active if of_latents else record.reaching(threshold)
    share: FloatArray = (fires / max(1, record.n_positions)).astype(np.float32)
    return share


def _are_dense(bench: Bench, block: Block, record: RecordFile) -> BoolArray:
    """Which units are latents that fire too often for a graph: (unit,)."""
    if bench.engine.model.at(block.layer).dictionary is None:
        return np.zeros(len(block.neuron), np.bool_)
    density = _density(record.load(block.neuron), bench.config.fire_threshold, of_latents=True)
    found: BoolArray = density >= bench.config.dense
    return found


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
    begun: Begun, units: UnitPlaceOf, graphs: Sequence[NeuronGraph], test: BoolArray, config: N2GConfig
) -> pa.Table:
    """How the graphs before refinement and the look-up tables do on the same examples.

    And, of latents, how their graphs do where any activation above zero is a firing.
    """
    learned, block, train = begun.learned, begun.block, begun.train
    test = test & ~begun.dense[:, None]
    rows = range(len(block.neuron))
    plain = [verdict_of(graph, block, row, test[row], config) for row, graph in enumerate(learned.graphs)]
    tables = [baseline_verdicts(block, row, train[row], test[row], config) for row in rows]
    none = [None] * len(tables)
    of_latents = []
    if units.dictionary is not None:
        above_zero = replace(config, fire_threshold=_ABOVE_ZERO)
        found = [verdict_of(graph, block, row, test[row], above_zero) for row, graph in enumerate(graphs)]
        of_latents = [scores_table(block, units, "n2g", found, list(map(len, graphs)), "active")]
    return pa.concat_tables(
        [
            *of_latents,
            scores_table(block, units, "plain", plain, list(map(len, learned.graphs))),
            *(
                scores_table(block, units, name, [table[name] for table in tables], none)
                for name in BASELINES
            ),
        ]
    )
