"""The whole demo model, from text to database, in a process of its own: time, memory, F1 by layer.

    python -m benchmarks.ingest_demo [-- further options of `n2gdb ingest`]

Linux and macOS. Limit the cores with `taskset -c 0,1`.
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


def main() -> None:
    options = sys.argv[2:] if sys.argv[1:2] == ["--"] else []
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "demo.n2gdb"
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", COMMAND, "ingest", "demo", "--db", str(database), *options],
            check=True,
        )
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{seconds:.0f} s wall on {cores} cores, {peak / 1e9:.2f} GB at the peak")


if __name__ == "__main__":
    main()
