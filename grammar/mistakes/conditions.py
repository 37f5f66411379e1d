"""Frequent mistakes in WHERE and after it: one function per mistake, each with its own message.

A function returns what to say, with the offset of the caret where that is not the fault's own; None where
the fault is another one. The first that knows the fault is heard.
"""

from __future__ import annotations

import re

from n2gdb.grammar.fields import FIELDS, RETURNED
from n2gdb.grammar.mistakes.error_context import LITERAL, Fault, Mistake, Said
from n2gdb.grammar.values import no_function

__all__ = ["CONDITION_MISTAKES"]

_COMPARISONS = ("=", "==", "!=", "<>", "<", "<=", ">", ">=")
_MEANT = {"=>": ">=", "=<": "<=", "><": "!=", "=!": "!=", "!==": "!=", "===": "="}


def _operator(fault: Fault) -> Said:
    start = fault.offset
    while start and fault.text[start - 1] in "=<>!":
        start -= 1
    found = re.compile(r"[=<>!]+").match(fault.text, start)
    if found and found.end() > fault.offset and found[0] not in _COMPARISONS and not fault.wants_step:
        return f"{found[0]} is not a comparison: write {_MEANT.get(found[0], 'one of = != < <= > >=')}", start
    if re.match(r"&(?!&)", fault.rest) and "BEFORE" in fault.accepted:
        return "tests of one token are joined in parentheses, as in (<title> & !'The'); clauses by AND"
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
    if span := re.match(r"(\d+)\s*(?:\.\.|-|to\b)\s*(\d+)", fault.rest, re.IGNORECASE):
        return f"a range is tested by IN: write {fault.previous.lower()} IN {span[1]}..{span[2]}"
    if any(fault.word.lower() in field.choices for field in FIELDS.values()):
        return f"a comparison is missing: write {fault.previous.lower()} = '{fault.word}'"
    if re.match(r"[\d'\"]", fault.rest):
        return f"a comparison is missing: write {fault.previous.lower()} = {fault.shown}"
    return None


def _quoted_field(fault: Fault) -> Said:
    found = LITERAL.match(fault.rest)
    if not found or "NAME" not in fault.accepted or not (fault.name == "a field" or fault.wants_key):
        return None
    named = found[0][1:-1]
    owner = next((field.name for field in FIELDS.values() if named.lower() in field.choices), None)
    if owner is not None and re.match(r"\s*(?:==?|!=|<>)", fault.rest[found.end() :]):
        return f"a condition begins with its field: write {owner} = {found[0]}"
    if "_NOT" in fault.accepted and named.lower() not in FIELDS:
        return f"tokens are tested by MATCHING, before WHERE: write MATCHING {found[0]}"
    return f"a field stands without quotes: write {named or 'f1'}"


def _order_key(fault: Fault) -> Said:
    """Find what ORDER BY and RETURN take and no name is."""
    if fault.wants_key and (field := re.match(r"-\s*(\w+)", fault.rest)):
        return f"the largest first is said by DESC: write {field[1]} DESC"
    if fault.previous in ("ASC", "DESC") and fault.word.lower() in FIELDS:
        return f"{fault.previous} goes after its field: write {fault.word} {fault.previous}"
    if "COMMA" not in fault.accepted or not fault.lists:
        return None
    if fault.previous in ("WHERE", "LIMIT", "RETURN", "ORDER", "MATCHING"):
        place = len(fault.before) - len(fault.previous)
        return f"a name is missing between the comma and {fault.previous}", place
    if re.match(r"[+*/-]", fault.rest):
        return f"{fault.lists} takes only fields, not arithmetic"
    if fault.keyword == "AS":
        return "columns keep their names: leave AS out"
    if fault.word.lower() in RETURNED:
        return f"a comma is missing before {fault.word}: write , {fault.word}"
    return None


def _percent(fault: Fault) -> Said:
    """Find a percentage, whose sign was read as one of division."""
    found = re.search(r"(\d+)\s*%\s*$", fault.before)
    if found is None or "NUMBER" not in fault.accepted:
        return None
    return "no percentages here: write 0.6 for 60%", found.start() + found[0].index("%")


def _named_in_parentheses(fault: Fault) -> Said:
    if fault.rest.startswith("(") and fault.accepted == {"NAME"} and fault.lists:
        return f"{fault.lists} takes names without parentheses, as in {fault.lists} f1"
    return None


def _number_sign(fault: Fault) -> Said:
    """Find a comma inside a number."""
    before = re.search(r"(\d+)$", fault.text[: fault.offset])
    after = re.match(r",(\d+)", fault.rest)
    if before is None or after is None or "COMMA" in fault.accepted or "PLUS" not in fault.accepted:
        return None
    thousands = len(after[1]) == 3 and before[1] != "0"
    return f"a number holds no comma: write {before[1]}{'' if thousands else '.'}{after[1]}"


def _no_number(fault: Fault) -> Said:
    """Find letters on a number."""
    before = re.search(r"[\d.]+$", fault.text[: fault.offset])
    after = re.match(r"[a-z_]\w*", fault.rest, re.IGNORECASE)
    if before is None or after is None:
        return None
    return f"{before[0]}{after[0]} is not a number: write its digits, as in 0.5 or 1000", before.start()


def _closed(fault: Fault) -> Said:
    plain = LITERAL.sub("''", fault.before)
    if fault.rest.startswith(")") and plain.count("(") <= plain.count(")"):
        return "this ) closes nothing: leave it out"
    return None


def _nameless(fault: Fault) -> Said:
    """Find a comparison without its field: ``AND <= 0.9``, ``layer NOT = 3``."""
    if re.match(r"!\s*[(\w]", fault.rest) and fault.accepted >= {"_NOT", "NAME"}:
        return "write NOT for !"
    sign = re.match(r"(?:[<>!]=?|==?)", fault.rest)
    if sign is None:
        return None
    if fault.previous == "NOT":
        return (
            "write != for NOT =" if sign[0].startswith("=") else "write the opposite comparison, without NOT"
        )
    if fault.previous in ("AND", "OR") and "NAME" in fault.accepted:
        named = [
            each for each in re.findall(r"[a-z_]\w*", fault.before, re.IGNORECASE) if each.lower() in FIELDS
        ]
        example = f"{named[-1] if named else 'f1'} {sign[0]} {fault.rest[sign.end() :].split()[0]}"
        return f"a condition names its field each time: write {fault.previous} {example}"
    return None


def _listed(fault: Fault) -> Said:
    """Find = where IN is meant, and brackets where they are not."""
    if re.match(r"\.\.", fault.rest) and fault.accepted & {"RSQB", "RPAR"} and "COMMA" in fault.accepted:
        return "a range stands without brackets, as in layer IN 1..3"
    if "LSQB" in fault.accepted and (fault.rest.startswith("{") or fault.word):
        return "a list stands in parentheses, as in (1, 2)"
    equal = re.search(r"(\w+)\s*==?\s*\(?[\w.' |,]*$", fault.before, re.IGNORECASE)
    if equal is None or fault.accepted & {"LSQB", "_MODEL"}:
        return None
    if re.match(r"\.\.", fault.rest):
        return f"a range is tested by IN: write {equal[1]} IN 0..3"
    if re.match(r"[|](?![|])|,", fault.rest) and "COMMA" not in fault.accepted and "PLUS" in fault.accepted:
        return f"several values are tested by IN: write {equal[1]} IN (1, 2)"
    return None


def _other_sign(fault: Fault) -> Said:
    if "EQUAL" not in fault.accepted:
        return None
    if fault.rest.startswith(":"):
        return "write = for :"
    if fault.rest[:1] in ("~", "≈"):
        return f"{fault.rest[0]} is not a comparison: write a range, as in f1 IN 0.4..0.6"
    if fault.rest.startswith(".") and (field := re.match(r"\.(\w+)", fault.rest)):
        return f"fields stand by themselves: write {field[1]}"
    joined = f"{fault.previous}_{fault.word}".lower()
    return f"one name, joined: write {joined}" if joined in FIELDS else None


def _sql(fault: Fault) -> Said:
    word = fault.keyword
    if word in ("BETWEEN", "FROM") and "EQUAL" in fault.accepted:
        return f"no {word} here: a range is written layer IN 0..3, both ends included"
    if word == "BETWEEN":
        return "no BETWEEN here: a range is written layer IN 0..3, both ends included"
    if word in ("LIKE", "CONTAINS", "REGEXP"):
        return f"no {word} here: tokens are tested by MATCHING, as in MATCHING /ing$/"
    if word == "GROUP":
        return "no GROUP BY here: write COUNT neurons, and BY layer after what they match"
    if word in ("HAVING", "WITH", "THAT", "WHICH"):
        return f"no {word} here: write WHERE for fields, MATCHING for patterns"
    if fault.rest.startswith("%"):
        if re.match(r"%\s*\d", fault.rest):
            return "no remainder here: list the values, as in layer IN (0, 2, 4)"
        if counted := re.search(r"\b(limit|offset|sample)\s+\S+$", fault.before, re.IGNORECASE):
            return f"{counted[1].upper()} takes a number of rows, not a share of them"
        return "no percentages here: write 0.6 for 60%"
    if re.match(r"\^|\*\*", fault.rest) and "EQUAL" in fault.accepted:
        return "no powers here: write f1 * f1"
    if fault.rest.startswith("×"):
        return "write * for ×"
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
    if fault.previous == "SHARING":
        return "SHARING takes how much two neurons share at the least, as in SHARING 3"
    if fault.previous in ("AT", "WITHIN") and re.search(
        r"\b(?:excited|inhibited)\s+by\s[^'\"]*$", LITERAL.sub("", fault.before), re.IGNORECASE
    ):
        word = fault.previous
        return f"{word} takes how many positions before the activating token, as in {word} 2"
    if fault.previous == "AT" and "NUMBER" in fault.accepted:
        return "AT takes the number of a token, 0 the first and -1 the last, as in AT -1"
    return None


def _comma(fault: Fault) -> Said:
    if not fault.rest.startswith(",") or "COMMA" in fault.accepted:
        return None
    called = re.search(r"\b([a-z_]\w*)\s*\([^()]*$", fault.before, re.IGNORECASE)
    if called and called[1].upper() not in ("IN", "AND", "OR", "NOT", "WHERE", "ABS"):
        return no_function(called[1]), called.start(1)
    if "_AND" in fault.accepted:
        return "clauses and conditions are joined by AND or OR, not by a comma"
    if re.search(r"\b(limit|offset)\s+\S+$", fault.before, re.IGNORECASE):
        return "LIMIT takes one number: how many rows to leave out first is OFFSET"
    return "a count has one group" if fault.name == "a group" else None


def _every_column(fault: Fault) -> Said:
    if fault.rest.startswith("*") and fault.name == "a column":
        return "columns are named: write RETURN neuron, f1"
    return None


CONDITION_MISTAKES: tuple[Mistake, ...] = (
    _number_sign,
    _no_number,
    _closed,
    _nameless,
    _listed,
    _other_sign,
    _order_key,
    _percent,
    _named_in_parentheses,
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
