"""Whether the memory of a scan grows with its corpus: the same text over and over, in processes of their own.

    python -m benchmarks.scan_memory TEXT.jsonl.gz [--tokens 1000000,10000000,100000000] [--layer 0]

Prints the peak of each ingest's resident memory, the corpus tokens a second from text to top examples, and
the bytes on disk. One layer is scanned and one neuron learned, as nothing else depends on the corpus.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.ingest_demo import COMMAND
from n2gdb.ingest.corpus.documents import read_documents

#: About so many characters are a token: text enough is written.
_CHARACTERS = 5


def main(
    text: str,
    tokens: Annotated[str, typer.Option(help="Sizes of the corpus.")] = "1000000,10000000,100000000",
    layer: int = 0,
    device: str = "auto",
) -> None:
    documents = list(read_documents(text))
    print("       tokens   peak MB   tokens/s   disk MB")
    for size in map(int, tokens.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            corpus, database = Path(folder) / "corpus.jsonl.gz", Path(folder) / "scan.n2gdb"
            write_text(corpus, documents, size * _CHARACTERS)
            options = ["--layers", str(layer), "--neurons", "0", "--no-refine", "--device", device]
            started = time.perf_counter()
            peak = run(
                ["demo", "--corpus", str(corpus), "--tokens", str(size), "--db", str(database), *options]
            )
            seconds = time.perf_counter() - started
            corpus.unlink()
            disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
            print(f"{size:>13,} {peak / 1e6:>9,.0f} {size / seconds:>10,.0f} {disk / 1e6:>9,.0f}", flush=True)


def write_text(path: Path, documents: list[str], characters: int) -> None:
    """Write documents over and over, each time cut elsewhere so that windows differ."""
    written = turn = 0
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        while written < characters:
            for document in documents:
                part = document[turn * 37 :]
                file.write(json.dumps({"text": part}) + "\n")
                written += len(part)
            turn += 1


def run(options: list[str]) -> int:
    """Peak of resident memory of an ingest, in bytes."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "ingest", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the ingest ended with status {status}")
    unit = 1 if sys.platform == "darwin" else 1024
    return used.ru_maxrss * unit


if __name__ == "__main__":
    typer.run(main)
