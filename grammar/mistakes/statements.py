"""Frequent mistakes around patterns: one function per mistake, each with its own message.

A function returns what to say, with the offset of the caret where that is not the fault's own; None where
the fault is another one. The first that knows the fault is heard.
"""

from __future__ import annotations

import re
from dataclasses import replace

from n2gdb.grammar.fields import nearest
from n2gdb.grammar.mistakes.error_context import LITERAL, Fault, Mistake, Said
from n2gdb.grammar.terminal_words import CLAUSES, KEYWORDS

__all__ = ["STATEMENT_MISTAKES"]

_EXAMPLE = "neurons MATCHING 'the' BEFORE ..."
_STARTS = ("neurons", "patterns", "tokens", "COUNT", "EXPLAIN", "PROFILE")
#: What stands in quotes after a keyword.
_QUOTED = {
    "MODEL": ("a model's name", "IN MODEL 'gpt2'"),
    "OF": ("a model's name", "L3N45 OF 'gpt2'"),
    "ON": ("the text", 'FIRING ON "Everyone except"'),
}
#: Statistics by other names.
_STATISTICS = {
    "MEAN": "AVG",
    "AVERAGE": "AVG",
    "TOTAL": "SUM",
    "MINIMUM": "MIN",
    "MAXIMUM": "MAX",
    "LEAST": "MIN",
    "LARGEST": "MAX",
}
#: Keywords of two words, and how the second is missed.
_SECOND = {
    "SIMILAR": "TO",
    "SUBSET": "OF",
    "SUPERSET": "OF",
    "FIRING": "ON",
    "ACTIVATING": "ON",
    "EXCITED": "BY",
    "INHIBITED": "BY",
    "ORDER": "BY",
    "RANK": "BY",
    "SIMILARITY": "TO",
}


def _empty(fault: Fault) -> Said:
    return None if fault.text.strip() else (f"an empty query: write for example {_EXAMPLE}", 0)


def _wants_neuron(fault: Fault) -> Said:
    if "NEURON" not in fault.accepted or fault.accepted - {"NEURON", "NEURONS"}:
        return None
    if name := re.match(r"(['\"])(L\d+N\d+|\d+/\d+)\1", fault.rest, re.IGNORECASE):
        return f"a neuron's name stands without quotes: write {name[2]}"
    if parts := re.match(r"(?:l|layer)?\s*(\d+)[\s.:,-]*(?:n|neuron)?\s*(\d+)", fault.rest, re.IGNORECASE):
        return f"{parts[0]} is not a neuron's name: write L{parts[1]}N{parts[2]}"
    if re.search(r"\bin\s*\([^()]*$", LITERAL.sub("''", fault.before), re.IGNORECASE):
        return "IN takes neurons in parentheses, as in IN (L3N45, L3N12)"
    keyword = " ".join(fault.before.upper().split()[-2 if fault.previous in ("TO", "OF") else -1 :])
    return f"{keyword} takes a neuron, as in {keyword} L3N45"


def _similarity(fault: Fault) -> Said:
    if fault.keyword == "USING" and (
        late := re.search(r"\bsimilar\s+to\b.*\b(above|sharing)\s+\S+$", fault.before, re.IGNORECASE)
    ):
        return f"USING stands before {late[1].upper()}, as in USING tokens ABOVE 0.9 SHARING 3"
    if fault.rest.startswith("-") and re.search(r"\busing\s+co$", fault.before, re.IGNORECASE):
        return "the metric is one word: write USING cofiring"
    if fault.keyword in ("ASC", "DESC") and "_USING" in fault.accepted and not fault.is_fired:
        return f"the most similar come first: leave {fault.keyword} out"
    ranked = re.search(r"\bsimilarity\s+to\s+\S+(?:\s+using\s+\w+)?$", fault.before, re.IGNORECASE)
    if ranked and (fault.keyword in ("ABOVE", "SHARING") or fault.rest[:1] in ("<", ">", "=")):
        word = "SHARING 3" if fault.keyword == "SHARING" else "ABOVE 0.9"
        return f"RANK BY keeps every row: bound the similarity with SIMILAR TO L3N45 {word}"
    if fault.keyword == "TO" and fault.previous == "SIMILARITY":
        return "similarity is not a field: write RANK BY SIMILARITY TO L3N45"
    if "ABOVE" not in fault.accepted:
        return None
    if re.match(r"[\d.]", fault.rest):
        word = "SHARING" if re.match(r"[1-9]\d*(?![\d.])", fault.rest) else "ABOVE"
        return f"{word} is missing: write {word} {fault.shown}"
    if bound := re.match(
        r"(?:[<>=]+|over|below|under|(?:at\s+)?least|min\w*|threshold)\s*=?\s*([\d.]+)",
        fault.rest,
        re.IGNORECASE,
    ):
        if re.match(r"<|below|under", bound[0], re.IGNORECASE):
            clause = re.search(r"\w+\s+(?:to|of)\s+L\d+N\d+$", fault.before, re.IGNORECASE)
            example = " ".join(clause[0].upper().split()) if clause else "SIMILAR TO L3N45"
            return f"a similarity can only be bounded by ABOVE: write NOT {example} ABOVE {bound[1]}"
        return f"a similarity is bounded by ABOVE: write ABOVE {bound[1]}"
    if fault.keyword == "USING":
        return "USING is of SIMILAR TO and RANK BY: SUBSET OF and SUPERSET OF compare tokens, leave it out"
    return None


def _semicolon(fault: Fault) -> Said:
    if fault.rest.startswith(";") and "COMMA" in fault.accepted:
        return "items of a list are separated by commas: a semicolon ends a query"
    if fault.rest.startswith(";") or fault.before.endswith(";"):
        return "one query at a time: nothing may follow a semicolon"
    if fault.rest.startswith(("//", "#", "/*")) and not fault.wants_step:
        return "a comment starts with --"
    return None


def _beginning(fault: Fault) -> Said:
    if "NEURONS" not in fault.accepted or "NEURON" in fault.accepted:
        return None
    word = fault.keyword
    if fault.previous == "COUNT" and fault.rest.startswith("("):
        return "COUNT takes no parentheses: write COUNT neurons, then what they match"
    if word in ("SELECT", "FROM", "SHOW", "FIND", "GET", "LIST"):
        return f"{word} is not of this language: start with what you ask for, as in neurons RETURN neuron, f1"
    if word in ("MATCH", "RETURN"):
        return f"{word} is not of this language: start with what you ask for, as in {_EXAMPLE}"
    if fault.previous == "COUNT" and word == "TOKENS":
        return "COUNT takes neurons or patterns: write COUNT neurons, and BY activating after what they match"
    if word in CLAUSES:
        return f"a query starts with what it asks for: write neurons {fault.word}"
    if (statistic := _STATISTICS.get(word)) is not None:
        return f"no {word} here: write {statistic} f1 OF neurons, and BY layer after what they match"
    if fault.previous in ("EXPLAIN", "PROFILE") and word in ("EXPLAIN", "PROFILE"):
        return "EXPLAIN and PROFILE exclude each other: PROFILE shows what EXPLAIN does, with times"
    if near := nearest(fault.word, tuple(start for start in _STARTS if start.upper() != word)):
        return f"unexpected {fault.word}: did you mean {near}?"
    if fault.previous == "COUNT":
        return "COUNT takes neurons or patterns, as in COUNT neurons MATCHING 'the' BY layer"
    return f"a query starts with neurons, patterns, tokens or COUNT, as in {_EXAMPLE}"


def _token_query(fault: Fault) -> Said:
    if fault.asks_tokens:
        if _is_tail(fault):
            return "tokens come strongest first: only LIMIT and OFFSET may follow the neuron"
        if re.match(r"(?:,|and\b|or\b)\s*L\d", fault.rest, re.IGNORECASE):
            return "tokens are those of one neuron: ask for each by itself"
    if fault.accepted == {"_OF"} and fault.previous == "CONTEXT":
        return f"OF is missing after CONTEXT: write tokens IN CONTEXT OF {fault.shown.strip() or 'L3N45'}"
    unread = "ACTIVATING" in fault.accepted and "MATCHING" not in fault.accepted
    if not (fault.previous == "TOKENS" and unread) and not (
        fault.asks_tokens and fault.accepted == {"_CONTEXT"}
    ):
        return None
    named = re.search(r"L\d+N\d+\b", fault.rest, re.IGNORECASE)
    name = named[0] if named else "L3N45"
    return f"tokens are those of a neuron: write tokens ACTIVATING {name} or tokens IN CONTEXT OF {name}"


def _is_tail(fault: Fault) -> bool:
    return fault.keyword in ("ORDER", "RANK", "RETURN", "WHERE", "BY") and "LIMIT" in fault.accepted


def _clause_missing(fault: Fault) -> Said:
    if "MATCHING" not in fault.accepted or not re.match(r"['\"$]|<\w+>|/[^/\s]+/|\.\.\.", fault.rest):
        return None
    step, joint = fault.shown, fault.previous
    keyword = _clause_before(fault)
    if joint in ("AND", "OR", "NOT") and keyword != "MATCHING":
        also = f", or {keyword} (... | {step})" if joint == "OR" and keyword in _SINGLE else ""
        negated = " NOT" if joint == "NOT" else ""
        joint = "AND" if joint == "NOT" else joint
        return f"{joint} joins clauses: write {joint}{negated} {keyword} {step}{also}"
    if joint in ("AND", "OR"):
        return f"{joint} joins clauses: write {joint} MATCHING {step}, or BEFORE {step} for the same pattern"
    return f"MATCHING is missing before {step}: write MATCHING {step}"


#: The clauses of a single token.
_SINGLE = ("MENTIONING", "PROMOTING", "SUPPRESSING", "ACTIVATING ON", "EXCITED BY", "INHIBITED BY")


def _clause_before(fault: Fault) -> str:
    """Return the keyword of the last clause before the fault that takes a token or a text."""
    found = re.findall(
        r"\b(matching|mentioning|promoting|suppressing|(?:activating|firing)\s+on|(?:excited|inhibited)\s+by)\b",
        LITERAL.sub("''", fault.before),
        re.IGNORECASE,
    )
    return " ".join(found[-1].upper().split()) if found else "MATCHING"


def _late_clause(fault: Fault) -> Said:
    word, place = fault.keyword, fault.offset
    if fault.previous in CLAUSES and "_IN" in fault.accepted:  # read as a field's name
        word, place = fault.previous, len(fault.before) - len(fault.previous)
    if word not in CLAUSES or "MATCHING" in fault.accepted:
        return None
    if re.search(
        r"\b(where|order|limit|offset|return|rank)\b", LITERAL.sub("''", fault.before), re.IGNORECASE
    ):
        return f"{word} stands before WHERE, ORDER BY and LIMIT: move it there", place
    return f"AND is missing before {word}: write AND {word}" if "_AND" in fault.accepted else None


def _second_word(fault: Fault) -> Said:
    second = _SECOND.get(fault.previous)
    if second is None or not fault.accepted & {second, f"_{second}"}:
        return None
    rest = re.sub(r"^(?:for|at|by|in|with|of|to|on|as|than)\s+", "", fault.rest, flags=re.IGNORECASE)
    named = replace(fault, text=fault.text[: fault.offset] + rest)
    follows = f" {named.shown}" if rest.strip() and named.keyword not in KEYWORDS else ""
    return f"{second} is missing after {fault.previous}: write {fault.previous} {second}{follows}"


def _predictor(fault: Fault) -> Said:
    if fault.keyword == "AT" and re.search(r"\bfiring\b.*\busing\s+\w+$", fault.before, re.IGNORECASE):
        return "AT stands before USING, as in AT -1 USING graph"
    return None


def _rank(fault: Fault) -> Said:
    if fault.accepted == {"_SIMILARITY"}:
        return "RANK BY ranks by similarity: write RANK BY SIMILARITY TO L3N45, or ORDER BY for fields"
    return None


def _late_model(fault: Fault) -> Said:
    if "_IN" not in fault.accepted and re.match(r"in\s+model\b", fault.rest, re.IGNORECASE):
        return "IN MODEL stands right after neurons or patterns: move it there"
    return None


def _joined_step(fault: Fault) -> Said:
    word = fault.keyword
    if fault.previous in ("AND", "OR") and word in ("BEFORE", "THEN", "AFTER", "NEAR"):
        return f"{fault.previous} joins clauses, {word} joins the steps of a pattern: write one of the two"
    return None


def _bare_text(fault: Fault) -> Said:
    if fault.accepted != {"SINGLE_QUOTED", "DOUBLE_QUOTED"} or not fault.rest.strip():
        return None
    what, example = _QUOTED.get(fault.previous, ("a text", "'the'"))
    return f"{what} stands in quotes, as in {example}"


STATEMENT_MISTAKES: tuple[Mistake, ...] = (
    _empty,
    _wants_neuron,
    _similarity,
    _semicolon,
    _beginning,
    _token_query,
    _clause_missing,
    _late_clause,
    _second_word,
    _predictor,
    _rank,
    _late_model,
    _joined_step,
    _bare_text,
)
