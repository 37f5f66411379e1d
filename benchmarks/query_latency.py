"""How long queries take on a database of synthetic neurons: median and 95th percentile over token pairs.

    python -m benchmarks.query_latency synthetic.n2gdb --layers 6 --neurons 3072

The database is built if it is not there. Tokens are drawn by Zipf's law, as a text would have them. The
first times are of the statement that finds the neurons, from the text of the query to its rows; the second
are of the whole answer: evidence, total and notices included.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import n2gdb
from benchmarks.synthetic import synthetic_run, token_text, zipf
from n2gdb.compiler import compile_query, read_query
from n2gdb.shards import shards_folder
from n2gdb.store import Connection, build_database

QUERIES: dict[str, Callable[[str, str], str]] = {
    "'a'": lambda a, b: f"neurons MATCHING '{a}' LIMIT 20",
    "'a' BEFORE 'b'": lambda a, b: f"neurons MATCHING '{a}' BEFORE '{b}' LIMIT 20",
    "'a' BEFORE/3 'b'": lambda a, b: f"neurons MATCHING '{a}' BEFORE/3 '{b}' LIMIT 20",
    "'a' THEN 'b'": lambda a, b: f"neurons MATCHING '{a}' THEN '{b}' LIMIT 20",
    "'a' BEFORE ...": lambda a, b: f"neurons MATCHING '{a}' BEFORE ... LIMIT 20",
    "'a' AND NOT 'b'": lambda a, b: f"neurons MATCHING '{a}' AND NOT MATCHING '{b}' LIMIT 20",
    "'a' BEFORE 'b' WHERE f1": lambda a, b: f"neurons MATCHING '{a}' BEFORE '{b}' WHERE f1 >= 0.6 LIMIT 20",
}


def build(path: Path, layers: int, neurons: int) -> None:
    begun = time.perf_counter()
    run = synthetic_run(shards_folder(path) / "synthetic", layers, neurons)
    written = time.perf_counter() - begun
    print(f"{layers * neurons:,} neurons, {len(run.nodes()):,} nodes: {written:.1f} s to write")
    begun = time.perf_counter()
    build_database(path, [run])
    print(f"loaded in {time.perf_counter() - begun:.1f} s, {path.stat().st_size / 1e6:.0f} MB")


def pairs(count: int, seed: int) -> list[tuple[str, str]]:
    tokens = zipf(np.random.default_rng(seed), 2 * count)
    words = [token_text(int(token)).strip().lower() for token in tokens]
    return list(zip(words[::2], words[1::2], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--neurons", type=int, default=3072, help="a layer")
    parser.add_argument("--pairs", type=int, default=50)
    options = parser.parse_args()
    if not options.database.exists():
        build(options.database, options.layers, options.neurons)
    with n2gdb.open(options.database) as database, Connection.open(options.database) as connection:

        def find(text: str) -> int:
            compiled = compile_query(read_query(text))
            return len(connection.rows(compiled.cypher, compiled.parameters))

        def answer(text: str) -> int:
            return database.query(text).total

        for name, query in QUERIES.items():
            texts = [query(*pair) for pair in pairs(options.pairs, seed=1)]
            found, whole = timed(find, texts), timed(answer, texts)
            print(f"{name:26} neurons {found}   with evidence {whole}")


def timed(ask: Callable[[str], int], texts: list[str]) -> str:
    """Return the median and the 95th percentile, after one question to warm up."""
    ask(texts[0])
    times = []
    for text in texts:
        begun = time.perf_counter()
        ask(text)
        times.append(1000 * (time.perf_counter() - begun))
    high = sorted(times)[int(0.95 * len(times))]
    return f"median {statistics.median(times):6.1f} ms, 95 % {high:6.1f} ms"


if __name__ == "__main__":
    main()
