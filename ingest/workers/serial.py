"""Executors of an ingest: this process alone, or the workers of a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from typing import Protocol

from n2gdb.core.progress import Report
from n2gdb.ingest.n2g.random_text import random_text
from n2gdb.ingest.n2g.text import RandomText
from n2gdb.ingest.scan.layer_file import LayerScan
from n2gdb.ingest.scan.layers import scan_layers
from n2gdb.ingest.workers.work import Begun, Bench, LayerText, Piece, begin_piece, finish_piece

__all__ = ["Alone", "Crew"]


class Crew(Protocol):
    """Whoever scans a corpus and learns from it; the shards are the same whoever it is."""

    def prepare(self, layers: Iterable[int], report: Report) -> None:
        """Scan the corpus for layers, and find where they fire in random text; what lies there stays."""
        ...

    def learn(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """Write the shards of pieces of layers that are prepared, and yield each as it is finished."""
        ...


class Alone:
    """This process, one piece after another."""

    def __init__(self, bench: Bench, scan_bytes: int) -> None:
        self._bench, self._scan_bytes = bench, scan_bytes
        self._scanned: dict[int, LayerScan] = {}
        self._random: dict[int, RandomText] = {}

    def prepare(self, layers: Iterable[int], report: Report) -> None:
        """See Crew."""
        bench, model = self._bench, self._bench.engine.model
        folder, config = bench.run.path, bench.config
        self._scanned = scan_layers(model, bench.corpus, folder, layers, config, report, self._scan_bytes)
        if config.refine_rounds:
            self._random = random_text(model, bench.corpus, folder, self._scanned, config, report)

    def learn(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """See Crew. While one piece is refined and written, the model is asked about the next ones."""
        engine = self._bench.engine
        with ThreadPoolExecutor(engine.askers, "n2gdb-ahead") as ahead:
            begun: deque[Future[Begun]] = deque()
            try:
                for piece, text in self._with_text(pieces):
                    begun.append(ahead.submit(begin_piece, self._bench, piece, text))
                    if len(begun) > engine.askers:
                        yield self._finish(begun.popleft().result())
                while begun:
                    yield self._finish(begun.popleft().result())
            except BaseException:
                engine.stop()
                raise

    def _with_text(self, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, LayerText]]:
        for layer, here in groupby(pieces, key=lambda piece: piece.layer):
            text = LayerText(self._scanned[layer].load(), self._random.get(layer))
            yield from ((piece, text) for piece in here)

    def _finish(self, begun: Begun) -> Piece:
        finish_piece(self._bench, begun)
        return begun.piece
