"""The command line's subcommands, each loaded when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from n2gdb.cli.endings import FAILED, ended, say_refused
from n2gdb.version import __version__

__all__ = ["app"]

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

    def invoke(self, ctx: Any) -> None:
        """Run the command that is asked for."""
        if code := ended(lambda: super(_Commands, self).invoke(ctx)):
            raise typer.Exit(code)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command; what the system refuses is one line even while help is printed."""
        try:
            return super().main(*args, **options)
        except OSError as error:
            say_refused(error)
            sys.exit(FAILED)

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
