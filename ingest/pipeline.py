"""The pipeline: a model and a corpus become shards, and the shards a database. Resumable at every step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from n2gdb import __version__, schema, tokens
from n2gdb.errors import SelectionError
from n2gdb.ingest.augment import Helper, load_helpers
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.corpus_store import CorpusStore
from n2gdb.ingest.engine import Engine
from n2gdb.ingest.laid import RandomText
from n2gdb.ingest.models import SubjectModel
from n2gdb.ingest.n2g import (
    BASELINES,
    Block,
    Learned,
    baseline_verdicts,
    is_dead,
    learn,
    refine_graphs,
    split_examples,
    verdict_of,
)
from n2gdb.ingest.random_text import random_text
from n2gdb.ingest.records import examples_table, neurons_table, scores_table
from n2gdb.ingest.report import Report
from n2gdb.ingest.run_lock import sole_writer
from n2gdb.ingest.scan import TopExamples
from n2gdb.ingest.scan_store import scan_layers
from n2gdb.ingest.windows import PAD
from n2gdb.neuron import NeuronName
from n2gdb.shards import RunFolder, nodes_table, run_folders, shards_folder
from n2gdb.store import build_database

__all__ = ["Source", "ingest", "select_neurons"]

#: Neurons of a shard: what is lost when a run is killed, and what shares batches.
SHARD_NEURONS = 256


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus: its name and its documents' text."""

    name: str
    field: str = "text"


def ingest(
    model: SubjectModel,
    source: Source,
    database: Path,
    config: N2GConfig,
    selection: Selection,
    report: Report,
    batch_tokens: int | None = None,
) -> RunFolder:
    """Run N2G on the selected neurons of a model and load every run into the database.

    What complete shards of the same model, corpus and configuration hold is not done again.
    Raises CorpusError, SelectionError, StorageError, ModelError.
    """
    chosen = select_neurons(model, selection, config.seed)
    with sole_writer(shards_folder(database)):
        return _ingest(model, source, database, config, chosen, report, batch_tokens)


def _ingest(
    model: SubjectModel,
    source: Source,
    database: Path,
    config: N2GConfig,
    chosen: Sequence[NeuronName],
    report: Report,
    batch_tokens: int | None,
) -> RunFolder:
    shards = shards_folder(database)
    corpus = CorpusStore.tokenise(source.name, source.field, model, config, shards, report)
    run = RunFolder.create(shards / _run_name(model, corpus, config))
    run.clean()
    corpus = corpus.move_into(run.path)
    run.write_tokens(_vocabulary(model))
    _learn(model, corpus, run, config, chosen, report, batch_tokens)
    run.write_windows(_windows(run, corpus))
    run.write_model(_model_row(model, source, corpus, config))
    runs = [other for other in run_folders(database) if _model_name(other) != model.name]
    build_database(database, [*runs, run], lambda stage: report(f"load {stage}", 0, None))
    return run


def select_neurons(model: SubjectModel, selection: Selection, seed: int) -> list[NeuronName]:
    """Resolve a selection to neurons by layer and index; raises SelectionError for what is not there."""
    layers = _within("layer", selection.layers, model.n_layers)
    indices = _within("neuron", selection.neurons, model.d_mlp)
    names = [NeuronName(layer, index) for layer in layers for index in indices]
    if selection.sample is None or selection.sample >= len(names):
        return names
    drawn = np.random.default_rng(seed).choice(len(names), selection.sample, replace=False)
    return [names[i] for i in sorted(drawn.tolist())]


def _within(what: str, wanted: Sequence[int] | None, size: int) -> list[int]:
    if wanted is None:
        return list(range(size))
    outside = [number for number in wanted if not 0 <= number < size]
    if outside:
        raise SelectionError(f"no {what} {outside[0]}: this model has {what}s 0 to {size - 1}")
    return sorted(set(wanted))


def _run_name(model: SubjectModel, corpus: CorpusStore, config: N2GConfig) -> str:
    """A run is one model, tokenizer, corpus and configuration: a change of any starts another."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", model.name).strip("-.") or "model"
    parts = (model.fingerprint, model.tokenizer_fingerprint, corpus.fingerprint, config.fingerprint())
    return f"{slug}-{'-'.join(part[:8] for part in parts)}"


def _learn(
    model: SubjectModel,
    corpus: CorpusStore,
    run: RunFolder,
    config: N2GConfig,
    chosen: Sequence[NeuronName],
    report: Report,
    batch_tokens: int | None,
) -> None:
    """Scan the layers that are not scanned yet, then learn the neurons that are in no shard yet."""
    done = run.done()
    pending = [name for name in chosen if (name.layer, name.index) not in done]
    finished = len(chosen) - len(pending)
    if not pending:
        report("neurons", finished, len(chosen))
        return
    engine = Engine(model, batch_tokens)
    helpers = load_helpers(config.augment, engine)
    scanned = scan_layers(model, corpus, run.path, {name.layer for name in pending}, config, report)
    random = random_text(model, corpus, run.path, scanned, config, report) if config.refine_rounds else {}
    report("neurons", finished, len(chosen))
    for layer, names in groupby(pending, key=lambda name: name.layer):
        indices = np.array([name.index for name in names], np.intp)
        scan = scanned[layer].load()
        for start in range(0, len(indices), SHARD_NEURONS):
            part = indices[start : start + SHARD_NEURONS]
            block, window = _block(scan, layer, part, corpus)
            _learn_block(engine, block, window, run, helpers, random.get(layer), config)
            finished += len(part)
            report("neurons", finished, len(chosen))


def _block(
    scan: TopExamples, layer: int, neurons: npt.NDArray[np.intp], corpus: CorpusStore
) -> tuple[Block, npt.NDArray[np.int64]]:
    """A block's examples with their tokens, and the windows' numbers (neuron, example)."""
    window = scan.window[neurons]
    text = corpus.tokens_of(np.maximum(window, 0).ravel()).reshape(*window.shape, -1)
    text[window < 0] = PAD
    block = Block(
        layer, neurons, scan.max_activation[neurons], text, scan.pivot[neurons], scan.trace[neurons]
    )
    return block, window


def _learn_block(
    engine: Engine,
    block: Block,
    window: npt.NDArray[np.int64],
    run: RunFolder,
    helpers: Sequence[Helper],
    random: RandomText | None,
    config: N2GConfig,
) -> None:
    """Learn a block's graphs, refined where there is random text to weigh them on, and write its shard."""
    train = split_examples(block, config.seed)
    learned = learn(engine, block, train, helpers, config)
    graphs = learned.graphs
    if random is not None:
        special = engine.model.special
        graphs = refine_graphs(learned, block, train, window, random, special, config)
    test = block.exists & ~train
    verdicts = [verdict_of(graph, block, row, test[row], config) for row, graph in enumerate(graphs)]
    names = [NeuronName(block.layer, index) for index in block.neuron.tolist()]
    run.write_shard(
        f"L{block.layer:03d}-{names[0].index:06d}-{names[-1].index:06d}-{len(names):04d}",
        neurons_table(block, graphs, verdicts, is_dead(block.max_activation)),
        nodes_table(list(zip(names, graphs, strict=True))),
        examples_table(block, window, train),
        _other_scores(learned, block, train, test, config),
    )


def _other_scores(
    learned: Learned,
    block: Block,
    train: npt.NDArray[np.bool_],
    test: npt.NDArray[np.bool_],
    config: N2GConfig,
) -> pa.Table:
    """How the graphs before refinement and the look-up tables do on the same examples."""
    rows = range(len(block.neuron))
    plain = [verdict_of(graph, block, row, test[row], config) for row, graph in enumerate(learned.graphs)]
    tables = [baseline_verdicts(block, row, train[row], test[row], config) for row in rows]
    none = [None] * len(tables)
    return pa.concat_tables(
        [
            scores_table(block, "plain", plain, list(map(len, learned.graphs))),
            *(scores_table(block, name, [table[name] for table in tables], none) for name in BASELINES),
        ]
    )


def _windows(run: RunFolder, corpus: CorpusStore) -> pa.Table:
    """The windows that some top example points to: ``schema.WINDOWS``."""
    number = np.unique(run.examples()["window"].to_numpy())
    text = corpus.tokens_of(number)
    real = text != PAD
    offsets = np.concatenate([[0], np.cumsum(real.sum(axis=1))]).astype(np.int32)
    rows = pa.ListArray.from_arrays(pa.array(offsets), pa.array(text[real]))
    return pa.table([pa.array(number), rows], schema=schema.WINDOWS)


def _vocabulary(model: SubjectModel) -> pa.Table:
    texts = model.token_texts()
    columns = {
        "token": list(range(len(texts))),
        "text": texts,
        "norm": [tokens.normalise(text) for text in texts],
        "special": [token in model.special for token in range(len(texts))],
    }
    return pa.table(columns, schema=schema.TOKENS)


def _model_row(model: SubjectModel, source: Source, corpus: CorpusStore, config: N2GConfig) -> pa.Table:
    row = {
        "name": model.name,
        "n_layers": model.n_layers,
        "d_mlp": model.d_mlp,
        "d_vocab": model.d_vocab,
        "n_ctx": model.n_ctx,
        "activation_function": model.activation_function,
        "site": model.site,
        "corpus": source.name,
        "corpus_tokens": corpus.n_tokens,
        "model_fingerprint": model.fingerprint,
        "tokenizer_fingerprint": model.tokenizer_fingerprint,
        "corpus_fingerprint": corpus.fingerprint,
        "configuration": config.to_json(),
        "code_version": __version__,
        "tokenizer": model.tokenizer_json,
    }
    return pa.Table.from_pylist([row], schema.MODEL)


def _model_name(run: RunFolder) -> str:
    name: str = run.model()["name"][0].as_py()
    return name
