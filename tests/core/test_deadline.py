"""One deadline for a question, and no wait that outlives the engine or is outlived by it."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kuzu
import pytest

import n2gdb
from n2gdb.cli.repl.session import ShellSession
from n2gdb.core import deadline
from n2gdb.core.deadline import check_time, seconds_left, timed, within
from n2gdb.errors import QueryError, QuerySyntaxError, QueryTimeoutError
from n2gdb.storage.connection import Connection
from tests.storage.test_connection import SLOW
from tests.support.small_run import WORDS

FIELDS = "layer, index, f1, precision, recall, max_activation, n_patterns, n_nodes, state"


def test_the_earliest_deadline_holds() -> None:
    assert seconds_left() is None
    with within(None):
        assert seconds_left() is None
    with within(60):
        with within(None):
            assert 50 < (seconds_left() or 0) <= 60
        with within(5):
            assert (seconds_left() or 0) <= 5
            with within(30):
                assert (seconds_left() or 0) <= 5
        assert (seconds_left() or 0) > 5
    assert seconds_left() is None


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), 10**400, True, "5", [1]])
def test_a_deadline_lies_ahead(seconds: Any) -> None:
    with pytest.raises(QueryError, match="above 0"), within(seconds):
        raise AssertionError("it began")


def test_what_is_past_its_deadline_says_so() -> None:
    with within(0.01):
        time.sleep(0.02)
        with pytest.raises(QueryTimeoutError, match=r"limit of 0\.01 s"):
            check_time()
        with pytest.raises(QueryTimeoutError):
            list(timed(range(3)))
        with pytest.raises(QueryTimeoutError), within(60):
            check_time()
    check_time()
    assert list(timed(range(3000))) == list(range(3000))


def test_ctrl_c_as_a_deadline_is_set_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a deadline that every later question would be past."""

    class Interrupted:
        """A variable where Ctrl-C comes right after it is set."""

        value: Any = None

        def get(self) -> Any:
            return self.value

        def set(self, value: Any) -> None:
            self.value = value
            raise KeyboardInterrupt

    monkeypatch.setattr(deadline, "_DEADLINE", Interrupted())
    with pytest.raises(KeyboardInterrupt), within(5):
        pass
    assert seconds_left() is None


def test_long_loops_look_at_the_clock() -> None:
    def slowly() -> Iterator[int]:
        for number in range(100_000):
            time.sleep(0.0005)
            yield number

    started = time.monotonic()
    with within(0.3), pytest.raises(QueryTimeoutError):
        list(timed(slowly()))
    assert time.monotonic() - started < 15


@pytest.fixture
def slow_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every statement take a little, none as long as the limit."""
    run = Connection._answered

    def slowly(*given: object) -> object:
        time.sleep(0.1)
        return run(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(Connection, "_answered", slowly)


@pytest.mark.parametrize(
    "query",
    [
        "neurons MATCHING 'dog' AND SIMILAR TO L0N1 AND SUPERSET OF L0N2",
        "COUNT neurons SIMILAR TO L0N1 OR MATCHING 'dog' BY layer",
        "patterns MATCHING 'the' OR MATCHING 'dog'",
        "neurons MATCHING <word> BEFORE <word> BEFORE ...",
    ],
)
@pytest.mark.usefixtures("slow_statements")
def test_statements_share_their_question_s_time(
    small: n2gdb.Database, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "_by_statements", None)  # columns answer faster than these can
    for ask in (small.query, small.count):
        started = time.monotonic()
        with pytest.raises(QueryTimeoutError, match=r"limit of 0\.15 s"):
            ask(query, timeout=0.15)
        assert time.monotonic() - started < 10


@pytest.mark.usefixtures("slow_statements")
def test_a_line_of_the_shell_has_one_deadline(small: n2gdb.Database) -> None:
    told: list[Exception] = []
    session = ShellSession(small, timeout=0.15)
    for line in ("neurons MATCHING 'dog' AND SIMILAR TO L0N1", ":show L0N1"):
        session.answer(line, told.append)
    assert len(told) == 2
    assert all(isinstance(each, QueryTimeoutError) for each in told)


def test_a_block_that_ends_late_brings_no_deadline_back() -> None:
    """As where Ctrl-C comes as the inner block ends, and its error is kept."""
    outer, inner = within(60), within(30)
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert seconds_left() is not None
    del inner
    assert seconds_left() is None


def test_rows_are_read_within_the_time(small: n2gdb.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = " ".join(f"MATCH (t{place}:Token)" for place in range(6))
    everything = f"{tokens} RETURN t0.id"
    assert len(WORDS) ** 6 > 1_000_000
    started = time.monotonic()
    with pytest.raises(QueryTimeoutError, match=r"limit of 0\.2 s"):
        small.connection.rows(everything, timeout=0.2)
    assert time.monotonic() - started < 15
    assert small.count("neurons") == 60


@pytest.mark.parametrize("what", ["neurons", "patterns MATCHING 'dog'"])
def test_a_key_named_twice_is_refused(small: n2gdb.Database, what: str) -> None:
    for keys, column in (("f1, f1", 4), ("f1 DESC, layer, F1", 16), (", ".join(["f1"] * 500), 4)):
        text = f"{what} ORDER BY {keys}"
        with pytest.raises(QuerySyntaxError, match="ORDER BY names f1 twice") as caught:
            small.query(text)
        assert caught.value.column == len(f"{what} ORDER BY ") + column + 1
    started = time.monotonic()
    assert small.query(f"{what} ORDER BY {FIELDS}").total > 0
    assert time.monotonic() - started < 30


ENDS = {
    "a thread still asks": "threading.Thread(target=ask, daemon=True).start(); time.sleep(0.5)",
    "many threads still ask": "for _ in range(6): threading.Thread(target=ask, daemon=True).start()\n"
    "time.sleep(0.5)",
    "an interrupted wait": "try:\n    threading.Timer(0.4, stop).start()\n    ask()\n"
    "except KeyboardInterrupt: pass",
    # As a signal that comes just before the wait: it is noted, and wakes nobody.
    "an interrupt that wakes nobody": "import _thread\ntry:\n"
    "    threading.Timer(0.4, _thread.interrupt_main).start()\n    ask()\nexcept KeyboardInterrupt: pass",
    # The timer starts within the try: it may fire before its start has returned.
    "interrupted at once": "try:\n    threading.Timer(0.0001, stop).start()\n    ask()\n"
    "except KeyboardInterrupt: pass",
    "a wait past its time": "try: db.connection.rows(slow, timeout=0.2)\nexcept n2gdb.N2gdbError: pass",
    "closed meanwhile": "threading.Thread(target=ask, daemon=True).start(); time.sleep(0.3); db.close()",
    "forgotten meanwhile": "threading.Thread(target=ask, daemon=True).start(); time.sleep(0.3); del db",
}


@pytest.mark.parametrize("end", ENDS)
def test_the_process_ends_well(small_path: Path, end: str) -> None:
    code = (
        "import os, signal, sys, threading, time\nimport n2gdb\n"
        "def stop(): os.kill(os.getpid(), signal.SIGINT)\n"
        "db, slow = n2gdb.open(sys.argv[1]), sys.argv[2]\n"
        "def ask(db=db):\n    try: db.connection.rows(slow)\n    except n2gdb.N2gdbError: pass\n"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code + ENDS[end], str(small_path), SLOW],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - started < 30


def test_interrupts_at_any_moment_leave_the_connection_whole(small_path: Path) -> None:
    """Ctrl-C from the very start of a statement on: in starting its thread, its planning, its rows."""
    code = (
        "import os, signal, sys, threading\nimport n2gdb\n"
        "def stop(): os.kill(os.getpid(), signal.SIGINT)\n"
        "stopped = 0\n"
        "with n2gdb.open(sys.argv[1]) as db:\n"
        "    for step in range(150):\n"
        "        try:\n"
        "            timer = threading.Timer(step * 0.0002, stop)\n"
        "            timer.start()\n"
        "            db.connection.rows('MATCH (a:Neuron), (b:Neuron), (c:Token) RETURN count(*)')\n"
        "            timer.join()\n"
        "            for _ in range(1000): pass\n"
        "        except KeyboardInterrupt: stopped += 1\n"
        "        except n2gdb.N2gdbError as error: print(error)\n"
        "    print(db.connection.rows('MATCH (n:Neuron) RETURN count(*)'), stopped > 50)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(small_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[(60,)] True\n"


def test_a_waiting_thread_frees_no_result_of_the_engine(
    small: n2gdb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the midst of that is printed and lost."""
    freed_by: set[threading.Thread] = set()
    monkeypatch.setattr(kuzu.QueryResult, "__del__", lambda _: freed_by.add(threading.current_thread()))
    gc.disable()
    try:
        for _ in range(5):
            with pytest.raises(QueryTimeoutError):
                small.connection.rows(
                    "MATCH (a:Neuron), (b:Neuron), (c:Token) RETURN a.id, b.id, c.id", timeout=0.02
                )
        gc.collect()
    finally:
        gc.enable()
    assert freed_by
    assert threading.main_thread() not in freed_by


def test_a_statement_that_is_given_up_before_it_begins_never_runs(
    small: n2gdb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()
    lend = Connection._lent

    def late(connection: Connection) -> object:
        time.sleep(0.4)
        started.set()
        return lend(connection)

    monkeypatch.setattr(Connection, "_lent", late)
    with pytest.raises(QueryTimeoutError):
        small.connection.rows(SLOW, timeout=0.1)
    assert started.wait(60)
    for _ in range(200):  # the statement itself would take hours
        if not small.connection._busy:
            break
        time.sleep(0.05)
    assert not small.connection._busy
    assert deadline.seconds_left() is None


def test_a_database_that_is_opened_too_late_is_not_called_broken(small_path: Path) -> None:
    with within(0.001):
        time.sleep(0.002)
        with pytest.raises(QueryTimeoutError, match="exceeded its limit"):
            n2gdb.open(small_path)
