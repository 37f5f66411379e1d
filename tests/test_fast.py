"""The marker ``fast``: its tests start no process, open no browser and load no model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fast import SLOW_IMPORTS, SLOW_MODULES, is_fast

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "tests").rglob("test_*.py"))
FAST = [path for path in MODULES if is_fast(path)]


def test_there_are_fast_modules_and_slow_ones() -> None:
    assert len(FAST) > 30
    assert len(MODULES) - len(FAST) > 30
    assert not is_fast(Path(__file__))
    assert all((ROOT / name).exists() for name in SLOW_MODULES)


@pytest.mark.parametrize("module", SLOW_IMPORTS)
@pytest.mark.parametrize("line", ["import {}", "from {} import x", "def test():\n    from {} import x"])
def test_what_imports_something_slow_is_not_fast(module: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(line.format(module), encoding="utf-8")
    assert not is_fast(path)


def test_what_is_slow_by_a_module_of_tests_is_not_fast(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text("from tests.support.tiny_models import x", encoding="utf-8")
    assert not is_fast(path)


def test_importing_the_fast_tests_loads_no_torch() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FAST]
    code = f"import {', '.join(names)}, sys; print(*sorted({{'torch', 'transformers'}} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""
