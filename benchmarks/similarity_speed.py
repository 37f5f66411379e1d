"""How long comparisons take: one neuron against all, and all pairs, held against a double loop on a sample.

python -m benchmarks.similarity_speed DATABASE [--draws 40] [--sample 300]

DATABASE is any; ``python -m benchmarks.synthetic`` makes one of 18,432 neurons or more.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName
from n2gdb.database import Database
from n2gdb.storage.read.names import neuron_of

Weights = Mapping[tuple[tuple[int, int], ...], float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database", type=Path)
    parser.add_argument("--draws", type=int, default=40, help="neurons compared with all others")
    parser.add_argument("--sample", type=int, default=300, help="neurons of the double loop")
    asked = parser.parse_args()
    with n2gdb.open(asked.database) as database:
        print(f"{database.count('neurons'):,} neurons")
        rank(database, asked.draws)
        pair(database, asked.sample)


def rank(database: Database, draws: int) -> None:
    """Print median and 95th percentile of one neuron against all."""
    random = Random(3)
    keys = [key for (key,) in database.connection.rows("MATCH (n:Neuron) WHERE n.n_nodes > 0 RETURN n.id")]
    chosen = [neuron_of(database.models(), key)[1] for key in random.sample(keys, min(draws, len(keys)))]
    questions: dict[str, Callable[[NeuronName], Sequence[object]]] = {
        "top 20, graph": lambda name: database.similar(name, 20),
        "top 20, tokens": lambda name: database.similar(name, 20, "tokens"),
        ">= 0.9, tokens": lambda name: database.similar(name, None, "tokens", above=0.9),
        ">= 0.9, subset": lambda name: database.similar(name, None, "subset", above=0.9),
    }
    for title, ask in questions.items():
        ask(chosen[0])
        times = sorted(_timed(partial(ask, name)) for name in chosen)
        late = times[int(len(times) * 0.95)]
        print(f"{title:<18} p50 {statistics.median(times) * 1000:7.1f} ms   p95 {late * 1000:7.1f} ms")


def pair(database: Database, sample: int) -> None:
    """Print the time of all pairs, and whether a double loop over a sample finds the same."""
    for metric in ("tokens", "subset", "graph"):
        start = time.perf_counter()
        found = database.pairs(metric, above=0.9)
        taken = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"all pairs >= 0.9, {metric:<7} {len(found):>9,} pairs   {taken:6.2f} s   peak {peak:.2f} GB")
    found = database.pairs("graph", above=0.9)
    involved = sorted({name for each in found[:sample] for name in (each.first, each.second)})
    others = [neuron.name for neuron, _ in zip(database.neurons(), range(sample), strict=False)]
    names = sorted({*involved, *others})
    graphs = {name: _weights(database.neuron(name).graph) for name in names}
    looped = {
        (first, second)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
        if _jaccard(graphs[first], graphs[second]) >= 0.9 - 1e-9
    }
    joined = {(each.first, each.second) for each in found if {each.first, each.second} <= set(names)}
    print(f"double loop over {len(names):,} neurons: {len(looped):,} pairs, the same: {looped == joined}")


def _weights(graph: NeuronGraph) -> Weights:
    """Return the weight of every root-to-node path, by its (depth, token)s."""
    paths = {}
    for node in range(len(graph)):
        path = tuple((int(graph.depth[i]), int(graph.token[i])) for i in graph.path(node))
        paths[path] = float(graph.best[node])
    return paths


def _jaccard(one: Weights, other: Weights) -> float:
    common = sum(min(one[path], other[path]) for path in one.keys() & other.keys())
    united = sum(one.values()) + sum(other.values()) - common
    return common / united if united else 0.0


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
