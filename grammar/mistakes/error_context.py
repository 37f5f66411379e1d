"""The place where a query stops parsing, and the text around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from n2gdb.grammar.errors import shortened

__all__ = ["LITERAL", "Fault", "Mistake", "Said"]

LITERAL = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\"""")
_WORD = re.compile(r"[^\W\d]\w*")
_LEADING = re.compile(r"\b(?:return|using|order\s+by|by|where)\b", re.IGNORECASE)
_PIECE = re.compile(r"<\w+>|/[^/\s]+/i?|\$\w+|\.\.\.|-?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Fault:
    """A place in a text, its comments blanked, and the terminals that could stand there."""

    text: str
    offset: int
    accepted: frozenset[str]

    @property
    def rest(self) -> str:
        """The text from the fault on."""
        return self.text[self.offset :]

    @property
    def before(self) -> str:
        """The text up to the fault, without the space at its end."""
        return self.text[: self.offset].rstrip()

    @property
    def previous(self) -> str:
        """The last word before the fault, in capitals."""
        words = self.before.split()
        return words[-1][-40:].upper() if words else ""

    @property
    def word(self) -> str:
        """The word at the fault; empty if there is none."""
        found = _WORD.match(self.rest)
        return shortened(found[0]) if found else ""

    @property
    def keyword(self) -> str:
        """The word at the fault in capitals."""
        return self.word.upper()

    @property
    def shown(self) -> str:
        """The piece of text at the fault."""
        found = LITERAL.match(self.rest) or _WORD.match(self.rest) or _PIECE.match(self.rest)
        return shortened(found[0]) if found else self.rest[:1]

    @property
    def wants_step(self) -> bool:
        """Whether a step of a pattern should stand here."""
        return "EXPRESSION" in self.accepted

    @property
    def name(self) -> str:
        """What a name is called here, by the keyword that leads to it."""
        found = _LEADING.findall(LITERAL.sub("''", self.before))
        keyword = " ".join(found[-1].upper().split()) if found else ""
        if keyword == "USING" and self.is_fired:
            return "a predictor"
        return {"RETURN": "a column", "USING": "a metric", "BY": "a group"}.get(keyword, "a field")

    @property
    def is_fired(self) -> bool:
        """Whether the fault follows the text of FIRING ON, and what may be said of it."""
        said = r"\bfiring\s+on\s+''\s*(?:at\s+\S+\s*)?(?:using\s*)?$"
        return re.search(said, LITERAL.sub("''", self.before), re.IGNORECASE) is not None

    @property
    def lists(self) -> str:
        """The keyword that the names at the fault follow: ORDER BY, RETURN or none."""
        found = re.search(r"\b(order\s+by|return)\b[\w\s,]*$", self.before, re.IGNORECASE)
        return " ".join(found[1].upper().split()) if found else ""

    @property
    def wants_key(self) -> bool:
        """Whether a field to order by should stand here."""
        return self.accepted == {"NAME"} and self.lists == "ORDER BY"

    @property
    def asks_tokens(self) -> bool:
        """Whether the query asks for tokens."""
        return re.match(r"\s*(?:explain\s+|profile\s+)?tokens\b", self.text, re.IGNORECASE) is not None

    @property
    def counts(self) -> bool:
        """Whether the query is a count."""
        return re.match(r"\s*(?:explain\s+|profile\s+)?count\b", self.text, re.IGNORECASE) is not None


#: What to say, with the caret's offset where it is not the fault's own; None where it is another mistake.
Said: TypeAlias = str | tuple[str, int] | None
Mistake: TypeAlias = Callable[[Fault], Said]
