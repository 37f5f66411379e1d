"""The tutorial: its blocks run in order and print what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.documents import run_document


def test_the_tutorial_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_document("tutorial.md", 16, tmp_path, monkeypatch)
