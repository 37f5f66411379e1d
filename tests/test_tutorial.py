"""The tutorial and the guide to the Python API: their blocks run in order and print what they say."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from tests.support.cli_world import build_cli_world

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```(python)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("name", "least"), [("tutorial.md", 16), ("python.md", 24)])
def test_a_document_runs_and_prints_what_it_says(
    name: str, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    build_cli_world(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = [(bool(found[1]), found[2]) for found in BLOCK.finditer(text)]
    assert len(blocks) >= least
    for (is_code, code), (is_more_code, output) in zip(blocks, [*blocks[1:], (True, "")], strict=True):
        if not is_code:
            continue
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(code, name, "exec"), names)
        assert is_more_code or printed.getvalue() == output, code
