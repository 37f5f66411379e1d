"""What commands print on a terminal, and what they leave out in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from typer.testing import CliRunner

from n2gdb.cli.main import app
from tests.support.cli_world import build_cli_world

COMMANDS = [
    ["query", "neurons MATCHING 'the' BEFORE 'other'"],
    ["show", "L4N358"],
    ["info"],
    ["predict", "L4N358", "on the other side of the room"],
    ["tokens", "The year 1984 began."],
    ["firing", "on the other side"],
    ["cypher", "MATCH (n:Neuron) RETURN n LIMIT 2"],
]
BY_NAME = {command[0]: command for command in COMMANDS}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("terminal"))


def in_terminal(path: Path, arguments: list[str], width: int, **environment: str) -> str:
    """Run a command with its output on a terminal of ``width`` columns; return what it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")
    }
    code = f"import sys; sys.argv = ['n2gdb', *{arguments!r}]; from n2gdb.cli.main import run; run()"
    running = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=theirs,
        env={**kept, "TERM": "xterm-256color", "N2GDB_DB": str(path), **environment},
    )
    os.close(theirs)
    written = b""
    try:
        while part := os.read(ours, 1 << 16):
            written += part
    except OSError:  # how a terminal ends on Linux
        pass
    os.close(ours)
    assert running.wait() == 0
    return written.decode()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("name", ["predict", "firing", "cypher"])
def test_tables_fit_the_terminal(name: str, path: Path) -> None:
    lines = plain(in_terminal(path, BY_NAME[name], 60)).splitlines()
    assert max(map(len, lines)) <= 60
    assert "─" * 20 in "\n".join(lines)
    assert "…" not in "\n".join(lines)  # folded, not cut


def test_predict_colours_the_text_by_activation(path: Path) -> None:
    shown = in_terminal(path, [*BY_NAME["predict"], "--by", "graph"], 80)
    assert "on·the·other·side·of·the·room" in plain(shown)
    assert re.search(r"\x1b\[1;4;[0-9;]*48;[0-9;]+mother\x1b\[0m", shown)


def test_no_color_is_heeded(path: Path) -> None:
    shown = in_terminal(path, [*BY_NAME["predict"], "--by", "graph"], 80, NO_COLOR="1")
    assert "on·the·other·side·of·the·room" in plain(shown)
    assert "\x1b[1;4mother\x1b[0m" in shown  # what fires is marked all the same
    assert not re.search(r"\x1b\[[0-9;]*[34][0-9]", shown)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_pipe_gets_neither_colours_nor_lines_that_are_cut(command: list[str], path: Path) -> None:
    result = CliRunner().invoke(app, [*command, "--db", str(path)])
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "…" not in result.stdout and "─" * 5 not in result.stdout
