"""`n2gdb tokens`: how a model tokenizes a text, and how many neurons' graphs name each token."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from n2gdb.cli.options import CsvOption, DatabaseOption, JsonOption, ModelOption
from n2gdb.cli.output.terminal import print_csv, print_json, print_table
from n2gdb.cli.text_input import TextArgument, TextFileOption, given_text

if TYPE_CHECKING:
    from n2gdb.storage.connection import Connection

__all__ = ["tokens"]

_HEADERS = ("position", "token", "text", "classes", "activating", "context")


@dataclass(frozen=True, slots=True)
class _Known:
    """A token of the text: its classes, and how many neurons' graphs hold it in either role."""

    position: int
    token: int
    text: str
    classes: tuple[str, ...]
    activating: int
    context: int


def tokens(
    text: TextArgument = None,
    file: TextFileOption = None,
    db: DatabaseOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Show how the model tokenizes a text, and how many neurons' graphs name each token.

    n2gdb tokens "The year 1984 began."

    n2gdb tokens "The year 1984 began." --json

    A leading space is shown as ·. The classes are those that queries write <digit>, <title> and so on;
    activating and context count the neurons whose graphs hold the token in that role.
    """
    from n2gdb.database import Database, default_path
    from n2gdb.storage.connection import Connection

    asked = given_text(text, file)
    with Connection.open(db or default_path()) as connection:
        database = Database(connection)
        cut = database.tokenizer(model).cut(asked)
        texts = database.texts(set(cut), model)
        known = _known(connection, cut, texts, database.model(model).number)
    if as_json:
        print_json([asdict(each) for each in known])
    elif as_csv:
        print_csv(_HEADERS, (_row(each, each.text) for each in known))
    else:
        _print(known)
    if not known:
        typer.echo("the text has no tokens", err=True)


def _known(connection: Connection, cut: tuple[int, ...], texts: dict[int, str], model: int) -> list[_Known]:
    from n2gdb.core.units import token_key
    from n2gdb.storage.read.tokens import count_neurons

    keys = {token: token_key(model, token) for token in cut}
    activating = count_neurons(connection, "activating", keys.values())
    context = count_neurons(connection, "context", keys.values())
    return [
        _Known(
            position,
            token,
            texts[token],
            _classes(texts[token]),
            activating.get(keys[token], 0),
            context.get(keys[token], 0),
        )
        for position, token in enumerate(cut)
    ]


def _classes(text: str) -> tuple[str, ...]:
    from n2gdb.core.tokens import KINDS, kinds_of

    bits = kinds_of(text)
    return tuple(name for bit, name in enumerate(KINDS) if bits >> bit & 1)


def _row(known: _Known, shown: str) -> tuple[object, ...]:
    return (
        known.position,
        known.token,
        shown,
        " ".join(known.classes),
        known.activating,
        known.context,
    )


def _print(known: list[_Known]) -> None:
    from n2gdb.core.tokens import display

    rows = (_row(each, display(each.text)) for each in known)
    print_table(_HEADERS, rows, right=("position", "token", "activating", "context"))
