"""Finds which token sequences are adjacent on some path of a stored graph.

A text may be cut in many ways, and most of its spellings are in no graph: those need not be looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from n2gdb.storage.parameters import Parameters
from n2gdb.storage.shapes import node_in

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["held"]

Read = Callable[[str, Mapping[str, object]], "pa.Table"]
Sequences = Iterable[tuple[int, ...]]

# The engine by itself starts from all neurons where several tokens are listed: twenty times as long.
_CONTEXT = (
    "MATCH (n:Neuron)-[c:CONTEXT]->(t:Token) WHERE {tokens} HINT ((t JOIN c) JOIN n)"
    " RETURN n.id AS neuron, c.pre AS pre, c.parent AS parent, c.depth AS depth, t.id AS token"
)
_ROOTS = (
    "MATCH (n:Neuron)-[a:ACTIVATES_ON]->(t:Token) WHERE {tokens} HINT ((t JOIN a) JOIN n)"
    " RETURN n.id AS neuron, a.pre AS pre, -1 AS parent, 0 AS depth, t.id AS token"
)


def held(read: Read, sequences: Sequences) -> tuple[tuple[int, ...], ...]:
    """Return the sequences of Token.ids, of two or more each, that some graph holds, in their order.

    ``read`` runs a statement with its parameters and returns columns.
    """
    import numpy as np  # 0.1 s: only for texts of several tokens

    wanted = list(dict.fromkeys(sequences))
    if not wanted:
        return ()
    tables = [
        _read(read, _CONTEXT, {token for tokens in wanted for token in tokens[:-1]}),
        _read(read, _CONTEXT, {tokens[-1] for tokens in wanted}),
        _read(read, _ROOTS, {tokens[-1] for tokens in wanted}),
    ]
    neuron, pre, parent, depth, token = (
        np.concatenate([table[name].to_numpy().astype(np.int64) for table in tables])
        for name in ("neuron", "pre", "parent", "depth", "token")
    )
    width = int(pre.max(initial=0)) + 1
    key = neuron * width + pre
    order = np.argsort(key, kind="stable")
    key, depth, token = key[order], depth[order], token[order]
    above = (neuron * width + parent)[order]
    place = np.searchsorted(key, above).clip(max=max(len(key) - 1, 0))  # rows of the next towards the end

    def is_held(tokens: Sequence[int]) -> bool:
        rows = np.flatnonzero(token == tokens[0])
        for following in tokens[1:]:
            nearer = place[rows]
            fits = (key[nearer] == above[rows]) & (depth[nearer] == depth[rows] - 1)
            rows = nearer[fits & (token[nearer] == following)]
        return bool(len(rows))

    return tuple(tokens for tokens in wanted if is_held(tokens))


def _read(read: Read, statement: str, tokens: set[int]) -> pa.Table:
    given = Parameters()
    return read(statement.format(tokens=node_in("t.id", sorted(tokens), given)), given.values)
