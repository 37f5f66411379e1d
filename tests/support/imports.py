"""The graph of imports of the package: every module, and all that it imports, late and typing-only too."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

__all__ = ["PARTS", "ROOT", "circles", "import_graph", "modules", "package_of"]

ROOT = Path(__file__).parents[2]

#: Folders at the root that make up the package; the last three are linked into the first.
PARTS = ("n2gdb", "grammar", "ingest", "cli")


@cache
def modules() -> Mapping[str, Path]:
    """Return every module of the package by its full name."""
    found = {}
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[:1] == ("n2gdb",) and parts[1] in PARTS:
                continue  # a link to another part
            full = parts if part == "n2gdb" else ("n2gdb", *parts)
            found[".".join(full[:-1] if full[-1] == "__init__" else full)] = path
    return found


def package_of(module: str) -> str:
    """Return the package that a module lies in; a package is its own."""
    return module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]


@cache
def import_graph() -> Mapping[str, frozenset[str]]:
    """Return by module the modules of the package that it imports, wherever in the file."""
    return {module: frozenset(_imported(path)) - {module} for module, path in modules().items()}


def _imported(path: Path) -> Iterator[str]:
    known = modules()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: imports are absolute"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in known:
                    yield full
                elif node.module in known:
                    yield node.module


def circles(graph: Mapping[str, Iterable[str]]) -> list[set[str]]:
    """Return the sets of nodes that reach each other, of more than one node (Tarjan's algorithm)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for after in graph.get(node, ()):
            if after not in number:
                visit(after)
                low[node] = min(low[node], low[after])
            elif after in stack:
                low[node] = min(low[node], number[after])
        if low[node] == number[node]:
            circle = set()
            while node not in circle:
                circle.add(stack.pop())
            if len(circle) > 1:
                found.append(circle)

    for node in graph:
        if node not in number:
            visit(node)
    return found
