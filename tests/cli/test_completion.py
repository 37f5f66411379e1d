"""What the user's shell completes: commands, options, and the names of the database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli_world import build_cli_world


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("completion"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program ``n2gdb`` in it, whether the package is installed or not."""
    folder = tmp_path_factory.mktemp("bin")
    file = folder / "n2gdb"
    root = Path(__file__).parents[2]
    file.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
        "from n2gdb.cli.main import run\nrun()\n",
        encoding="utf-8",
    )
    file.chmod(0o755)
    return file


def completed(program: Path, path: Path, *words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    done = subprocess.run(
        [str(program)],
        env={
            **os.environ,
            "N2GDB_DB": str(path),
            "_N2GDB_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["n2gdb", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pre"], ["predict"]),
        (["show", ""], ["L0N", "L1N", "L3N", "L4N", "L5N"]),
        (["show", "L4"], ["L4N12", "L4N137", "L4N358"]),
        (["show", "L4N1"], ["L4N12", "L4N137"]),
        (["predict", "l4n3"], ["l4n358"]),
        (["show", "L9N"], []),
        (["show", "--model", "w"], ["world"]),
        (["export", "--fo"], ["--format", "--force"]),
    ],
)
def test_bash_is_offered(words: list[str], expected: list[str], program: Path, path: Path) -> None:
    assert completed(program, path, *words) == expected


def test_a_database_that_is_not_there_offers_nothing(program: Path, tmp_path: Path) -> None:
    assert completed(program, tmp_path / "absent.n2gdb", "show", "L4N1") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_one_command_installs_completion_for_bash(program: Path, path: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "N2GDB_DB": str(path),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }
    installed = subprocess.run(
        ["n2gdb", "--install-completion", "bash"], env=environment, capture_output=True, text=True, check=True
    )
    assert "completion installed" in installed.stdout
    script = (
        "source ~/.bashrc; COMP_WORDS=(n2gdb show L4N1); COMP_CWORD=2;"
        ' _n2gdb_completion n2gdb; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["L4N12", "L4N137"]
