"""The mistakes that people make most in WHERE and behind it: one function a mistake, each its own message.

A function returns what to say, with the offset of the caret where that is not the fault's own; None where
the fault is another one. The first that knows the fault is heard.
"""

from __future__ import annotations

import re

from n2gdb.grammar.fault import LITERAL, Fault, Mistake, Said
from n2gdb.grammar.fields import FIELDS

__all__ = ["CONDITION_MISTAKES"]

_COMPARISONS = ("=", "==", "!=", "<>", "<", "<=", ">", ">=")
_MEANT = {"=>": ">=", "=<": "<=", "><": "!=", "=!": "!=", "!==": "!=", "===": "="}


def _operator(fault: Fault) -> Said:
    start = fault.offset
    while start and fault.text[start - 1] in "=<>!":
        start -= 1
    found = re.compile(r"[=<>!]+").match(fault.text, start)
    if found and found.end() > fault.offset and found[0] not in _COMPARISONS and not fault.wants_step:
        return f"{found[0]} is no comparison: write {_MEANT.get(found[0], 'one of = != < <= > >=')}", start
    if (joined := re.match(r"&&?|\|\|", fault.rest)) and "VBAR" not in fault.accepted:
        return f"write {'OR' if joined[0] == '||' else 'AND'}"
    return None


def _after_is(fault: Fault) -> Said:
    if fault.word.upper() in ("NULL", "NONE", "NA", "NAN", "EMPTY", "UNKNOWN"):
        return "a value that is missing is asked for by IS MISSING, one that is not by IS NOT MISSING"
    if before := re.search(r"\bis(\s+not)?\s*$", fault.before, re.IGNORECASE):
        said = "no IS here: write =, and = 'dead' for a state; IS MISSING asks whether there is a value"
        return said, before.start()
    return None


def _chained(fault: Fault) -> Said:
    if fault.rest[:1] in ("<", ">", "=") and _after_condition(fault):
        return "comparisons do not chain: join two by AND, as in 0 < f1 AND f1 < 1"
    return None


def _after_condition(fault: Fault) -> bool:
    return bool(fault.accepted & {"PLUS", "STAR"}) and "EQUAL" not in fault.accepted


def _missing_and(fault: Fault) -> Said:
    if fault.word.lower() in FIELDS and _after_condition(fault):
        return f"AND is missing before {fault.word}: write AND {fault.word}"
    return None


def _unfinished(fault: Fault) -> Said:
    """Find what is wrong where an expression stands and its comparison is missing."""
    if "_MISSING" in fault.accepted:
        return _after_is(fault)
    if "EQUAL" not in fault.accepted:
        return None
    if bare := re.search(r"\b(and|or)\s+([\d.]+)$", fault.before, re.IGNORECASE):
        said = f"a condition names its field each time, as in {bare[1].upper()} layer = {bare[2]}"
        return said, len(fault.before) - len(bare[2])
    if re.match(r"[\d'\"]", fault.rest):
        return f"a comparison is missing: write {fault.previous.lower()} = {fault.shown}"
    return None


def _quoted_field(fault: Fault) -> Said:
    found = LITERAL.match(fault.rest)
    if found and "_NOT" in fault.accepted and "NAME" in fault.accepted:
        return f"a field stands without quotes: write {found[0][1:-1] or 'f1'}"
    return None


def _sql(fault: Fault) -> Said:
    word = fault.keyword
    if word == "BETWEEN":
        return "no BETWEEN here: a range is written layer IN 0..3, both ends included"
    if word in ("LIKE", "CONTAINS", "REGEXP"):
        return f"no {word} here: tokens are tested by MATCHING, as in MATCHING /ing$/"
    if word == "GROUP":
        return "no GROUP BY here: write COUNT neurons, and BY layer after what they match"
    if word in ("HAVING", "WITH", "THAT", "WHICH"):
        return f"no {word} here: write WHERE for fields, MATCHING for patterns"
    if fault.rest.startswith("%"):
        return "no percentages here: write 0.6 for 60%"
    return None


def _range(fault: Fault) -> Said:
    if fault.accepted == {"_RANGE"}:
        return "a range is written with two dots, as in 0..3, and a list in parentheses, as in (1, 2)"
    if fault.rest.startswith(".") and fault.before.endswith("..") and "NUMBER" in fault.accepted:
        return "a range is written with two dots, as in 0..3"
    if (number := re.match(r"\.\d+", fault.rest)) and "NUMBER" in fault.accepted:
        return f"a number starts with a digit: write 0{number[0]}"
    if fault.rest.startswith((")", "]")) and fault.accepted >= {"NUMBER", "SINGLE_QUOTED"}:
        return "a list holds at least one value, as in (1, 2)"
    return None


def _late_where(fault: Fault) -> Said:
    if fault.keyword != "WHERE" or "_WHERE" in fault.accepted:
        return None
    if fault.previous in ("AND", "OR"):
        return f"{fault.previous} joins clauses with clauses: leave it out before WHERE"
    if "LIMIT" in fault.accepted:
        return "WHERE stands before ORDER BY, LIMIT and RETURN: move it there"
    return None


def _number(fault: Fault) -> Said:
    if fault.previous in ("LIMIT", "OFFSET"):
        return f"{fault.previous} takes a whole number, as in {fault.previous} 20"
    if fault.previous == "ABOVE":
        return "ABOVE takes a similarity from 0 to 1, as in ABOVE 0.9"
    if fault.previous == "AT" and "NUMBER" in fault.accepted:
        return "AT takes the number of a token, 0 the first and -1 the last, as in AT -1"
    return None


def _comma(fault: Fault) -> Said:
    if not fault.rest.startswith(",") or "COMMA" in fault.accepted:
        return None
    if "_AND" in fault.accepted:
        return "clauses and conditions are joined by AND or OR, not by a comma"
    if re.search(r"\b(limit|offset)\s+\S+$", fault.before, re.IGNORECASE):
        return "LIMIT takes one number: how many rows to leave out first is OFFSET"
    return "a count is parted by one thing" if fault.name == "a group" else None


def _every_column(fault: Fault) -> Said:
    if fault.rest.startswith("*") and fault.name == "a column":
        return "columns are named: write RETURN neuron, f1"
    return None


CONDITION_MISTAKES: tuple[Mistake, ...] = (
    _operator,
    _chained,
    _missing_and,
    _unfinished,
    _quoted_field,
    _sql,
    _range,
    _late_where,
    _number,
    _comma,
    _every_column,
)
