"""Shell completion: names of the database, offered after TAB."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from n2gdb.query.completion import Rows


__all__ = ["complete_models", "complete_neurons"]


def complete_neurons(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return names of neurons that begin so: first the layers, then the neurons of one."""
    from n2gdb.query.completion import neuron_names  # it loads the parser

    return _asked(ctx, lambda rows: neuron_names(rows, incomplete))


def complete_models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return names of models that begin so."""
    from n2gdb.query.completion import model_names

    return _asked(ctx, lambda rows: [name for name in model_names(rows) if name.startswith(incomplete)])


def _asked(ctx: typer.Context, ask: Callable[[Rows], list[str]]) -> list[str]:
    """Ask the database that the command line names so far; offer nothing if it cannot be read."""
    from n2gdb.database import default_path
    from n2gdb.errors import N2gdbError
    from n2gdb.storage.connection import Connection

    named = ctx.params.get("db")
    try:
        with Connection.open(Path(named) if named else default_path()) as connection:
            return ask(connection.rows)
    except N2gdbError:  # the command itself will say it; a message here would stand in the prompt
        return []
