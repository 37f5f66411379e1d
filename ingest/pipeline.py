"""The pipeline: a model and a corpus become shards, and the shards a database. Resumable at every step."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from n2gdb import __version__
from n2gdb.core import tokens
from n2gdb.core.progress import Report
from n2gdb.core.units import NEGATIVE, POSITIVE, SIDES, NeuronName, unit_key
from n2gdb.errors import ModelError, SelectionError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.corpus.heldout_text import HELDOUT_FILE, tokenise_both
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.evaluation.effects import write_effects
from n2gdb.ingest.evidence.token_classes import classes_table, token_classes
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.inference.memory import bytes_for, prompt_bytes, prompt_tokens
from n2gdb.ingest.models.read_units import sites_of, with_units
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.n2g.augment import load_helpers
from n2gdb.ingest.run_lock import sole_writer
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.places import SiteOfLayer, dictionary_places, sides_of
from n2gdb.ingest.standing import Identity, require_room, runs_to_keep, windows_of
from n2gdb.ingest.workers.processes import process_crew, processes_for
from n2gdb.ingest.workers.ray_cluster import RayCluster, connected
from n2gdb.ingest.workers.ray_executor import cluster_crew
from n2gdb.ingest.workers.serial import Alone, Crew
from n2gdb.ingest.workers.work import SHARD_NEURONS, Bench, pieces_of
from n2gdb.storage import schema
from n2gdb.storage.build.database import build_database
from n2gdb.storage.database_file import check_replaceable
from n2gdb.storage.shards import RunFolder, run_folders, shards_folder

__all__ = ["Source", "ingest", "select_latents", "select_neurons"]


_LEAST_NEURON = 2048  # bytes of a neuron in a database; models of all sizes take 4,000 or more

#: A unit to learn: its place, its index there, and its number among the model's units.
Chosen = tuple[int, int, int]

_Unit = TypeVar("_Unit", NeuronName, Chosen)

#: Pieces for each process that learns, and neurons of the smallest: fewer would not fill a GPU's batches.
_PIECES, _SMALLEST_PIECE = 16, 128


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus: its name and its documents' text."""

    name: str
    field: str = "text"


@dataclass(frozen=True, slots=True)
class _Means:
    """How the work is split and which processes do it; nothing here changes the result."""

    batch_tokens: int | None
    max_memory: int | None
    shard_neurons: int
    cluster: RayCluster | None
    processes: int | None


def ingest(
    model: SubjectModel,
    source: Source,
    database: Path,
    config: N2GConfig,
    selection: Selection,
    report: Report,
    batch_tokens: int | None = None,
    *,
    max_memory: int | None = None,
    shard_neurons: int = SHARD_NEURONS,
    cluster: RayCluster | None = None,
    processes: int | None = None,
    dictionaries: Sequence[Dictionary] = (),
) -> RunFolder:
    """Run N2G on the selected neurons of a model, here or on a cluster, and load all runs into the database.

    A run is one model, tokenizer, corpus and configuration. Neurons in its complete shards are not learned
    again; further layers or neurons are added. Runs of other models stay in the database. Another corpus,
    ``tokens`` or configuration starts a new run, which replaces the model's older run in the database and
    reuses its scan of the same text. The shards of the older run stay on disk: ingesting with its settings
    again restores it without learning anything.

    ``processes`` learn beside this process, which runs the model; by default there is one per core (on a GPU
    per remaining core), and none on a CPU for a few hundred units.

    Raises CorpusError, SelectionError, StorageError, ModelError, and IngestError if the cluster cannot be
    used. If the database holds data that no shard beside it could restore, it raises StorageError before
    anything is learned.
    """
    # A wrong selection is reported before the corpus is read.
    ready = _prepared(model, selection, dictionaries, schema.SOURCES.empty_table())
    check_replaceable(database, _LEAST_NEURON * len(_select(ready, selection, config.seed)))
    means = _Means(batch_tokens, max_memory, shard_neurons, cluster, processes)
    with connected(cluster) if cluster else nullcontext(), sole_writer(shards_folder(database)):
        _require_same_model(model, database)
        run, others = _write_run(model, source, database, config, selection, dictionaries, means, report)
        build_database(database, [*others, run], lambda stage: report(f"load {stage}", 0, None))
    return run


def _write_run(
    model: SubjectModel,
    source: Source,
    database: Path,
    config: N2GConfig,
    selection: Selection,
    dictionaries: Sequence[Dictionary],
    means: _Means,
    report: Report,
) -> tuple[RunFolder, list[RunFolder]]:
    """Learn a run; return it, and the runs of other models that stay in the database."""
    shards = shards_folder(database)
    corpus, heldout = tokenise_both(source.name, source.field, model, config, shards, report)
    run = RunFolder.create(shards / _run_name(model, corpus, config))
    run.clean()
    row = _model_row(model, source, corpus, config)
    model = _prepared(model, selection, dictionaries, _known_sources(run))
    chosen = _select(model, selection, config.seed)
    others = runs_to_keep(database, run, Identity.of(row), (key for _, _, key in chosen))
    require_room(database, _scan_bytes(model, corpus, run, config, chosen))
    corpus = corpus.move_into(run.path)
    if heldout is not None:
        heldout = heldout.move_into(run.path, HELDOUT_FILE)
    run.write_tokens(_vocabulary(model))
    if config.evidence and not run.has_classes():
        texts = model.token_texts()
        run.write_classes(classes_table(token_classes(model.embedding().cpu().numpy(), texts), texts))
    # Source numbers are stored before shards use them, so that an interrupted run resumes with the same.
    run.write_sources(_sources(model, run))
    _learn(model, corpus, heldout, run, config, chosen, means, report)
    _write_effects(model, run, report)
    run.write_windows(windows_of(run.example_windows(), corpus))
    run.write_model(row)
    return run, others


def _write_effects(model: SubjectModel, run: RunFolder, report: Report) -> None:
    """Add the neurons' effects; if the model's output weights cannot be read, report why and continue."""
    try:
        write_effects(model, run, report)
    except ModelError as error:
        report(f"no effects: {error}", 0, None)


def _scan_bytes(
    model: SubjectModel, corpus: CorpusStore, run: RunFolder, config: N2GConfig, chosen: Sequence[Chosen]
) -> int:
    """Return a lower bound of the bytes that missing scans will take on disk."""
    places = {place for place, _, _ in chosen}
    units = sum(model.at(place).n_units for place in places if not layer_scan(run.path, place).path.exists())
    return 4 * units * config.top_k * corpus.width


def _learn(
    model: SubjectModel,
    corpus: CorpusStore,
    heldout: CorpusStore | None,
    run: RunFolder,
    config: N2GConfig,
    chosen: Sequence[Chosen],
    means: _Means,
    report: Report,
) -> None:
    """Learn the neurons that are in no shard yet."""
    done = run.done()
    pending = [(place, unit) for place, unit, key in chosen if key not in done]
    finished = len(chosen) - len(pending)
    if not pending:
        report("neurons", finished, len(chosen))
        return
    positions = corpus.n_windows * corpus.width
    wanted = means.processes
    if wanted is None:
        units = 0 if means.cluster else len(pending)
        wanted = processes_for(model, config, positions, units, means.max_memory)
    pieces = pieces_of(pending, _piece_size(len(pending), wanted, means.shard_neurons))
    processes = min(wanted, len(pieces))
    with _crew(model, corpus, heldout, run, config, means, processes) as crew, _standing_objects_left_alone():
        crew.prepare({place for place, _ in pending}, report)
        report("neurons", finished, len(chosen))
        for piece in crew.learn(pieces):
            finished += len(piece.neurons)
            report("neurons", finished, len(chosen))


def _piece_size(neurons: int, processes: int, most: int) -> int:
    """Return the neurons per work unit: fewer for several processes, so that none waits long at the end."""
    if not processes:
        return most
    share = -(-neurons // (_PIECES * processes))
    return min(most, max(share, _SMALLEST_PIECE))


@contextmanager
def _standing_objects_left_alone() -> Iterator[None]:
    """Exclude existing objects from garbage collection, which would traverse all of torch's again and again.

    Otherwise a quarter of the time outside the model's passes is spent in the collector.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _crew(
    model: SubjectModel,
    corpus: CorpusStore,
    heldout: CorpusStore | None,
    run: RunFolder,
    config: N2GConfig,
    means: _Means,
    processes: int,
) -> Iterator[Crew]:
    if means.cluster is None:
        most = bytes_for(model.device, means.max_memory)
        room = prompt_bytes(most // 2, corpus.n_windows * corpus.width, model.device.type)
        engine = Engine(model, means.batch_tokens or prompt_tokens(model, room))
        bench = Bench(engine, load_helpers(config.augment, engine), corpus, run, config, heldout)
        if processes:
            with process_crew(bench, most // 2, processes) as beside:
                yield beside
        else:
            yield Alone(bench, most // 2)
        return
    device = means.cluster.device
    limits = (means.batch_tokens, means.max_memory)
    with cluster_crew(model, corpus, run, config, device, *limits, heldout) as crew:
        yield crew


def select_neurons(model: SubjectModel, selection: Selection, seed: int) -> list[NeuronName]:
    """Resolve a selection to neurons by layer and index; raise SelectionError for any that do not exist."""
    layers = _within("layer", selection.layers, model.n_layers)
    indices = _within("neuron", selection.neurons, model.d_mlp)
    sides = sides_of(selection.sides, gated=model.gated)
    names = [NeuronName(layer, index, side) for layer in layers for index in indices for side in sides]
    return _sample(names, selection.sample, seed)


def select_latents(model: SubjectModel, selection: Selection, seed: int) -> list[Chosen]:
    """Resolve a selection to the units of dictionaries and other sites; raises as ``select_neurons`` does."""
    layers = set(_within("layer", selection.layers, model.n_layers))
    parts = [part for part in model.latents if part.layer in layers]
    if not parts:
        held = ", ".join(sorted({f"{part.name} of layer {part.layer}" for part in model.latents}))
        raise SelectionError(f"no dictionary reads these layers: there is {held}")
    chosen: list[Chosen] = []
    for part in parts:
        wanted = np.array(_within("latent", selection.latents, part.width), np.intp)
        here = wanted[(wanted >= part.first) & (wanted < part.first + part.count)]
        sides = POSITIVE if part.dictionary else sides_of(selection.sides, gated=True)
        for side in map(SIDES.index, sides):
            unit = part.unit(here, side)
            chosen += zip([part.place] * len(unit), unit.tolist(), part.keys(unit).tolist(), strict=True)
    return sorted(_sample(chosen, selection.sample, seed))


def _select(model: SubjectModel, selection: Selection, seed: int) -> list[Chosen]:
    """Resolve a selection to units by place and number there."""
    found = select_latents(model, selection, seed) if model.latents else []
    if not model.latents or selection.neurons is not None:
        for name in select_neurons(model, selection, seed):
            side = SIDES.index(name.side)
            unit = name.index + side * model.d_mlp
            found.append((name.layer, unit, unit_key(0, name.layer, name.index, 0, side)))
    return sorted(found)


def _sample(wanted: list[_Unit], size: int | None, seed: int) -> list[_Unit]:
    if size is None or size >= len(wanted):
        return wanted
    drawn = np.random.default_rng(seed).choice(len(wanted), size, replace=False)
    return [wanted[i] for i in sorted(drawn.tolist())]


def _prepared(
    model: SubjectModel, selection: Selection, dictionaries: Sequence[Dictionary], known: pa.Table
) -> SubjectModel:
    """The model with the units that a selection and dictionaries mean; ``known`` are the run's sources."""
    sources: list[Dictionary | SiteOfLayer] = list(dictionaries)
    if selection.sites:
        layers = _within("layer", selection.layers, model.n_layers)
        both = NEGATIVE in sides_of(selection.sides, gated=True)
        sources += sites_of(model, selection.sites, layers, POSITIVE + NEGATIVE if both else POSITIVE)
    sides = sides_of(selection.sides, gated=model.gated)
    return with_units(model, sides, dictionary_places(sources, known.to_pylist()))


def _sources(model: SubjectModel, run: RunFolder) -> pa.Table:
    """What the run has of sources, with those that this ingest read."""
    read = [*map(model.at, range(model.n_layers)), *(part for part in model.latents if not part.first)]
    rows = {(row["layer"], row["number"]): row for row in _known_sources(run).to_pylist()}
    for place in read:
        row = place.row(model.activation_function, model.fingerprint)
        before = rows.get((place.layer, place.number), row)
        row["sides"] = max(str(row["sides"]), str(before["sides"]), key=len)
        rows[place.layer, place.number] = row
    return pa.Table.from_pylist([rows[place] for place in sorted(rows)], schema.SOURCES)


def _known_sources(run: RunFolder) -> pa.Table:
    """The sources of a run, or none where it has just begun."""
    begun = any((run.path / f"{name}.parquet").is_file() for name in ("sources", "model"))
    return run.sources() if begun else schema.SOURCES.empty_table()


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
        "configuration": json.dumps(
            {**json.loads(config.to_json()), "source": model.source, "weights": model.weights}
        ),
        "code_version": __version__,
        "tokenizer": model.tokenizer_json,
    }
    return pa.Table.from_pylist([row], schema.MODEL)


def _require_same_model(model: SubjectModel, database: Path) -> None:
    """Raise ModelError if the database holds another model, from another place, by the same name."""
    for run in run_folders(database):
        if not run.has_whole_model():
            continue  # it is written again where it is this model's, else refused before anything is learned
        stored = run.model().to_pylist()[0]
        source = json.loads(stored["configuration"]).get("source", model.source)
        if (
            stored["name"] == model.name
            and source != model.source
            and stored["model_fingerprint"] != model.fingerprint
        ):
            raise ModelError(
                f"{database} holds another model called {model.name}, from {source}: give this one another"
                " name (--name)"
            )
