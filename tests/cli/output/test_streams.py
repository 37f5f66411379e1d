"""Standard streams that take nothing, or are closed: one line at most, and no file in their place."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli_world import build_cli_world

RUN = [sys.executable, "-c", "from n2gdb.cli.main import run; run()"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("world"))


def ran(
    world: Path, *arguments: str, stdout: int | None = None, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, *arguments],
        env={**os.environ, "N2GDB_DB": str(world)},
        stdin=None if before else subprocess.DEVNULL,
        stdout=None if before else stdout,
        stderr=None if before else subprocess.PIPE,
        preexec_fn=before,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
@pytest.mark.parametrize(
    "arguments", [("query", "neurons", "--json"), ("show", "L4N358"), ("export", "-"), ("--help",)]
)
def test_output_that_takes_nothing_is_said_in_one_line(world: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = ran(world, *arguments, stdout=full.fileno())
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "cannot be written (No space left on device)" in line


def test_closed_streams_lead_nowhere(world: Path, tmp_path: Path) -> None:
    kept, out = world.read_bytes(), tmp_path / "found.csv"
    done = ran(world, "query", "neurons", "--output", str(out), before=lambda: os.closerange(0, 3))
    assert done.returncode == 0
    assert out.read_text().startswith("neuron,")
    for arguments in (("query", "neurons"), ("shell",), ("export", "-")):
        assert ran(world, *arguments, before=lambda: os.closerange(0, 3)).returncode == 0
    assert world.read_bytes() == kept
