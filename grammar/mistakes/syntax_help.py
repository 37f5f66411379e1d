"""The message for a query that does not parse: what was found, and what may stand there."""

from __future__ import annotations

import re

from lark.exceptions import UnexpectedInput

from n2gdb.grammar.errors import GrammarError
from n2gdb.grammar.mistakes.conditions import CONDITION_MISTAKES
from n2gdb.grammar.mistakes.error_context import Fault
from n2gdb.grammar.mistakes.forms import FORM_MISTAKES
from n2gdb.grammar.mistakes.other_words import OPENINGS, OTHER_WORDS
from n2gdb.grammar.mistakes.patterns import PATTERN_MISTAKES
from n2gdb.grammar.mistakes.statements import STATEMENT_MISTAKES
from n2gdb.grammar.terminal_words import expected, nearest_keyword

__all__ = ["explain"]

_MISTAKES = (
    *OPENINGS,
    *FORM_MISTAKES,
    *PATTERN_MISTAKES,
    *STATEMENT_MISTAKES,
    *OTHER_WORDS,
    *CONDITION_MISTAKES,
)
_LITERAL_OR_COMMENT = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|--[^\n]*""")


def explain(error: UnexpectedInput, text: str) -> GrammarError:
    """Turn the parser's complaint into one line that says what to do."""
    plain = _LITERAL_OR_COMMENT.sub(_without_comment, text)
    if plain.rstrip().endswith(";"):  # the end of a query, wherever it is written
        plain = plain.rstrip()[:-1]
    end = len(plain.rstrip())
    offset = error.pos_in_stream if error.pos_in_stream is not None else end
    offset = end if offset < 0 or _at_end(error) else offset
    accepted = frozenset(error.interactive_parser.accepts())  # type: ignore[no-untyped-call]
    message, offset = _message(Fault(plain, offset, accepted))
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return GrammarError(message, text=text, line=line, column=column)


def _without_comment(found: re.Match[str]) -> str:
    return " " * len(found[0]) if found[0].startswith("--") else found[0]


def _at_end(error: UnexpectedInput) -> bool:
    token = getattr(error, "token", None)
    return token is not None and token.type == "$END"


def _message(fault: Fault) -> tuple[str, int]:
    """Return what to say, and the offset that the caret points at."""
    for mistake in _MISTAKES:
        said = mistake(fault)
        if said is not None:
            return (said, fault.offset) if isinstance(said, str) else said
    if (keyword := nearest_keyword(fault.word, fault.accepted)) is not None:
        return f"unexpected {fault.shown}: did you mean {keyword}?", fault.offset
    possible = fault.accepted if fault.counts else fault.accepted - {"BY"} or fault.accepted
    if not fault.rest.strip():
        return f"the query ends too early: expected {expected(possible, fault.name)}", fault.offset
    return f"unexpected {fault.shown}: expected {expected(possible, fault.name)}", fault.offset
