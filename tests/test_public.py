"""The public API: every name is exported, documented and typed."""

from __future__ import annotations

import inspect
from functools import cached_property
from pathlib import Path
from types import FunctionType

import pytest

import n2gdb
from tests.support.cli_world import build_cli_world

PUBLIC = [name for name in n2gdb.__all__ if name != "__version__"]


def test_the_package_is_marked_as_typed() -> None:
    assert Path(str(n2gdb.__file__)).with_name("py.typed").exists()


def test_what_is_offered_is_listed() -> None:
    assert set(n2gdb.__all__) <= set(dir(n2gdb))
    assert list(n2gdb.__all__) == sorted(n2gdb.__all__)
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        n2gdb.opne  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name: str) -> None:
    offered = getattr(n2gdb, name)
    documented = offered if inspect.isclass(offered) or inspect.isfunction(offered) else type(offered)
    text = vars(documented).get("__doc__") if inspect.isclass(documented) else inspect.getdoc(documented)
    assert text, f"{name} has no docstring"
    assert not text.startswith(f"{name}("), f"{name} has only the docstring that a dataclass makes up"
    if inspect.isclass(offered):
        members = {key: each for key, each in vars(offered).items() if not key.startswith("_")}
        described = (FunctionType, property, cached_property, classmethod)
        plain = [key for key, each in members.items() if isinstance(each, described) and not each.__doc__]
        assert not plain, f"{name}.{plain} has no docstring"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_is_typed(name: str) -> None:
    offered = getattr(n2gdb, name)
    functions = [offered] if inspect.isfunction(offered) else []
    if inspect.isclass(offered):
        functions = [
            each
            for key, each in vars(offered).items()
            if inspect.isfunction(each) and not key.startswith("_")
        ]
    for function in functions:
        signature = inspect.signature(function)
        assert signature.return_annotation is not inspect.Signature.empty, function.__qualname__
        for parameter in list(signature.parameters.values())[function is not offered :]:
            assert parameter.annotation is not inspect.Parameter.empty, (
                f"{function.__qualname__}: {parameter}"
            )


def test_the_old_name_of_tokenize_warns_and_answers_the_same(tmp_path: Path) -> None:
    text = "on the other side"
    with n2gdb.open(build_cli_world(tmp_path)) as database:
        neuron = database.neuron("L4N358")
        with pytest.warns(DeprecationWarning, match=r"Database\.cut is now Database\.tokenize") as warned:
            tokens = database.cut(text)
        assert warned[0].filename == __file__  # the caller's line, not the library's
        with pytest.warns(DeprecationWarning, match=r"Neuron\.cut is now Neuron\.tokenize"):
            assert neuron.cut(text) == tokens
        assert database.tokenize(text) == neuron.tokenize(text) == tokens
        assert [database.text(token) for token in tokens] == ["on", " the", " other", " side"]
