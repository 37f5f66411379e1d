"""User code that is checked by ``mypy --strict``: it is taken as it is, and what is wrong in it is found."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import n2gdb

USER_CODE = Path(__file__).parent / "fixtures" / "user_code.py"

#: Mistakes that a type checker can only find where the API says its types; by line.
MISTAKES = """\
import n2gdb
from n2gdb import Answer, Hit, PatternHit, neurons, patterns

db = n2gdb.open("neurons.n2gdb")
hits: Answer[Hit] = db.query(patterns())
found: Answer[PatternHit] = db.query(neurons().limit(3))
db.query(neurons())[0].neuron.layers
db.query(neurons(), {"a": 1}).to_parqet("x.parquet")
db["L0N1"].similar(k="3")
for name, graph in db.graphs(layer="0"):
    print(name + graph)
db.token_matrix("activated")
n2gdb.opne("neurons.n2gdb")
neurons().where(layer=0).limit("3")
"""
WRONG = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14}


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> tuple[Path, str]:
    """A file with mistakes, and what mypy says of it and of the user code, neither part of this project."""
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("user")
    wrong = folder / "wrong.py"
    wrong.write_text(MISTAKES, encoding="utf-8")
    cache = folder if pytestconfig.cache is None else pytestconfig.cache.mkdir("mypy")
    options = ["--strict", "--config-file", "", "--cache-dir", str(cache), "--no-error-summary"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(USER_CODE), str(wrong)],
        cwd=folder,
        env={"PATH": "", "MYPYPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and not done.stderr
    return wrong, done.stdout


def test_user_code_is_well_typed(reported: tuple[Path, str]) -> None:
    _, said = reported
    assert not [line for line in said.splitlines() if USER_CODE.name in line]
    asserted = [
        each
        for each in ast.walk(ast.parse(USER_CODE.read_text(encoding="utf-8")))
        if isinstance(each, ast.Call) and getattr(each.func, "id", "") == "assert_type"
    ]
    assert len(asserted) > 40


def test_mistakes_of_a_user_are_found(reported: tuple[Path, str]) -> None:
    wrong, said = reported
    lines = {int(number) for number in re.findall(rf"^{re.escape(str(wrong))}:(\d+): error", said, re.M)}
    lines |= {int(number) for number in re.findall(r"^wrong\.py:(\d+): error", said, re.MULTILINE)}
    assert lines == WRONG, said


def test_a_type_checker_sees_every_public_name() -> None:
    tree = ast.parse(Path(str(n2gdb.__file__)).read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom) and str(each.module).startswith("n2gdb.")
        for alias in each.names
    }
    assert {*n2gdb.__all__} <= imported
