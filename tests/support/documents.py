"""Documents whose blocks are run: each in order, on the command line's small database."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from tests.support.cli_world import build_cli_world

__all__ = ["run_document"]

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(python)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_document(name: str, least: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a document's blocks, at least so many, in a folder, and see that they print what it says."""
    text = (DOCS / name).read_text(encoding="utf-8")
    build_cli_world(folder)
    monkeypatch.chdir(folder)
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
