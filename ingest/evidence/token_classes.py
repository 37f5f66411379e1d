"""Token classes, which evidence may weigh: tokens that look alike or have similar embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import FloatArray, Int64Array
from n2gdb.storage import schema

__all__ = ["classes_of", "classes_table", "cluster_tokens", "shape_tokens", "token_classes"]


#: What each kind of class goes by, in order.
KINDS = ("embedding", "shape")

#: Tokens that name a cluster.
_NAMED = 3

#: Clusters of the embedding, and rounds of k-means.
_CLUSTERS, _ROUNDS = 128, 25

#: Shapes of a token's text; each comes with and without a space in front.
SHAPES = ("newline", "blank", "digits", "lower", "Title", "UPPER", "Mixed", "punctuation", "other")


def classes_table(classes: Int64Array, texts: Sequence[str]) -> pa.Table:
    """Lay classes, as ``token_classes`` gives them, out as rows of ``schema.CLASSES``."""
    rows = []
    for kind, of_kind in zip(KINDS, classes, strict=True):
        for number in np.unique(of_kind).tolist():
            tokens = np.flatnonzero(of_kind == number)
            if kind == "shape":
                shape, space = divmod(number - len(texts) - _CLUSTERS, 2)
                name = f"a space and {SHAPES[shape]}" if space else SHAPES[shape]
            else:
                name = "like " + " ".join(texts[token] for token in tokens[:_NAMED])
            rows.append({"class": number, "kind": kind, "name": name, "tokens": tokens})
    return pa.Table.from_pylist(rows, schema.CLASSES)


def classes_of(table: pa.Table, words: int) -> Int64Array:
    """Read classes off a table: the inverse of ``classes_table``, (kinds, words)."""
    rows = table.to_pylist()
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    found = np.full((len(kinds), words), -1, np.int64)
    for row in rows:
        found[kinds.index(row["kind"]), row["tokens"]] = row["class"]
    return found


def token_classes(embedding: FloatArray, texts: Sequence[str]) -> Int64Array:
    """Class every token in two ways: by its embedding and by its shape.

    embedding (token, dimension), texts (token,) -> (2, token), numbered on from the number of tokens, so that
    no class has a token's number.
    """
    clusters = cluster_tokens(embedding, _CLUSTERS)
    return np.stack([clusters, shape_tokens(texts) + _CLUSTERS]) + len(texts)


def shape_tokens(texts: Sequence[str]) -> Int64Array:
    """Number the shape of each text: (token,)."""
    return np.array([2 * SHAPES.index(_shape(text)) + text.startswith(" ") for text in texts], np.int64)


def _shape(text: str) -> str:
    bare = text.strip()
    if not bare:
        return "newline" if "\n" in text else "blank"
    if bare.isdigit():
        return "digits"
    if bare.isalpha():
        if bare.islower():
            return "lower"
        if bare[0].isupper() and not any(map(str.isupper, bare[1:])):
            return "Title"
        return "UPPER" if bare.isupper() else "Mixed"
    return "other" if any(map(str.isalnum, bare)) else "punctuation"


def cluster_tokens(embedding: FloatArray, clusters: int, seed: int = 0) -> Int64Array:
    """Group tokens by the direction of their embedding, the mean taken out: seeded k-means, (token,)."""
    direction = embedding - embedding.mean(axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
    drawn = np.random.default_rng(seed).choice(len(direction), min(clusters, len(direction)), replace=False)
    centres = direction[drawn]
    nearest = (direction @ centres.T).argmax(axis=1)
    for _ in range(_ROUNDS):
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, direction)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 0, sums / (length + 1e-9), centres)
        nearest = (direction @ centres.T).argmax(axis=1)
    found: Int64Array = nearest.astype(np.int64)
    return found
