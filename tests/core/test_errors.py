"""Errors: their tree, as it is drawn, and what the command line makes of each."""

from __future__ import annotations

import inspect
import re

import pytest

import n2gdb
from n2gdb import errors
from n2gdb.cli.main import exit_code
from n2gdb.core.deadline import within
from n2gdb.errors import (
    MissingDependencyError,
    N2gdbError,
    QueryError,
    QueryTimeoutError,
    StorageError,
    UsageError,
    columns_of,
)
from n2gdb.grammar.patterns import Position
from n2gdb.query.semantics.places import placed, shown_in

ERRORS = {
    name: each
    for name, each in vars(errors).items()
    if inspect.isclass(each) and issubclass(each, N2gdbError)
}


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn, above = {}, ["N2gdbError"]
    for indent, name in re.findall(
        r"^ {4}([│ ]*)[├└]── (\w+)", inspect.getdoc(errors) or "", re.MULTILINE
    ) or (re.findall(r"^ *([│ ]*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE)):
        depth = len(indent) // 4 + 1
        above[depth:] = [name]
        drawn[name] = above[depth - 1]
    real = {name: each.__mro__[1].__name__ for name, each in ERRORS.items() if each is not N2gdbError}
    assert drawn == real


def test_every_error_is_offered() -> None:
    assert ERRORS.keys() <= set(n2gdb.__all__)
    assert all(getattr(n2gdb, name) is each for name, each in ERRORS.items())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (QueryError("x"), 2),
        (errors.QuerySyntaxError("x"), 2),
        (errors.UnknownNameError("x"), 2),
        (UsageError("x"), 2),
        (QueryTimeoutError("x"), 1),
        (StorageError("x"), 1),
        (MissingDependencyError("x"), 1),
        (errors.DatabaseNotFoundError("x"), 1),
    ],
)
def test_misuse_has_an_exit_code_of_its_own(error: N2gdbError, code: int) -> None:
    assert exit_code(error) == code


def test_what_is_caught_with_what() -> None:
    assert not issubclass(StorageError, errors.IngestError)
    assert issubclass(QueryTimeoutError, QueryError)
    assert not issubclass(QueryTimeoutError, errors.DatabaseError)
    assert issubclass(MissingDependencyError, ImportError)


def test_a_timeout_is_of_no_part_of_a_query() -> None:
    with (
        pytest.raises(QueryTimeoutError) as caught,
        within(60),
        shown_in("neurons"),
        placed(Position(1, 3)),
    ):
        raise QueryTimeoutError("too long")
    assert str(caught.value) == "too long"


@pytest.mark.parametrize(
    ("line", "column", "shown", "under"),
    [
        ("neurons\tWHERE\tnope", 15, "neurons WHERE nope", "n"),
        ("a\u200db\x1b[31mx", 9, "a\ufffdb\ufffd[31mx", "x"),
        ("日本 x", 4, "日本 x", "x"),
        ("e\u0301 x", 4, "e\u0301 x", "x"),
        ("neurons\r", 1, "neurons", "n"),
        ("a" * 300 + "x" + "b" * 300, 301, "…" + "a" * 80 + "x" + "b" * 79 + "…", "x"),
        ("x" + "b" * 300, 1, "x" + "b" * 159 + "…", "x"),
        ("a" * 300 + "x", 301, "…" + "a" * 80 + "x", "x"),
    ],
)
def test_the_caret_stands_under_its_place(line: str, column: int, shown: str, under: str) -> None:
    error = QueryError("no", text=f"neurons\n{line}\nx", line=2, column=column)
    _, printed, caret = str(error).split("\n")
    assert printed == f"  {shown}"
    assert caret.endswith("^")
    places = [at for at, char in enumerate(printed) if columns_of(printed[:at]) == len(caret) - 1]
    assert under in [printed[at] for at in places]
