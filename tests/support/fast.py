"""Decides which test modules are fast: no process, no browser, no model."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from hypothesis import settings

__all__ = ["FAST_EXAMPLES", "SLOW_IMPORTS", "SLOW_MODULES", "examples", "imported", "is_fast"]

ROOT = Path(__file__).parents[2]

#: What a module of fast tests imports nowhere: not itself, and not by a module of tests that it imports.
SLOW_IMPORTS = (
    "multiprocessing",
    "n2gdb.ingest",
    "playwright",
    "ray",
    "subprocess",
    "torch",
    "transformer_lens",
    "transformers",
)

#: Modules that take long although they import none of these: random queries, large databases, many files,
#: statements that crash the engine in a process of their own.
SLOW_MODULES = frozenset(
    {
        "tests/cli/test_cypher.py",
        "tests/cli/test_output_file.py",
        "tests/query/test_columns.py",
        "tests/query/test_hostile.py",
        "tests/query/test_large_vocabulary.py",
        "tests/query/test_statement_shapes.py",
        "tests/similarity/test_similarity.py",
        "tests/storage/test_earlier_shards.py",
        "tests/storage/test_shards.py",
        "tests/test_synthetic.py",
    }
)

#: Random examples of a test, of a hundred, where only fast tests run.
FAST_EXAMPLES = 20


def examples(most: int) -> int:
    """Return how many random examples a test draws: ``most``, or a share of them if only fast tests run."""
    return most * min(settings().max_examples, 100) // 100


@cache
def is_fast(path: Path) -> bool:
    """Say whether the tests of a module are marked ``fast``."""
    if path.is_relative_to(ROOT) and path.relative_to(ROOT).as_posix() in SLOW_MODULES:
        return False
    return not any(f"{module}.".startswith(f"{slow}.") for module in imported(path) for slow in SLOW_IMPORTS)


@cache
def imported(path: Path) -> frozenset[str]:
    """Return all that a module of tests imports, late imports too, by itself or by others of tests."""
    found: set[str] = set()
    waiting, seen = [path], {path}
    while waiting:
        names = set(_imports(waiting.pop()))
        found |= names
        inside = {ROOT / f"{name.replace('.', '/')}.py" for name in names if name.startswith("tests.")}
        new = {each for each in inside - seen if each.exists()}
        waiting += new
        seen |= new
    return frozenset(found)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
