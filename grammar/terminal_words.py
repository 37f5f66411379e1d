"""Names of the grammar's terminals in messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from n2gdb.grammar.ast import Metric, Predictor
from n2gdb.grammar.fields import FIELDS, GROUPS, RETURNED, nearest

__all__ = ["CLAUSES", "KEYWORDS", "WORDS", "expected", "nearest_keyword"]

#: In the order in which the possibilities are listed.
WORDS = {
    "NEURONS": "neurons",
    "PATTERNS": "patterns",
    "_TOKENS": "tokens",
    "_COUNT": "COUNT",
    "AVG": "AVG",
    "MIN": "MIN",
    "MAX": "MAX",
    "MEDIAN": "MEDIAN",
    "SUM": "SUM",
    "EXPLAIN": "EXPLAIN",
    "PROFILE": "PROFILE",
    "_MODEL": "MODEL",
    "_CONTEXT": "CONTEXT",
    "MATCHING": "MATCHING",
    "MENTIONING": "MENTIONING",
    "EXCITED": "EXCITED BY",
    "INHIBITED": "INHIBITED BY",
    "ACTIVATING": "ACTIVATING",
    "ONLY": "ONLY",
    "FIRING": "FIRING ON",
    "SHOWING": "SHOWING",
    "SIMILAR": "SIMILAR TO",
    "SUBSET": "SUBSET OF",
    "SUPERSET": "SUPERSET OF",
    "_ON": "ON",
    "_TO": "TO",
    "_SIMILARITY": "SIMILARITY",
    "NEURON": "a neuron such as L3N45",
    "_OF": "OF",
    "_USING": "USING",
    "ABOVE": "ABOVE",
    "SHARING": "SHARING",
    "_AT": "AT",
    "_WITHIN": "WITHIN",
    "EXPRESSION": "an expression such as /ing$/",
    "CLASS": "a class such as <digit>",
    "BANG": "!",
    "VARIABLE": "a variable such as $x",
    "LIKE_VARIABLE": "~$x",
    "OTHER_VARIABLE": "!$x",
    "ANY": "_",
    "RUN": "...",
    "VBAR": "|",
    "AMPERSAND": "&",
    "DISTANCE": "a distance such as /3",
    "BEFORE": "BEFORE",
    "THEN": "THEN",
    "AFTER": "AFTER",
    "NEAR": "NEAR",
    "PROMOTING": "PROMOTING",
    "SUPPRESSING": "SUPPRESSING",
    "NAME": "a field",
    "EQUAL": "a comparison such as >=",
    "UNEQUAL": "a comparison such as >=",
    "LESS_EQUAL": "a comparison such as >=",
    "MORE_EQUAL": "a comparison such as >=",
    "LESS": "a comparison such as >=",
    "MORE": "a comparison such as >=",
    "PLUS": "arithmetic",
    "STAR": "arithmetic",
    "SLASH": "arithmetic",
    "PERCENT": "arithmetic",
    "_IN": "IN",
    "_IS": "IS MISSING",
    "_MISSING": "MISSING",
    "NUMBER": "a number",
    "SINGLE_QUOTED": "a word in quotes",
    "DOUBLE_QUOTED": "a word in quotes",
    "_RANGE": "..",
    "LSQB": "a list such as (1, 2)",
    "_NOT": "NOT",
    "LPAR": "(",
    "RSQB": "]",
    "RPAR": ")",
    "_AND": "AND",
    "AND_ROLE": "AND ACTIVATING",
    "AND_NOT_ROLE": "AND NOT ACTIVATING",
    "_OR": "OR",
    "_WHERE": "WHERE",
    "ORDER": "ORDER BY",
    "RANK": "RANK BY",
    "BY": "BY",
    "ASC": "ASC",
    "DESC": "DESC",
    "COMMA": "a comma",
    "SAMPLE": "SAMPLE",
    "SEED": "SEED",
    "LIMIT": "LIMIT",
    "OFFSET": "OFFSET",
    "RETURN": "RETURN",
    "$END": "the end of the query",
}
KEYWORDS = frozenset(part for word in WORDS.values() if word[0].isupper() for part in word.split()) | {
    "NEURONS",
    "LATENTS",
    "UNITS",
    "PATTERNS",
    "TOKENS",
}
#: The keywords that a clause starts with.
CLAUSES = (
    *("MATCHING", "MENTIONING", "PROMOTING", "SUPPRESSING", "EXCITED", "INHIBITED"),
    *("ACTIVATING", "FIRING", "SHOWING", "SIMILAR", "SUBSET", "SUPERSET"),
)

#: What a name may be, by what it is called.
_NAMES: Mapping[str, Iterable[str]] = {
    "a field": FIELDS,
    "a column": RETURNED,
    "a metric": tuple(metric.value for metric in Metric),
    "a predictor": tuple(predictor.value for predictor in Predictor),
    "a group": (*GROUPS[:5], "any field"),
}


def expected(accepted: Iterable[str], name: str) -> str:
    """Return what could stand there, in words; whatever starts a clause or a step is listed as one.

    ``name`` is what a NAME is called there.
    """
    names = set(accepted)
    if names == {"NAME"}:
        return f"{name} ({', '.join(_NAMES[name])})"
    if "EXPRESSION" in names:
        return "a token in quotes or ..." if "RUN" in names else "a token in quotes"
    words: list[str] = []
    if names.issuperset(CLAUSES):
        words.append("a clause such as MATCHING 'the'")
        words += ["IN MODEL"] if "_IN" in names else []
        names -= {*CLAUSES, "LPAR", "_NOT", "_IN"}
    words += dict.fromkeys(word for each, word in WORDS.items() if each in names)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def nearest_keyword(word: str, accepted: Iterable[str]) -> str | None:
    """Return the keyword that could stand there and is most like ``word``."""
    texts = [WORDS[name] for name in WORDS if name in set(accepted)]
    first = {text.split()[0]: text for text in texts if text.split()[0].upper() in KEYWORDS}
    near = None if word.upper() in KEYWORDS else nearest(word, tuple(first))
    return first[near] if near else None
