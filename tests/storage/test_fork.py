"""An open database in a forked process: opened there anew, and never waited for."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import n2gdb
from n2gdb.storage.build.database import build_database
from tests.support.small_run import random_graphs, write_run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

#: Runs a function in a forked child, which must end by itself within ten seconds, and prints its exit code.
START = """
import os, signal, sys, threading, time
import n2gdb
from n2gdb.errors import DatabaseError
path = sys.argv[1]
def forked(work):
    child = os.fork()
    if not child:
        signal.alarm(20)  # a child that hangs is ended, and told by its code
        work()
        sys.exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

ASKED = "db = n2gdb.open(path); db.count('neurons')\n"
#: Exits with 3 where it counts wrongly.
COUNTS = "db.count('neurons') == 60 or sys.exit(3)"

CASES = {
    "asks": f"{ASKED}forked(lambda: {COUNTS})",
    "never asks": f"{ASKED}forked(lambda: None)",
    "closes": f"{ASKED}forked(db.close)",
    "forgets": f"{ASKED}def work():\n    global db\n    del db\nforked(work)",
    "opens its own": f"{ASKED}forked(lambda: n2gdb.open(path).count('neurons') == 60 or sys.exit(3))",
    "grandchild": f"{ASKED}forked(lambda: ({COUNTS}, forked(lambda: {COUNTS})))",
    "closed before": f"{ASKED}db.close()\ndef work():\n"
    "    try: db.count('neurons')\n    except DatabaseError: return\n    sys.exit(3)\nforked(work)",
    # Asked once before: a fork while a thread imports a module leaves that module locked in the child.
    "others ask": f"{ASKED}db.count(\"neurons MATCHING 'dog'\")\n"
    "stop = []\n"
    "def ask():\n    while not stop: db.count(\"neurons MATCHING 'dog'\")\n"
    "threads = [threading.Thread(target=ask) for _ in range(4)]\n"
    "[each.start() for each in threads]\n"
    f"for _ in range(8): forked(lambda: {COUNTS})\n"
    "stop.append(1)",
}


@pytest.mark.parametrize("case", CASES)
def test_a_forked_child_ends(small_path: Path, case: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", START + CASES[case], str(small_path)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert set(ended.stdout.split()) == {"0"}


def count(query: str) -> int:
    assert isinstance(SHARED[0], n2gdb.Database)
    return SHARED[0].count(query)


SHARED: list[n2gdb.Database] = []


def test_a_pool_asks_an_open_database(small_path: Path) -> None:
    with n2gdb.open(small_path) as database:
        SHARED[:] = [database]
        queries = ["neurons", "neurons MATCHING 'dog'", "patterns"] * 4
        expected = [database.count(query) for query in queries]
        context = multiprocessing.get_context("fork")
        with context.Pool(3) as pool:
            assert pool.map_async(count, queries).get(60) == expected
        with ProcessPoolExecutor(2, mp_context=context) as executor:
            assert list(executor.map(count, queries, timeout=60)) == expected
        assert [database.count(query) for query in queries] == expected


def ask(database: n2gdb.Database) -> int:
    return database.count("neurons")


def test_a_database_is_sent_to_other_processes(small: n2gdb.Database) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        assert executor.submit(ask, small).result(60) == 60


def test_a_child_does_not_take_another_file_for_its_own(tmp_path: Path) -> None:
    path = tmp_path / "x.n2gdb"
    build_database(path, [write_run(tmp_path / "old", random_graphs(1, layers=1, neurons=5))])
    build_database(tmp_path / "y.n2gdb", [write_run(tmp_path / "new", random_graphs(2, layers=2, neurons=5))])
    code = (
        "db = n2gdb.open(path); db.count('neurons'); os.replace(path.replace('x.n2', 'y.n2'), path)\n"
        "def work():\n    try: db.count('neurons')\n"
        "    except DatabaseError as error: return print(error, flush=True)\n    sys.exit(3)\nforked(work)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", START + code, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{path} has changed since this process was forked: open it again\n0\n"
