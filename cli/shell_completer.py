"""What the shell offers at the cursor: keywords, fields, tokens, neurons, as the grammar allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from n2gdb.cli.completion import neuron_names
from n2gdb.cli.shell_text import META_COMMANDS, open_quote
from n2gdb.grammar.ast import Grouping, Metric, TokenKind
from n2gdb.grammar.expected import expected_terminals
from n2gdb.grammar.fields import FIELDS, RETURNED
from n2gdb.grammar.terminal_words import WORDS
from n2gdb.tokens import display

__all__ = ["StatementCompleter"]

_MOST = 50
_HALF_WORD = re.compile(r"[\w<$.]*\Z")
_LAST_KEYWORD = re.compile(r"(?i)\b(USING|RETURN|BY)\b[^'\"]*\Z")
_COUNTED = re.compile(r"(?i)\A\s*(?:(?:EXPLAIN|PROFILE)\s+)?COUNT\b")
_ORDERED = re.compile(r"(?i)\bORDER\s+BY\b[^'\"]*\Z")
_MODEL_DUE = re.compile(r"(?i)\b(?:MODEL|L\d+N\d+\s+OF|\d+/\d+\s+OF)\s*\Z")
_TEXT_DUE = re.compile(r"(?i)\bFIRING\s+ON\s*\Z")

#: What is typed for a terminal that has one spelling, beside the keywords.
_SIGNS = {
    "NEURONS": "neurons",
    "PATTERNS": "patterns",
    "_TOKENS": "tokens",
    "RUN": "...",
    "ANY": "_",
    "EQUAL": "=",
    "LESS_EQUAL": "<=",
    "MORE_EQUAL": ">=",
    "_RANGE": "..",
}

_LOOSE = (
    "MATCH (t:Token) WHERE starts_with(t.norm, $begun) AND NOT t.special"
    f" RETURN DISTINCT t.norm AS text ORDER BY size(text), text LIMIT {_MOST}"
)
_EXACT = (
    "MATCH (t:Token) WHERE starts_with(t.text, $begun) AND NOT t.special"
    f" RETURN DISTINCT t.text AS text ORDER BY size(text), text LIMIT {_MOST}"
)
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class StatementCompleter(Completer):
    """Completes a statement of the language or a command of the shell at the cursor."""

    def __init__(self, rows: Callable[[str, dict[str, object]], list[tuple[Any, ...]]]) -> None:
        """Look names and tokens up through ``rows``, which runs a statement with its parameters."""
        self._rows = rows

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield what may stand at the cursor, most useful first."""
        text = document.text_before_cursor
        quote = open_quote(text)
        if text.lstrip().startswith(":"):
            yield from self._meta(text.lstrip())
        elif quote is not None:
            yield from self._quoted(text[:quote], text[quote], text[quote + 1 :])
        else:
            yield from self._words(text)

    def _meta(self, text: str) -> Iterator[Completion]:
        command, space, rest = text.partition(" ")
        if not space:
            yield from _beginning(META_COMMANDS, command)
        elif command == ":show":
            yield from _beginning(neuron_names(self._rows, rest.strip()), rest.strip())
        elif command == ":explain":
            yield from self._words(rest)

    def _quoted(self, before: str, quote: str, begun: str) -> Iterator[Completion]:
        """Complete the text after an open quote: a model's name or a token."""
        if _TEXT_DUE.search(before):
            return
        if _MODEL_DUE.search(before):
            found = self._rows("MATCH (m:Model) RETURN m.name ORDER BY m.name", {})
            texts = [name for (name,) in found if name.startswith(begun)]
        else:
            wanted = begun if quote == '"' else begun.casefold()
            found = self._rows(_EXACT if quote == '"' else _LOOSE, {"begun": wanted})
            texts = [text for (text,) in found]
        for text in texts:
            written = "".join(_ESCAPES.get(char, f"\\{quote}" if char == quote else char) for char in text)
            yield Completion(f"{written}{quote}", -len(begun), display=display(text))

    def _words(self, text: str) -> Iterator[Completion]:
        half = _HALF_WORD.search(text)
        begun = half[0] if half else ""
        before = text[: len(text) - len(begun)]
        terminals = expected_terminals(before)
        yield from _beginning(self._offered(terminals, before, begun), begun)

    def _offered(self, terminals: frozenset[str], before: str, begun: str) -> Iterator[str]:
        for name in WORDS:
            if name in terminals:
                if name in _SIGNS:
                    yield _SIGNS[name]
                elif WORDS[name].isupper():
                    yield WORDS[name]
        if "NAME" in terminals:
            yield from _names(before)
        if "CLASS" in terminals:
            yield from (f"<{kind.value}>" for kind in TokenKind)
        if "NEURON" in terminals and not begun.startswith("<"):
            yield from neuron_names(self._rows, begun)


def _names(before: str) -> Iterable[str]:
    """Return what a bare name may be there."""
    keyword = _LAST_KEYWORD.search(before)
    match keyword[1].upper() if keyword else "":
        case "USING":
            return [metric.value for metric in Metric]
        case "RETURN":
            return RETURNED
        case "BY" if _COUNTED.match(before) and not _ORDERED.search(before):
            return [grouping.value for grouping in Grouping]
        case _:
            return FIELDS


def _beginning(words: Iterable[str], begun: str) -> Iterator[Completion]:
    for word in dict.fromkeys(words):
        if word.lower().startswith(begun.lower()) and word != begun:
            yield Completion(word, -len(begun))
