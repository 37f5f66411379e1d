"""A wide world: thousands of synthetic neurons over 50,000 tokens, so that answers are long."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.synthetic import synthetic_run
from n2gdb.storage import schema
from n2gdb.storage.shards import RunFolder

__all__ = ["wide_run"]

#: Tables of a shard.
_TABLES = ("neurons", "nodes", "examples", "scores", "evidence", "records")

#: Real fields that a neuron which was not judged has no value of.
_JUDGED = ("precision", "recall", "f1", "heldout_precision", "heldout_recall", "heldout_f1")


def wide_run(
    folder: Path, layers: int = 6, neurons: int = 3_072, patterns: int = 2, seed: int = 0
) -> RunFolder:
    """Write a run of ``layers`` x ``neurons`` that differ in every field, and often share a value."""
    made = synthetic_run(folder / "made", layers, neurons, examples=1, patterns=patterns, seed=seed)
    run = RunFolder.create(folder / "wide")
    run.write_model(made.model())
    run.write_tokens(made.tokens())
    run.write_windows(made.windows())
    random = np.random.default_rng(seed)
    for shard in made.shards():
        tables = [pq.read_table(shard / f"{name}.parquet") for name in _TABLES]
        run.write_shard(shard.name, _varied(tables[0], random), *tables[1:])
    return run


def _varied(neurons: pa.Table, random: np.random.Generator) -> pa.Table:
    """Give neurons every state, real numbers of two places, and no value where there is none."""
    count = len(neurons)
    dead = neurons["n_patterns"].to_numpy() == 0
    unpredicted = ~dead & (random.random(count) < 0.1)
    unjudged = dead | (random.random(count) < 0.05)
    columns = {name: neurons[name] for name in neurons.column_names}
    columns["state"] = pa.array(np.where(dead, "dead", np.where(unpredicted, "unpredicted", "live")))
    for name in _JUDGED:
        values = np.round(random.random(count), 2).astype(np.float32)
        columns[name] = pa.array(np.where(unpredicted, np.float32(0), values), mask=unjudged)
    columns["max_activation"] = pa.array(np.where(dead, 0, 10 * random.random(count)).astype(np.float32))
    for name in ("true_firings", "predicted_firings", "heldout_firings"):
        columns[name] = pa.array(np.where(unjudged, 0, random.integers(0, 40, count)))
    return pa.table(columns, schema=schema.NEURONS)
