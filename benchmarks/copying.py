"""How often a neuron writes a token that it fires on, or one that follows it, by layer, beside chance.

    python -m benchmarks.copying demo.n2gdb

By chance: the effects of a layer's neurons are shuffled among those of them that have a graph; mean and
standard deviation of 20 shuffles. A token follows another where it did so three times in the windows of text
that the database stores.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from random import Random
from statistics import mean, stdev

import n2gdb
from n2gdb.core.units import model_of, token_key

_SHUFFLES = 20
_OFTEN = 3

Tokens = Mapping[int, frozenset[int]]


def main(path: Path) -> None:
    """Print the counts of every layer of a database."""
    with n2gdb.open(path) as database:
        fires = _tokens(
            database.connection.rows("MATCH (n:Neuron)-[:ACTIVATES_ON]->(t:Token) RETURN n.id, t.id")
        )
        windows = database.connection.rows("MATCH (w:Window) RETURN w.id, w.tokens")
        layer: dict[int, int] = dict(database.connection.rows("MATCH (n:Neuron) RETURN n.id, n.layer"))
        writes = {
            word: _tokens(
                database.connection.rows(
                    f"MATCH (n:Neuron)-[w:WRITES]->(t:Token) WHERE w.logit {sign} 0.0 RETURN n.id, t.id"
                )
            )
            for word, sign in (("promotes", ">"), ("suppresses", "<"))
        }
    nexts = _nexts(windows)
    follows = {
        neuron: frozenset(chain.from_iterable(nexts.get(token, ()) for token in tokens))
        for neuron, tokens in fires.items()
    }
    print("layer  neurons  effect      itself     by chance  what follows     by chance")
    for number in sorted(set(layer.values())):
        neurons = sorted(neuron for neuron in fires if layer[neuron] == number)
        for word, written in writes.items():
            print(
                f"{number:>5}  {len(neurons):>7}  {word:<10}  {_copying(neurons, neurons, fires, written):>6}"
                f"  {_by_chance(neurons, fires, written):>12}"
                f"  {_copying(neurons, neurons, follows, written):>12}"
                f"  {_by_chance(neurons, follows, written):>12}"
            )


def _nexts(windows: Sequence[tuple[int, Sequence[int]]]) -> Mapping[int, frozenset[int]]:
    """Return the tokens that often follow each, by Token.id."""
    pairs = Counter(
        (token_key(model_of(key), one), token_key(model_of(key), other))
        for key, tokens in windows
        for one, other in pairwise(tokens)
    )
    found: dict[int, set[int]] = defaultdict(set)
    for (one, other), count in pairs.items():
        if count >= _OFTEN:
            found[one].add(other)
    return {one: frozenset(others) for one, others in found.items()}


def _by_chance(neurons: Sequence[int], fires: Tokens, written: Tokens) -> str:
    random, shuffled, found = Random(0), list(neurons), []
    for _ in range(_SHUFFLES):
        random.shuffle(shuffled)
        found.append(_copying(neurons, shuffled, fires, written))
    return f"{mean(found):.1f} ± {stdev(found):.1f}"


def _copying(readers: Sequence[int], writers: Sequence[int], fires: Tokens, written: Tokens) -> int:
    """Count the readers for which the writer beside them writes one of their tokens."""
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
