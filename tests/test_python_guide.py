"""The guide to the Python API: its blocks run in order and print what it says; the last ingests."""

from __future__ import annotations

from pathlib import Path

import pytest

import n2gdb.ingest.run  # noqa: F401  (it loads a model, so this module is not fast)
from tests.support.documents import run_document


def test_the_guide_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_document("python.md", 24, tmp_path, monkeypatch)
