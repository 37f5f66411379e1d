"""Ray executor: a cluster's workers share the run's folder and fill it together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from n2gdb.core.progress import Report
from n2gdb.errors import StorageError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.homes import at_home
from n2gdb.ingest.inference.memory import place_groups, window_batch
from n2gdb.ingest.models.subject import DEMO, SubjectModel
from n2gdb.ingest.scan.layer_file import LayerScan, layer_scan, place_key
from n2gdb.ingest.scan.parts import ScanParts
from n2gdb.ingest.workers.ray_tasks import (
    Job,
    find_firings_of,
    learn_shard,
    merge_layer,
    scan_range,
)
from n2gdb.ingest.workers.ray_workers import CPUS, Workers
from n2gdb.ingest.workers.work import Piece
from n2gdb.storage.shards import RunFolder, storing

__all__ = ["ClusterCrew", "cluster_crew"]

#: Tasks of the scan for each worker: less is done again if one is lost, and more is written to be merged.
_TASKS = 2

#: Bytes that a worker's scan may take unless said otherwise: several may share a machine.
_WORKER_BYTES = 4 << 30


@contextmanager
def cluster_crew(
    model: SubjectModel,
    corpus: CorpusStore,
    run: RunFolder,
    config: N2GConfig,
    device: str,
    batch_tokens: int | None,
    max_memory: int | None,
    heldout: CorpusStore | None = None,
) -> Iterator[ClusterCrew]:
    """Gather the workers of the connected cluster, and end them when the work is over."""
    path = run.path.resolve()
    workers = Workers(device)
    job = Job(
        model=model.source,
        fingerprint=model.fingerprint,
        tokenizer_fingerprint=model.tokenizer_fingerprint,
        device=workers.device,
        threads=CPUS,
        corpus=replace(corpus, path=path / corpus.path.name),
        run=RunFolder(path),
        config=replace(config, augment=tuple(map(_helper_place, config.augment))),
        batch_tokens=batch_tokens,
        max_memory=max_memory,
        sides=model.sides,
        weights=model.weights,
        heldout=heldout and replace(heldout, path=path / heldout.path.name),
        sources=tuple(
            tuple(part.row(model.activation_function, model.fingerprint).items())
            for part in model.latents
            if not part.first
        ),
    )
    try:
        yield ClusterCrew(workers, job, model)
    finally:
        workers.close()


class ClusterCrew:
    """Scans and learns on workers. See Crew."""

    def __init__(self, workers: Workers, job: Job, model: SubjectModel) -> None:
        self._workers, self._job, self._model = workers, job, model
        self._shared = workers.share(job)

    def prepare(self, layers: Iterable[int], report: Report) -> None:
        """See Crew."""
        files = {layer: layer_scan(self._job.run.path, layer) for layer in sorted(layers)}
        missing = {layer: file for layer, file in files.items() if not file.is_of(self._key(layer))}
        if missing:
            self._scan(missing, report)
        if self._job.config.refine_rounds or self._job.heldout:
            self._find_firings(list(files), report)

    def learn(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """See Crew; raises StorageError if a shard that a worker wrote is not seen here."""
        job = self._job
        for piece, _ in self._workers.each(learn_shard, pieces, lambda piece: (self._shared, piece)):
            if not piece.is_done(job.run):
                raise StorageError(f"{job.run.path} lacks what a worker wrote: all machines must share it")
            yield piece

    def _scan(self, missing: dict[int, LayerScan], report: Report) -> None:
        """Scan ranges of windows, then merge what they gave, layer by layer."""
        job, corpus, folder = self._job, self._job.corpus, self._job.run.path / "scan"
        total = corpus.n_windows * corpus.width
        report("scan", 0, total)
        batch = window_batch(job.device, corpus.width)
        groups = self._groups(list(missing))
        wanted = -(-_TASKS * self._workers.count // len(groups))
        parts = ScanParts.of(folder, corpus.n_windows, batch, wanted)
        with storing(parts.folder):
            parts.folder.mkdir(parents=True, exist_ok=True)
        # The deepest layers take the longest: what is left for the end is short.
        spans = [(span, group) for group in reversed(groups) for span in parts.ranges]
        done = 0
        for (span, group), _ in self._workers.each(
            scan_range, spans, lambda item: (self._shared, parts, *item)
        ):
            done += (span[1] - span[0]) * len(group)
            report("scan", done * corpus.width // len(missing), total)
        merging = self._workers.each(
            merge_layer, missing.items(), lambda item: (self._shared, parts, *item, self._key(item[0]))
        )
        for merged, _ in enumerate(merging, 1):
            report("merge scan", merged, len(missing))
        parts.remove()

    def _find_firings(self, layers: list[int], report: Report) -> None:
        """Find where scanned layers fire in other text, in as few passes as memory lets the scan."""
        groups = self._groups(layers)
        done = 0
        report("random text", done, len(layers))
        for group, _ in self._workers.each(find_firings_of, groups, lambda group: (self._shared, group)):
            done += len(group)
            report("random text", done, len(layers))

    def _groups(self, layers: Sequence[int]) -> list[tuple[int, ...]]:
        job = self._job
        most = _WORKER_BYTES if job.max_memory is None else job.max_memory
        corpus = job.corpus
        positions = corpus.n_windows * corpus.width
        return place_groups(self._model, layers, corpus.width, job.config, job.device, most, positions)

    def _key(self, layer: int) -> str:
        return place_key(self._model, self._job.config, layer)


def _place(name: str) -> str:
    """A helper model's name as it is found from any folder: a worker may stand in another."""
    path = at_home(name)
    return str(path.resolve()) if name != DEMO and path.is_dir() else name


def _helper_place(helper: str) -> str:
    """A helper's name with its model's as ``_place`` gives it: ``masked:DIRECTORY``."""
    kind, colon, model = helper.partition(":")
    return f"{kind}:{_place(model)}" if colon else helper
