"""Packing: prompts merged into one tree of tokens, so that common prefixes are run once.

Prompts are rows of token ids, padded on the right with PAD. Sorted, a prompt shares its longest common
prefix with the one before it and adds nodes of its own for the rest: masking a token costs only what
follows it, and a prompt that is a prefix of another costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import IndexArray, IntArray
from n2gdb.ingest.arrays import PAD

__all__ = [
    "Packed",
    "Sharing",
    "count_nodes",
    "lengths_of",
    "pack",
    "share_prefixes",
    "split_padded",
    "split_runs",
]


#: Prompts are packed with others at most this many times as long, as attention is padded to the longest;
#: but fewer nodes than this are not worth a pass of their own.
_SPREAD, _FEW = 4, 128


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which prompts to run, sorted by what they begin with, and which run answers each request."""

    runs: IndexArray  # (run,) rows of the request
    owner: IndexArray  # (request,) index into runs


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Prompts as a tree: every node a token at a position, every prompt the path to its last node.

    Nodes are numbered prompt by prompt, from the front: a node's ancestors stand before it, and what
    descends from it right after.
    """

    token: IndexArray  # (node,)
    position: IndexArray  # (node,)
    prompt: IndexArray  # (node,) the first prompt that passes it
    stop: IndexArray  # (node,) the first node after it that does not descend from it
    path: IndexArray  # (prompt, position) nodes; any after a prompt's end

    def __len__(self) -> int:
        """Count the nodes."""
        return len(self.token)


def lengths_of(prompts: IntArray) -> IndexArray:
    """Count the tokens of each padded prompt: (prompt, position) -> (prompt,)."""
    lengths: IndexArray = np.count_nonzero(prompts != PAD, axis=1)
    return lengths


def share_prefixes(prompts: IntArray) -> Sharing:
    """Drop prompts that repeat another or are a prefix of it, and sort the others.

    Sorted as byte strings, with padding smallest, a prefix stands right before what extends it.
    """
    width = prompts.shape[1]
    keys = np.ascontiguousarray((prompts + 1).astype(">u4")).view(f"S{4 * width}").ravel()
    order = np.argsort(keys, kind="stable")
    row = prompts[order]  # (request, position)
    is_prefix = ((row[:-1] == row[1:]) | (row[:-1] == PAD)).all(axis=1)
    is_run = np.append(~is_prefix, True)[: len(row)]
    owner = np.empty(len(row), np.intp)
    owner[order] = np.cumsum(is_run) - is_run
    return Sharing(order[is_run], owner)


def split_runs(prompts: IntArray, nodes: int) -> Iterator[IndexArray]:
    """Part sorted prompts into packs of about so many nodes: yields rows of ``prompts``, each one once.

    Prompts of like length go together, each length in the order given and in packs of like size.
    """
    length = lengths_of(prompts)
    for rows in _of_like_length(prompts, length):
        own = length[rows] - _shared(prompts[rows])
        # The first of a pack has nothing before it to share, which costs at most the longest prompt.
        longest, whole = int(length[rows].max()), int(own.sum())
        packs = -(-whole // max(1, nodes - longest))
        most = min(nodes, -(-whole // packs) + longest)
        start = 0
        while start < len(rows):
            held = np.cumsum(own[start : start + most]) + length[rows[start]] - own[start]
            stop = start + max(1, int(np.count_nonzero(held <= most)))
            yield rows[start:stop]
            start = stop


def _of_like_length(prompts: IntArray, length: IndexArray) -> Iterator[IndexArray]:
    """Part sorted prompts by length, few of one length with those of the next: yields rows in order."""
    kind = np.ceil(np.log(np.maximum(length, 1)) / np.log(_SPREAD)).astype(int)
    some: IndexArray = np.zeros(0, np.intp)
    for each in np.unique(kind):
        some = np.union1d(some, np.flatnonzero(kind == each))
        if count_nodes(prompts[some]) >= _FEW:
            yield some
            some = some[:0]
    if len(some):
        yield some


def count_nodes(prompts: IntArray) -> int:
    """Count the nodes of the tree of sorted prompts: (prompt, position)."""
    return int((lengths_of(prompts) - _shared(prompts)).sum())


def split_padded(prompts: IntArray, tokens: int) -> Iterator[IndexArray]:
    """Part prompts into batches of at most so many tokens, padding included: yields rows, by length."""
    length = lengths_of(prompts)
    order = np.argsort(length, kind="stable")
    rising = length[order]
    start = 0
    while start < len(order):
        most = min(len(order), start + max(1, tokens // int(rising[start])))
        fits = rising[start:most] * np.arange(1, most - start + 1) <= tokens
        stop = start + max(1, int(np.count_nonzero(fits)))
        yield order[start:stop]
        start = stop


def pack(prompts: IntArray) -> Packed:
    """Lay sorted prompts into a tree: (prompt, position), padded with PAD."""
    position = np.arange(prompts.shape[1])
    new = (position >= _shared(prompts)[:, None]) & (prompts != PAD)  # (prompt, position)
    row, column = np.nonzero(new)
    number = np.zeros(prompts.shape, np.intp)
    number[row, column] = np.arange(len(row))
    # A position that is not new was last laid by the nearest prompt above.
    path: IndexArray = np.maximum.accumulate(number, axis=0)
    # The last prompt that passes a node is the last to write its end.
    stop = np.empty(len(row), np.intp)
    passing, place = np.nonzero(prompts != PAD)
    stop[path[passing, place]] = np.cumsum(new.sum(axis=1))[passing]
    return Packed(prompts[row, column].astype(np.intp), column, row, stop, path)


def _shared(prompts: IntArray) -> IndexArray:
    """How many tokens each prompt begins with like the one before it: (prompt, position) -> (prompt,)."""
    alike = (prompts[1:] == prompts[:-1]) & (prompts[1:] != PAD)
    shared: IndexArray = np.concatenate([[0], np.cumprod(alike, axis=1).sum(axis=1)])[: len(prompts)]
    return shared
