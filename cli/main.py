"""The `n2gdb` command: registers the subcommands and turns errors into one line and an exit code."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from n2gdb.cli.output.terminal import say
from n2gdb.errors import N2gdbError, QueryError, QueryTimeoutError, UsageError, one_line
from n2gdb.version import __version__

__all__ = ["app", "exit_code", "run"]

_FAILED, _MISUSED, _INTERRUPTED = 1, 2, 130
_SHORT_HELP = {"help_option_names": ["-h", "--help"]}

#: The commands as the help lists them.
_GROUPS = {
    "Make a database": ("ingest", "effects", "info", "report"),
    "Ask": ("query", "shell"),
    "Compare neurons": ("similar", "pairs"),
    "Look at a neuron": ("show", "trajectories", "serve"),
    "Run the graphs on a text": ("firing", "predict", "tokens"),
    "Take it further": ("export", "export-site", "cypher"),
}


class _Commands(TyperGroup):
    """A group of commands that ends each library error in one line on stderr, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a reader that has gone is met here, not at the interpreter's end
        except N2gdbError as error:
            say(f"error: {error}", err=True)
            raise typer.Exit(exit_code(error)) from error
        except KeyboardInterrupt as error:
            typer.echo("interrupted", err=True)
            raise typer.Exit(_INTERRUPTED) from error
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None
        return result

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command; what the system refuses, such as standard output on a full disk, is one line too."""
        try:
            return super().main(*args, **options)
        except OSError as error:
            say(f"error: {_refused(error)}", err=True)
            sys.exit(_FAILED)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return [name for names in _GROUPS.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Make the one command that is asked for: its file, named like its first word, is loaded then."""
        if cmd_name not in self.list_commands(ctx):
            return None
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        module = import_module(f"n2gdb.cli.commands.{cmd_name.partition('-')[0]}")
        alone.command(cmd_name, context_settings=_SHORT_HELP)(getattr(module, cmd_name.replace("-", "_")))
        return typer.main.get_command(alone)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands under what they are for."""
        longest = max(map(len, self.list_commands(ctx)))
        for title, names in _GROUPS.items():
            rows = [(name.ljust(longest), self._short_help(ctx, name, formatter.width)) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows)

    def _short_help(self, ctx: Any, name: str, width: int) -> str:
        text: str = self.get_command(ctx, name).get_short_help_str(width - 6 - len(name))
        return text


def exit_code(error: N2gdbError) -> int:
    """Return what the process ends with for an error: 2 where what was asked is wrong, else 1."""
    misused = isinstance(error, QueryError | UsageError) and not isinstance(error, QueryTimeoutError)
    return _MISUSED if misused else _FAILED


def _refused(error: OSError) -> str:
    """Say what the system refused; no file named, it is standard output, which is then let go."""
    why = error.strerror or one_line(error)
    if error.filename is not None:
        return f"{error.filename}: {why}"
    try:
        sys.stdout.flush()
    except OSError:  # flushed again at the interpreter's end, it would fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return f"the output cannot be written ({why}): send it elsewhere"


def _open_standard_streams() -> None:
    """Let standard streams that the caller has closed lead nowhere.

    A file that is opened later would take their numbers, and get what is meant for them.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (for good)


app = typer.Typer(
    name="n2gdb",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=_SHORT_HELP,
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


def run() -> None:
    """Run the command line; what the terminal's encoding has no character for is written as an escape."""
    _open_standard_streams()
    # Start-up makes many objects and no garbage: collecting less often saves a tenth of a query's time.
    gc.set_threshold(50_000)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")
    app()
