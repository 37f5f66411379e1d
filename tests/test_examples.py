"""Examples in docstrings: each is run on a small database and prints what it shows."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType

import pytest

import n2gdb
from tests.support.cli_world import build_cli_world
from tests.support.imports import modules

#: Packages that methods need which the library does without.
NEEDED = {"to_pandas": "pandas", "to_polars": "polars", "to_scipy": "scipy", "to_networkx": "networkx"}
#: Old names, which only warn.
OLD = {"cut"}

PUBLIC = [name for name in n2gdb.__all__ if name != "__version__"]

#: Every module with an example; the others are not imported, as some of them load torch.
SHOWING = sorted(module for module, path in modules().items() if ">>> " in path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("examples")).parent


@pytest.mark.parametrize("module", SHOWING)
def test_the_examples_of_a_module(module: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example sees the names of its module and of n2gdb, an open database ``db``, and ``neuron``."""
    monkeypatch.chdir(folder)
    found = doctest.DocTestFinder(exclude_empty=True).find(import_module(module))
    assert any(each.examples for each in found)
    examples = [each for each in found if _is_installed(NEEDED.get(each.name.rpartition(".")[2]))]
    failures: list[str] = []
    with n2gdb.open("neurons.n2gdb") as db:
        names = {name: getattr(n2gdb, name) for name in PUBLIC if name != "open"}
        names |= {"n2gdb": n2gdb, "db": db, "neuron": db.neuron("L4N358")}
        for each in examples:
            each.globs |= names  # to its module's names
            doctest.DocTestRunner().run(each, out=failures.append)
    assert not failures, "".join(failures)


def _is_installed(package: str | None) -> bool:
    return package is None or find_spec(package) is not None


#: The root of the errors shows how all of them are caught.
SHOWN = [name for name in PUBLIC if n2gdb.N2gdbError not in getattr(getattr(n2gdb, name), "__mro__", ())[1:]]


@pytest.mark.parametrize("name", SHOWN)
def test_every_public_name_has_an_example(name: str) -> None:
    offered = getattr(n2gdb, name)
    documented = offered if inspect.isclass(offered) or inspect.isfunction(offered) else type(offered)
    assert ">>> " in (documented.__doc__ or ""), f"the docstring of {name} shows no example"


def _methods(offered: type) -> Iterator[tuple[str, object]]:
    """Yield what the library's classes give to users: methods and properties, inherited ones too."""
    for name in dir(offered):
        owner = next((each for each in offered.__mro__ if name in vars(each)), object)
        member = vars(owner).get(name)
        kinds = (FunctionType, property, cached_property, classmethod, staticmethod)
        if owner.__module__.startswith("n2gdb") and not name.startswith("_") and isinstance(member, kinds):
            yield name, member


CLASSES = [name for name in PUBLIC if inspect.isclass(getattr(n2gdb, name))]


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_method_has_an_example(name: str) -> None:
    silent = [
        method
        for method, member in _methods(getattr(n2gdb, name))
        if ">>> " not in (member.__doc__ or "") and method not in OLD
    ]
    assert not silent, f"{name}: no example shows {', '.join(silent)}"
