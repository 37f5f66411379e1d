"""What may follow in a statement that is still being typed."""

from __future__ import annotations

from lark.exceptions import UnexpectedInput

from n2gdb.grammar.parsing.parser import lark_parser
from n2gdb.grammar.values import MeaningError

__all__ = ["expected_terminals"]


def expected_terminals(text: str) -> frozenset[str]:
    """Return the names of the terminals that may follow ``text``; none where it is wrong already.

    ``$END`` is among them where the statement may end there. ``text`` holds whole words: half a keyword
    is read as a name.
    """
    parser = lark_parser().parse_interactive(text)
    try:
        parser.exhaust_lexer()
    except (UnexpectedInput, MeaningError):
        return frozenset()
    return frozenset(parser.accepts())  # type: ignore[no-untyped-call]
