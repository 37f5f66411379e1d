"""Completion in the shell: what the language allows at the cursor, and the shell's own commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from n2gdb.cli.repl.text import META_COMMANDS
from n2gdb.query.completion import Rows, candidates, neuron_names

__all__ = ["StatementCompleter"]


class StatementCompleter(Completer):
    """Completes a statement of the language or a command of the shell at the cursor."""

    def __init__(self, rows: Rows) -> None:
        """Look names and tokens up through ``rows``, which runs a statement with its parameters."""
        self._rows = rows

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield what may stand at the cursor, most useful first."""
        text = document.text_before_cursor
        if text.lstrip().startswith(":"):
            yield from self._meta(text.lstrip())
        else:
            yield from self._statement(text)

    def _meta(self, text: str) -> Iterator[Completion]:
        command, space, rest = text.partition(" ")
        if not space:
            yield from _beginning(META_COMMANDS, command)
        elif command in (":show", ":similar", ":predict"):
            yield from _beginning(neuron_names(self._rows, rest.strip()), rest.strip())
        elif command == ":explain":
            yield from self._statement(rest)

    def _statement(self, text: str) -> Iterator[Completion]:
        start, found = candidates(self._rows, text)
        for each in found:
            yield Completion(each.text, start - len(text), display=each.shown)


def _beginning(words: Iterable[str], begun: str) -> Iterator[Completion]:
    for word in dict.fromkeys(words):
        if word.lower().startswith(begun.lower()) and word != begun:
            yield Completion(word, -len(begun))
