"""Held-out text for evaluation: a part of the corpus, or another text."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from n2gdb.core.progress import Report
from n2gdb.errors import CorpusError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.documents import Windows, is_data_set, read_documents
from n2gdb.ingest.corpus.heldout_split import KeptOut
from n2gdb.ingest.corpus.sampling import Draw
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.models.subject import SubjectModel

__all__ = ["HELDOUT_FILE", "tokenise_both"]

#: Name of its file in a run's folder.
HELDOUT_FILE = "heldout.windows"


def tokenise_both(
    source: str, field: str, model: SubjectModel, config: N2GConfig, folder: Path, report: Report
) -> tuple[CorpusStore, CorpusStore | None]:
    """Cut a corpus, and what is kept out of it, into windows in temporary files of ``folder``.

    The corpus' fingerprint names both. There is no held-out text where the configuration says so, and where
    no document falls to it. Raises CorpusError and StorageError as ``CorpusStore.tokenise``.
    """
    heldout, other = config.heldout, isinstance(config.heldout, str)
    with ExitStack() as stack:
        kept_out = None
        if isinstance(heldout, float):
            kept_out = stack.enter_context(KeptOut(heldout, folder))
        corpus = CorpusStore.tokenise(source, field, model, config, folder, report, kept_out)
        if heldout is None:
            return corpus, None
        wanted = None if other or config.tokens is None else max(1, round(config.tokens * float(heldout)))
        windows = Windows.of(
            read_documents(str(heldout), field) if kept_out is None else kept_out.documents(),
            model,
            length=corpus.width,
            max_tokens=wanted,
            source=str(heldout) if other else "held-out text",
            draw=Draw(config.seed, folder, other and is_data_set(str(heldout))),
        )
        try:
            aside = CorpusStore.write(
                windows, folder / ".heldout", lambda n: report("keep text out", n, wanted)
            )
        except CorpusError:
            if other:
                raise
            report("no document was kept out: the corpus has few", 0, None)
            return corpus, None
    both = hashlib.sha256(f"{corpus.fingerprint} {aside.fingerprint}".encode()).hexdigest()
    return replace(corpus, fingerprint=both), aside
