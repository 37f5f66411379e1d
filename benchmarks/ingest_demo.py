"""The whole demo model, from text to database, in processes of their own: time, memory, cost of evidence.

    python -m benchmarks.ingest_demo [--pair] [-- further options of `n2gdb ingest`]

`--pair` ingests it without evidence and revision, then with both, and prints the ratio of their times: by the
clock, and by processors. Linux and macOS. Limit the cores with `taskset -c 0,1`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = "from n2gdb.cli.main import run; run()"
PLAIN = ("--no-evidence", "--no-revise")


def main() -> None:
    pair = "--pair" in sys.argv[1:2]
    rest = sys.argv[2 if pair else 1 :]
    options = rest[1:] if rest[:1] == ["--"] else []
    runs = [ingested(*PLAIN, *options)] if pair else []
    runs.append(ingested(*options))
    if pair:
        clock, processors = (whole / plain for plain, whole in zip(*runs, strict=True))
        print(f"with evidence and revision: {clock:.2f} times by the clock, {processors:.2f} by processors")


def ingested(*options: str) -> tuple[float, float]:
    """Seconds of an ingest, by the clock and of processors; they are printed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "demo.n2gdb"
        ingest = [sys.executable, "-c", COMMAND, "ingest", "demo", "--db", str(database), *options]
        subprocess.run(ingest, check=True)
        seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processors = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"{seconds:.0f} s on {cores} cores, {processors:.0f} s of processors, {peak / 1e9:.2f} GB at the peak"
    )
    return seconds, processors


if __name__ == "__main__":
    main()
