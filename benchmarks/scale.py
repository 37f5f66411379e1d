"""How loading and every construct of the language scale, next to DuckDB on the same rows.

    python -m benchmarks.scale scratch/ --layers 6 --neurons 3072
    python -m benchmarks.scale scratch/ --layers 24 --neurons 12800 --draws 11

Makes a synthetic database in the folder (kept for the next run), and prints load time, file size, and the
median and 95th percentile of each construct over draws of tokens by Zipf's law: of the whole answer, which is
the first 20 hits with the paths that matched, and of the count. DuckDB counts the same; `≠` where it
counts otherwise, or the error where one ends the question, and then the exit code is 1.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

import n2gdb
from benchmarks.constructs import CONSTRUCTS, Construct
from benchmarks.duckdb_store import build_duckdb, set_text
from benchmarks.synthetic import synthetic_run
from benchmarks.synthetic_words import token_text, zipf
from n2gdb.core.tokens import normalise
from n2gdb.core.units import unit_key
from n2gdb.errors import N2gdbError
from n2gdb.storage.build.database import build_database
from n2gdb.storage.shards import RunFolder, run_folders, shards_folder

SHOWN = 20  # hits of an answer
TEXT_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Draw:
    """What is put in the place of a construct's names."""

    tokens: tuple[int, int, int]
    text: tuple[int, ...]
    neuron: tuple[int, int]

    @classmethod
    def of(cls, random: np.random.Generator, layers: int, neurons: int) -> Draw:
        """Draw words of tokens that have a leading space and are not space alone."""
        drawn = [int(token) & ~1 for token in zipf(random, 4 * (3 + TEXT_LENGTH))]
        words = [token for token in drawn if token_text(token).strip()]
        first, second, third, *rest = words
        neuron = (int(random.integers(layers)), int(random.integers(neurons)))
        return cls((first, second, third), tuple(rest[:TEXT_LENGTH]), neuron)

    def query(self, construct: Construct) -> str:
        """Write the construct in n2gdb's words."""
        words = dict(zip("abc", (_loose(token) for token in self.tokens), strict=True))
        return construct.query.format(
            **words,
            pair="".join(_escaped(token_text(token)) for token in self.tokens[:2]),
            text="".join(_escaped(token_text(token)) for token in self.text),
            neuron="L{}N{}".format(*self.neuron),
        )

    def values(self, sql: str) -> dict[str, object]:
        """Return the values of the names that a statement in SQL has."""
        layer, index = self.neuron
        norms = (normalise(token_text(token)) for token in self.tokens)
        known: dict[str, object] = dict(zip("abc", norms, strict=True))
        known |= {"x": self.tokens[0], "y": self.tokens[1], "n": unit_key(0, layer, index)}
        return {name: known[name] for name in set(re.findall(r"\$(\w)\b", sql))}


def _loose(token: int) -> str:
    return _escaped(normalise(token_text(token)))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')


@dataclass(slots=True)
class Times:
    """Times in milliseconds of one question asked with several draws, by a clock in seconds."""

    clock: Callable[[], float]
    taken: list[float] = field(default_factory=list)

    def add(self, ask: Callable[[], Any]) -> Any:
        """Time a question and return its answer."""
        begun = self.clock()
        answer = ask()
        self.taken.append(1000 * (self.clock() - begun))
        return answer

    def __str__(self) -> str:
        high = sorted(self.taken)[int(0.95 * (len(self.taken) - 1) + 0.5)]
        return f"{statistics.median(self.taken):8.1f} {high:8.1f}"


class Comparison:
    """One database in both engines, and what they are asked."""

    def __init__(
        self,
        database: n2gdb.Database,
        duck: duckdb.DuckDBPyConnection,
        draws: list[Draw],
        clock: Callable[[], float],
    ) -> None:
        self.clock = clock
        self.database = database
        self.duck = duck
        self.draws = draws

    def line(self, construct: Construct) -> tuple[str, bool]:
        """Ask one construct with every draw: the line to print, and whether both always agreed."""
        answer, count, duck = (Times(self.clock) for _ in range(3))
        sizes, agreed = [], True
        self._ask(construct, self.draws[-1], *(Times(self.clock) for _ in range(3)))
        for draw in self.draws[:-1]:
            mine, theirs = self._ask(construct, draw, answer, count, duck)
            agreed &= mine == theirs
            sizes.append(len(mine) if construct.groups else mine)
        found = statistics.median(sizes)
        return f"{construct.name:33} {found:9,.0f} {answer} {count} {duck}  {'=' if agreed else '≠'}", agreed

    def _ask(
        self, construct: Construct, draw: Draw, answer: Times, count: Times, duck: Times
    ) -> tuple[Any, Any]:
        query, values = draw.query(construct), draw.values(construct.sql)
        set_text(self.duck, list(draw.text))
        theirs = duck.add(lambda: self.duck.execute(construct.sql, values).fetchall())
        answer.add(lambda: list(self.database.query(f"{query} LIMIT {SHOWN}")))
        if construct.groups:
            groups = count.add(lambda: list(self.database.query(query)))
            return sorted((str(each.group), each.count) for each in groups), sorted(
                (str(group), found) for group, found in theirs
            )
        return count.add(lambda: self.database.count(query)), theirs[0][0]


def synthetic_database(path: Path, layers: int, neurons: int) -> RunFolder:
    """Build the database that is not there yet, and say how long that takes; return its run."""
    if not run_folders(path):
        begun = time.perf_counter()
        synthetic_run(shards_folder(path) / "synthetic", layers, neurons)
        print(f"made up in {time.perf_counter() - begun:.0f} s", flush=True)
    (run,) = run_folders(path)
    if not path.exists():
        begun, processors = time.perf_counter(), time.process_time()
        build_database(path, [run])
        spent = time.process_time() - processors
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"n2gdb:  loaded in {time.perf_counter() - begun:.0f} s, {spent:.0f} s of processors,"
            f" peak memory {peak:.1f} GB",
            flush=True,
        )
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--neurons", type=int, default=3072, help="a layer")
    parser.add_argument("--draws", type=int, default=41)
    parser.add_argument("--only", default="", help="constructs whose name contains this")
    parser.add_argument(
        "--cpu", action="store_true", help="time processors, of all threads, in place of the clock"
    )
    options = parser.parse_args()
    path = options.folder / f"synthetic-{options.layers}x{options.neurons}.n2gdb"
    run = synthetic_database(path, options.layers, options.neurons)
    other = path.with_suffix(".duckdb")
    if not other.exists():
        begun, processors = time.perf_counter(), time.process_time()
        build_duckdb(other, run)
        spent = time.process_time() - processors
        print(
            f"DuckDB: loaded in {time.perf_counter() - begun:.0f} s, {spent:.0f} s of processors", flush=True
        )
    print(f"{options.layers * options.neurons:,} neurons")
    sizes = (f"{file.stat().st_size / 1e6:,.0f} MB" for file in (path, other))
    print("file size: n2gdb {}, DuckDB {}".format(*sizes))
    random = np.random.default_rng(1)
    draws = [Draw.of(random, options.layers, options.neurons) for _ in range(options.draws + 1)]
    columns = "".join(f"{name:>9}{'95 %':>9}" for name in ("answer", "count", "DuckDB"))
    print(f"\n{'milliseconds':33} {'found':>9}{columns}")
    agreed = True
    with n2gdb.open(path) as database, duckdb.connect(str(other)) as duck:
        clock = time.process_time if options.cpu else time.perf_counter
        comparison = Comparison(database, duck, draws, clock)
        for construct in CONSTRUCTS:
            if options.only in construct.name:
                try:
                    line, same = comparison.line(construct)
                except N2gdbError as error:  # said in its row, and by the exit code; the others go on
                    line, same = f"{construct.name:33} failed: {error}", False
                print(line, flush=True)
                agreed &= same
    sys.exit(0 if agreed else 1)


if __name__ == "__main__":
    main()
