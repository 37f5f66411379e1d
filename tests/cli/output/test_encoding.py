"""Every command prints on a terminal of any encoding: what it has no character for is escaped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.browser_world import build_browser_world

COMMANDS = [
    ["query", "neurons"],
    ["query", "neurons MATCHING ⏎"],
    ["query", "neurons MATCHING '\\n' OR MENTIONING '\\t'"],
    ["query", "patterns", "--csv"],
    ["query", "patterns", "--json"],
    ["query", "neurons MATCHING ('天' | 'naïve' | '🙂')", "--explain"],
    ["show", "L2N0"],
    ["show", "L2N0", "--json"],
    ["show", "L2N0", "--svg", "-"],
    ["show", "L2N0", "--html", "-"],
    ["show", "L2N0", "--dot", "-"],
    ["show", "天"],
    ["similar", "L1N0"],
    ["info"],
    ["pairs"],
    ["cypher", "MATCH (t:Token) RETURN t.text AS text", "--json"],
    ["cypher", "MATCH (t:Token) RETURN t.text AS text", "--csv"],
    ["cypher", "MATCH (t:Token) RETURN t.text AS text"],
    ["tokens", "the naïve 天 🙂\n"],
    ["firing", "the naïve 天 🙂\n"],
    ["predict", "L1N0", "the naïve 天 🙂\n"],
    ["trajectories"],
    ["report"],
]

#: Runs the commands one after another, each ended by a line that gives its exit code.
SCRIPT = """
import json, sys
from n2gdb.cli.main import run
for command in json.loads(sys.argv[1]):
    sys.argv = ["n2gdb", *command]
    try:
        run()
        code = 0
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stdout.buffer.write(b"\\n== %d ==\\n" % (code or 0))
    sys.stdout.buffer.flush()
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_browser_world(tmp_path_factory.mktemp("encoding"))


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_no_command_falls_over_a_character(path: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "N2GDB_DB": str(path), "COLUMNS": "120"}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(COMMANDS)], capture_output=True, env=environment, check=True
    )
    assert b"Traceback" not in ran.stderr, ran.stderr.decode(encoding)
    answers, code = [], []
    rest = ran.stdout
    while rest:
        answer, _, rest = rest.partition(b"\n== ")
        number, _, rest = rest.partition(b" ==\n")
        answers.append(answer)
        code.append(int(number))
    said = dict(zip(map(tuple, COMMANDS), answers, strict=True))
    assert set(code) <= {0, 1, 2}
    assert code[0] == code[2] == 0
    shown = json.loads(said["show", "L2N0", "--json"].decode(encoding))
    assert shown == json.loads(json.dumps(shown))
    texts = json.loads(said["cypher", "MATCH (t:Token) RETURN t.text AS text", "--json"].decode(encoding))
    assert any(not row["text"].isascii() or "\n" in row["text"] for row in texts)
    svg = said["show", "L2N0", "--svg", "-"].decode("utf-8")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert 'charset="utf-8"' in said["show", "L2N0", "--html", "-"].decode("utf-8")
    assert "digraph" in said["show", "L2N0", "--dot", "-"].decode("utf-8")
    found = said["query", "patterns", "--csv"].decode(encoding)
    assert ("·" in found) == (encoding != "ascii")
