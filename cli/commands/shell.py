"""`n2gdb shell`: an interactive shell on one open database."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from n2gdb.cli.options import DatabaseOption, TimeoutOption
from n2gdb.cli.output.terminal import say
from n2gdb.errors import N2gdbError, QueryError, StorageError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings

    from n2gdb.cli.repl.session import ShellSession

__all__ = ["make_prompt", "own_history", "read_lines", "shell", "talk"]

_PROMPT, _MORE = "n2gdb> ", "  ...> "


def shell(db: DatabaseOption = None, timeout: TimeoutOption = None) -> None:
    """Run queries interactively, with history, completion, and errors shown in place.

    n2gdb shell

    echo "neurons MATCHING 'the' LIMIT 3" | n2gdb shell

    TAB completes keywords, fields, tokens and neurons; :help lists the commands. Without a terminal,
    statements are read from standard input, one per line.
    """
    from n2gdb.cli.repl.session import ShellSession
    from n2gdb.database import Database, default_path
    from n2gdb.storage.connection import Connection

    with Connection.open(db or default_path()) as connection:
        session = ShellSession(Database(connection), timeout=timeout)
        if sys.stdin.isatty():
            say(f"{connection.path}: :help tells what can be asked, Ctrl-D leaves", err=True)
            talk(session, make_prompt(connection.rows, own_history()))
        else:
            read_lines(session, sys.stdin)
    if session.failed and not sys.stdin.isatty():
        raise typer.Exit(1)


def talk(session: ShellSession, prompt: PromptSession[str]) -> None:
    """Answer what is typed until the end; Ctrl-C drops the line, or the query that runs."""
    from n2gdb.cli.repl.text import joined

    while not session.ended:
        try:
            typed = prompt.prompt(_PROMPT)
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        session.answer(joined(typed), partial(_point, typed))


def read_lines(session: ShellSession, lines: Iterable[str]) -> None:
    """Answer statements from a pipe or a file."""
    from n2gdb.cli.repl.text import is_unfinished, joined

    typed: list[str] = []
    for line in lines:
        typed.append(line.rstrip("\r\n"))
        if is_unfinished("\n".join(typed)):
            continue
        session.answer(joined("\n".join(typed)))
        typed.clear()
        if session.ended:
            return
    if typed:
        session.answer(joined("\n".join(typed)))


def make_prompt(rows: Any, history: History) -> PromptSession[str]:
    """Return the prompt; names and tokens are looked up through ``rows``."""
    from prompt_toolkit import PromptSession

    from n2gdb.cli.repl.completer import StatementCompleter

    return PromptSession(
        history=history,
        completer=StatementCompleter(rows),
        complete_in_thread=True,
        complete_while_typing=False,
        multiline=True,
        prompt_continuation=_MORE,
        key_bindings=_keys(),
    )


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from n2gdb.cli.repl.text import is_unfinished

    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None
        elif is_unfinished(buffer.text):
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    return keys


def _point(typed: str, error: N2gdbError) -> None:
    """Put the caret under what was typed, where that stands in the line above."""
    from prompt_toolkit.utils import get_cwidth

    if not isinstance(error, QueryError) or not error.is_placed or error.text != typed or "\n" in typed:
        say(f"error: {error}", err=True)
        return
    typer.echo(f"{' ' * (len(_PROMPT) + get_cwidth(typed[: error.column - 1]))}^", err=True)
    say(f"error: {error.message}", err=True)


def own_history() -> History:
    """Return the history of earlier sittings, in the user's data folder; of this one where there is none."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    data = os.environ.get("XDG_DATA_HOME")
    try:
        folder = (Path(data) if data else Path.home() / ".local" / "share") / "n2gdb"
    except RuntimeError:  # no home at all
        return InMemoryHistory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be made ({error.strerror}): set XDG_DATA_HOME to a folder for the history"
        ) from error
    return FileHistory(str(folder / "history"))
