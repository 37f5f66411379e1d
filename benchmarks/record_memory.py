"""How much memory records take as the corpus grows: made-up activations, taken up batch by batch.

    python -m benchmarks.record_memory [--units 64] [--tokens 1000000,10000000,100000000]

Half of the units are active on one token in 30 to 3,000, half on most; what is active is the cube of a normal
number. Prints the entries and bytes that are kept of a unit, the bytes that an ingest reckons with, the most
that was held of all units at a time, what waits and is sorted in among it, and how long an activation took.
Then, of a corpus of as many positions that units are measured on, the bytes of each, as they are held and
reckoned, the most that was held while it was laid out, and how long that took.
"""

from __future__ import annotations

import time
import tracemalloc
from typing import Annotated

import numpy as np
import torch
import typer

from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.inference.memory import record_bytes, text_bytes
from n2gdb.ingest.scan.record import Recorder

_BATCH = 2048
#: Batches that are drawn; they come again and again, at other positions.
_DRAWN = 200
#: Words of the vocabulary, and positions of a window, of a corpus that is laid out.
_WORDS, _WIDTH = 50_000, 256


def main(
    units: int = 64,
    tokens: Annotated[str, typer.Option(help="Sizes of the corpus.")] = "1000000,10000000,100000000",
) -> None:
    rng = np.random.default_rng(0)
    density = np.where(np.arange(units) % 2, 1, 10 ** -rng.uniform(1.5, 3.5, units))
    shape = (_DRAWN, _BATCH, units)
    drawn = rng.standard_normal(shape, np.float32) ** 3
    drawn[rng.random(shape, np.float32) >= density] = 0
    batches = list(torch.from_numpy(drawn))
    print("       tokens  entries  bytes kept  reckoned  all at most, MB  ns an activation")
    for size in map(int, tokens.split(",")):
        tracemalloc.start()
        recorder, started = Recorder(units), time.process_time()
        for number in range(size // _BATCH):
            recorder.add(batches[number % _DRAWN], number * _BATCH)
        seconds = time.process_time() - started
        state = recorder.state()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        kept = sum(array.nbytes for array in state.values())
        print(
            f"{size:>13,} {len(state['unit']) / units:>8,.0f} {kept / units:>11,.0f} {record_bytes(size):>9,}"
            f" {peak / 1e6:>16,.1f} {1e9 * seconds / (size * units):>17.2f}",
            flush=True,
        )
    print("    positions  bytes of each  reckoned  at most  ns each")
    for size in map(int, tokens.split(",")):
        drawn_tokens = rng.integers(0, _WORDS, size // _WIDTH * _WIDTH).astype(np.int32)
        counted = drawn_tokens > 0
        tracemalloc.start()
        started = time.process_time()
        text = CorpusText(drawn_tokens, _WIDTH, counted)
        text.occurrences(1)
        text.nearest(np.zeros(1, np.int64), 1)
        seconds = time.process_time() - started
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        size = len(drawn_tokens)
        print(
            f"{size:>13,} {(held + counted.nbytes) / size:>14.2f} {text_bytes(size) / size:>9.2f}"
            f" {(peak + counted.nbytes) / size:>8.2f} {1e9 * seconds / size:>8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    typer.run(main)
