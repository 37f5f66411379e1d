"""Ctrl-C during a long statement: the command ends at once, with one line and exit code 130."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SLOW = "MATCH (a:Neuron), (b:Neuron), (c:Neuron), (d:Neuron), (e:Neuron), (f:Neuron) RETURN sum(a.f1 * f.f1)"
#: Says when the engine has begun, so that the signal does not come too early.
CODE = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs behind a shell's & ignores it
from n2gdb.storage import connection as store
answered = store._Lane.run
def told(lane, cypher, parameters, read):
    if "(f:Neuron)" in cypher:
        threading.Timer(0.3, lambda: print("begun", file=sys.stderr, flush=True)).start()
    return answered(lane, cypher, parameters, read)
store._Lane.run = told
"""
#: A command asks the engine in a process of its own, the library in a thread.
ASKED = {
    "command": "from n2gdb.cli.main import run; run()",
    "library": """
from pathlib import Path
try:
    with store.Connection.open(Path(sys.argv[4])) as connection:
        connection.table(sys.argv[2])
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
    sys.exit(130)
""",
}


@pytest.mark.parametrize("asked", ASKED)
def test_ctrl_c_answers_at_once(small_path: Path, asked: str) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", CODE + ASKED[asked], "cypher", SLOW, "--db", str(small_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    assert running.stderr.readline() == "begun\n"
    running.send_signal(signal.SIGINT)
    sent = time.monotonic()
    out, err = running.communicate(timeout=30)
    assert time.monotonic() - sent < 15  # the statement would take hours
    assert (running.returncode, out, err) == (130, "", "interrupted\n")


#: Its joins take the engine a second to plan, and what it plans would take it hours.
PLANNED = "MATCH (n:Neuron)-[a:ACTIVATES_ON]->(t:Token), "
PLANNED += ", ".join(f"(n)-[c{place}:CONTEXT]->(t{place}:Token)" for place in range(7))
PLANNED += ", (m:Neuron), (o:Neuron), (p:Neuron), (q:Neuron), (r:Neuron), (s:Neuron)"
PLANNED += " RETURN sum(n.f1 * m.f1 * o.f1 * p.f1 * q.f1 * r.f1 * s.f1)"
#: Says when the statement is about to be handed over, in the thread that will wait for it.
PLANNING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from n2gdb.storage import connection as store
from n2gdb.storage.connection import Connection
table = Connection.table
def told(*given):
    print("begun", file=sys.stderr, flush=True)
    return table(*given)
Connection.table = told
"""


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05, 0.2, 0.5])
def test_ctrl_c_while_a_statement_is_planned(small_path: Path, delay: float, asked: str) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", PLANNING + ASKED[asked], "cypher", PLANNED, "--db", str(small_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    assert running.stderr.readline() == "begun\n"
    time.sleep(delay)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, "", "interrupted\n")


def test_a_command_that_is_killed_leaves_no_statement_behind(small_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", CODE + ASKED["command"], "cypher", SLOW, "--db", str(small_path)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    assert running.stderr.readline() == "begun\n"
    running.kill()
    assert running.communicate(timeout=30)[1] == ""  # whoever still held the pipe has ended
