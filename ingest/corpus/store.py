"""The tokenised corpus on disk: windows in one flat file, so that memory does not grow with the corpus."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from n2gdb.core.arrays import IntArray, IntegerArray
from n2gdb.core.progress import Report
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.documents import PassedOver, Windows, is_data_set, read_documents
from n2gdb.ingest.corpus.heldout_split import KeptOut
from n2gdb.ingest.corpus.sampling import Draw
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.storage.checksums import digest_of, is_as_written, record
from n2gdb.storage.shards import RunFolder, storing

__all__ = ["CorpusStore"]

#: Name of the file in a run's folder.
_FILE = "corpus.windows"


@dataclass(frozen=True, slots=True)
class CorpusStore:
    """Windows of a corpus: (window, position) int32 in a file, padded with -1."""

    path: Path
    n_windows: int
    width: int
    n_tokens: int
    fingerprint: str

    @classmethod
    def tokenise(
        cls,
        source: str,
        field: str,
        model: SubjectModel,
        config: N2GConfig,
        folder: Path,
        report: Report,
        kept_out: KeptOut | None = None,
    ) -> CorpusStore:
        """Cut a corpus into windows and write them into a temporary file of ``folder``.

        A bound on the tokens draws them from all over the corpus. What is ``kept_out`` is put aside there.
        Raises CorpusError for a corpus that cannot be read, StorageError where there is no space.
        """
        passed, endless = PassedOver(), is_data_set(source)
        drawn = None if config.tokens is None or not endless else config.seed
        draw = Draw(config.seed, folder, endless, lambda passages: report("draw passages", passages, None))
        documents = read_documents(source, field, passed, drawn)
        windows = Windows.of(
            documents if kept_out is None else kept_out.others(documents),
            model,
            length=min(config.window, model.n_ctx),
            max_tokens=config.tokens,
            source=source,
            draw=draw,
        )
        found = cls.write(windows, folder / ".corpus", lambda n: report("tokenise", n, config.tokens))
        if passed.empty:
            report("rows without text, passed over", passed.empty, None)
        if passed.long:
            report("lines of more than 32 MB, passed over", passed.long, None)
        return found

    @classmethod
    def write(cls, windows: Windows, path: Path, progress: Callable[[int], None]) -> CorpusStore:
        """Write windows to a file, which is gone again where they cannot be read to their end."""
        with storing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("wb")
        n_windows = 0
        try:
            with file:
                for batch in windows:
                    with storing(path):
                        file.write(np.ascontiguousarray(batch, np.int32).data)
                    n_windows += len(batch)
                    progress(windows.n_tokens)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return cls(path, n_windows, windows.length, windows.n_tokens, windows.fingerprint)

    def move_into(self, folder: Path, name: str = _FILE) -> CorpusStore:
        """Give the file its final name in a run's folder."""
        path = folder / name
        with storing(path):
            record(folder, [(path.name, digest_of(self.path))])
            self.path.replace(path)
        return replace(self, path=path)

    @classmethod
    def of_run(cls, run: RunFolder) -> CorpusStore | None:
        """Return the corpus that a run was learned from; None where it is not there any more as it was."""
        path, row = run.path / _FILE, run.model().to_pylist()[0]
        window = json.loads(row["configuration"]).get("window")
        if window is None or not path.is_file() or not is_as_written(path):
            return None
        width = min(window, row["n_ctx"])
        if path.stat().st_size % (4 * width):
            return None
        n_windows = path.stat().st_size // (4 * width)
        return cls(path, n_windows, width, row["corpus_tokens"], row["corpus_fingerprint"])

    def tokens_of(self, number: IntegerArray) -> IntArray:
        """Read windows by number: (window,) -> (window, position)."""
        return np.asarray(self.mapped()[number])

    def batches(self, start: int, size: int) -> Iterator[IntArray]:
        """Yield the windows from number ``start`` on, ``size`` at a time: (window, position).

        They are read, not mapped: what is mapped stays resident, and the whole corpus passes here.
        """
        with self.path.open("rb") as file:
            file.seek(start * self.width * np.dtype(np.int32).itemsize)
            for first in range(start, self.n_windows, size):
                some = min(size, self.n_windows - first)
                yield np.fromfile(file, np.int32, some * self.width).reshape(some, self.width)

    def mapped(self) -> IntArray:
        """Map the file into memory: (window, position)."""
        return np.memmap(self.path, np.int32, mode="r", shape=(self.n_windows, self.width))
