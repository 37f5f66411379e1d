"""Part the documents of a corpus in two, without the passages that were scanned: text to choose by and text
to judge by.

    python -m benchmarks.part_corpus CORPUS SCANNED FOLDER [--share 0.2]

CORPUS holds whole documents, SCANNED passages of them. FOLDER gets `choose.jsonl.gz`, about ``share`` of the
documents, and `judge.jsonl.gz`, all others. A document is on one side by its text alone.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from n2gdb.ingest.corpus.documents import read_documents
from n2gdb.ingest.corpus.heldout_split import is_held_out

#: Characters of what lies between two scanned passages, at least.
LEAST = 2000


def main(
    corpus: str,
    scanned: str,
    folder: Path,
    share: Annotated[float, typer.Option(help="Of the documents, to choose by.")] = 0.2,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    passages = list(read_documents(scanned))
    for name, held_out in (("choose", True), ("judge", False)):
        documents = [text for text in read_documents(corpus) if is_held_out(text, share) == held_out]
        rest = [text for document in documents for text in unscanned(document, passages)]
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            for number, text in enumerate(rest):
                file.write(json.dumps({"id": f"{name}:{number}", "text": text}) + "\n")
        print(f"{name}: {len(documents)} documents, {sum(map(len, rest)):,} characters never scanned")


def unscanned(document: str, passages: Iterable[str]) -> Iterator[str]:
    """Yield what lies between the passages of a document."""
    found = sorted((document.find(text), len(text)) for text in passages)
    end = 0
    for start, length in [*((start, length) for start, length in found if start >= 0), (len(document), 0)]:
        if start - end >= LEAST:
            yield document[end:start]
        end = max(end, start + length)


if __name__ == "__main__":
    typer.run(main)
