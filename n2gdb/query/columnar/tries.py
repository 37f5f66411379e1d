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

from n2gdb.core.arrays import (
    BoolArray,
    Float64Array,
    Int64Array,
    IntArray,
    IntegerArray,
    expanded,
    stable_order,
)
from n2gdb.core.deadline import check_time
from n2gdb.core.tokens import normalise
from n2gdb.storage.read.outline import Outline

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TrieColumns", "outlined_tries", "read_tries"]

#: Runs a statement with its parameters and returns its columns.
Table = Callable[[str, Mapping[str, object]], "pa.Table"]

#: Nodes up to which an index of them by token is made.
_MOST_SORTED = 5_000_000
#: Tokens that nodes are compared with one by one.
_FEW = 8
#: What is read of nodes for single matches; the rest tells how tries are shaped.
_FIGURES = ("importance", "end", "written", "support", "confidence")

_OF_PATTERNS = "c.`end` AS `end`, c.written AS written, c.support AS support, c.confidence AS confidence"
_NODES = (
    "MATCH (n:Neuron)-[c:ACTIVATES_ON]->(t:Token) {where} HINT ((n JOIN c) JOIN t)"
    " RETURN n.id AS unit, offset(id(t)) AS token, c.pre AS pre, CAST(0, 'INT32') AS depth,"
    " CAST(-1, 'INT32') AS parent, c.last AS last, false AS repeats,"
    f" CAST(NULL, 'DOUBLE') AS importance, {_OF_PATTERNS}",
    "MATCH (n:Neuron)-[c:CONTEXT]->(t:Token) {where} HINT ((n JOIN c) JOIN t)"
    " RETURN n.id AS unit, offset(id(t)) AS token, c.pre AS pre, c.depth AS depth, c.parent AS parent,"
    f" c.last AS last, c.repeats AS repeats, c.importance AS importance, {_OF_PATTERNS}",
)
_FIGURE_OF = tuple(
    f"MATCH (n:Neuron)-[c:{kind}]->(t:Token) WHERE c.`{{figure}}` IS NOT NULL HINT ((n JOIN c) JOIN t)"
    " RETURN n.id AS unit, c.pre AS pre, CAST(c.`{figure}`, 'DOUBLE') AS figure"
    for kind in ("CONTEXT", "ACTIVATES_ON")
)


@dataclass(frozen=True, eq=False)
class TrieColumns:
    """The nodes of every unit's trie; what is none of a node is NaN.

    ``first`` are the units' first rows, and the number of rows last: (units + 1,). Columns are (nodes,) each;
    ``read`` makes those that few questions need, by name.
    """

    first: Int64Array
    token: IntegerArray  # row of the vocabulary
    depth: IntegerArray
    vocabulary: pa.Table
    read: Callable[[str], Any]

    def __len__(self) -> int:
        return len(self.token)

    def read_ahead(self) -> None:
        """Read what most questions ask for, so that the first of them need not wait for it."""
        for name in ("owner", "parent", "last", "root", "counts", "patterns", "end"):
            getattr(self, name)
        if len(self) <= _MOST_SORTED:
            _ = self._by_token, self.least

    @cached_property
    def owner(self) -> IntArray:
        """Place of the unit."""
        return np.repeat(np.arange(len(self.first) - 1, dtype=np.int32), np.diff(self.first))

    @cached_property
    def is_root(self) -> BoolArray:
        """Which nodes are activating tokens."""
        return np.equal(self.depth, 0)

    @cached_property
    def parent(self) -> IntArray:
        """Row of the next named node towards the activating token; -1 of a root."""
        parent: IntArray = self.read("parent")
        return parent

    @cached_property
    def last(self) -> IntArray:
        """Row of the last node below."""
        last: IntArray = self.read("last")
        return last

    @cached_property
    def repeats(self) -> BoolArray:
        """Which nodes have the token of a node nearer to the activating token."""
        repeats: BoolArray = self.read("repeats")
        return repeats

    @cached_property
    def ends(self) -> IntArray:
        """The rows where patterns end, rising: (patterns,)."""
        return np.flatnonzero(self.read("is_end")).astype(np.int32)

    @cached_property
    def importance(self) -> Float64Array:
        """Of context tokens."""
        return self._figure("importance")

    @cached_property
    def end(self) -> Float64Array:
        """Activation of the pattern that ends here."""
        return self._figure("end")

    @cached_property
    def written(self) -> Float64Array:
        """Logit that the unit itself writes of this token."""
        return self._figure("written")

    @cached_property
    def support(self) -> Float64Array:
        """How often the pattern that ends here occurs in the corpus."""
        return self._figure("support")

    @cached_property
    def confidence(self) -> Float64Array:
        """On which share of these occurrences the unit fires."""
        return self._figure("confidence")

    def _figure(self, name: str) -> Float64Array:
        figure: Float64Array = self.read(name)
        return figure

    @cached_property
    def roots(self) -> IntArray:
        """The rows of activating tokens, rising."""
        return np.flatnonzero(self.is_root).astype(np.int32)

    @cached_property
    def root(self) -> IntArray:
        """The row of the path's activating token."""
        return np.repeat(self.roots, np.diff(self.roots, append=len(self)))

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
    def patterns(self) -> Int64Array:
        """How many patterns each unit has: (units,)."""
        return self.per_unit(self.ends)

    def per_unit(self, rising: IntArray) -> Int64Array:
        """Return how many of some rows each unit has: (units,)."""
        return np.diff(np.searchsorted(rising, self.first.astype(np.int32)))

    @cached_property
    def repeated(self) -> IntArray:
        """The rows of ``repeats``, rising."""
        return np.flatnonzero(self.repeats).astype(np.int32)

    @cached_property
    def counts(self) -> Int64Array:
        """How many nodes each token of the vocabulary has: (tokens,)."""
        counts: Int64Array = self.read("counts")
        return counts

    @cached_property
    def _by_token(self) -> tuple[IntArray, Int64Array]:
        """Rows by token and rising, and where each token's begin: (nodes,), (tokens + 1,)."""
        order = stable_order(self.token.astype(np.int64)).astype(np.int32)
        return order, np.concatenate([[0], np.cumsum(self.counts)])

    def rows_of(self, tokens: Int64Array) -> IntArray:
        """Return the rows of some tokens, by their rows of the vocabulary; rising."""
        if len(self) > _MOST_SORTED:
            return np.flatnonzero(self._has(tokens)).astype(np.int32)
        order, begin = self._by_token
        if not len(tokens):
            return order[:0]
        rows = np.concatenate([order[begin[token] : begin[token + 1]] for token in tokens.tolist()])
        return rows if len(tokens) == 1 else np.sort(rows)

    def _has(self, tokens: Int64Array) -> BoolArray:
        """Return which nodes have one of some tokens: (nodes,)."""
        found = np.zeros(len(self), np.bool_)
        if len(tokens) <= _FEW:  # to compare is faster than to look up, for each of them
            for token in tokens.tolist():
                found |= self.token == token
            return found
        inside = np.zeros(len(self.vocabulary), np.bool_)
        inside[tokens] = True
        return inside[self.token]

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


def read_tries(
    table: Table, vocabulary: pa.Table, units: Int64Array, among: Sequence[int] = ()
) -> TrieColumns:
    """Read the tries of some units, or of all; ``units`` are the ids of these units, rising."""
    given = {"among": list(among)} if among else {}
    parts = [table(each.format(where="WHERE n.id IN $among" if among else ""), given) for each in _NODES]

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
    columns = {
        "parent": np.where(parent < 0, np.int32(-1), parent + base),
        "last": sorted_column("last", np.int32) + base,
        "repeats": sorted_column("repeats", np.bool_),
        **{name: sorted_column(name, np.float64) for name in _FIGURES},
    }
    token, depth = (sorted_column(name, np.int32) for name in ("token", "depth"))
    depth = depth.astype(np.min_scalar_type(int(depth.max(initial=0))))  # compared at once, in its few bytes
    columns |= {"is_end": ~np.isnan(columns["end"]), "counts": np.bincount(token, minlength=len(vocabulary))}
    return TrieColumns(first, token, depth, vocabulary, columns.__getitem__)


def outlined_tries(outline: Outline, table: Table, vocabulary: pa.Table, units: Int64Array) -> TrieColumns:
    """Return all tries by their outline; of their figures those that are asked for are read."""
    nodes = np.zeros(len(units), np.int64)
    nodes[np.searchsorted(units, outline.unit)] = outline.nodes
    first = np.concatenate([[0], np.cumsum(nodes)])

    def made(name: str) -> Any:
        check_time()
        row = np.arange(first[-1], dtype=np.int32)
        match name:
            case "parent":
                row -= outline.gap.astype(np.int32)
                row[outline.gap == 0] = -1
            case "last":
                row += outline.below.astype(np.int32)
            case "repeats":
                return outline.repeated
            case "is_end":
                return outline.ends
            case "counts":
                counts = np.zeros(len(vocabulary), np.int64)
                counts[: len(outline.counts)] = outline.counts
                return counts
            case _:
                return read(name)
        return row

    def read(figure: str) -> Float64Array:
        values = np.full(first[-1], np.nan)
        for each in _FIGURE_OF[: 1 if figure == "importance" else 2]:  # a root has none
            found = table(each.format(figure=figure), {})
            check_time()
            owner = np.searchsorted(units, found["unit"].to_numpy())
            values[first[owner] + found["pre"].to_numpy()] = found["figure"].to_numpy()
        return values

    return TrieColumns(first, outline.token, outline.depth, vocabulary, made)
