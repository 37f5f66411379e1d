"""A made-up run shaped like a real one: as many neurons as asked, Zipf tokens, tries of about 90 nodes.

python benchmarks/synthetic.py synthetic.n2gdb --layers 6 --neurons 3072
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from n2gdb import schema
from n2gdb.shards import RunFolder, shards_folder
from n2gdb.store import build_database
from n2gdb.tokens import normalise

VOCABULARY = 50_000
NODES = 90  # a neuron, on average
MAX_LEVEL = 8  # context tokens on one path
WINDOWS, WINDOW_LENGTH = 4_000, 128


def token_text(token: int) -> str:
    """Two spellings a word, as a byte-level tokenizer has them: ``·w7`` and ``W7``."""
    return f" w{token // 2}" if token % 2 == 0 else f"W{token // 2}"


def synthetic_run(folder: Path, layers: int, neurons: int, *, examples: int = 20, seed: int = 0) -> RunFolder:
    """Write one complete run of ``layers`` x ``neurons``."""
    run = RunFolder.create(folder)
    random = np.random.default_rng(seed)
    run.write_model(_model(folder.name, layers, neurons))
    texts = [token_text(token) for token in range(VOCABULARY)]
    run.write_tokens(
        pa.table(
            [
                pa.array(range(VOCABULARY), pa.int64()),
                texts,
                [normalise(text) for text in texts],
                pa.array(np.zeros(VOCABULARY, np.bool_)),
            ],
            schema=schema.TOKENS,
        )
    )
    run.write_windows(_windows(random))
    for layer in range(layers):
        nodes, sizes = _nodes(random, layer, neurons)
        table = _examples(random, layer, neurons, examples)
        run.write_shard(f"L{layer:03d}", _neurons(random, layer, sizes), nodes, table)
    return run


def zipf(random: np.random.Generator, size: int) -> npt.NDArray[np.int32]:
    """Draw tokens of which the most frequent ones dominate: (size,) int32."""
    weights = 1.0 / (np.arange(VOCABULARY) + 2.7)
    ranks = np.searchsorted(np.cumsum(weights / weights.sum()), random.random(size))
    return ranks.clip(max=VOCABULARY - 1).astype(np.int32)


def _nodes(random: np.random.Generator, layer: int, neurons: int) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    sizes = random.poisson(NODES, neurons).clip(min=1).astype(np.int64)
    total = int(sizes.sum())
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    row = np.arange(total)
    level = _levels(random, row == start)
    parent = np.full(total, -1, np.int64)
    depth = np.zeros(total, np.int32)
    gap = random.geometric(0.4, total).astype(np.int32)
    for deeper in range(1, MAX_LEVEL + 1):
        here = np.flatnonzero(level == deeper)
        parent[here] = np.maximum.accumulate(np.where(level == deeper - 1, row, -1))[here]
        depth[here] = depth[parent[here]] + gap[here]
    is_leaf = np.append(level[1:] <= level[:-1], True) | np.append(row[1:] == start[1:], True)
    ends = is_leaf | (random.random(total) < 0.1)
    return pa.table(
        [
            pa.array(np.full(total, layer, np.int64)),
            pa.array(np.repeat(np.arange(neurons, dtype=np.int64), sizes)),
            pa.array((row - start).astype(np.int32)),
            pa.array(zipf(random, total)),
            pa.array(depth),
            pa.array(np.where(parent < 0, -1, parent - start).astype(np.int32)),
            pa.array(np.where(level == 0, 1, random.uniform(0.75, 1, total)).astype(np.float32)),
            pa.array(random.uniform(0.5, 1, total).astype(np.float32), mask=~ends),
        ],
        schema=schema.NODES,
    ), sizes


def _levels(random: np.random.Generator, first: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the level of each node in preorder: one deeper than the node before it, or any shallower."""
    level = np.zeros(len(first), np.int64)
    deeper, back = random.random(len(first)) < 0.6, random.random(len(first))
    before = -1
    for row in range(len(first)):
        if first[row]:
            before = 0
        elif deeper[row] and before < MAX_LEVEL:
            before += 1
        else:
            before = int(back[row] * (before + 1))
        level[row] = before
    return level


def _neurons(random: np.random.Generator, layer: int, sizes: npt.NDArray[np.int64]) -> pa.Table:
    count = len(sizes)

    def score() -> pa.Array:
        return pa.array(random.random(count).astype(np.float32))

    def number(value: float) -> pa.Array:
        return pa.array((sizes * value).astype(np.int64))

    columns = {
        "layer": pa.array(np.full(count, layer, np.int64)),
        "index": pa.array(np.arange(count, dtype=np.int64)),
        "state": pa.array(["live"] * count),
        "max_activation": score(),
        "precision": score(),
        "recall": score(),
        "f1": score(),
        "true_firings": number(0.2),
        "predicted_firings": number(0.2),
        "n_patterns": number(0.5),
        "n_nodes": number(1),
        "n_activating": number(0.1),
        "n_context": number(0.7),
    }
    return pa.table(columns, schema=schema.NEURONS)


def _examples(random: np.random.Generator, layer: int, neurons: int, each: int) -> pa.Table:
    total = neurons * each
    trace = random.random((total, 32)).astype(np.float16)
    columns = {
        "layer": pa.array(np.full(total, layer, np.int64)),
        "index": pa.array(np.repeat(np.arange(neurons, dtype=np.int64), each)),
        "rank": pa.array(np.tile(np.arange(each, dtype=np.int64), neurons)),
        "window": pa.array(random.integers(0, WINDOWS, total)),
        "pivot": pa.array(random.integers(32, WINDOW_LENGTH, total)),
        "activation": pa.array(random.random(total).astype(np.float32)),
        "split": pa.array(np.where(np.tile(np.arange(each) % 2 == 0, neurons), "train", "test")),
        "start": pa.array(np.zeros(total, np.int64)),
        "trace": pa.array([row.tobytes() for row in trace], pa.binary()),
    }
    return pa.table(columns, schema=schema.EXAMPLES)


def _windows(random: np.random.Generator) -> pa.Table:
    tokens = zipf(random, WINDOWS * WINDOW_LENGTH)
    offsets = pa.array(np.arange(0, len(tokens) + 1, WINDOW_LENGTH, dtype=np.int32))
    lists = pa.ListArray.from_arrays(offsets, pa.array(tokens))
    return pa.table([pa.array(range(WINDOWS), pa.int64()), lists], schema=schema.WINDOWS)


def _model(name: str, layers: int, neurons: int) -> pa.Table:
    row = {
        "name": name,
        "n_layers": layers,
        "d_mlp": neurons,
        "d_vocab": VOCABULARY,
        "n_ctx": WINDOW_LENGTH,
        "activation_function": "gelu",
        "site": "blocks.{layer}.mlp.hook_post",
        "corpus": "synthetic",
        "corpus_tokens": WINDOWS * WINDOW_LENGTH,
        "model_fingerprint": "synthetic",
        "tokenizer_fingerprint": "synthetic",
        "corpus_fingerprint": "synthetic",
        "configuration": "{}",
        "code_version": "0",
        "tokenizer": "",
    }
    return pa.Table.from_pylist([row], schema=schema.MODEL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--neurons", type=int, default=3072, help="a layer")
    options = parser.parse_args()
    begun = time.perf_counter()
    folder = shards_folder(options.database) / "synthetic"
    run = synthetic_run(folder, options.layers, options.neurons)
    print(f"shards written in {time.perf_counter() - begun:.1f} s")
    begun = time.perf_counter()
    build_database(options.database, [run])
    size = options.database.stat().st_size / 1e6
    print(f"database built in {time.perf_counter() - begun:.1f} s, {size:.0f} MB")


if __name__ == "__main__":
    main()
