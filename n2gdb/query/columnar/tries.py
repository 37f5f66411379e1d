"""Every trie of a database as columns: one row a node, by unit and preorder.

Preorder numbers of a unit's nodes are consecutive: a node's row is its unit's first row and its number, and
the nodes below it are the rows that follow, up to ``last``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, IntArray
from n2gdb.core.deadline import check_time
from n2gdb.core.tokens import normalise

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TrieColumns", "expanded", "read_tries"]

#: Runs a statement with its parameters and returns its columns.
Table = Callable[[str, Mapping[str, object]], "pa.Table"]

_CONTEXT = (
    "MATCH (n:Neuron)-[c:CONTEXT]->(t:Token) HINT ((n JOIN c) JOIN t)"
    " RETURN n.id AS unit, offset(id(t)) AS token, c.pre AS pre, c.depth AS depth, c.parent AS parent,"
    " c.last AS last, c.importance AS importance, c.`end` AS `end`, c.written AS written,"
    " c.support AS support, c.confidence AS confidence"
)
_ROOTS = (
    "MATCH (n:Neuron)-[c:ACTIVATES_ON]->(t:Token) HINT ((n JOIN c) JOIN t)"
    " RETURN n.id AS unit, offset(id(t)) AS token, c.pre AS pre, CAST(0, 'INT32') AS depth,"
    " CAST(-1, 'INT32') AS parent, c.last AS last, CAST(NULL, 'DOUBLE') AS importance, c.`end` AS `end`,"
    " c.written AS written, c.support AS support, c.confidence AS confidence"
)


@dataclass(frozen=True, eq=False)
class TrieColumns:
    """The nodes of every unit's trie; what is none of a node is NaN.

    ``first`` are the units' first rows, and the number of rows last: (units + 1,). All else is (nodes,).
    """

    first: Int64Array
    owner: IntArray  # place of the unit
    token: IntArray  # row of the vocabulary
    depth: IntArray
    parent: IntArray  # row of the next named node towards the activating token; -1 of a root
    last: IntArray  # row of the last node below
    importance: Float64Array
    end: Float64Array  # activation of the pattern that ends here
    written: Float64Array  # logit that the unit itself writes of this token
    support: Float64Array  # how often the pattern that ends here occurs in the corpus
    confidence: Float64Array  # on which share of these occurrences the unit fires
    vocabulary: pa.Table

    def __len__(self) -> int:
        return len(self.token)

    @cached_property
    def root(self) -> IntArray:
        """The row of the path's activating token: (nodes,)."""
        rows = np.arange(len(self), dtype=np.int32)
        return np.maximum.accumulate(np.where(self.parent < 0, rows, 0)).astype(np.int32)

    @cached_property
    def level(self) -> IntArray:
        """How many context tokens the path to a node names: (nodes,)."""
        return self._down_the_paths()[0]

    @cached_property
    def least(self) -> Float64Array:
        """The least importance on the path to a node: (nodes,)."""
        return self._down_the_paths()[1]

    def _down_the_paths(self) -> tuple[IntArray, Float64Array]:
        level = np.zeros(len(self), np.int32)
        least = self.importance.copy()
        rows = np.flatnonzero(self.parent >= 0)
        while len(rows):
            check_time()
            # in the n-th round of those whose parents were settled in the one before
            settled = level[self.parent[rows]] + 1
            value = np.fmin(self.importance[rows], least[self.parent[rows]])
            changed = (settled != level[rows]) | ~((value == least[rows]) | np.isnan(value))
            rows = rows[changed]
            level[rows], least[rows] = settled[changed], value[changed]
        return level, least

    @cached_property
    def ends(self) -> IntArray:
        """The rows where patterns end, rising: (patterns,)."""
        return np.flatnonzero(~np.isnan(self.end)).astype(np.int32)

    @cached_property
    def patterns(self) -> Int64Array:
        """How many patterns each unit has: (units,)."""
        return np.bincount(self.owner[self.ends], minlength=len(self.first) - 1)

    @cached_property
    def is_root(self) -> BoolArray:
        """Which nodes are activating tokens: (nodes,)."""
        return self.parent < 0

    @cached_property
    def roots(self) -> IntArray:
        """The rows of activating tokens, rising."""
        return np.flatnonzero(self.is_root).astype(np.int32)

    @cached_property
    def context(self) -> IntArray:
        """The rows of context tokens, rising."""
        return np.flatnonzero(~self.is_root).astype(np.int32)

    @cached_property
    def activating(self) -> IntArray:
        """The token that the path to a node activates on: (nodes,)."""
        return self.token[self.root]

    @cached_property
    def root_tokens(self) -> IntArray:
        """The tokens of ``roots``."""
        return self.token[self.roots]

    @cached_property
    def context_tokens(self) -> IntArray:
        """The tokens of ``context``."""
        return self.token[self.context]

    @cached_property
    def _by_depth(self) -> tuple[IntArray, IntArray, Int64Array]:
        """The rows of ``context`` by depth, their tokens, and where those of each depth begin."""
        depth = self.depth[self.context]
        order = np.argsort(depth, kind="stable")
        begin = np.concatenate([[0], np.cumsum(np.bincount(depth))])
        return self.context[order], self.context_tokens[order], begin

    def context_within(self, least: int, most: int | None) -> tuple[IntArray, IntArray]:
        """Return the rows of context so far from the activating token, by depth, and their tokens."""
        rows, tokens, begin = self._by_depth
        deepest = len(begin) - 1
        start = begin[min(least, deepest)]
        stop = begin[deepest if most is None else min(most + 1, deepest)]
        return rows[start:stop], tokens[start:stop]

    @cached_property
    def repeated(self) -> IntArray:
        """The rows of ``repeats``, rising."""
        return np.flatnonzero(self.repeats).astype(np.int32)

    @cached_property
    def counts(self) -> Int64Array:
        """How many nodes each token of the vocabulary has: (tokens,)."""
        return np.bincount(self.token, minlength=len(self.vocabulary))

    @cached_property
    def repeats(self) -> BoolArray:
        """Which nodes have the token of a node nearer to the activating token: (nodes,)."""
        found = np.zeros(len(self), np.bool_)
        rows = np.flatnonzero(~self.is_root)
        above = self.parent[rows]
        while len(rows):
            found[rows[self.token[above] == self.token[rows]]] = True
            above = self.parent[above]
            rows, above = rows[above >= 0], above[above >= 0]
        return found

    @cached_property
    def _by_token(self) -> tuple[IntArray, Int64Array]:
        """Rows by token and rising, and where each token's begin: (nodes,), (tokens + 1,)."""
        order = np.argsort(self.token, kind="stable").astype(np.int32)
        return order, np.concatenate([[0], np.cumsum(self.counts)])

    def rows_of(self, tokens: Int64Array) -> IntArray:
        """Return the rows of some tokens, by their rows of the vocabulary; rising."""
        order, begin = self._by_token
        if not len(tokens):
            return order[:0]
        rows = np.concatenate([order[begin[token] : begin[token + 1]] for token in tokens.tolist()])
        return rows if len(tokens) == 1 else np.sort(rows)

    def rows_among(self, tokens: Int64Array) -> IntArray:
        """Return the same of many tokens, by token."""
        order, begin = self._by_token
        return order[expanded(begin[tokens], begin[tokens + 1])[1]]

    @cached_property
    def _ids(self) -> tuple[Int64Array, Int64Array]:
        ids = self.vocabulary["id"].to_numpy()
        order = np.argsort(ids, kind="stable")
        return ids[order], order

    def vocabulary_rows(self, ids: Sequence[int]) -> Int64Array:
        """Return the rows of the vocabulary of tokens, by Token.id; those that it has not are left out."""
        known, order = self._ids
        wanted = np.asarray(ids, np.int64)
        place = np.searchsorted(known, wanted).clip(max=max(len(known) - 1, 0))
        rows: Int64Array = order[place[known[place] == wanted]]
        return rows

    @cached_property
    def texts(self) -> list[str]:
        """The text of every token of the vocabulary, by row."""
        texts: list[str] = self.vocabulary["text"].to_pylist()
        return texts

    @cached_property
    def same_text(self) -> Int64Array:
        """For each token, the first of the vocabulary that has its text: several models may: (tokens,)."""
        first: dict[str, int] = {}
        return np.array([first.setdefault(text, at) for at, text in enumerate(self.texts)], np.int64)

    def holds(self, tokens: Sequence[int]) -> bool:
        """Tell whether some path names these tokens, by Token.id, side by side."""
        wanted = [self.vocabulary_rows([token]) for token in tokens]
        if not all(len(each) for each in wanted):
            return False
        rows = self.rows_of(wanted[0])
        for following in wanted[1:]:
            above = self.parent[rows]
            beside = (above >= 0) & (self.depth[rows] - self.depth[above] == 1)
            rows = above[beside & (self.token[above] == following[0])]
        return len(rows) > 0

    @cached_property
    def alike(self) -> IntArray:
        """A number for each token, the same of those that read alike, case and space aside: (tokens,)."""
        codes: dict[str, int] = {}
        return np.array([codes.setdefault(normalise(text), len(codes)) for text in self.texts], np.int32)

    def rows_in(self, units: Int64Array) -> IntArray:
        """Return all rows of some units, by their places, rising where the places do."""
        return expanded(self.first[units], self.first[units + 1])[1].astype(np.int32)


def expanded(start: Int64Array, stop: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return every number of some ranges, and the place of the range that each comes from."""
    length = np.maximum(stop - start, 0)
    place = np.repeat(np.arange(len(length)), length)
    behind = np.cumsum(length) - length
    return place, np.arange(len(place)) - behind[place] + start[place]


def read_tries(table: Table, vocabulary: pa.Table, units: Int64Array) -> TrieColumns:
    """Read all tries; ``units`` are the ids of all units, rising."""
    parts = [table(_ROOTS, {}), table(_CONTEXT, {})]

    def column(name: str, kind: type) -> Any:
        check_time()  # of a large database each column takes tenths of a second
        return np.concatenate([part[name].to_numpy().astype(kind, copy=False) for part in parts])

    owner = np.searchsorted(units, column("unit", np.int64)).astype(np.int32)
    pre = column("pre", np.int32)
    order = np.lexsort((pre, owner))
    check_time()
    owner, pre = owner[order], pre[order]
    first = np.searchsorted(owner, np.arange(len(units) + 1))
    base = first[owner].astype(np.int32)

    def sorted_column(name: str, kind: type) -> Any:
        return column(name, kind)[order]

    parent = sorted_column("parent", np.int32)
    return TrieColumns(
        first,
        owner,
        sorted_column("token", np.int32),
        sorted_column("depth", np.int32),
        np.where(parent < 0, np.int32(-1), parent + base),
        sorted_column("last", np.int32) + base,
        sorted_column("importance", np.float64),
        sorted_column("end", np.float64),
        sorted_column("written", np.float64),
        sorted_column("support", np.float64),
        sorted_column("confidence", np.float64),
        vocabulary,
    )
