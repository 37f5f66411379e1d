"""Held-out documents: a share of the corpus that is not learned from, for evaluation."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from n2gdb.storage.shards import storing

__all__ = ["KeptOut", "is_held_out"]

_SCALE = 1 << 64


def is_held_out(text: str, share: float) -> bool:
    """Whether a document is kept out, of which ``share`` are: by its text alone.

    The same text is always on the same side, in whatever corpus and place it comes, so no copy of a document
    that is learned from is judged by.
    """
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, person=b"n2gdb heldout")
    return int.from_bytes(digest.digest(), "big") < share * _SCALE


class KeptOut:
    """Documents that are kept out of a corpus as it is read, which may be only once: they wait on disk.

    A context manager. The first document of a corpus never is one, so that there is always something to
    learn from. Raises StorageError where there is no space for what waits.
    """

    def __init__(self, share: float, folder: Path) -> None:
        self._share, self._folder = share, folder

    def __enter__(self) -> Self:
        with storing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def others(self, documents: Iterable[str]) -> Iterator[str]:
        """Yield the documents that are not kept out, in order; the others are put aside."""
        first: str | None = None
        for text in documents:
            first = text if first is None else first
            if text != first and is_held_out(text, self._share):
                raw = text.encode("utf-8", "surrogatepass")
                with storing(self._folder):
                    self._file.write(len(raw).to_bytes(8, "little"))
                    self._file.write(raw)
            else:
                yield text

    def documents(self) -> Iterator[str]:
        """Yield the documents that were put aside, in order."""
        self._file.seek(0)
        while size := self._file.read(8):
            yield self._file.read(int.from_bytes(size, "little")).decode("utf-8", "surrogatepass")
