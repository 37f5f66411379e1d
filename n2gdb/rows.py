"""From a run's shards to the rows of the database's tables, whole columns at a time.

Keys hold the model's number in their high bits, so that several models share one database:
a token's is ``model << 32 | token``, a window's ``model << 40 | window``, a neuron's
``model << 40 | layer << 24 | index``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from n2gdb.errors import DatabaseFormatError
from n2gdb.shards import RunFolder
from n2gdb.tokens import text_key

__all__ = ["run_rows"]

Int64Array = npt.NDArray[np.int64]

_ACTIVATES_ON = ["neuron", "token_key", "pre", "last", "activation", "end"]
_CONTEXT = ["neuron", "token_key", "act_token", "depth", "importance", "pre", "last", "parent", "repeats"]
_CONTEXT += ["activation", "end"]


def run_rows(run: RunFolder, model: int) -> Iterator[tuple[str, pa.Table]]:
    """Yield (database table, its rows) of one run as model number ``model``, nodes before relationships."""
    nodes = run.nodes()
    neurons, tokens, windows = run.neurons(), run.tokens(), run.windows()
    yield "Model", _keyed(run.model(), [np.array([model], np.int64)])
    token = tokens["token"].to_numpy()
    keyed = _keyed(tokens, [_token_key(model, token), np.full(len(token), model, np.int64)])
    yield (
        "Token",
        keyed.append_column("text_key", _text_keys(tokens["text"])).append_column(
            "norm_key", _text_keys(tokens["norm"])
        ),
    )
    yield "Neuron", _keyed(neurons, [_neuron_key(model, neurons), np.full(len(neurons), model, np.int64)])
    window = windows["window"].to_numpy()
    yield "Window", _keyed(windows, [_window_key(model, window), np.full(len(window), model, np.int64)])
    yield from _trie_rows(nodes, model)
    examples = run.examples()
    ends = [_neuron_key(model, examples), _window_key(model, examples["window"].to_numpy())]
    yield "TOP_EXAMPLE", _keyed(examples.drop_columns(["layer", "index", "window"]), ends)


def _trie_rows(nodes: pa.Table, model: int) -> Iterator[tuple[str, pa.Table]]:
    trie = _Trie.of(nodes)
    columns = {
        "neuron": _neuron_key(model, nodes),
        "token_key": _token_key(model, trie.token),
        "act_token": _token_key(model, trie.token[trie.root]),
        "last": trie.last,
        "repeats": trie.repeats,
        "activation": pa.array(trie.best, mask=np.isnan(trie.best)),
    }
    rows = pa.table(columns | {name: nodes[name] for name in ("pre", "depth", "importance", "parent", "end")})
    is_root = pa.array(trie.root == np.arange(len(trie.root)))
    yield "ACTIVATES_ON", rows.filter(is_root).select(_ACTIVATES_ON)
    yield "CONTEXT", rows.filter(pc.invert(is_root)).select(_CONTEXT)


@dataclass(frozen=True, slots=True)
class _Trie:
    """What follows from the columns of many tries laid one after another; every array is (nodes,)."""

    token: Int64Array
    root: Int64Array  # row of the path's activating token
    last: npt.NDArray[np.int32]  # preorder index of the last node below, as NeuronGraph.last
    best: npt.NDArray[np.float32]  # as NeuronGraph.best
    repeats: npt.NDArray[np.bool_]  # the token occurs nearer to the activating end of its own path

    @classmethod
    def of(cls, nodes: pa.Table) -> _Trie:
        """Compute from rows of ``schema.NODES`` sorted by (layer, index, pre)."""
        token = nodes["token"].to_numpy().astype(np.int64)
        pre, parent = nodes["pre"].to_numpy(), nodes["parent"].to_numpy()
        row = np.arange(len(pre), dtype=np.int64)
        above = np.where(parent >= 0, row - pre + parent, -1)
        root, level = row.copy(), np.zeros(len(row), np.int32)
        repeats = np.zeros(len(row), np.bool_)
        inner = row[above >= 0]
        ancestor = above[inner]
        while len(inner):
            root[inner] = ancestor
            level[inner] += 1
            repeats[inner] |= token[inner] == token[ancestor]
            ancestor = above[ancestor]
            inner, ancestor = inner[ancestor >= 0], ancestor[ancestor >= 0]
        last = pre.copy()
        best = pc.fill_null(nodes["end"], float("nan")).to_numpy().copy()
        for depth in range(int(level.max(initial=0)), 0, -1):
            children = np.flatnonzero(level == depth)
            np.maximum.at(last, above[children], last[children])
            np.fmax.at(best, above[children], best[children])
        return cls(token, root, last, best, repeats)


def _keyed(table: pa.Table, keys: list[Int64Array]) -> pa.Table:
    """Put key columns in front of a table's own."""
    columns = [pa.array(key) for key in keys] + table.columns
    return pa.table(columns, names=[f"key{i}" for i in range(len(keys))] + table.column_names)


def _text_keys(texts: pa.ChunkedArray) -> pa.Array:
    """Number every text; equal numbers mean equal texts."""
    keys = {text: text_key(text) for text in texts.unique().to_pylist()}
    if len(set(keys.values())) < len(keys):
        raise DatabaseFormatError("two tokens of the vocabulary have the same 63-bit key")
    return pa.array([keys[text] for text in texts.to_pylist()], pa.int64())


def _token_key(model: int, token: Int64Array) -> Int64Array:
    return token.astype(np.int64) | (model << 32)


def _window_key(model: int, window: Int64Array) -> Int64Array:
    return window.astype(np.int64) | (model << 40)


def _neuron_key(model: int, table: pa.Table) -> Int64Array:
    key: Int64Array = (table["layer"].to_numpy() << 24) | table["index"].to_numpy() | (model << 40)
    return key
