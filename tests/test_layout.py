"""The layout: which package may import which, where things lie, and what is defined once."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from n2gdb.grammar.fields import FIELDS
from tests.support.imports import PARTS, ROOT, circles, import_graph, modules, package_of

#: What every package may import beside itself; a package stands for its own modules, not for those below it.
ALLOWED: dict[str, set[str]] = {
    "n2gdb.grammar": set(),
    "n2gdb.grammar.mistakes": {"n2gdb.grammar"},
    "n2gdb.grammar.parsing": {"n2gdb.grammar.mistakes", "n2gdb.grammar"},
    "n2gdb.core": {"n2gdb.grammar", "n2gdb.errors"},  # which knows how units are written
    "n2gdb.storage": {"n2gdb.core", "n2gdb.grammar", "n2gdb.errors", "n2gdb.version"},
    "n2gdb.storage.build": {
        "n2gdb.storage",
        "n2gdb.storage.read",
        "n2gdb.core",
        "n2gdb.errors",
        "n2gdb.version",
    },
    "n2gdb.storage.read": {
        "n2gdb.evidence",
        "n2gdb.storage",
        "n2gdb.core",
        "n2gdb.grammar",
        "n2gdb.errors",
        "n2gdb.version",
    },
    "n2gdb.evidence": {"n2gdb.core", "n2gdb.grammar"},
    "n2gdb.drawing": {"n2gdb.evidence", "n2gdb.core", "n2gdb.errors"},
    "n2gdb.plotting": {"n2gdb.storage", "n2gdb.core", "n2gdb.errors"},
    "n2gdb.similarity": {
        "n2gdb.storage",
        "n2gdb.storage.read",
        "n2gdb.core",
        "n2gdb.grammar",
        "n2gdb.errors",
    },
    "n2gdb.prediction": {"n2gdb.evidence", "n2gdb.drawing", "n2gdb.storage", "n2gdb.core", "n2gdb.errors"},
    "n2gdb.query": {
        "n2gdb.evidence",
        "n2gdb.core",
        "n2gdb.storage",
        "n2gdb.grammar.parsing",
        "n2gdb.grammar",
        "n2gdb.errors",
    },
    "n2gdb.query.builder": {"n2gdb.query", "n2gdb.core", "n2gdb.grammar", "n2gdb.errors"},
    "n2gdb.query.semantics": {"n2gdb.storage", "n2gdb.core", "n2gdb.grammar", "n2gdb.errors"},
    "n2gdb.query.cypher": {
        "n2gdb.evidence",
        "n2gdb.query.semantics",
        "n2gdb.storage",
        "n2gdb.core",
        "n2gdb.grammar",
        "n2gdb.errors",
    },
    "n2gdb.query.columnar": {
        "n2gdb.query.cypher",
        "n2gdb.query.semantics",
        "n2gdb.prediction",
        "n2gdb.storage",
        "n2gdb.storage.read",
        "n2gdb.core",
        "n2gdb.grammar",
    },
    "n2gdb.query.execution": {
        "n2gdb.evidence",
        "n2gdb.query",
        "n2gdb.query.columnar",
        "n2gdb.query.cypher",
        "n2gdb.query.semantics",
        "n2gdb.similarity",
        "n2gdb.prediction",
        "n2gdb.storage",
        "n2gdb.storage.read",
        "n2gdb.core",
        "n2gdb.grammar",
        "n2gdb.errors",
    },
    "n2gdb.explorer": {
        "n2gdb.evidence",
        "n2gdb.database",
        "n2gdb.neuron",
        "n2gdb.neuron_parts",
        "n2gdb.query",
        "n2gdb.query.builder",
        "n2gdb.query.columnar",
        "n2gdb.query.execution",
        "n2gdb.prediction",
        "n2gdb.similarity",
        "n2gdb.drawing",
        "n2gdb.storage",
        "n2gdb.storage.read",
        "n2gdb.core",
        "n2gdb.grammar",
        "n2gdb.errors",
        "n2gdb.version",
    },
}

#: The same for the packages of ingest; all of them may import the library n2gdb but for what asks and shows.
INGEST = {
    "n2gdb.ingest.sources": set(),
    "n2gdb.ingest.trunk": {"n2gdb.ingest.sources", "n2gdb.ingest.arrays"},
    "n2gdb.ingest.models": {
        "n2gdb.ingest.trunk",
        "n2gdb.ingest.sources",
        "n2gdb.ingest.config",
        "n2gdb.ingest.arrays",
    },
    "n2gdb.ingest.corpus": {"n2gdb.ingest.models"},
    "n2gdb.ingest.inference": {"n2gdb.ingest.models", "n2gdb.ingest.trunk"},
    "n2gdb.ingest.scan": {"n2gdb.ingest.inference", "n2gdb.ingest.corpus", "n2gdb.ingest.models"},
    "n2gdb.ingest.n2g": {
        "n2gdb.evidence",
        "n2gdb.ingest.scan",
        "n2gdb.ingest.inference",
        "n2gdb.ingest.corpus",
        "n2gdb.ingest.trunk",
        "n2gdb.ingest.models",
        "n2gdb.ingest.sources",
    },
    "n2gdb.ingest.evidence": {"n2gdb.ingest.scan", "n2gdb.evidence"},
    "n2gdb.ingest.workers": {
        "n2gdb.evidence",
        "n2gdb.ingest.evidence",
        "n2gdb.ingest.n2g",
        "n2gdb.ingest.scan",
        "n2gdb.ingest.inference",
        "n2gdb.ingest.corpus",
        "n2gdb.ingest.models",
        "n2gdb.ingest.sources",
    },
    "n2gdb.ingest.evaluation": {
        "n2gdb.ingest.n2g",
        "n2gdb.ingest.inference",
        "n2gdb.ingest.trunk",
        "n2gdb.ingest.models",
        "n2gdb.ingest.sources",
        "n2gdb.database",
        "n2gdb.neuron",
    },
}
_BELOW_INGEST = {
    "n2gdb.core",
    "n2gdb.storage",
    "n2gdb.storage.build",
    "n2gdb.storage.read",
    "n2gdb.errors",
    "n2gdb.version",
    "n2gdb.ingest.config",
    "n2gdb.ingest.arrays",
    "n2gdb.ingest.homes",
}

#: Modules at the top of the library: everything but ingest and cli, in the order of their arrows.
_TOP = ("n2gdb.errors", "n2gdb.version", "n2gdb.neuron_parts", "n2gdb.neuron", "n2gdb.database", "n2gdb")

_CYPHER = re.compile(r"\bMATCH \(|\bRETURN [a-z]\w*\.|\bCALL \w+\(")

_MOST_MODULES = 16


def _home(module: str) -> str:
    """What the tables call the place of a module: its package, or itself at the top of a part."""
    package = package_of(module)
    return module if package in ("n2gdb", "n2gdb.ingest") else package


def _edges() -> set[tuple[str, str]]:
    graph = import_graph()
    return {(module, imported) for module in graph for imported in graph[module]}


@pytest.mark.parametrize("package", [*ALLOWED, *INGEST])
def test_a_package_imports_only_what_it_may(package: str) -> None:
    allowed = ALLOWED[package] if package in ALLOWED else INGEST[package] | _BELOW_INGEST
    found = {
        f"{module} imports {imported}"
        for module, imported in _edges()
        if _home(module) == package and _home(imported) not in allowed | {package}
    }
    assert not found


def test_every_arrow_of_the_table_is_used() -> None:
    used = {(_home(module), _home(imported)) for module, imported in _edges()}
    unused = {(home, each) for home, allowed in {**ALLOWED, **INGEST}.items() for each in allowed}
    assert not unused - used


def test_the_page_on_architecture_shows_the_table() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    lines = re.findall(r"^([\w.]+) +-> (.+(?:\n {6,}.+)*)", page, re.MULTILINE)
    table: dict[str, set[str]] = defaultdict(set)
    for home, allowed in {**ALLOWED, **INGEST}.items():
        table[_shown(home)] |= {_shown(each) for each in allowed}
    everywhere = {"core", "errors", "version", "neuron_parts", "ingest.arrays", "ingest.config"}
    arrows = {home: after - {home} - everywhere for home, after in table.items()}
    assert {home: {*re.split(r",\s+", after)} for home, after in lines} == {
        home: after for home, after in arrows.items() if after
    }


def _shown(home: str) -> str:
    """What the page calls a package: storage and grammar are each one with the packages below them."""
    return re.sub(r"^n2gdb\.(?:(storage|grammar)\b.*)?", r"\1", home)


def test_every_package_is_in_the_table() -> None:
    packages = {package_of(module) for module in modules()}
    others = {"n2gdb", "n2gdb.ingest", "n2gdb.ingest.demo", "n2gdb.cli"}
    others |= {f"n2gdb.cli.{part}" for part in ("commands", "output", "repl")}
    assert packages == ALLOWED.keys() | INGEST.keys() | others


def test_the_parts_import_only_downward() -> None:
    rank = {part: place for place, part in enumerate(("grammar", "n2gdb", "ingest", "cli"))}

    def part(module: str) -> int:
        parts = module.split(".")
        return rank[parts[1] if len(parts) > 1 and parts[1] in PARTS else "n2gdb"]

    assert not {f"{one} imports {other}" for one, other in _edges() if part(one) < part(other)}


def test_the_command_line_is_layered() -> None:
    allowed = {
        "n2gdb.cli.output": {"n2gdb.cli.output"},
        "n2gdb.cli.repl": {"n2gdb.cli.output", "n2gdb.cli.repl"},
    }
    for module, imported in _edges():
        package = package_of(module)
        if package in allowed and imported.startswith("n2gdb.cli"):
            assert package_of(imported) in allowed[package], f"{module} imports {imported}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(import_graph()) == []


def test_no_packages_import_each_other_in_a_circle() -> None:
    graph = defaultdict(set)
    for module, imported in _edges():
        graph[_home(module)].add(_home(imported))
    assert circles({home: after - {home} for home, after in graph.items()}) == []


def test_no_folder_is_crowded() -> None:
    counted: dict[str, int] = defaultdict(int)
    for path in [*modules().values(), *(ROOT / "tests").rglob("*.py")]:
        counted[str(path.parent.relative_to(ROOT))] += path.name != "__init__.py"
    assert not {folder: count for folder, count in counted.items() if count > _MOST_MODULES}


#: Small modules with one importer that lie elsewhere, and why.
_APART = {
    "n2gdb.cli.output.answer_files": "output",
    "n2gdb.cli.repl.completer": "of the shell, which its command starts",
    "n2gdb.grammar.mistakes.class_words": "a mistake",
    "n2gdb.grammar.parsing.expected": "only grammar knows the parser",
    "n2gdb.grammar.rewriting": "only grammar knows how trees are made",
    "n2gdb.query.columnar.ordering": "over columns",
}


def test_small_modules_lie_beside_their_only_importer() -> None:
    importers: dict[str, set[str]] = defaultdict(set)
    for module, imported in _edges():
        importers[imported].add(module)
    alone = {
        module
        for module, path in modules().items()
        if path.name != "__init__.py" and path.read_text(encoding="utf-8").count("\n") < 50
        if len(importers[module]) == 1 and {package_of(module)} != set(map(package_of, importers[module]))
    }
    assert alone <= _APART.keys()


def test_cypher_is_written_in_few_packages() -> None:
    homes = ("n2gdb.storage", "n2gdb.query", "n2gdb.similarity", "n2gdb.prediction")
    found = {
        f"{module}: {node.value[:60]}"
        for module, path in modules().items()
        if not module.startswith(homes)
        for node in ast.walk(_without_docstrings(ast.parse(path.read_text(encoding="utf-8"))))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CYPHER.search(node.value)
    }
    assert not found


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:]
    return tree


def test_no_class_is_defined_twice() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for module, path in modules().items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(module)
    assert not {name: where for name, where in homes.items() if len(where) > 1}


#: Beside keys, bits are shifted to hash, to sort by two numbers at once, and in sets of flags.
_SHIFTS = {
    "n2gdb.cli.commands.tokens",
    "n2gdb.core.arrays",
    "n2gdb.core.graph",
    "n2gdb.core.tokens",
    "n2gdb.core.tries",
    "n2gdb.ingest.evidence.threshold",
    "n2gdb.ingest.n2g.baselines",
    "n2gdb.ingest.scan.record",
    "n2gdb.ingest.sources.places",
    "n2gdb.prediction.firing",
    "n2gdb.storage.read.records",
}


def test_keys_are_put_together_in_one_place() -> None:
    found = {
        module
        for module, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.LShift | ast.RShift)
        and not isinstance(node.left, ast.Constant)
    }
    assert found <= {"n2gdb.core.units", *_SHIFTS}


#: What lists columns with what they are: the schema of what is stored, and who computes them.
_SCHEMA, _COMPUTED = "n2gdb.storage.schema", "n2gdb.ingest.n2g.records"


def _columns_listed(path: Path) -> Iterator[set[str]]:
    """The fields of the language that each list, set, tuple or dictionary of a module names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            named = [
                each.elts[0] if isinstance(each, ast.Tuple) and each.elts else each for each in node.elts
            ]
        elif isinstance(node, ast.Dict):
            named = [each for each in node.keys if each is not None]
        else:
            continue
        yield {each.value for each in named if isinstance(each, ast.Constant) and each.value in FIELDS}


def test_columns_are_listed_in_one_place() -> None:
    """Whoever needs many columns takes them from the registry: no two modules list the same ones."""
    lists = [
        (module, columns)
        for module, path in modules().items()
        for columns in _columns_listed(path)
        if len(columns) >= 5
    ]
    same = {
        (one, other)
        for (one, first), (other, second) in combinations(lists, 2)
        if len(first & second) >= 5 and {one, other} != {_SCHEMA, _COMPUTED}
    }
    assert (_SCHEMA in {module for module, _ in lists}, same) == (True, set())


_ARRAY = re.compile(r"^\s*\w+(?:: TypeAlias)? = (?:npt\.)?NDArray\[", re.MULTILINE)


def test_kinds_of_arrays_are_named_in_one_place() -> None:
    found = {module for module, path in modules().items() if _ARRAY.search(path.read_text(encoding="utf-8"))}
    assert found == {"n2gdb.core.arrays"}


def test_one_module_opens_the_engine() -> None:
    found = {
        module
        for module, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "kuzu" for alias in node.names)
    }
    assert found == {"n2gdb.storage.connection"}
