"""The tutorial: its blocks run in order and print what it says."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from tests.support.cli_world import build_cli_world

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(python)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_cli_world(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = [(bool(found[1]), found[2]) for found in BLOCK.finditer(TUTORIAL.read_text(encoding="utf-8"))]
    assert len(blocks) >= 16
    for (is_code, code), (is_more_code, output) in zip(blocks, [*blocks[1:], (True, "")], strict=True):
        if not is_code:
            continue
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(code, str(TUTORIAL), "exec"), names)
        assert is_more_code or printed.getvalue() == output, code
