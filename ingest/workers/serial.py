"""Executors of an ingest: this process alone, or the workers of a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from threading import BoundedSemaphore
from typing import Protocol

from n2gdb.core.progress import Report
from n2gdb.ingest.workers.work import Bench, LayerText, Piece, Prepared, begin_piece, finish_piece

__all__ = ["Alone", "Crew"]


class Crew(Protocol):
    """Whoever scans a corpus and learns from it; the shards are the same whoever it is."""

    def prepare(self, layers: Iterable[int], report: Report) -> None:
        """Scan the corpus for layers, and find where they fire in other text; what lies there stays."""
        ...

    def learn(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """Write the shards of pieces of layers that are prepared, and yield each as it is finished."""
        ...


class Alone:
    """This process, a few pieces at a time."""

    def __init__(self, bench: Bench, scan_bytes: int) -> None:
        self._bench, self._scan_bytes = bench, scan_bytes
        self._asking = BoundedSemaphore(bench.engine.askers)
        self._prepared: Prepared | None = None

    def prepare(self, layers: Iterable[int], report: Report) -> None:
        """See Crew."""
        bench = self._bench
        self._prepared = Prepared.of(
            bench.engine.model,
            bench.corpus,
            bench.heldout,
            bench.run,
            layers,
            bench.config,
            report,
            self._scan_bytes,
        )

    def learn(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """See Crew. While some pieces are refined, measured and written, the model is asked about others."""
        engine = self._bench.engine
        threads = engine.askers + 1
        self._bench.ground.corpus.index()  # once, before several threads want it
        with ThreadPoolExecutor(threads, "n2gdb-piece") as pool:
            running: deque[Future[Piece]] = deque()
            try:
                for piece, text in self._with_text(pieces):
                    running.append(pool.submit(self._learn, piece, text))
                    if len(running) > threads:
                        yield running.popleft().result()
                while running:
                    yield running.popleft().result()
            except BaseException:
                engine.stop()
                raise

    def _with_text(self, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, LayerText]]:
        for layer, here in groupby(pieces, key=lambda piece: piece.layer):
            assert self._prepared is not None
            text = self._prepared.text(layer)
            yield from ((piece, text) for piece in here)

    def _learn(self, piece: Piece, text: LayerText) -> Piece:
        with self._asking:
            begun = begin_piece(self._bench, piece, text)
        finish_piece(self._bench, begun)
        return piece
