"""`n2gdb cypher`: read-only Cypher, for what the query language cannot express."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from n2gdb.cli.options import CsvOption, DatabaseOption, JsonOption, TimeoutOption
from n2gdb.cli.output.terminal import print_csv, print_json, print_table
from n2gdb.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["cypher"]

_COMMENTS = re.compile(r"(?:\s|//[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
# The engine writes files even from a read-only database (COPY ... TO, EXPORT DATABASE): only reading passes.
_READING = re.compile(
    r"(?:(?:EXPLAIN|PROFILE)\s+)?(?:MATCH|OPTIONAL\s+MATCH|UNWIND|WITH|RETURN|LOAD\s+(?:WITH|FROM)|CALL\s+\w+\s*\()",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"(\w+)=(.*)", re.DOTALL)


def cypher(
    statement: Annotated[
        str, typer.Argument(metavar="CYPHER", help="One reading statement of Cypher, in quotes.")
    ],
    db: DatabaseOption = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Bind $NAME; JSON, else text. May be given again."),
    ] = None,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Run raw Cypher, read-only, for experts.

    n2gdb cypher 'MATCH (n:Neuron) WHERE n.layer = $layer RETURN avg(n.f1) AS f1' --param layer=3

    n2gdb cypher "CALL table_info('CONTEXT') RETURN *" --json

    Nothing stands between the statement and the engine: it can read every file that you can (LOAD FROM),
    so run only statements that you trust. What would write, to the database or to a file, is refused.
    The tables may change with the schema version, which n2gdb info shows.
    """
    from n2gdb.database import default_path
    from n2gdb.storage.apart import ask_apart

    for text in (statement, *(param or ())):
        _check_characters(text)
    _check(statement)
    parameters = dict(_bound(param or ()))
    names, rows, numbers = ask_apart(db or default_path(), statement, parameters, timeout, _plain_table)
    if as_json:
        print_json(_as_dicts(names, rows))
    elif as_csv:
        print_csv(names, ([_cell(value) for value in row] for row in rows))
    else:
        print_table(names, ([_shown(value) for value in row] for row in rows), right=numbers)


def _check(statement: str) -> None:
    """Let only statements pass that begin as reading does."""
    start = _COMMENTS.match(statement)
    assert start is not None  # it matches nothing at all, too
    if not _READING.match(statement, start.end()):
        word = statement[start.end() :].split()[:1]
        said = f"{word[0]} is not allowed here" if word else "an empty statement"
        raise UsageError(
            f"{said}: only statements that read the database may be run, which begin with MATCH, OPTIONAL"
            " MATCH, UNWIND, WITH, RETURN, LOAD FROM or CALL"
        )


def _check_characters(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{text!r} holds half a character, which the engine cannot read: write it in UTF-8"
        ) from error


def _bound(given: Sequence[str]) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for text in given:
        found = _PARAMETER.fullmatch(text)
        if found is None:
            raise UsageError(f"--param {text!r} binds nothing: write NAME=VALUE, as in layer=3")
        name = found[1]
        if name in seen:
            raise UsageError(f"--param binds {name} twice: give it once")
        seen.add(name)
        yield name, _value(found[2])


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _plain_table(table: pa.Table) -> tuple[list[str], list[tuple[Any, ...]], list[str]]:
    """Return the names of the columns, the rows, and the names of the columns of numbers."""
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return table.column_names, rows, _numbers(table)


def _as_dicts(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two columns are called {twice[0]}: name them with AS for JSON")
    return [dict(zip(names, map(_plain, row), strict=True)) for row in rows]


def _plain(value: Any) -> Any:
    """Return what JSON can hold: bytes in hex, dates as text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return value.hex()
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case _:
            return str(value)


def _cell(value: Any) -> Any:
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, list | dict) else plain


def _shown(value: Any) -> str:
    from n2gdb.core.tokens import display

    match _cell(value):
        case None:
            return "-"
        case float() as number:
            return f"{number:.4g}"
        case text:
            return display(text) if isinstance(value, str) else str(text)


def _numbers(table: pa.Table) -> list[str]:
    import pyarrow as pa

    return [
        field.name
        for field in table.schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
