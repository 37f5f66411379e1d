"""The `n2gdb` command: its subcommands, and what an error becomes: one line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from n2gdb.cli.info import info
from n2gdb.cli.ingest import ingest
from n2gdb.cli.query import query
from n2gdb.cli.show import show
from n2gdb.errors import N2gdbError, QueryError
from n2gdb.version import __version__

__all__ = ["app", "run"]

_FAILED, _MISUSED, _INTERRUPTED = 1, 2, 130


class _Commands(TyperGroup):
    """A group of commands that ends each library error in one line on stderr, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a reader that has gone is met here, not at the interpreter's end
        except N2gdbError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(_MISUSED if isinstance(error, QueryError) else _FAILED) from error
        except KeyboardInterrupt as error:
            typer.echo("interrupted", err=True)
            raise typer.Exit(_INTERRUPTED) from error
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None
        return result


app = typer.Typer(
    name="n2gdb",
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help in a blink: rich takes longer to load than all the rest
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"n2gdb {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Every neuron of a language model as a searchable graph of token patterns."""


for _command in (ingest, query, show, info):
    app.command()(_command)


def run() -> None:
    """Run the command line."""
    app()
