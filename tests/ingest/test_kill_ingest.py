"""Killed at random moments of its life an ingest goes on, and loses nothing; the benchmark's short form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("processes", "kills"), [("0", "4"), ("2", "1")])
def test_a_killed_ingest_loses_nothing(processes: str, kills: str) -> None:
    arguments = ("--processes", processes, "--kills", kills, "--seed", "1")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kill_ingest", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kills} ingests" in done.stdout and "0 with faults" in done.stdout
