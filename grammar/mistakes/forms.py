"""Frequent mistakes in ranges, lists of neurons, ONLY, several tests of one token, and statistics."""

from __future__ import annotations

import re

from n2gdb.grammar.mistakes.error_context import LITERAL, Fault, Mistake, Said

__all__ = ["FORM_MISTAKES"]

_UNIT = r"(?:L\d+[NF]\d+|\d+/\d+)"
#: A list of neurons as it is written in the wrong place: in parentheses, a saved set, or one alone.
_LISTED = re.compile(rf"(\(\s*{_UNIT}[^()]*\)|\$[a-z_]\w*|{_UNIT}\S*)", re.IGNORECASE)
#: A distance that is written, or the beginning of a range.
_BEGUN = re.compile(r"(\bbefore|\bafter|\bnear|\b_)/(\d+)(?:\.\.)?$", re.IGNORECASE)


def _range(fault: Fault) -> Said:
    """Find a range of distances in another notation."""
    if begun := _BEGUN.search(fault.before):
        least = f"{begun[1].upper()}/{begun[2]}.."
        most = re.match(r"(?:\.\.\.?|\.|-|,|=|to\b)?\s*(\d+)", fault.rest)
        if most and (most[0] != most[1] or begun[0].endswith("..")):
            return f"a range of distances is written without spaces: write {least}{most[1]}"
        if fault.rest.startswith(("+", ">")):
            return f"a range without an end is written with two dots: write {least}"
    bound = re.match(r"/\s*(\.\.|[<>]=?)\s*(\d+)", fault.rest)
    word = re.search(r"\b(before|after|near|_)$", fault.before, re.IGNORECASE)
    if bound is None or word is None:
        return None
    if bound[1][0] == ">":
        least = f"{word[1].upper()}/{int(bound[2]) + (bound[1] == '>')}.."
        return f"a least distance is written with two dots: write {least}"
    if word[1] == "_":
        return f"a range begins with a number: write _/1..{bound[2]}"
    most_of = int(bound[2]) - (bound[1] == "<")
    return f"one number is the largest distance: write {word[1].upper()}/{most_of}"


def _list(fault: Fault) -> Said:
    """Find a list of neurons that does not stand right after what is asked for."""
    found = _LISTED.match(re.sub(r"^in\s*", "", fault.rest, flags=re.IGNORECASE))
    if found is None:
        return None
    asked = re.match(r"\s*(?:count\s+)?(neurons|latents|units|patterns)", fault.text, re.IGNORECASE)
    subject = asked[1].lower() if asked else "neurons"
    if fault.keyword == "IN" and fault.previous == "NOT":
        one = re.match(r"\W*L(\d+)N(\d+)", found[0], re.IGNORECASE)
        place = f"layer = {one[1]} AND index = {one[2]}" if one else "layer = 3 AND index = 45"
        return f"a list says which neurons are looked at, never which are not: write WHERE NOT ({place})"
    if fault.keyword == "IN" and asked and fault.offset > asked.end() + 1:
        return f"a list of neurons stands right after what is asked for: write {subject} IN {found[0]}"
    if fault.accepted & {"NEURON"} and found[0][0] in "($":
        if fault.previous == "OF" and subject == "patterns":
            return f"the patterns of several neurons: write patterns IN {found[0]}"
        if fault.asks_tokens:
            word = "IN CONTEXT OF" if fault.previous == "OF" else "ACTIVATING"
            return f"the tokens of several neurons: write tokens {word} neurons IN {found[0]}"
    return None


def _only(fault: Fault) -> Said:
    """Find ONLY, or ALL in its sense, where it does not stand."""
    if fault.keyword == "ALL" and fault.previous == "MATCHING" and LITERAL.match(fault.rest[3:].lstrip()):
        return "every pattern of a neuron is asked about by ONLY: write MATCHING ONLY"
    if fault.keyword != "ONLY" or "ONLY" in fault.accepted:
        return None
    return "ONLY stands in MATCHING ONLY 'the' and in ACTIVATING ONLY ON 'the'"


def _tests(fault: Fault) -> Said:
    """Find several tests of one token that are not joined by ``&``."""
    if fault.rest.startswith("&") and fault.before.endswith("&"):
        return "tests of one token are joined by a single &, as in (<title> & !'The')"
    if fault.accepted - {"AMPERSAND"} == {"VBAR", "RPAR"} and fault.rest.startswith(
        ("!", "<", "AND !", "and !")
    ):
        return "tests of one token are joined by &, as in (<title> & !'The')"
    return None


def _statistic(fault: Fault) -> Said:
    """Find a statistic that is written as a function, or of several fields."""
    found = re.match(r"\s*(avg|min|max|median|sum)\b\s*(\w*)\s*$", fault.before, re.IGNORECASE)
    if found is None:
        return None
    word = found[1].upper()
    if not found[2] and (field := re.match(r"\(\s*(\w+)\s*\)", fault.rest)):
        return f"{word} is no function: write {word} {field[1]} OF"
    if found[2] and fault.rest.startswith(","):
        return f"{word} takes one field: write {word} {found[2]} OF, and ask for the others by themselves"
    return None


def _arithmetic(fault: Fault) -> Said:
    """Find a missing value, an amount or a remainder in another notation."""
    if (missing := re.search(r"\bmissing$", fault.before, re.IGNORECASE)) and fault.word:
        return f"the field comes first: write {fault.word} IS MISSING", missing.start()
    if (amount := re.search(r"\babs$", fault.before, re.IGNORECASE)) and fault.word:
        return f"abs() takes parentheses: write abs({fault.word})", amount.start()
    bars = re.match(r"\|([^|]+)\|", fault.rest)
    if bars and not fault.wants_step and re.search(r"\bwhere\b", fault.before, re.IGNORECASE):
        return f"a number without its sign is written abs(): write abs({bars[1].strip()})"
    if fault.keyword == "MOD" and "EQUAL" in fault.accepted:
        return "a remainder is written %: write index % 2"
    return None


def _drawn(fault: Fault) -> Said:
    """Find a sample that is asked for in other words."""
    if "SAMPLE" not in fault.accepted:
        return None
    if fault.keyword in ("RANDOM", "RAND", "CHOOSE") and (number := re.match(r"\w+\s+(\d+)", fault.rest)):
        return f"rows are drawn by SAMPLE: write SAMPLE {number[1]}"
    if fault.keyword == "SEED":
        return "SEED follows SAMPLE, as in SAMPLE 20 SEED 3"
    return None


FORM_MISTAKES: tuple[Mistake, ...] = (_range, _list, _only, _tests, _statistic, _arithmetic, _drawn)
