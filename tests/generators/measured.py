"""What ingest measures of a unit on its corpus, made up: support, evidence, held-out figures, records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pyarrow as pa

from n2gdb.core.arrays import position_hash
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName
from n2gdb.storage.schema import CLASSES, MOST_FIRINGS, PREDICTORS

__all__ = ["Measured", "measured_on_corpus", "token_classes"]

Row = dict[str, object]


@dataclass(frozen=True)
class Measured:
    """One unit's part of every table that a graph by itself does not give."""

    graph: NeuronGraph  # with support and confidence
    figures: Row  # of its row in ``schema.NEURONS``
    scores: list[Row]
    evidence: list[Row]
    record: Row


def token_classes(words: Sequence[str]) -> pa.Table:
    """Class every token by whether a space begins it, and by the rest of its number by three."""
    parts = {
        ("shape", "word"): [token for token, word in enumerate(words) if not word.startswith(" ")],
        ("shape", "space and word"): [token for token, word in enumerate(words) if word.startswith(" ")],
        **{("embedding", f"like {words[rest]}"): list(range(rest, len(words), 3)) for rest in range(3)},
    }
    rows = [
        {"class": len(words) + place, "kind": kind, "name": name, "tokens": tokens}
        for place, ((kind, name), tokens) in enumerate(parts.items())
    ]
    return pa.Table.from_pylist(rows, schema=CLASSES)


def measured_on_corpus(
    random: Random,
    unit: int,
    name: NeuronName,
    graph: NeuronGraph,
    words: int,
    *,
    weighed: bool = True,
    alive: bool = True,
    parts: int = 8,
) -> Measured:
    """Make up what a unit's graph, and the unit, met in a corpus of a thousand tokens.

    A third of the units have no evidence, all where they are not ``weighed``; every fifth never fires on
    held-out text. ``words`` is the size of the vocabulary. Units that are not ``alive`` never fire. Shares
    are so many ``parts`` of one.
    """
    support, confidence = _occurrences(random, graph, parts)
    has_evidence = weighed and len(graph) > 0 and name.index % 3 != 2
    firings = random.randint(1, 40) if len(graph) and name.index % 5 != 4 else 0
    by_name: dict[tuple[str, str], Row] = {
        (text, predictor): _figures(random, firings, parts)
        for text, predictors in PREDICTORS.items()
        for predictor in predictors
        if has_evidence or predictor != "evidence"
    }
    own = by_name["heldout", "evidence" if has_evidence else "n2g"]
    weights = _weights(random, graph, words) if has_evidence else []
    figures: Row = {
        **{f"heldout_{each}": own[each] for each in ("precision", "recall", "f1")},
        "heldout_firings": firings,
        "base": round(random.uniform(-6, -2), 2) if has_evidence else None,
        "evidence_threshold": round(random.uniform(-1, 1), 2) if has_evidence else None,
        "graph_weight": random.randint(-2, 12) / 4 if has_evidence else None,
    }
    place: Row = {"unit": unit, "layer": name.layer, "index": name.index}
    return Measured(
        replace(graph, support=support, confidence=confidence),
        figures,
        [
            {**place, "text": text, "predictor": predictor, **row}
            for (text, predictor), row in by_name.items()
        ],
        [
            {"unit": unit, "token": token, "depth": depth, "weight": weight}
            for depth, token, weight in weights
        ],
        _record(random, unit, alive=alive),
    )


def _occurrences(random: Random, graph: NeuronGraph, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """A path occurs as often as its parent's at most; some never do, and have no confidence."""
    support, confidence = np.zeros(len(graph), np.int64), np.full(len(graph), np.nan, np.float32)
    for node, parent in enumerate(graph.parent.tolist()):
        support[node] = random.randint(0, 50 if parent < 0 else int(support[parent]))
        if support[node]:
            confidence[node] = random.randint(0, parts) / parts
    return support, confidence


def _weights(random: Random, graph: NeuronGraph, words: int) -> list[tuple[int, int, float]]:
    """Weights of its own activating tokens, all above zero, and of context, above and below, by place."""
    named = [*sorted(set(graph.token.tolist())), *range(words, words + 5)]
    own = {(0, token): random.randint(1, 16) / 4 for token in graph.token[graph.depth == 0].tolist()}
    context = {
        (random.randint(1, 6), random.choice(named)): random.choice((-1, 1)) * random.randint(1, 16) / 4
        for _ in range(random.randint(0, 6))
    }
    tokens = [token for token in named if token < words]
    context |= {
        (random.choice((-3, -64)), random.choice(tokens)): random.choice((-1, 1)) * random.randint(1, 16) / 4
        for _ in range(random.randint(0, 2))
    }
    return [(depth, token, weight) for (depth, token), weight in sorted((own | context).items())]


def _figures(random: Random, firings: int, parts: int) -> Row:
    precision, recall = random.randint(1, parts) / parts, random.randint(1, parts) / parts
    judged = firings > 0
    return {
        "precision": precision if judged else None,
        "recall": recall if judged else None,
        "f1": 2 * precision * recall / (precision + recall) if judged else None,
        "true_firings": firings,
        "predicted_firings": random.randint(1, 40),
        "n_nodes": None,
    }


def _record(random: Random, unit: int, *, alive: bool) -> Row:
    counts = [random.randint(0, 20) for _ in range(12)] + [1] if alive else [0] * 13
    active = sum(counts) + random.randint(0, 100) if alive else 0
    return {
        "unit": unit,
        "positions": 1000,
        "active": active,
        "maximum": 4.0 if alive else 0.0,
        "counts": counts,
        "firings": _firings(random) if alive else [],
    }


def _firings(random: Random) -> list[int]:
    """Draw a few of forty positions, so that units fire together; or so many that only some are kept."""
    if random.random() < 0.15:
        drawn = random.sample(range(300), random.randint(100, 250))
    else:
        drawn = random.sample(range(40), random.randint(0, 12))
    hashes = position_hash(np.array(drawn, np.int64)).tolist()
    return [drawn[at] for at in sorted(range(len(drawn)), key=hashes.__getitem__)][:MOST_FIRINGS]
