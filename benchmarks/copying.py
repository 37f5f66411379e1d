"""How often a neuron writes a token that it fires on, by layer, beside what chance gives.

    python -m benchmarks.copying demo.n2gdb

By chance: the effects of a layer's neurons are shuffled among those of them that have a graph.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import n2gdb

_SHUFFLES = 20

Tokens = Mapping[int, frozenset[int]]


def main(path: Path) -> None:
    """Print the counts of every layer of a database."""
    with n2gdb.open(path) as database:
        fires = _tokens(
            database.connection.rows("MATCH (n:Neuron)-[:ACTIVATES_ON]->(t:Token) RETURN n.id, t.id")
        )
        layer = dict(database.connection.rows("MATCH (n:Neuron) RETURN n.id, n.layer"))
        writes = {
            word: _tokens(
                database.connection.rows(
                    f"MATCH (n:Neuron)-[w:WRITES]->(t:Token) WHERE w.logit {sign} 0.0 RETURN n.id, t.id"
                )
            )
            for word, sign in (("promotes", ">"), ("suppresses", "<"))
        }
    print("layer  neurons  effect      itself  by chance")
    for number in sorted(set(layer.values())):
        neurons = sorted(neuron for neuron in fires if layer[neuron] == number)
        for word, written in writes.items():
            chance = _by_chance(neurons, fires, written)
            print(
                f"{number:>5}  {len(neurons):>7}  {word:<10}  {_copying(neurons, neurons, fires, written):>6}"
                f"  {chance:>9.1f}"
            )


def _by_chance(neurons: Sequence[int], fires: Tokens, written: Tokens) -> float:
    random, shuffled, found = Random(0), list(neurons), 0
    for _ in range(_SHUFFLES):
        random.shuffle(shuffled)
        found += _copying(neurons, shuffled, fires, written)
    return found / _SHUFFLES


def _copying(readers: Sequence[int], writers: Sequence[int], fires: Tokens, written: Tokens) -> int:
    """Count the readers that fire on a token which the writer beside them writes."""
    nothing: frozenset[int] = frozenset()
    pairs = zip(readers, writers, strict=True)
    return sum(not fires[reader].isdisjoint(written.get(writer, nothing)) for reader, writer in pairs)


def _tokens(rows: Sequence[tuple[int, int]]) -> Tokens:
    found: dict[int, set[int]] = defaultdict(set)
    for neuron, token in rows:
        found[neuron].add(token)
    return {neuron: frozenset(tokens) for neuron, tokens in found.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
