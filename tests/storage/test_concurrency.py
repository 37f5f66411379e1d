"""One database, many readers: threads, connections, processes; and a reader that meets a writer."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName
from n2gdb.errors import (
    DatabaseError,
    DatabaseFormatError,
    DatabaseLockedError,
    QueryError,
    QueryTimeoutError,
)
from n2gdb.storage.build.database import build_database
from n2gdb.storage.checksum import seal_path
from n2gdb.storage.connection import Connection
from tests.storage.test_connection import SLOW
from tests.support.small_run import random_graphs, write_run

QUERIES = (
    "neurons MATCHING 'the' BEFORE ...",
    "neurons MATCHING 'dog' OR MATCHING 'cat' ORDER BY activation DESC",
    "COUNT neurons MATCHING <word> BEFORE <word> BEFORE ... BY layer",
    "patterns MATCHING $x BEFORE $x",
)


def test_threads_share_a_database(small: n2gdb.Database) -> None:
    expected = {query: small.query(query).to_dicts() for query in QUERIES}
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(lambda q=query: (q, small.query(q).to_dicts())) for query in QUERIES * 12]  # type: ignore[misc]
        for each in asked:
            query, rows = each.result()
            assert rows == expected[query]


def test_a_database_opens_twice_in_one_process(small_path: Path, small: n2gdb.Database) -> None:
    with n2gdb.open(small_path) as again:
        assert again.count("neurons") == small.count("neurons")
    assert small.count("neurons") == 60


def test_processes_read_side_by_side(small_path: Path, small: n2gdb.Database) -> None:
    code = f"import n2gdb\nwith n2gdb.open({str(small_path)!r}) as db: print(db.count({QUERIES[0]!r}))"
    others = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert {other.communicate()[0].strip() for other in others} == {str(small.count(QUERIES[0]))}


def test_a_reader_that_meets_a_writer_gets_one_line(
    tmp_path: Path, small_graphs: dict[NeuronName, NeuronGraph]
) -> None:
    path = tmp_path / "x.n2gdb"
    build_database(path, [write_run(tmp_path / "run", small_graphs)])
    code = (
        "import sys, pathlib\nfrom n2gdb.storage.connection import Connection\n"
        f"held = Connection(pathlib.Path({str(path)!r}), read_only=False)\n"
        "print('open', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(DatabaseLockedError, match="held by another process") as caught:
            n2gdb.open(path)
        assert "\n" not in str(caught.value)
        writer.stdin.close()
    with pytest.raises(DatabaseFormatError, match="was written to"):
        n2gdb.open(path)
    seal_path(path).unlink()
    with n2gdb.open(path) as database:
        assert database.count("neurons") == 60


def test_a_reader_keeps_its_file_while_a_new_one_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "x.n2gdb"
    build_database(path, [write_run(tmp_path / "old", random_graphs(1, layers=1, neurons=5))])
    with n2gdb.open(path) as reader:
        build_database(path, [write_run(tmp_path / "new", random_graphs(2, layers=2, neurons=5))])
        assert reader.count("neurons") == 5
        with n2gdb.open(path) as fresh:
            assert fresh.count("neurons") == 10


def test_a_timeout_ends_one_statement_and_not_the_others(small: n2gdb.Database) -> None:
    start = time.monotonic()
    with pytest.raises(QueryTimeoutError, match=r"limit of 0\.2 s"):
        small.connection.rows(SLOW, timeout=0.2)
    assert time.monotonic() - start < 20
    assert small.query("neurons LIMIT 1", timeout=5).total == 60


def test_a_closed_database_says_so(small_path: Path) -> None:
    database = n2gdb.open(small_path)
    database.close()
    database.close()
    with pytest.raises(DatabaseError, match="was closed: open it again"):
        database.count("neurons")


def test_closing_ends_what_others_still_ask(small_path: Path) -> None:
    connection = Connection.open(small_path)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            connection.rows(SLOW)
        except DatabaseError as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.2)
    start = time.monotonic()
    connection.close()
    asking.join(20)
    assert not asking.is_alive()
    assert time.monotonic() - start < 20
    assert len(failed) == 1
    with pytest.raises(DatabaseError, match="was closed"):
        connection.rows("RETURN 1")


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_above_zero(small: n2gdb.Database, timeout: float) -> None:
    with pytest.raises(QueryError, match="above 0"):
        small.query("neurons", timeout=timeout)
