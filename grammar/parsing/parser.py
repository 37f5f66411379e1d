"""Parser: text to syntax tree."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from n2gdb.grammar.ast import Statement
from n2gdb.grammar.checks import check
from n2gdb.grammar.errors import GrammarError
from n2gdb.grammar.parsing.build import Builder
from n2gdb.grammar.parsing.machine import read
from n2gdb.grammar.parsing.tables import Tables, read_tables, tables_of, write_tables
from n2gdb.grammar.values import MeaningError

if TYPE_CHECKING:
    from lark import Lark

__all__ = ["lark_parser", "parse"]

#: Characters of a query: they are read in less than a second, which no time limit can end.
_MOST_CHARACTERS = 200_000


def parse(text: str) -> Statement:
    """Read one statement; raise GrammarError, which says where it fails and what was expected there."""
    if len(text) > _MOST_CHARACTERS:
        message = f"a query of {len(text):,} characters: write at most {_MOST_CHARACTERS:,}"
        raise GrammarError(message, text=text[:40], line=1, column=1)
    _check_characters(text)
    try:
        statement = _read(text)
        check(statement)
    except MeaningError as fault:
        raise GrammarError(fault.message, text=text, line=fault.at.line, column=fault.at.column) from None
    return replace(statement, source=text)


def _check_characters(text: str) -> None:
    """Refuse half characters, which bytes that are not UTF-8 become: nothing can compare or print them."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        column = error.start - (text.rfind("\n", 0, error.start) + 1) + 1
        shown = text.encode("utf-8", "replace").decode("utf-8")
        message = "half a character, as bytes that are not UTF-8 give: write the query in UTF-8"
        raise GrammarError(message, text=shown, line=line, column=column) from None


def _read(text: str) -> Statement:
    """Read a text by the tables that are kept; by Lark, which loads longer, where that cannot be done."""
    tables = _tables(_kept("query.json"))
    statement: Statement | None = None if tables is None else read(tables, text, Builder())
    return _read_by_lark(text) if statement is None else statement


def _read_by_lark(text: str) -> Statement:
    from lark.exceptions import UnexpectedInput

    try:
        return cast(Statement, lark_parser().parse(text))
    except UnexpectedInput as error:
        from n2gdb.grammar.mistakes.syntax_help import explain  # only where a text does not parse

        raise explain(error, text) from None


@cache
def _tables(path: Path | None) -> Tables | None:
    if path is None:
        return None
    tables = read_tables(path, _grammar())
    if tables is None:
        tables = tables_of(lark_parser())
        write_tables(path, _grammar(), tables)
    return tables


@cache
def lark_parser() -> Lark:
    """Return the parser of query.lark, which builds a statement while it reads."""
    from lark import Lark

    path = _kept("query.tables")
    return Lark(
        _grammar(),
        parser="lalr",
        lexer="contextual",
        transformer=_InLark(),
        maybe_placeholders=True,
        cache=False if path is None else str(path),
    )


class _InLark:
    """The tree builder as Lark calls it: with one list of children."""

    def __getattr__(self, name: str) -> Callable[[list[Any]], Any]:
        method = getattr(Builder(), name)
        return lambda children: method(*children)


def _grammar() -> str:
    return Path(__file__).parents[1].joinpath("query.lark").read_text("utf-8")


def _kept(name: str) -> Path | None:
    """Return where tables are kept, which take half a second to make; None if there is no place."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "n2gdb"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a home that cannot be written, or none at all
        return None
    return folder / name
