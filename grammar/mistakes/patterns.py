"""Frequent mistakes in patterns: one function per mistake, each with its own message.

A function returns what to say, with the offset of the caret where that is not the fault's own; None where
the fault is another one. The first that knows the fault is heard.
"""

from __future__ import annotations

import re

from n2gdb.grammar.mistakes.error_context import LITERAL, Fault, Mistake, Said
from n2gdb.grammar.patterns import TokenKind
from n2gdb.grammar.terminal_words import KEYWORDS

__all__ = ["PATTERN_MISTAKES"]

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
#: Signs that a keyboard or a word processor gives, and what to write.
_SIGNS = {
    "`": "` is not a quote: write ' or \"",
    "´": "´ is not a quote: write ' or \"",
    "…": "… is a single sign: write ... with three full stops",
    "≥": "write >= for ≥",
    "≤": "write <= for ≤",
    "≠": "write != for ≠",
    "→": "→ joins no tokens: write BEFORE, or THEN for the very next position",
}
#: What a step that starts with this sign lacks.
_BROKEN = {
    "[": "alternatives stand in parentheses, as in ('dog' | 'cat')",
    "{": "alternatives stand in parentheses, as in ('dog' | 'cat')",
    "/": "this / is never closed: end the expression with / on the same line",
    "<": "this < is never closed: a class is written <digit>",
    "$": "a variable is a dollar sign and a name, as in $x",
    "@": "a variable is a dollar sign and a name, as in $x",
    "\\": "a regular expression stands between slashes, as in /\\d+/",
    "^": "a regular expression stands between slashes, as in /^un/",
}
_CONNECTORS = ("BEFORE", "THEN", "AFTER", "NEAR")


def _typographic(fault: Fault) -> Said:
    sign = fault.rest[:1]
    if sign and sign in "‘’“”«»„":
        return f"{sign} is a typographic quote: write ' or \""
    return _SIGNS.get(sign)


def _unclosed(fault: Fault) -> Said:
    sign = fault.rest[:1]
    if sign in ("'", '"') and not LITERAL.match(fault.rest):
        what = "token" if fault.wants_step else "text"
        return f"this {sign} is never closed: end the {what} with {sign} on the same line"
    return None


def _apostrophe(fault: Fault) -> Said:
    quote = fault.text[fault.offset - 1 : fault.offset]
    if quote not in ("'", '"') or fault.before[-1:] != quote:
        return None
    if fault.rest.startswith(quote):
        return rf"two quotes in a row: a quote inside a token is written \{quote}"
    if fault.word and quote in fault.rest.partition("\n")[0]:
        return rf"a quote inside a token is written \{quote}: the token ends before {fault.word}"
    return None


def _neuron_name(fault: Fault) -> Said:
    start = fault.offset
    while start and not fault.text[start - 1].isspace() and fault.text[start - 1] not in "'\"(),":
        start -= 1
    broken = re.compile(r"L(\d+)[^\w\s]N?(\d+)", re.IGNORECASE).match(fault.text, start)
    if broken and broken.end() >= fault.offset:
        return f"{broken[0]} is not a neuron's name: write L{broken[1]}N{broken[2]}", start
    found = re.match(r"L(\d+)N(\d+)\b", fault.rest, re.IGNORECASE)
    if found is None or fault.asks_tokens:
        return None
    if fault.accepted & {"_TO", "_OF", "_ON"} and fault.previous != "PATTERNS":  # only that word is missing
        return None
    if "NEURONS" in fault.accepted and "NEURON" not in fault.accepted:
        return f"start with what you ask for, as in tokens ACTIVATING {found[0]}"
    if fault.previous == "PATTERNS":
        return f"the patterns of one neuron are asked for by OF: write patterns OF {found[0]}"
    if fault.previous == "IN" and fault.accepted >= {"LPAR", "VARIABLE"}:
        return f"a list of neurons stands in parentheses: write IN ({found[0]})"
    what = "a neuron, not a token" if fault.wants_step else "picked by its fields"
    return f"{found[0]} is {what}: write WHERE layer = {found[1]} AND index = {found[2]}"


def _distance(fault: Fault) -> Said:
    if (joined := re.search(r"\b(before|after|near)\s*\($", fault.before, re.IGNORECASE)) and (
        number := _NUMBER.match(fault.rest)
    ):
        return f"a distance is joined to its word by a slash: write {joined[1].upper()}/{number[0]}"
    keyword = fault.previous.rpartition("/")[0] or fault.previous
    if keyword not in _CONNECTORS:
        return None
    if re.match(r"/[a-z]", fault.rest) and fault.text[fault.offset - 1].isalpha() and keyword != "THEN":
        return f"{keyword}/ takes a whole number of positions, written together, as in {keyword}/3"
    number = _NUMBER.match(fault.rest)
    if not re.match(r"/\s*(?:-?\d|['\"(]|$)", fault.rest) and not (number and fault.previous == keyword):
        return None
    if keyword == "THEN":
        return "THEN takes no distance, it means the very next position: write BEFORE/3"
    if number:
        return f"a distance is joined to its word by a slash: write {keyword}/{number[0].lstrip('-')}"
    return f"{keyword}/ takes a whole number of positions, written together, as in {keyword}/3"


def _missing_step(fault: Fault) -> Said:
    if not fault.wants_step or fault.rest.strip():
        return None
    after = fault.previous
    if of_one := re.search(r"\b(excited|inhibited)\s+by$", fault.before, re.IGNORECASE):
        keyword = f"{of_one[1].upper()} BY"
        return f"{keyword} with nothing after it: a token in quotes follows, as in {keyword} 'the'"
    example = f"{after} 'the'" if after.strip("/0123456789") in KEYWORDS else "'the'"
    return f"{after} with nothing after it: a token in quotes or ... follows, as in {example}"


def _broken_step(fault: Fault) -> Said:
    sign = fault.rest[:1]
    if not fault.wants_step or not sign:
        return None
    if fault.rest.startswith("//"):
        return "an empty expression: write one between the slashes, or ... for any tokens"
    if several := re.match(r"<([^<>\n]*)>", fault.rest):
        names = [f"<{name}>" for name in re.split(r"\W+", several[1]) if name]
        return (
            f"one word between < and >: write {' or '.join(names[:2])}, alternatives as (<digit> | <punct>)"
        )
    if sign in "-~^" and (step := re.match(r"[-~^]\s*(['\"<(/]\S*)", fault.rest)):
        return f"any other token is said by !: write !{step[1]}"
    if sign in "*?" or (sign == "." and not fault.rest.startswith("...")):
        return f"unexpected {sign}: write ... for any tokens, _ for exactly one"
    return _BROKEN.get(sign)


def _not_a_token(fault: Fault) -> Said:
    """Find a step that is not a test of one token, where only a test may stand."""
    if not fault.wants_step or "RUN" in fault.accepted:
        return None
    if re.match(r"\$\w", fault.rest):
        return f"{fault.shown} stands for one token of a whole pattern: write it as a step of MATCHING"
    if found := re.match(r"\.\.\.|_(?!\w)", fault.rest):
        return f"{found[0]} is any token: a single token should stand here"
    return None


def _bare_word(fault: Fault) -> Said:
    if not fault.wants_step:
        return None
    if fault.keyword == "NOT":
        return "NOT stands before a clause: write NOT MATCHING, or ! before the token for any other one"
    if marked := re.match(r"[a-z]{1,2}(?=(['\"])(.*?)\1)", fault.rest, re.IGNORECASE):
        return f"no {marked[0]} before a quote here: write '{marked[2]}', or /{marked[2]}/ for an expression"
    if fault.keyword in KEYWORDS or not (fault.word or _NUMBER.match(fault.rest)):
        return f"unexpected {fault.shown} after {fault.previous}: expected a token in quotes or ..."
    kind = f", or <{fault.word.lower()}> for the class" if fault.keyword in TokenKind.__members__ else ""
    return f"the token {fault.shown} needs quotes: write '{fault.shown}'{kind}"


def _alternatives(fault: Fault) -> Said:
    if not fault.rest.startswith("|") or fault.accepted & {"VBAR", "PLUS"}:
        return None
    if re.match(r"\|\|\s*[a-z]", fault.rest, re.IGNORECASE):
        return None
    left, right = _last_piece(fault.before), LITERAL.match(fault.rest[1:].lstrip())
    if not left or not right:
        return "alternatives stand in parentheses, as in ('dog' | 'cat')"
    return f"alternatives stand in parentheses: write ({left} | {right[0]})"


def _last_piece(text: str) -> str:
    pieces = LITERAL.findall(text)
    return pieces[-1] if pieces and text.endswith(pieces[-1]) else ""


def _grouped_pattern(fault: Fault) -> Said:
    if fault.accepted - {"AMPERSAND"} != {"VBAR", "RPAR"}:
        return None
    if fault.keyword in _CONNECTORS:
        return f"parentheses hold the alternatives of one position: write {fault.keyword} outside of them"
    if fault.keyword == "OR" or fault.rest.startswith((",", "/")) or LITERAL.match(fault.rest):
        return "alternatives are separated by |, as in ('dog' | 'cat')"
    if fault.keyword == "AND" or fault.rest.startswith("&"):
        return (
            "one position holds one token: alternatives are separated by |,"
            " and two MATCHING are joined by AND"
        )
    return None


def _single_token(fault: Fault) -> Said:
    clause = re.search(
        r"\b(mentioning|promoting|suppressing|activating\s+on|excited\s+by|inhibited\s+by)\s+\S[^()|]*$",
        fault.before[-200:],
        re.IGNORECASE,
    )
    if clause is None or fault.wants_step:
        return None
    keyword = " ".join(clause[1].upper().split())
    if fault.keyword in _CONNECTORS and keyword.endswith("BY"):
        return f"{keyword} takes one token: say how far before the activating token by AT 2 or WITHIN 4"
    if fault.keyword in _CONNECTORS:
        return f"{keyword} takes one token: write MATCHING for a pattern with {fault.keyword}"
    if LITERAL.match(fault.rest) and fault.previous not in ("AND", "OR", "NOT"):
        return f"{keyword} takes one token: write AND {keyword} {fault.shown}"
    return None


def _fired_text(fault: Fault) -> Said:
    """Find what follows the text of FIRING ON and is not a part of it."""
    if "_AT" not in fault.accepted or "_WITHIN" in fault.accepted:
        return None
    if fault.keyword == "BY":
        return "what predicts is named by USING: write USING graph"
    if fault.keyword in _CONNECTORS:
        return f"FIRING ON takes a text as it stands: write MATCHING for a pattern with {fault.keyword}"
    if bound := re.match(r"(?:[<>=]+|above|over)\s*([\d.]+)", fault.rest, re.IGNORECASE):
        return f"an activation is bounded by WHERE: write WHERE activation >= {bound[1]}"
    if place := re.match(r"(?:position|token|pos|index)\s*(-?\d+)", fault.rest, re.IGNORECASE):
        return f"a token of the text is named by AT: write AT {place[1]}"
    if LITERAL.match(fault.rest):
        return f"one text a clause: write OR FIRING ON {fault.shown}, or one text of both"
    return None


def _influencing(fault: Fault) -> Said:
    """Find a place after EXCITED BY or INHIBITED BY that is written in another way."""
    if "_WITHIN" not in fault.accepted:
        return None
    if place := re.match(r"/?\s*(\d+)\b", fault.rest):
        depth = place[1]
        return f"places are named: write AT {depth}, or WITHIN {depth} for at most so many positions before"
    return None


def _two_tokens(fault: Fault) -> Said:
    if "BEFORE" not in fault.accepted:
        return None
    flagged = re.search(r"(['\"])([^'\"]*)\1$", fault.text[: fault.offset])
    if flagged and re.match(r"/i\b", fault.rest):
        return f"an expression stands between slashes: write /{flagged[2]}/i"
    if fault.keyword == "AT":
        return "AT is of FIRING ON: the last step of a pattern is the token that the neuron fires on"
    if LITERAL.match(fault.rest) or re.match(r"<|/[^/*\s]|\$\w", fault.rest):
        next_one = fault.shown
        return f"two tokens in a row: write BEFORE {next_one}, or THEN {next_one} for the very next position"
    return None


def _unjoined(fault: Fault) -> Said:
    """Find ... or _ between tokens that nothing joins to it, and a flag that no expression has."""
    if "BEFORE" not in fault.accepted:
        return None
    if re.match(r"\.\.\.|…", fault.rest):
        return "tokens any distance apart are joined by BEFORE: write BEFORE in place of ..."
    if re.match(r"_(?!\w)", fault.rest):
        return "_ is a position of its own: write THEN _ THEN"
    if fault.word and fault.text[fault.offset - 1 : fault.offset] == "/":
        return "an expression has one flag, i for any case, as in /ing$/i"
    if fault.rest.startswith(",") and re.match(r",\s*['\"</$]", fault.rest):
        return "tokens are joined by BEFORE or THEN, alternatives by | in parentheses, as in ('dog' | 'cat')"
    return None


def _late_not(fault: Fault) -> Said:
    if fault.keyword == "NOT" and "BEFORE" in fault.accepted:
        return "NOT stands before a clause, as in AND NOT MATCHING 'dog'"
    return None


def _arrow(fault: Fault) -> Said:
    if "BEFORE" not in fault.accepted:
        return None
    if arrow := re.match(r"-+>|=>|>+|[+*~^.-]+|\{\d", fault.rest):
        if re.match(r"[a-z]+\s", fault.rest[arrow.end() :].lstrip(), re.IGNORECASE):
            return "clauses are joined by AND or OR"
        if arrow[0] == "..":
            return "a range of characters is an expression, as in /[a-z]/"
        if LITERAL.match(fault.rest[arrow.end() :].lstrip()):
            return f"{arrow[0]} joins no tokens: write BEFORE, or THEN for the very next position"
        if arrow[0][0] in "+*{":
            return "a step is one token: write it as often as it stands, as in 'a' THEN 'a'"
    return None


PATTERN_MISTAKES: tuple[Mistake, ...] = (
    _typographic,
    _unclosed,
    _apostrophe,
    _neuron_name,
    _distance,
    _missing_step,
    _not_a_token,
    _broken_step,
    _bare_word,
    _alternatives,
    _grouped_pattern,
    _single_token,
    _fired_text,
    _influencing,
    _unjoined,
    _two_tokens,
    _late_not,
    _arrow,
)
