"""Words of other languages and of plain English, and what to write instead: one function per kind.

A function returns what to say, with the offset of the caret where that is not the fault's own; None where
the fault is another one. The first that knows the fault is heard.
"""

from __future__ import annotations

import re

from n2gdb.grammar.fields import FIELDS
from n2gdb.grammar.mistakes.error_context import LITERAL, Fault, Mistake, Said
from n2gdb.grammar.values import no_function

__all__ = ["OPENINGS", "OTHER_WORDS"]

#: What ends or orders an answer elsewhere, and the keyword here.
_FIRST = ("FIRST", "TOP", "HEAD", "TAKE", "FETCH", "MAX", "BEST")
_SORT = ("SORT", "SORTED", "ORDERED", "ARRANGE")
_SKIP = ("SKIP", "START", "FROM")
_SHOWN = ("SHOW", "SELECT", "DISPLAY", "PRINT", "OUTPUT", "COLUMNS", "YIELD")
#: What stands between two tokens elsewhere, and what to write.
_BETWEEN_TOKENS = {
    "FOLLOWED": "BEFORE, or BEFORE/3 for at most 3 positions",
    "FOLLOWS": "AFTER, or AFTER/3 for at most 3 positions",
    "FOLLOWING": "AFTER, or AFTER/3 for at most 3 positions",
    "WITHIN": "BEFORE, or BEFORE/3 for at most 3 positions",
    "PRECEDES": "BEFORE, or BEFORE/3 for at most 3 positions",
    "PRECEDING": "BEFORE, or BEFORE/3 for at most 3 positions",
    "PRECEDED": "AFTER, or AFTER/3 for at most 3 positions",
    "LATER": "BEFORE, or BEFORE/3 for at most 3 positions",
    "NEXT": "THEN, the very next position",
    "ADJACENT": "THEN, the very next position",
    "IMMEDIATELY": "THEN, the very next position",
    "DIRECTLY": "THEN, the very next position",
    "CLOSE": "NEAR, or NEAR/3 for at most 3 positions",
    "AROUND": "NEAR, or NEAR/3 for at most 3 positions",
}
_WITHOUT = ("BUT", "EXCEPT", "WITHOUT", "MINUS", "UNLESS", "EXCLUDING")
_CONDITION = ("HAVING", "WITH", "THAT", "WHICH", "IF", "WHEN", "SUCH", "WHOSE", "FILTER")
#: What compares two numbers in words, and its sign.
_COMPARED = (
    dict.fromkeys(("GREATER", "MORE", "LARGER", "BIGGER", "HIGHER", "ABOVE", "OVER", "EXCEEDS", "GT"), ">")
    | dict.fromkeys(("LESS", "SMALLER", "LOWER", "BELOW", "UNDER", "FEWER", "LT"), "<")
    | dict.fromkeys(("EQUALS", "EQUAL", "EQ"), "=")
    | {"GE": ">=", "GTE": ">=", "LE": "<=", "LTE": "<=", "NE": "!="}
)
_GROUPED = re.compile(
    r"(?:per|grouped\s+by|(?:in|for|of)\s+(?:each|every)|split\s+by|over)\s+(\w+)", re.IGNORECASE
)
_CONDITION_TEXT = re.compile(r"[a-z_]\w*\s*(?:[<>=!]+\s*)[^\s)]+|[a-z_]\w*\s+in\s+\S+", re.IGNORECASE)


def _condition_at(text: str) -> str:
    """Return the condition that a text starts with, or one with its first word."""
    if found := _CONDITION_TEXT.match(text):
        return found[0]
    word = re.match(r"(\w+)(?:\s+(\d+))?", text)
    return f"{word[1]} = {word[2] or 3}" if word else "f1 > 0.5"


def _field(fault: Fault) -> Said:
    """Find a condition that stands where clauses do."""
    if (
        fault.word.lower() not in FIELDS
        or fault.keyword == "MATCHES"
        or not fault.accepted & {"MATCHING", "_WHERE"}
    ):
        return None
    if fault.previous == "OR":
        return f"{fault.word} is a field: WHERE narrows what clauses find, so OR cannot join the two"
    joined = re.search(r"(\band\b)?\s*(\bnot\b)?\s*\(*$", fault.before, re.IGNORECASE)
    assert joined is not None  # it matches nothing at the end at least
    negated = "NOT " if joined[2] else ""
    instead = f" in place of AND{' NOT' if negated else ''}" if joined[1] else ""
    return f"{fault.word} is a field: write WHERE {negated}{_condition_at(fault.rest)}{instead}"


def _late_and(fault: Fault) -> Said:
    """Find what is joined to the end of a query, where nothing can be joined."""
    found = re.match(r"(and|or)\s+(?:not\s+)?(?=(\w+))", fault.rest, re.IGNORECASE)
    if found is None or found[2].lower() not in FIELDS:
        return None
    if "_AND" in fault.accepted or "LIMIT" not in fault.accepted:
        return None
    said = _condition_at(fault.rest[found.end() :])
    if "_WHERE" in fault.accepted:
        return f"{found[2]} is a field: write WHERE {said} in place of {found[1].upper()}"
    return f"conditions stand before ORDER BY, RANK BY, LIMIT and RETURN: write WHERE {said} there"


def _ending(fault: Fault) -> Said:
    if "LIMIT" not in fault.accepted:
        return None
    word, number = fault.keyword, re.match(r"\w+\s+(?:first\s+)?(\d+)", fault.rest, re.IGNORECASE)
    if word in ("ROWS", "ROW", "RESULTS", "NULLS"):
        why = "; rows without a value come last either way" if word == "NULLS" else ""
        return f"leave {word} out{why}"
    if fault.counts and (group := _GROUPED.match(fault.rest)):
        return f"the groups of a count are said by BY: write BY {group[1]}"
    if word in _FIRST:
        return f"no {word} here: write LIMIT {number[1] if number else 10}"
    if word in _SKIP and number:
        return f"no {word} here: write OFFSET {number[1]}"
    if word == "LAST":
        return f"no LAST here: turn the order round, as in ORDER BY f1 LIMIT {number[1] if number else 10}"
    if fault.accepted.isdisjoint({"ORDER", "RETURN"}):
        return None
    if word in _SORT:
        key = re.match(r"\w+\s+(?:by\s+)?(\w+)", fault.rest, re.IGNORECASE)
        named = key[1] if key and key[1].upper() != "BY" else "f1"
        return f"no {word} here: write ORDER BY {named}"
    if word in _SHOWN:
        return f"no {word} here: columns are named by RETURN, as in RETURN neuron, f1"
    if word == "COUNT":
        return "COUNT stands first, as in COUNT neurons MATCHING 'the'"
    if word in ("DISTINCT", "UNIQUE"):
        return f"no {word} here: every row of an answer is another one"
    return None


def _joining_tokens(fault: Fault) -> Said:
    if "BEFORE" not in fault.accepted:
        return None
    if (written := _BETWEEN_TOKENS.get(fault.keyword)) is not None:
        return f"no {fault.keyword} here: write {written}"
    if fault.keyword in _WITHOUT:
        step = re.match(r"\w+\s+(?:not\s+)?(\S+)", fault.rest, re.IGNORECASE)
        unwanted = step[1] if step else "'dog'"
        return f"no {fault.keyword} here: write AND NOT MATCHING {unwanted}"
    return None


def _without(fault: Fault) -> Said:
    if fault.keyword in _WITHOUT and "_NOT" in fault.accepted and "MATCHING" in fault.accepted:
        step = LITERAL.search(fault.rest)
        unwanted = step[0] if step else "'dog'"
        return f"no {fault.keyword} here: write NOT MATCHING {unwanted}"
    return None


def _like_neuron(fault: Fault) -> Said:
    named = re.match(
        r"(like|unlike|different\s+from|close\s+to|resembling)\s+(L\d+N\d+)\b", fault.rest, re.IGNORECASE
    )
    if named is None or "MATCHING" not in fault.accepted:
        return None
    negated = "NOT " if fault.keyword in ("UNLIKE", "DIFFERENT") else ""
    return f"no {fault.keyword} here: write {negated}SIMILAR TO {named[2]}"


def _narrowing(fault: Fault) -> Said:
    word = fault.keyword
    if word == "WITH" and "_USING" in fault.accepted and not fault.is_fired:
        return "a metric is named by USING, as in USING tokens"
    if word in _CONDITION and "EQUAL" not in fault.accepted:
        return f"no {word} here: write WHERE for fields, MATCHING for patterns"
    return None


def _source(fault: Fault) -> Said:
    """Find where neurons are from, in a word that this language has not."""
    if "MATCHING" not in fault.accepted or "AND" in fault.before.upper().split()[-1:]:
        return None
    found = re.match(r"(from|of|for|in)\s+(?:the\s+)?(.*)", fault.rest, re.IGNORECASE | re.DOTALL)
    if fault.keyword == "MODEL":
        return "IN is missing before MODEL: write IN MODEL 'gpt2'"
    return _origin(found[2]) if found else None


def _origin(text: str) -> str | None:
    if layer := re.match(r"layers?\s*(?:[=:]\s*)?(\d+)?", text, re.IGNORECASE):
        return f"layers are picked by WHERE: write WHERE layer = {layer[1] or 3}"
    if neuron := re.match(r"\W*L(\d+)N(\d+)\b", text, re.IGNORECASE):
        return f"a neuron is picked by WHERE: write WHERE layer = {neuron[1]} AND index = {neuron[2]}"
    if model := LITERAL.match(re.sub(r"^\w+\s+", "", text)):
        return f"a model is picked by IN MODEL: write IN MODEL {model[0]}"
    if re.match(r"(?:neuron|pattern|token|each|every|all)", text, re.IGNORECASE):
        return None
    if model := re.match(r"(?:models?\s+)?([\w./-]+)", text, re.IGNORECASE):
        return f"a model is picked by IN MODEL, in quotes: write IN MODEL '{model[1]}'"
    return None


def _model(fault: Fault) -> Said:
    if "_MODEL" not in fault.accepted or fault.accepted - {"_MODEL", "LPAR", "VARIABLE"}:
        return None
    said = None if re.match(r"[(\[]?\s*$|layers?\b(?!\s*[=:]?\s*\d)", fault.rest) else _origin(fault.rest)
    return said or "a model is picked here, by IN MODEL 'name'; layers are picked by WHERE layer IN 0..3"


def _compared(fault: Fault) -> Said:
    if "EQUAL" not in fault.accepted:
        return None
    words = re.match(
        r"(?:is\s+)?(at\s+least|at\s+most|\w+)(?:\s+(?:than|to))?(?:\s+([\d.]+|'\w+'))?",
        fault.rest,
        re.IGNORECASE,
    )
    if words is None:
        return None
    word = " ".join(words[1].upper().split())
    sign = {"AT LEAST": ">=", "AT MOST": "<="}.get(word) or _COMPARED.get(word)
    field = fault.previous.lower() if fault.previous.lower() in FIELDS else "f1"
    return f"comparisons are signs: write {field} {sign} {words[2] or 0.5}" if sign else None


def _function(fault: Fault) -> Said:
    """Find a function: a name before a parenthesis where an expression stands."""
    called = re.search(r"([a-z_]\w*)\s*$", fault.before, re.IGNORECASE)
    if not fault.rest.startswith("(") or called is None or not fault.accepted & {"EQUAL", "PLUS", "COMMA"}:
        return None
    name, place = called[1], called.start(1)
    if name.upper() in ("COUNT", "COLLECT"):
        return "COUNT stands first, as in COUNT neurons MATCHING 'the'", place
    return no_function(name), place


def _joined_neuron(fault: Fault) -> Said:
    """Find a neuron that follows another where a clause with it is meant."""
    if not re.match(r"(?:,\s*)?L\d+N\d+\b", fault.rest, re.IGNORECASE):
        return None
    clause = re.findall(
        r"\b(similar\s+to|subset\s+of|superset\s+of)\b", LITERAL.sub("''", fault.before), re.IGNORECASE
    )
    if not clause or not fault.accepted & {"MATCHING", "_OR"}:
        return None
    name = fault.rest.lstrip(", ").split()[0]
    joint = fault.previous if fault.previous in ("AND", "OR") else "OR"
    return f"a clause compares with one neuron: write {joint} {' '.join(clause[-1].upper().split())} {name}"


def _opening(fault: Fault) -> Said:
    """Find what stands before neurons elsewhere, and what stands in their place."""
    if "NEURONS" not in fault.accepted or "NEURON" in fault.accepted:
        return None
    start = re.match(
        r"(how\s+many|number\s+of|all|every|each|any|the|distinct|which|what)\s+(?:the\s+)?(neuron|pattern)s?\b",
        fault.rest,
        re.IGNORECASE,
    )
    if start:
        words = " ".join(start[1].split())
        if words.upper() in ("HOW MANY", "NUMBER OF"):
            return "a count starts with COUNT, as in COUNT neurons MATCHING 'the'"
        return f"a query starts with neurons or patterns: leave {words} out"
    if fault.keyword == "WHERE":
        return "a query starts with what it asks for: write neurons WHERE"
    if fault.word.lower() in FIELDS:
        return f"a query starts with what it asks for: write neurons WHERE {_condition_at(fault.rest)}"
    if LITERAL.match(fault.rest) or re.match(r"<\w+>|/[^/\s*]+/|\$\w|\.\.\.", fault.rest):
        return f"a query starts with what it asks for: write neurons MATCHING {fault.shown}"
    return None


def _connected(fault: Fault) -> Said:
    """Find a connector without the clause that it is part of, and AND without a clause before it."""
    if "MATCHING" not in fault.accepted:
        return None
    if fault.keyword in ("BEFORE", "AFTER", "THEN", "NEAR") and fault.previous not in ("AND", "OR"):
        any_token = "_" if fault.keyword == "THEN" else "..."
        return f"MATCHING is missing before {fault.keyword}: write MATCHING {any_token} {fault.keyword}"
    if negated := re.match(r"!\s*([a-z]\w+)", fault.rest, re.IGNORECASE):
        return f"NOT stands before a clause: write NOT {negated[1]}"
    if fault.keyword == "AND" and re.search(r"\bin\s+model\s+\S+$", fault.before, re.IGNORECASE):
        return "IN MODEL is joined to nothing: leave AND out"
    if fault.keyword in ("STARTING", "BEGINNING", "ENDING", "STARTS", "ENDS"):
        return f"no {fault.keyword} here: write an expression, as in MATCHING /un.*/ or MATCHING /.*ing/"
    return None


#: Heard before all others.
OPENINGS: tuple[Mistake, ...] = (_joined_neuron, _opening)

OTHER_WORDS: tuple[Mistake, ...] = (
    _field,
    _late_and,
    _ending,
    _joining_tokens,
    _without,
    _like_neuron,
    _source,
    _model,
    _compared,
    _narrowing,
    _function,
    _connected,
)
