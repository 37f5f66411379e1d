"""Every neuron and every graph of a database: read in blocks, against one by one, in one run.

python -m benchmarks.bulk_reading [neurons.n2gdb]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import n2gdb

Done = TypeVar("Done")


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "neurons.n2gdb")
    with n2gdb.open(path) as database:
        model = database.models()[0].name
        names = [name for name, _ in database.graphs(model)]  # and the engine has read its pages
        print(f"{path.name}: {len(names):,} neurons of {model}, {database.nodes(model).num_rows:,} nodes")
        compare(
            "neurons",
            lambda: [database.neuron(name, model) for name in names],
            lambda: list(database.neurons(model)),
        )
        compare(
            "graphs",
            lambda: [database.neuron(name, model).graph for name in names],
            lambda: [graph for _, graph in database.graphs(model)],
        )
        for what, read in (
            ("nodes", lambda: database.nodes(model)),
            ("activating tokens", lambda: database.token_matrix("activating", model)),
            ("context tokens", lambda: database.token_matrix("context", model)),
        ):
            print(f"{what}: {timed(read)[1]:.2f} s")


def compare(
    what: str, one_by_one: Callable[[], Sequence[object]], in_blocks: Callable[[], Sequence[object]]
) -> None:
    """Time both ways, and see that they give the same."""
    slow, slow_seconds = timed(one_by_one)
    fast, fast_seconds = timed(in_blocks)
    assert list(slow) == list(fast), f"{what} differ"
    ratio = slow_seconds / fast_seconds
    print(f"{what}: {slow_seconds:.2f} s one by one, {fast_seconds:.2f} s in blocks, 1 : {ratio:.0f}")


def timed(work: Callable[[], Done]) -> tuple[Done, float]:
    start = time.perf_counter()
    done = work()
    return done, time.perf_counter() - start


if __name__ == "__main__":
    main()
