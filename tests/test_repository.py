"""The repository: imports between top-level packages, links, file sizes, and what stays out of its text."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: The top-level packages (parts), and which of them each may import.
BELOW = {
    "grammar": {"grammar"},
    "n2gdb": {"grammar", "n2gdb"},
    "ingest": {"grammar", "n2gdb", "ingest"},
    "cli": {"grammar", "n2gdb", "ingest", "cli"},
}

#: Third-party packages that only one part, or only one file, may import.
HOMES = {
    "torch": ("ingest/",),
    "transformer_lens": ("ingest/",),
    "transformers": ("ingest/",),
    "safetensors": ("ingest/",),
    "datasets": ("ingest/",),
    "huggingface_hub": ("ingest/",),
    "kuzu": ("n2gdb/storage/connection.py",),
    "lark": ("grammar/",),
    "typer": ("cli/",),
    "matplotlib": ("n2gdb/plotting/", "n2gdb/drawing/png.py"),
    "resvg_py": ("n2gdb/drawing/png.py",),
    "starlette": ("n2gdb/explorer/",),
    "uvicorn": ("cli/commands/serve.py",),
}

DOCS = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))

HEAVY = {"torch", "transformer_lens", "transformers"}


def sources(part: str) -> list[Path]:
    """Python files that belong to a part itself: n2gdb's without what is linked into it."""
    own = ROOT / part
    linked = {own / other for other in BELOW} if part == "n2gdb" else set()
    found = sorted(path for path in own.rglob("*.py") if not linked & {*path.parents})
    assert found, f"the part {part} is empty"
    return found


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, and whether that happens when the file is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    yield from _imports(tree, at_import=True)


def _imports(node: ast.AST, *, at_import: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        inside = at_import and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.Import):
            yield from ((alias.name, at_import) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute"
            yield from ((f"{child.module}.{alias.name}", at_import) for alias in child.names)
        elif isinstance(child, ast.If) and _is_type_checking(child.test):
            yield from _imports(ast.Module(child.body, []), at_import=False)
            yield from _imports(ast.Module(child.orelse, []), at_import=at_import)
        else:
            yield from _imports(child, at_import=inside)


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in ast.unparse(test)


def part_of(module: str) -> str:
    """Return the part of the package that a module lies in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ("grammar", "ingest", "cli") else "n2gdb"


def tracked() -> list[Path]:
    """Text files of the repository, those not yet committed included."""
    if not (ROOT / ".git").exists():
        pytest.skip("a source distribution knows no repository")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


@pytest.mark.parametrize("part", BELOW)
def test_arrows_point_down(part: str) -> None:
    for path in sources(part):
        for module, _ in imports(path):
            if module.split(".")[0] == "n2gdb":
                assert part_of(module) in BELOW[part], f"{path} imports {module}"


@pytest.mark.parametrize("part", BELOW)
def test_packages_are_imported_in_their_home_alone(part: str) -> None:
    for path in sources(part):
        place = str(path.relative_to(ROOT))
        for module, _ in imports(path):
            homes = HOMES.get(module.split(".")[0])
            assert homes is None or place.startswith(homes) or part == "cli", f"{path} imports {module}"
            assert module.split(".")[0] != "kuzu" or place == "n2gdb/storage/connection.py", (
                f"{path} imports {module}"
            )


def test_grammar_rests_on_lark_alone() -> None:
    for path in sources("grammar"):
        for module, _ in imports(path):
            top = module.split(".")[0]
            assert top in sys.stdlib_module_names | {"lark", "n2gdb"}, f"{path} imports {module}"


def test_commands_load_torch_only_when_they_run() -> None:
    for path in sources("cli"):
        for module, at_import in imports(path):
            heavy = module.split(".")[0] in HEAVY or part_of(module) == "ingest"
            assert not (heavy and at_import), f"{path} imports {module} outside a function"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "grammar/README.md", *DOCS])
def test_files_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    known = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("[!.]*/**/*.*")]
    named = set(re.findall(r"`([\w/]+\.(?:py|lark|js))`", text))
    assert not {name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in known)}
    linked = set(re.findall(r"\]\((?!https?:)([^)#\s]+)", text)) | set(re.findall(r'src="([^"]+)"', text))
    assert not {link for link in linked if not (ROOT / page).parent.joinpath(link).exists()}


@pytest.mark.parametrize("part", ["grammar", "ingest", "cli"])
def test_parts_are_linked_into_the_package(part: str) -> None:
    link = ROOT / "n2gdb" / part
    assert link.is_symlink()
    assert str(link.readlink()) == f"../{part}"
    assert link.resolve() == ROOT / part


def test_every_package_is_named() -> None:
    named = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    )
    there = {
        ".".join(["n2gdb", *init.parent.relative_to(ROOT).parts]).replace("n2gdb.n2gdb", "n2gdb")
        for part in BELOW
        for init in sources(part)
        if init.name == "__init__.py"
    }
    assert named == there


@pytest.mark.parametrize(
    "code",
    [
        "import n2gdb, n2gdb.database, n2gdb.storage.connection",
        "import n2gdb.cli.main",
        "from n2gdb.cli.main import run\n"
        "import sys\n"
        "sys.argv = ['n2gdb', 'query', 'neurons', '--db', {database!r}]\n"
        "try:\n    run()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code",
    ],
    ids=["library", "commands", "query"],
)
def test_torch_is_loaded_for_ingest_alone(code: str, small_path: Path) -> None:
    code = code.replace("{database!r}", repr(str(small_path)))
    check = "\nimport sys\nprint('loaded:', *sorted({'torch', 'transformer_lens'} & sys.modules.keys()))"
    run = subprocess.run(
        [sys.executable, "-c", code + check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize(
    ("command", "unused"),
    [
        ("info", {"n2gdb.grammar.ast", "numpy", "pyarrow"}),
        ("show L0N0", {"n2gdb.grammar.ast", "pyarrow"}),
        ("similar L0N0", {"pyarrow"}),
    ],
)
def test_a_command_loads_only_what_it_needs(command: str, unused: set[str], small_path: Path) -> None:
    code = (
        "import sys\nfrom n2gdb.cli.main import run\n"
        f"sys.argv = {['n2gdb', *command.split(), '--db', str(small_path)]!r}\n"
        "try:\n    run()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"print('loaded:', *sorted({ {'lark', 'torch', *unused}!r} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "loaded:"


def test_modules_that_a_query_loads_take_dataclass_from_where_it_costs_least(small_path: Path) -> None:
    code = (
        "import dataclasses, sys\nfrom n2gdb.cli.main import run\n"
        f"sys.argv = ['n2gdb', 'query', \"neurons MATCHING 'the'\", '--db', {str(small_path)!r}]\n"
        "try:\n    run()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "made = {name: getattr(module, 'dataclass', None) for name, module in sys.modules.items()\n"
        "        if name.startswith('n2gdb.')}\n"
        "print(sum(each is not None for each in made.values()),"
        " *sorted(name for name, each in made.items() if each is dataclasses.dataclass))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    number, *dear = run.stdout.splitlines()[-1].split()
    assert int(number) > 20
    assert dear == ["n2gdb.detached"], "take it from n2gdb.grammar.records"  # its one class can change


def test_importing_the_command_line_changes_nothing() -> None:
    code = (
        "import gc\nbefore = gc.get_threshold()\nimport n2gdb.cli.main\nassert gc.get_threshold() == before"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_files_are_short() -> None:
    parts = [*BELOW, "tests", "benchmarks"]
    long = {
        str(path.relative_to(ROOT)): lines
        for part in parts
        for path in sources(part)
        if (lines := path.read_text(encoding="utf-8").count("\n")) > 400
    }
    assert not long


def test_the_text_speaks_of_the_project_alone() -> None:
    # Spelt in parts, so that this file does not find itself.
    outside = re.compile(
        "|".join(["/" + "work/", "/" + "root/", "/" + "home/", "py" + "pi[.]org", "index-" + "url"])
    )
    found = {
        f"{path.relative_to(ROOT)}:{number}": line.strip()
        for path in tracked()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if path.suffix != ".gz" and outside.search(line)
    }
    assert not found


def test_the_readme_and_ci_run_the_same_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    found = re.search(r"^ *(pip install .* && pytest.*)$", script, re.MULTILINE)
    assert found, ".ci/run has no line that installs and tests"
    assert found[1] in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_every_dependency_is_pinned_for_ci() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["ingest"], *extras["test"]]
    wanted.remove("n2gdb[ingest]")
    names = {re.split(r"[<>=\[ ]", line)[0].lower().replace("-", "_") for line in wanted}
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("-", "_") for line in pins if "==" in line}
    assert names <= pinned
