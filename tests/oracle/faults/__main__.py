"""Whether the oracle finds old faults: ``python -m tests.oracle.faults --pairs 2000 --seeds 3``.

Puts each back by itself, asks worlds of the kind that shows it until an answer differs or the engine dies,
and prints after how many pairs that was, of the first seed also the statement, made small. Exits with 1 where
one was not found.
"""

from __future__ import annotations

import argparse
import sys
from textwrap import indent

from tests.generators.worlds import missing
from tests.oracle.faults.finding import Search, searched
from tests.oracle.faults.old import FAULTS


def run() -> int:
    """Search for each fault; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fault", action="append", choices=FAULTS, help="may be repeated; default: all")
    parser.add_argument(
        "--world", action="append", help="a kind of world; default: the one that shows a fault"
    )
    parser.add_argument("--predictions", action="store_true", help="run graphs on texts instead of asking")
    parser.add_argument("--pairs", type=int, default=2_000, help="at most, of each seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1, help="searches for each fault")
    asked = parser.parse_args()
    unfound = 0
    for fault in asked.fault or FAULTS:
        for kind in asked.world or [FAULTS[fault].world]:
            if why := missing(kind):
                print(f"no world of the kind {kind}: {why}", file=sys.stderr)
                continue
            for seed in range(asked.seed, asked.seed + 1_000 * asked.seeds, 1_000):
                sought = searched(Search(fault, kind, seed, asked.pairs, asked.predictions))
                said = "found" if sought.wrong else "NOT FOUND"
                print(f"{fault}: {kind} {seed}: {sought.pairs:,} pairs, {said}", flush=True)
                if seed == asked.seed:
                    print(indent(sought.wrong[:700], "    "), flush=True)
                unfound += not sought.wrong
    return 1 if unfound else 0


if __name__ == "__main__":
    sys.exit(run())
