"""Tasks of a Ray worker, one function each; all are idempotent."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import lru_cache

import torch

from n2gdb.core.progress import silent
from n2gdb.errors import IngestError, ModelError, StorageError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.inference.memory import bytes_for, prompt_bytes, prompt_tokens
from n2gdb.ingest.models.read_units import stored_places, with_units
from n2gdb.ingest.models.subject import SubjectModel, load_model
from n2gdb.ingest.n2g.augment import load_helpers
from n2gdb.ingest.scan.layer_file import LayerScan
from n2gdb.ingest.scan.parts import ScanParts, merge_parts, scan_part
from n2gdb.ingest.workers.work import Bench, LayerText, Piece, Prepared, learn_piece
from n2gdb.storage.shards import RunFolder
from n2gdb.version import __version__

__all__ = ["Job", "find_firings_of", "learn_shard", "merge_layer", "scan_range"]


@dataclass(frozen=True, slots=True)
class Job:
    """What all tasks of an ingest have in common: small, and all that a fresh worker needs."""

    model: str
    fingerprint: str
    tokenizer_fingerprint: str
    device: str
    threads: int
    """Threads that a worker's torch may use."""
    corpus: CorpusStore
    run: RunFolder
    config: N2GConfig
    batch_tokens: int | None
    max_memory: int | None
    sides: str = "+"
    weights: str = "float32"
    heldout: CorpusStore | None = None
    sources: tuple[tuple[tuple[str, object], ...], ...] = ()
    """Rows of ``schema.SOURCES``: the dictionaries and other sites that are read too."""
    code_version: str = __version__


def scan_range(job: Job, parts: ScanParts, span: tuple[int, int], layers: tuple[int, ...]) -> None:
    """Scan a range of windows for some layers."""
    scan_part(_model(job), job.corpus, parts, span, layers, job.config)


def merge_layer(job: Job, parts: ScanParts, layer: int, into: LayerScan, key: str) -> None:
    """Merge what the ranges gave for a layer, whose ``place_key`` is given; needs no model."""
    merge_parts(job.corpus, parts, layer, into, job.config, key)


def find_firings_of(job: Job, layers: tuple[int, ...]) -> None:
    """Find where the neurons of scanned layers fire in random and held-out text."""
    Prepared.of(_model(job), job.corpus, job.heldout, job.run, layers, job.config, silent)


def learn_shard(job: Job, piece: Piece) -> None:
    """Learn a piece and write its shard."""
    if not piece.is_done(job.run):
        learn_piece(_bench(job), piece, _layer_text(job, piece.layer))


@lru_cache(maxsize=1)
def _model(job: Job) -> SubjectModel:
    """Load the model, once a worker process; it must be the one that the ingest was begun with."""
    here = socket.gethostname()
    if job.code_version != __version__:
        raise IngestError(f"{here} has n2gdb {__version__}, not {job.code_version}: install the same there")
    if not job.corpus.path.is_file():
        raise StorageError(
            f"{here} does not see {job.run.path}: keep the database in a folder that all machines share"
        )
    if job.device == "cpu":
        torch.set_num_threads(job.threads)
    model = load_model(job.model, job.device, job.config.precision, weights=job.weights)
    if (model.fingerprint, model.tokenizer_fingerprint) != (job.fingerprint, job.tokenizer_fingerprint):
        raise ModelError(f"{job.model} is another model on {here}: put the same weights and tokenizer there")
    return with_units(model, job.sides, stored_places([dict(row) for row in job.sources]))


@lru_cache(maxsize=1)
def _bench(job: Job) -> Bench:
    model = _model(job)
    most = bytes_for(model.device, job.max_memory)
    room = prompt_bytes(most // 2, job.corpus.n_windows * job.corpus.width, model.device.type)
    engine = Engine(model, job.batch_tokens or prompt_tokens(model, room))
    helpers = load_helpers(job.config.augment, engine)
    return Bench(engine, helpers, job.corpus, job.run, job.config, job.heldout)


@lru_cache(maxsize=1)
def _layer_text(job: Job, layer: int) -> LayerText:
    """Read a layer's text, and let go of the layer before."""
    ready = Prepared.of(_model(job), job.corpus, job.heldout, job.run, (layer,), job.config, silent)
    return ready.text(layer)
