"""What is distributed is whole: an sdist in which the README runs, a wheel with all that is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
PARTS = ("n2gdb", "grammar", "ingest", "cli", "docs", "tests", "benchmarks", ".ci")
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.n2gdb", "*.n2gdb.*", "*.egg-info")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both from a copy, without a network: ``dist`` beside it."""
    folder = tmp_path_factory.mktemp("built")
    copy = folder / "copy"
    copy.mkdir()
    for part in PARTS:
        shutil.copytree(ROOT / part, copy / part, symlinks=True, ignore=IGNORED)
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, copy / file.name)
    script = "from setuptools import build_meta as b; b.build_sdist('../dist'); b.build_wheel('../dist')"
    subprocess.run([sys.executable, "-c", script], cwd=copy, check=True, capture_output=True, text=True)
    return folder


def test_an_sdist_holds_what_the_readme_speaks_of(built: Path) -> None:
    (archive,) = (built / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
        links = {each.name.partition("/")[2]: each.linkname for each in tar if each.issym()}
        tar.extractall(built / "unpacked", filter="data")
    assert links == {f"n2gdb/{room}": f"../{room}" for room in ("grammar", "ingest", "cli")}
    assert {"constraints.txt", "CHANGELOG.md", "LICENSE", "README.md", "CITATION.cff", ".ci/run"} <= names
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            target = (page.parent / link).resolve()
            assert str(target.relative_to(ROOT)) in names, f"{page.name} links to {link}"
    for figure in re.findall(r'src="([^":]+)"', (ROOT / "README.md").read_text(encoding="utf-8")):
        assert figure in names
    for path in ROOT.glob("tests/**/*.py"):
        assert str(path.relative_to(ROOT)) in names
    assert not [name for name in names if name.endswith((".pyc", ".n2gdb"))]


def test_an_unpacked_sdist_runs_in_place(built: Path) -> None:
    test_an_sdist_holds_what_the_readme_speaks_of(built)
    (root,) = (built / "unpacked").iterdir()
    script = (
        "import n2gdb, n2gdb.query.parse, n2gdb.cli.main, n2gdb.ingest.config as c;"
        "print(n2gdb.__file__); print(c.__file__); n2gdb.query.parse.read_query('neurons')"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert [Path(line).is_relative_to(root) for line in ran.stdout.split()] == [True, True]


def test_a_wheel_holds_every_module_and_what_they_read(built: Path) -> None:
    (archive,) = (built / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(archive).namelist())
    wanted = {
        f"n2gdb/{path.relative_to(ROOT)}" if room != "n2gdb" else str(path.relative_to(ROOT))
        for room in ("n2gdb", "grammar", "ingest", "cli")
        for path in (ROOT / room).rglob("*")
        if path.suffix in (".py", ".lark", ".typed", ".js", ".css", ".html", ".gz", ".safetensors", ".json")
        and path.name != "train.py"
        and "source" not in path.relative_to(ROOT).parts  # what the explorer's bundle is made of
        and not {"grammar", "ingest", "cli"} & set(path.relative_to(ROOT).parts[1:2])
    }
    assert "n2gdb/grammar/query.lark" in wanted
    assert wanted <= names
    assert not [name for name in names if name.split("/")[0] not in ("n2gdb",) and ".dist-info" not in name]


def test_no_module_asks_for_what_is_not_declared() -> None:
    """pyarrow's to_pandas_dtype imports pandas, up to version 17 at least."""
    for room in ("n2gdb", "grammar", "ingest", "cli"):
        for path in (ROOT / room).rglob("*.py"):
            assert "to_pandas_dtype" not in path.read_text(encoding="utf-8"), path
