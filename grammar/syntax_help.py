"""What a person is told when a query does not parse: what stands there, and what could."""

from __future__ import annotations

import re

from lark.exceptions import UnexpectedInput

from n2gdb.grammar.errors import GrammarError
from n2gdb.grammar.fields import FIELDS, nearest

__all__ = ["explain"]

_EXAMPLE = "neurons MATCHING 'the' BEFORE ..."
_CONNECTORS = frozenset({"BEFORE", "THEN", "AFTER"})
_OPENING_QUOTE = re.compile(r"""['"]""")
_LITERAL = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\"""")
_TYPOGRAPHIC = re.compile(r"[‘’“”«»„]")
_WORD = re.compile(r"[^\W\d]\w*")
_NEURON_NAME = re.compile(r"L\d+N\d+", re.IGNORECASE)
_BROKEN_NEURON_NAME = re.compile(r"L(\d+)[^\w\s]N?(\d+)", re.IGNORECASE)

#: What a terminal is called, in the order in which the possibilities are told.
_WORDS = {
    "_NEURONS": "neurons",
    "MATCHING": "MATCHING",
    "SINGLE_QUOTED": "a token in quotes",
    "DOUBLE_QUOTED": "a token in quotes",
    "RUN": "...",
    "DISTANCE": "a distance such as /3",
    "BEFORE": "BEFORE",
    "THEN": "THEN",
    "AFTER": "AFTER",
    "NAME": "a field",
    "EQUAL": "a comparison such as >=",
    "UNEQUAL": "a comparison such as >=",
    "LESS_EQUAL": "a comparison such as >=",
    "MORE_EQUAL": "a comparison such as >=",
    "LESS": "a comparison such as >=",
    "MORE": "a comparison such as >=",
    "_IN": "IN",
    "NUMBER": "a number",
    "_TO": "..",
    "_NOT": "NOT",
    "LPAR": "(",
    "RPAR": ")",
    "_AND": "AND",
    "_OR": "OR",
    "_WHERE": "WHERE",
    "_ORDER": "ORDER BY",
    "_BY": "BY",
    "ASC": "ASC",
    "DESC": "DESC",
    "COMMA": "a comma",
    "_LIMIT": "LIMIT",
    "_OFFSET": "OFFSET",
    "$END": "the end of the query",
}
_KEYWORDS = (*(word for word in _WORDS.values() if word.isupper()), "neurons")


def explain(error: UnexpectedInput, text: str) -> GrammarError:
    """Turn the parser's complaint into one line that says what to do."""
    end = len(text.rstrip())
    offset = error.pos_in_stream if error.pos_in_stream is not None else end
    offset = end if offset < 0 or _at_end(error) else offset
    accepted = frozenset(error.interactive_parser.accepts())  # type: ignore[no-untyped-call]
    message, offset = _message(text, offset, accepted)
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return GrammarError(message, text=text, line=line, column=column)


def _at_end(error: UnexpectedInput) -> bool:
    token = getattr(error, "token", None)
    return token is not None and token.type == "$END"


def _message(text: str, offset: int, accepted: frozenset[str]) -> tuple[str, int]:
    """Return what to say, and the offset that the caret points at."""
    if not text.strip():
        return f"an empty query: write for example {_EXAMPLE}", 0
    rest = text[offset:]
    expected = _expected(accepted)
    if (quoted := _quoting(rest)) is not None:
        return quoted, offset
    if (neuron := _neuron_name(text, offset)) is not None:
        return neuron
    before = text[:offset].split()
    previous = before[-1].upper() if before else ""
    if (distance := _distance(rest, previous)) is not None:
        return distance, offset
    if "SINGLE_QUOTED" in accepted and "NUMBER" not in accepted:
        return _step(rest, previous), offset
    if "_NEURONS" in accepted:
        return _beginning(rest), offset
    if "MATCHING" in accepted and _OPENING_QUOTE.match(rest):
        return f"MATCHING is missing before {_shown(rest)}: write MATCHING {_shown(rest)}", offset
    if previous in ("LIMIT", "OFFSET"):
        return f"{previous} takes a whole number, as in {previous} 20", offset
    if _OPENING_QUOTE.match(rest) and text[offset - 1] == rest[0]:
        return rf"two quotes in a row: a quote inside a token is written \{rest[0]}", offset
    if (keyword := _mistyped(rest, accepted)) is not None:
        return f"unexpected {_shown(rest)}: did you mean {keyword}?", offset
    if rest.upper().startswith("MATCHING"):
        return f"MATCHING stands before WHERE, ORDER BY and LIMIT: expected {expected}", offset
    if not rest.strip():
        return f"the query ends too early: expected {expected}", offset
    return f"unexpected {_shown(rest)}: expected {expected}", offset


def _quoting(rest: str) -> str | None:
    if _TYPOGRAPHIC.match(rest):
        return f"{rest[0]} is a typographic quote: write ' or \""
    if _OPENING_QUOTE.match(rest) and not _LITERAL.match(rest):
        return f"this {rest[0]} is never closed: end the token with {rest[0]} on the same line"
    return None


def _neuron_name(text: str, offset: int) -> tuple[str, int] | None:
    start = offset
    while start and not text[start - 1].isspace() and text[start - 1] not in "'\"(),":
        start -= 1
    if (broken := _BROKEN_NEURON_NAME.match(text, start)) and broken.end() >= offset:
        return f"{broken[0]} is not a neuron's name: write L{broken[1]}N{broken[2]}", start
    if found := _NEURON_NAME.match(text, offset):
        layer, index = re.findall(r"\d+", found[0])
        return (
            f"{found[0]} is a neuron, not a token: write WHERE layer = {layer} AND index = {index}",
            offset,
        )
    return None


def _distance(rest: str, previous: str) -> str | None:
    keyword = previous.rstrip("/")
    if not rest.startswith("/") or keyword not in _CONNECTORS:
        return None
    if keyword == "THEN":
        return "THEN takes no distance, it means the very next position: write BEFORE/3"
    return f"{keyword}/ takes a whole number of positions, written together, as in {keyword}/3"


def _step(rest: str, previous: str) -> str:
    word = _WORD.match(rest)
    if not rest.strip():
        return f"{previous} with nothing after it: a token in quotes or ... follows, as in {previous} 'the'"
    if word and word[0].upper() not in _KEYWORDS and word[0] != "_":
        return f"the token {word[0]} needs quotes: write '{word[0]}'"
    return f"unexpected {_shown(rest)} after {previous}: expected a token in quotes or ..."


def _beginning(rest: str) -> str:
    word = _WORD.match(rest)
    if word and nearest(word[0], ("neurons",)):
        return f"unexpected {word[0]}: did you mean neurons?"
    return f"a query starts with neurons, as in {_EXAMPLE}"


def _mistyped(rest: str, accepted: frozenset[str]) -> str | None:
    word = _WORD.match(rest)
    if word is None:
        return None
    candidates = tuple(_WORDS[name] for name in _WORDS if name in accepted and _WORDS[name] in _KEYWORDS)
    return None if word[0].upper() in _KEYWORDS else nearest(word[0], candidates)


def _expected(accepted: frozenset[str]) -> str:
    words = list(dict.fromkeys(word for name, word in _WORDS.items() if name in accepted))
    if words == ["a field"]:
        return f"a field ({', '.join(FIELDS)})"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _shown(rest: str) -> str:
    """Return the piece of text at the fault."""
    found = _LITERAL.match(rest) or _WORD.match(rest) or re.match(r"-?\d+(?:\.\d+)?", rest)
    return found[0] if found else rest[0]
