"""How often each token has a role on given patterns: activating, or context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np

from n2gdb.compiler import Compiled
from n2gdb.session import Session

__all__ = ["count_in_role"]

#: Neurons that a statement may list by id.
_MOST_LISTED = 256


def count_in_role(
    session: Session, patterns: Collection[tuple[int, int]], kind: str, *, by_pattern: bool
) -> Counter[str]:
    """Count, for each token's text, the neurons or the patterns that have it as a node of ``kind``.

    ``patterns`` are (Neuron.id, preorder index of the end), ``kind`` the relationship of the role.
    """
    if not patterns:
        return Counter()
    neuron, end = np.array(sorted(patterns), np.int64).T  # (patterns,)
    nodes = session.read("read the tokens of the neurons", _nodes(kind, np.unique(neuron).tolist()))
    owner, token, pre, last = (nodes[name].to_numpy() for name in ("neuron", "token", "pre", "last"))
    width = int(max(last.max(initial=0), end.max())) + 1
    key = neuron * width + end
    first = np.searchsorted(key, owner * width + pre)
    stop = np.searchsorted(key, owner * width + last, "right")
    row = np.repeat(np.arange(len(owner)), stop - first)  # (node on a pattern,)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(stop - first) - (stop - first), stop - first)
    holder = first[row] + offset if by_pattern else owner[row]
    text, code = np.unique(
        session.vocabulary.table["text"].to_numpy(zero_copy_only=False), return_inverse=True
    )
    pairs = np.unique(np.stack([code[token[row]], holder], axis=1), axis=0)
    codes, counts = np.unique(pairs[:, 0], return_counts=True)
    return Counter(dict(zip(text[codes].tolist(), counts.tolist(), strict=True)))


def _nodes(kind: str, neurons: list[int]) -> Compiled:
    listed = len(neurons) <= _MOST_LISTED
    return Compiled(
        f"MATCH (n:Neuron)-[g:{kind}]->(t:Token){' WHERE n.id IN $neurons' if listed else ''}"
        " RETURN n.id AS neuron, offset(id(t)) AS token, g.pre AS pre, g.last AS last",
        {"neurons": neurons} if listed else {},
    )
