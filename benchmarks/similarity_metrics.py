"""The measures of similarity side by side: lists of the neurons most like some, drawn, and what they come to.

python -m benchmarks.similarity_metrics DATABASE [--draws 40] [--lists 40] [--shown 3]

For each metric: the share of the drawn units that have an answer at the language's own bound, and at others;
how many answers, and the score and size of the first; and how often the first five fire together with the
unit, where the database has a record of firings.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import n2gdb
from n2gdb.database import Database
from n2gdb.grammar.ast import LEAST_SIMILARITY, Metric
from n2gdb.neuron import Neuron
from n2gdb.similarity.neurons import SimilarNeuron

_BOUNDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.9)
_NEAREST = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database", type=Path)
    parser.add_argument("--draws", type=int, default=40, help="units that are drawn, of those with a graph")
    parser.add_argument("--lists", type=int, default=40, help="units whose lists are printed")
    parser.add_argument("--shown", type=int, default=3, help="neurons of each list")
    asked = parser.parse_args()
    with n2gdb.open(asked.database) as database:
        units = drawn(database, asked.draws)
        for unit in units[: asked.lists]:
            show(database, unit, asked.shown)
        summarise(database, units)
        pairs(database)


def drawn(database: Database, number: int) -> list[Neuron]:
    """Return units with a graph, the same number of each layer, drawn by a seed."""
    random = Random(5)
    layers: dict[int, list[str]] = {}
    for hit in database.query("neurons WHERE n_nodes > 0 ORDER BY layer, index"):
        layers.setdefault(hit.layer, []).append(str(hit.neuron))
    each = max(1, number // len(layers))
    return [
        database.neuron(name)
        for names in layers.values()
        for name in sorted(random.sample(names, min(each, len(names))))
    ]


def show(database: Database, unit: Neuron, shown: int) -> None:
    """Print the neurons most like one, by each metric."""
    print(f"\n{_told(unit)}")
    for metric in Metric:
        print(f"  {metric.value}")
        for like in unit.similar(shown, metric.value):
            other = database.neuron(like.neuron)
            print(f"    {like.similarity:.2f} of {like.size:>3}  {_told(other)}")


def _told(unit: Neuron) -> str:
    patterns = unit.patterns()[:3]
    return f"{unit.name!s:<8} " + "   ".join(str(pattern) for pattern in patterns)


def summarise(database: Database, units: Sequence[Neuron]) -> None:
    """Print what the lists of the drawn units come to."""
    together = {
        unit.name: {each.neuron: each.similarity for each in unit.similar(None, "cofiring")} for unit in units
    }
    recorded = database._likeness.is_recorded
    print(f"\n{len(units)} units; firings are {'recorded' if recorded else 'those of stored examples'}")
    heads = " ".join(f"{bound:>5}" for bound in _BOUNDS)
    print(f"{'':<9} {'bound':>5} {'answer':>6} {'answers':>7} {'first':>6} {'size':>5} {'fire':>6} {heads}")
    for metric in Metric:
        lists = {unit.name: list(unit.similar(None, metric.value)) for unit in units}
        least = LEAST_SIMILARITY[metric]
        kept = [[each for each in found if each.similarity >= least] for found in lists.values()]
        first = [found[0] for found in lists.values() if found]
        fire = statistics.mean(
            statistics.mean([together[name].get(each.neuron, 0.0) for each in found[:_NEAREST]] or [0.0])
            for name, found in lists.items()
        )
        rest = " ".join(f"{_share(lists.values(), bound):5.2f}" for bound in _BOUNDS)
        print(
            f"{metric.value:<9} {least:5.2f} {_share(lists.values(), least):6.2f}"
            f" {statistics.median(map(len, kept)):7.0f}"
            f" {statistics.median(each.similarity for each in first):6.2f}"
            f" {statistics.median(each.size for each in first):5.0f} {fire:6.3f} {rest}"
        )


def _share(lists: Iterable[Sequence[SimilarNeuron]], bound: float) -> float:
    found = [any(each.similarity >= bound for each in one) for one in lists]
    return statistics.mean(found)


def pairs(database: Database) -> None:
    """Print how many pairs there are by bound and size."""
    print(f"\n{'pairs':<9} {'above':>5} " + " ".join(f"of {size:>2}" for size in (1, 2, 3, 5)))
    for metric in Metric:
        for bound in (0.1, 0.2, 0.3, 0.5, 0.7, 0.9):
            found = [pair.size for pair in database.pairs(metric.value, above=bound, sharing=1)]
            counts = " ".join(f"{sum(each >= size for each in found):5}" for size in (1, 2, 3, 5))
            print(f"{metric.value:<9} {bound:5.2f} {counts}")


if __name__ == "__main__":
    main()
