"""Sampling text: with a bound on tokens, passages are drawn from all over the corpus.

Each passage gets a random number, seeded, by its place in the corpus; those with the smallest are taken
until there are tokens enough. So fewer tokens are always the beginning of more, and what was scanned of them
need not be scanned again. One pass, in memory that does not grow: passages wait on disk, already cut into
tokens, and one is encoded only if its number is still among the smallest.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import IO

import numpy as np

from n2gdb.core.arrays import IntArray
from n2gdb.ingest.corpus.cutting import cut_text
from n2gdb.storage.shards import storing

__all__ = ["Draw"]

Encode = Callable[[Sequence[str]], list[list[int]]]

#: Characters of a passage, and of those that are encoded together.
_PASSAGE, _TOGETHER = 1 << 14, 1 << 17

#: Passages of a stream without end that are shuffled at a time.
_SHUFFLED = 1024

#: Passages between two reports.
_REPORTED = 1000


@dataclass(frozen=True, slots=True)
class Draw:
    """How text is drawn; ``folder`` is for what waits, ``endless`` a corpus that is not read to its end."""

    seed: int
    folder: Path
    endless: bool = False
    progress: Callable[[int], None] = field(default=lambda passages: None)

    def texts(self, documents: Iterable[str], encode: Encode, tokens: int) -> Iterator[IntArray]:
        """Yield drawn passages as tokens until these are enough: (token,) each, none empty.

        Of an endless corpus passages come as they are read, shuffled among 1,024 at a time. Raises
        StorageError where there is no space for what waits.
        """
        random = Random(self.seed)
        passages = (passage for text in documents for passage in cut_text([text], _PASSAGE))
        if self.endless:
            for passage in _shuffled(passages, random):
                ids = np.array(encode([passage])[0], np.int32)
                if len(ids):
                    yield ids
            return
        with storing(self.folder), tempfile.TemporaryFile(dir=self.folder) as file:
            smallest = _Smallest(file, tokens)
            self._fill(smallest, passages, encode, random)
            yield from smallest.in_order()

    def _fill(self, smallest: _Smallest, passages: Iterable[str], encode: Encode, random: Random) -> None:
        waiting: list[tuple[float, str]] = []
        characters = 0
        for number, passage in enumerate(passages, 1):
            lot = random.random()
            if lot < smallest.limit:
                waiting.append((lot, passage))
                characters += len(passage)
            if characters >= min(_TOGETHER, smallest.wanted):
                smallest.add_all(waiting, encode)
                waiting, characters = [], 0
            if number % _REPORTED == 0:
                self.progress(number)
        smallest.add_all(waiting, encode)


class _Smallest:
    """Passages with the smallest numbers that together have tokens enough; their tokens lie in a file."""

    def __init__(self, file: IO[bytes], tokens: int) -> None:
        self._file, self._tokens = file, tokens
        self._held = self._end = 0
        self._heap: list[tuple[float, int, int]] = []  # (minus its number, where it lies, its tokens)

    @property
    def limit(self) -> float:
        """The number from which on a passage is not taken any more."""
        return np.inf if self._held < self._tokens else -self._heap[0][0]

    @property
    def wanted(self) -> int:
        """Characters that are worth encoding together: about as many as are missing, at four a token."""
        return 4 * max(self._tokens - self._held, self._tokens // 8, 1)

    def add_all(self, waiting: Sequence[tuple[float, str]], encode: Encode) -> None:
        """Take up passages, (number, text) each, as far as they are among the smallest."""
        if not waiting:
            return
        for (lot, _), ids in zip(waiting, encode([text for _, text in waiting]), strict=True):
            if ids and lot < self.limit:
                raw = np.array(ids, np.int32).tobytes()
                self._file.write(raw)
                heapq.heappush(self._heap, (-lot, self._end, len(ids)))
                self._end += len(raw)
                self._held += len(ids)
            while self._heap and self._held - self._heap[0][2] >= self._tokens:
                self._held -= heapq.heappop(self._heap)[2]

    def in_order(self) -> Iterator[IntArray]:
        """Yield the tokens of each, by rising number."""
        for _, place, size in sorted(self._heap, reverse=True):
            self._file.seek(place)
            yield np.frombuffer(self._file.read(4 * size), np.int32)


def _shuffled(passages: Iterable[str], random: Random) -> Iterator[str]:
    """Yield passages in another order, none further ahead than those that are held."""
    held: list[str] = []
    for passage in passages:
        if len(held) < _SHUFFLED:
            held.append(passage)
            continue
        place = random.randrange(len(held))
        yield held[place]
        held[place] = passage
    random.shuffle(held)
    yield from held
