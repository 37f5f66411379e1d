"""A made-up run shaped like a real one: as many neurons as asked, Zipf tokens, tries of about 90 nodes.

python -m benchmarks.synthetic synthetic.n2gdb --layers 6 --neurons 3072
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.synthetic_tries import PATTERNS, nodes_of_neurons
from benchmarks.synthetic_words import VOCABULARY, token_text, tokenizer_json, zipf
from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array, position_hash
from n2gdb.core.tokens import normalise
from n2gdb.core.units import unit_key
from n2gdb.storage import schema
from n2gdb.storage.build.database import build_database
from n2gdb.storage.shards import RunFolder, shards_folder

__all__ = ["VOCABULARY", "synthetic_run", "token_text", "zipf"]

WINDOWS, WINDOW_LENGTH = 4_000, 128
TRACE = 32  # float16 values an example
_BINS = 13  # of a record
_EVIDENCE_DEPTH = 6


def synthetic_run(
    folder: Path,
    layers: int,
    neurons: int,
    *,
    examples: int = 20,
    patterns: int = PATTERNS,
    seed: int = 0,
) -> RunFolder:
    """Write one complete run of ``layers`` x ``neurons`` with so many ``patterns`` each, on average."""
    run = RunFolder.create(folder)
    random = np.random.default_rng(seed)
    run.write_model(_model(folder.name, layers, neurons))
    run.write_tokens(_tokens())
    run.write_windows(_windows(random))
    for layer in range(layers):
        nodes, ending = nodes_of_neurons(layer, neurons, seed, patterns)
        table = _examples(random, layer, neurons, examples)
        run.write_shard(
            f"L{layer:03d}",
            _neurons(random, layer, nodes, ending),
            nodes,
            table,
            evidence=_evidence(nodes),
            records=_records(random, layer, neurons),
        )
    return run


def _tokens() -> pa.Table:
    texts = [token_text(token) for token in range(VOCABULARY)]
    columns = [
        np.arange(VOCABULARY),
        texts,
        [normalise(text) for text in texts],
        np.zeros(VOCABULARY, np.bool_),
    ]
    return pa.table([pa.array(column) for column in columns], schema=schema.TOKENS)


def _neurons(random: np.random.Generator, layer: int, nodes: pa.Table, patterns: Int64Array) -> pa.Table:
    count = len(patterns)
    index = np.arange(count, dtype=np.int64)
    unit = unit_key(0, layer, index)
    owner = np.searchsorted(unit, nodes["unit"].to_numpy())
    is_root = nodes["parent"].to_numpy() < 0
    token = nodes["token"].to_numpy().astype(np.int64)

    def score() -> FloatArray:
        return random.random(count).astype(np.float32)

    def distinct(which: BoolArray) -> Int64Array:
        pairs = np.unique(owner[which] * VOCABULARY + token[which])
        return np.bincount(pairs // VOCABULARY, minlength=count)

    columns = {
        "unit": unit,
        "layer": np.full(count, layer, np.int64),
        "index": index,
        "source": ["mlp"] * count,
        "kind": ["mlp"] * count,
        "side": ["+"] * count,
        "density": score(),
        "state": ["live"] * count,
        "max_activation": score(),
        "precision": score(),
        "recall": score(),
        "f1": score(),
        "true_firings": random.integers(1, 40, count),
        "predicted_firings": random.integers(1, 40, count),
        "heldout_precision": score(),
        "heldout_recall": score(),
        "heldout_f1": score(),
        "heldout_firings": random.integers(1, 40, count),
        "n_patterns": patterns,
        "n_nodes": np.bincount(owner, minlength=count),
        "n_activating": distinct(is_root),
        "n_context": distinct(~is_root),
        "base": -6 * score(),
        "evidence_threshold": score(),
        "graph_weight": score(),
    }
    return pa.table({name: pa.array(column) for name, column in columns.items()}, schema=schema.NEURONS)


def _examples(random: np.random.Generator, layer: int, neurons: int, each: int) -> pa.Table:
    total = neurons * each
    traces = random.random(total * TRACE, np.float32).astype(np.float16)
    offsets = np.arange(0, (total + 1) * traces.itemsize * TRACE, traces.itemsize * TRACE, dtype=np.int32)
    columns = {
        "unit": unit_key(0, layer, np.repeat(np.arange(neurons, dtype=np.int64), each)),
        "band": np.full(total, "top"),
        "rank": np.tile(np.arange(each, dtype=np.int64), neurons),
        "window": random.integers(0, WINDOWS, total),
        "pivot": random.integers(TRACE, WINDOW_LENGTH, total),
        "activation": random.random(total, np.float32),
        "split": np.where(np.tile(np.arange(each) % 2 == 0, neurons), "train", "test"),
        "start": np.zeros(total, np.int64),
        "trace": pa.Array.from_buffers(
            pa.binary(), total, [None, pa.py_buffer(offsets), pa.py_buffer(traces)]
        ),
    }
    return pa.table({name: pa.array(column) for name, column in columns.items()}, schema=schema.EXAMPLES)


def _evidence(nodes: pa.Table) -> pa.Table:
    """A weight for each of a neuron's activating tokens, and for its context tokens, a third below zero."""
    unit, token, depth = (nodes[name].to_numpy() for name in ("unit", "token", "depth"))
    kept = np.flatnonzero(depth <= _EVIDENCE_DEPTH)
    _, first = np.unique(np.stack([unit[kept], depth[kept], token[kept]]), axis=1, return_index=True)
    chosen = kept[first]
    size = (1 + token[chosen] % 16).astype(np.float32) / 4
    weight = np.where((depth[chosen] > 0) & (token[chosen] % 3 == 0), -size, size)
    columns = (unit[chosen], token[chosen], depth[chosen], weight)
    return pa.table([pa.array(column) for column in columns], schema=schema.EVIDENCE)


def _records(random: np.random.Generator, layer: int, neurons: int) -> pa.Table:
    counts = random.integers(0, 1000, (neurons, _BINS))
    columns = [
        unit_key(0, layer, np.arange(neurons, dtype=np.int64)),
        np.full(neurons, WINDOWS * WINDOW_LENGTH, np.int64),
        counts.sum(axis=1) + random.integers(0, 10_000, neurons),
        random.random(neurons, np.float32) + 1,
        list(counts),
        [_firings(random) for _ in range(neurons)],
    ]
    return pa.table([pa.array(column) for column in columns], schema=schema.RECORDS)


def _firings(random: np.random.Generator) -> Int64Array:
    """Draw positions on which a unit fires: of a million, a few of them far more often than others."""
    number = int(min(random.lognormal(4, 1.5), 1e5))
    drawn = np.unique((1e6 * random.random(number) ** 4).astype(np.int64))
    return drawn[np.argsort(position_hash(drawn))][: schema.MOST_FIRINGS]


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
        "tokenizer": tokenizer_json(),
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
