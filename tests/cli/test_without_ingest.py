"""The core alone: what works without torch and transformer-lens, and what says that they are missing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Runs the command line as if what the extra brings were not installed.
CORE_ALONE = """
import sys
missing = ("torch", "transformer_lens", "transformers", "safetensors", "psutil", "filelock")
sys.modules |= dict.fromkeys(missing)
from n2gdb.cli.main import run
run()
"""


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CORE_ALONE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


MISSING = (
    "error: reading a model needs torch, transformer-lens, safetensors: "
    'pip install "n2gdb[ingest]", or ".[ingest]" in a checkout of n2gdb'
)


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "demo", "--db", "{new}"),
        ("trajectories", "L0N3", "--db", "{small}"),
        ("report", "--heldout", "{text}", "--db", "{small}"),
        ("effects", "{small}", "demo"),
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_what_reads_a_model_names_the_extra_in_one_line(
    arguments: tuple[str, ...], tmp_path: Path, small_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat")
    places = {"new": tmp_path / "new.n2gdb", "small": small_path, "text": tmp_path / "text.txt"}
    found = ran(*(text.format_map(places) for text in arguments))
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1] == MISSING  # behind the stages of progress
    assert "Traceback" not in found.stderr


def test_a_database_is_asked_without_them(small_path: Path) -> None:
    asked = (
        ("info",),
        ("query", "neurons ORDER BY f1 DESC LIMIT 3"),
        ("show", "L0N3"),
        ("serve", "--check", "--port", "0"),
    )
    for arguments in asked:
        found = ran(*arguments, "--db", str(small_path))
        assert found.returncode == 0, found.stderr
        assert found.stdout


def test_the_core_asks_for_none_of_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    heavy = ("torch", "transformer", "safetensors", "psutil", "filelock")
    assert not [line for line in project["dependencies"] if line.startswith(heavy)]
    assert [
        line for line in project["optional-dependencies"]["ingest"] if line.startswith("transformer-lens")
    ]
