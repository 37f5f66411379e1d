"""A session of the shell: answers each line; an error ends the line, not the shell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from n2gdb.cli.output.answers import limited_to, notices_of, print_answer, save_neurons
from n2gdb.cli.output.neurons import print_neuron
from n2gdb.cli.output.terminal import print_table, say
from n2gdb.cli.repl.text import HELP, META_COMMANDS
from n2gdb.core.deadline import within
from n2gdb.core.tokens import display
from n2gdb.errors import N2gdbError, UsageError
from n2gdb.query.completion import statements_in

if TYPE_CHECKING:
    from n2gdb.database import Database

__all__ = ["ShellSession"]

_LIMIT = 20
_SHOWN = 5  # neurons of a token


class ShellSession:
    """Answers statements and the shell's own commands, and prints what they give.

    ``last`` is the statement asked last, ``answered`` the last that had an answer; ``failed`` says that some
    line could not be answered, ``ended`` that :quit was said.
    """

    def __init__(self, database: Database, *, timeout: float | None = None) -> None:
        """Ask ``database``; a line is given ``timeout`` seconds."""
        self._database = database
        self._timeout = timeout
        self._as_json = False
        self.last = ""
        self.answered = ""
        self.failed = False
        self.ended = False

    def answer(self, line: str, show_error: Callable[[N2gdbError], None] | None = None) -> None:
        """Answer a line; Ctrl-C stops it. ``show_error`` prints what went wrong, by default on stderr."""
        if not line:
            return
        try:
            with within(self._timeout):
                if line.startswith(":"):
                    self._command(*line.partition(" ")[::2])
                else:
                    for each in statements_in(line) or [line]:
                        self.last = each
                        self._query(each)
        except N2gdbError as error:
            self.failed = True
            (show_error or _print_error)(error)
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)

    def _command(self, command: str, rest: str) -> None:
        match command:
            case ":help":
                typer.echo(HELP)
            case ":explain":
                self._explain(rest.strip() or self.last)
            case ":json":
                self._as_json = not self._as_json
                typer.echo("JSON" if self._as_json else "tables", err=True)
            case ":show":
                if not rest.strip():
                    raise UsageError(":show takes a neuron, as in :show L3N45")
                print_neuron(self._database, rest.strip(), as_json=self._as_json)
            case ":similar":
                print_answer(self._database.similar(_given(command, rest, "L3N45")), as_json=self._as_json)
            case ":firing":
                self._firing(_given(command, rest, "Once upon a time"))
            case ":predict":
                self._predict(*_given(command, rest, "L3N45 Once upon a time").partition(" ")[::2])
            case ":save":
                self._save(_given(command, rest, "mine"))
            case ":quit":
                self.ended = True
            case _:
                raise UsageError(f"{command} is not a command here: there are {', '.join(META_COMMANDS)}")

    def _firing(self, text: str) -> None:
        rows = [
            (
                display(self._database.text(each.token)),
                ", ".join(str(one.neuron) for one in each.neurons[:_SHOWN]),
            )
            for each in self._database.firing(text)
        ]
        print_table(("token", "neurons"), rows)

    def _predict(self, neuron: str, text: str) -> None:
        if not text.strip():
            raise UsageError(":predict takes a neuron and a text, as in :predict L3N45 Once upon a time")
        found = self._database.neuron(neuron)
        tokens, predicted = found.tokenize(text.strip()), found.predict(text.strip())
        rows = [
            (display(self._database.text(token, found.model)), f"{value:.2f}" if value else "")
            for token, value in zip(tokens, predicted, strict=True)
        ]
        print_table(("token", "activation"), rows)

    def _save(self, name: str) -> None:
        if not self.answered:
            raise UsageError(":save keeps the neurons of the last query: none was answered yet")
        save_neurons(self._database, name, self._database.query(self.answered))

    def _explain(self, text: str) -> None:
        from n2gdb.grammar.ast import Mode
        from n2gdb.query.parse import read_query

        if not text:
            raise UsageError(":explain takes a query, or explains the last: none was asked yet")
        asked = replace(read_query(text), mode=Mode.EXPLAIN)
        print_answer(self._database.query(asked), as_json=self._as_json)

    def _query(self, text: str) -> None:
        from n2gdb.query.parse import read_query

        asked = read_query(text)
        shown, limited = limited_to(_LIMIT, asked)
        answer = self._database.query(shown)
        print_answer(answer, as_json=self._as_json)
        self.answered = text
        for notice in notices_of(answer, limited=limited, skipped=asked.offset or 0):
            say(notice, err=True)


def _given(command: str, rest: str, example: str) -> str:
    if not rest.strip():
        raise UsageError(f"{command} needs an argument, as in {command} {example}")
    return rest.strip()


def _print_error(error: N2gdbError) -> None:
    say(f"error: {error}", err=True)
