"""Completion: keywords, fields, tokens and neurons that the grammar allows at a position."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from n2gdb.core.tokens import display
from n2gdb.grammar.ast import Metric, Predictor, TokenKind
from n2gdb.grammar.fields import FIELDS, GROUPS, RETURNED, WRITTEN
from n2gdb.grammar.parsing.expected import expected_terminals
from n2gdb.grammar.terminal_words import WORDS

__all__ = [
    *("Rows", "Suggestion", "candidates", "layers_of", "model_names", "neuron_names", "open_quote"),
    "statements_in",
]

#: Runs a statement with its parameters and returns its rows.
Rows = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]

_MOST, _MOST_NEURONS = 50, 100
_BEGUN = re.compile(r"L(?P<layer>\d+)N(?P<index>\d*)", re.IGNORECASE)
_HALF_WORD = re.compile(r"[\w<$.]*\Z")
_LAST_KEYWORD = re.compile(r"(?i)\b(USING|RETURN|BY)\b[^'\"]*\Z")
_COUNTED = re.compile(r"(?i)\A\s*(?:(?:EXPLAIN|PROFILE)\s+)?COUNT\b")
_MEASURED = re.compile(r"(?i)\A\s*(?:(?:EXPLAIN|PROFILE)\s+)?(?:AVG|MIN|MAX|MEDIAN|SUM)\b")
_ORDERED = re.compile(r"(?i)\bORDER\s+BY\b[^'\"]*\Z")
_MODEL_DUE = re.compile(r"(?i)\b(?:MODEL|L\d+N\d+\s+OF|\d+/\d+\s+OF)\s*\Z")
_PREDICTED = re.compile(
    r"(?is)\bFIRING\s+ON\s+(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\s*(?:AT\s+-?\d+\s*)?USING\s*\Z"
)
_TEXT_DUE = re.compile(r"(?i)\bFIRING\s+ON\s*\Z")

#: What is typed for a terminal that has one spelling, beside the keywords.
_SIGNS = {
    "NEURONS": "neurons",
    "PATTERNS": "patterns",
    "_TOKENS": "tokens",
    "RUN": "...",
    "ANY": "_",
    "EQUAL": "=",
    "LESS_EQUAL": "<=",
    "MORE_EQUAL": ">=",
    "_RANGE": "..",
}

_LOOSE = (
    "MATCH (t:Token) WHERE starts_with(t.norm, $begun) AND NOT t.special"
    f" RETURN DISTINCT t.norm AS text ORDER BY size(text), text LIMIT {_MOST}"
)
_EXACT = (
    "MATCH (t:Token) WHERE starts_with(t.text, $begun) AND NOT t.special"
    f" RETURN DISTINCT t.text AS text ORDER BY size(text), text LIMIT {_MOST}"
)
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


# A slash opens an expression only where no word or bracket stands before it: else it divides.
_WHOLE = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|--[^\n]*|(?<![\w)'\"])/(?:[^/\\\n]|\\.)+/|[^'\"]", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What may be written: ``text`` in place of what was begun, ``shown`` to people.

    ``kind`` is keyword, field, class, neuron, model or token.
    """

    text: str
    shown: str
    kind: str


def candidates(rows: Rows, text: str) -> tuple[int, list[Suggestion]]:
    """Return what may go on at the end of an unfinished text, most useful first, and where that begins."""
    quote = open_quote(text)
    if quote is not None:
        return quote + 1, list(_quoted(rows, text[:quote], text[quote], text[quote + 1 :]))
    half = _HALF_WORD.search(text)
    begun = half[0] if half else ""
    before = text[: len(text) - len(begun)]
    offered = {each.text: each for each in _offered(rows, expected_terminals(before), before, begun)}
    found = [
        each
        for each in offered.values()
        if each.text.lower().startswith(begun.lower()) and each.text != begun
    ]
    return len(before), found


def open_quote(text: str) -> int | None:
    """Return where the quote stands that is still open at the end of a text; None if none is."""
    at = 0
    while at < len(text):
        found = _WHOLE.match(text, at)
        if found is None:
            return at
        at = found.end()
    return None


def statements_in(text: str) -> list[str]:
    """Return the statements of a text, split at semicolons outside of quotes, comments and expressions."""
    parts, begun, at = [], 0, 0
    while at < len(text):
        found = _WHOLE.match(text, at)
        if found is not None and found[0] == ";":
            parts.append(text[begun:at])
            begun = at + 1
        at = found.end() if found is not None else len(text)
    kept = (part.strip() for part in [*parts, text[begun:]])
    return [part for part in kept if re.sub(r"--[^\n]*", "", part).strip()]


def model_names(rows: Rows) -> list[str]:
    """Return the names of the models."""
    return [name for (name,) in rows("MATCH (m:Model) RETURN m.name ORDER BY m.name", {})]


def layers_of(rows: Rows) -> list[int]:
    """Return the layers that have neurons."""
    return [layer for (layer,) in rows("MATCH (n:Neuron) RETURN DISTINCT n.layer ORDER BY n.layer", {})]


def neuron_names(rows: Rows, begun: str) -> list[str]:
    """Return what the name of a neuron may go on to, ``L3N`` or ``L3N45``: a hundred at most."""
    found = _BEGUN.fullmatch(begun)
    if found is None:
        names = [f"L{layer}N" for layer in layers_of(rows) if f"l{layer}n".startswith(begun.lower())]
        if len(names) == 1:  # as the only one, a shell would take it for the whole name
            return neuron_names(rows, names[0])
    else:
        indices = rows(
            "MATCH (n:Neuron) WHERE n.layer = $layer AND starts_with(CAST(n.`index`, 'STRING'), $begun)"
            f" RETURN DISTINCT n.`index` ORDER BY n.`index` LIMIT {_MOST_NEURONS}",
            {"layer": int(found["layer"]), "begun": found["index"]},
        )
        names = [f"L{found['layer']}N{index}" for (index,) in indices]
    return [begun + name[len(begun) :] for name in names if name.lower().startswith(begun.lower())]


def _quoted(rows: Rows, before: str, quote: str, begun: str) -> Iterator[Suggestion]:
    """Complete the text after an open quote: a model's name or a token."""
    if _TEXT_DUE.search(before):
        return
    if _MODEL_DUE.search(before):
        texts, kind = [name for name in model_names(rows) if name.startswith(begun)], "model"
    else:
        wanted = begun if quote == '"' else begun.casefold()
        found = rows(_EXACT if quote == '"' else _LOOSE, {"begun": wanted})
        texts, kind = [text for (text,) in found], "token"
    for text in texts:
        written = "".join(_ESCAPES.get(char, f"\\{quote}" if char == quote else char) for char in text)
        yield Suggestion(f"{written}{quote}", display(text), kind)


def _offered(rows: Rows, terminals: frozenset[str], before: str, begun: str) -> Iterator[Suggestion]:
    for name in WORDS:
        if name in terminals:
            if name in _SIGNS:
                yield _plain(_SIGNS[name], "keyword")
            elif WORDS[name].isupper():
                yield _plain(WORDS[name], "keyword")
    if "NAME" in terminals:
        yield from (_plain(name, "field") for name in _names(before))
    if "CLASS" in terminals:
        yield from (_plain(f"<{kind.value}>", "class") for kind in TokenKind)
    if "NEURON" in terminals and not begun.startswith("<"):
        yield from (_plain(name, "neuron") for name in neuron_names(rows, begun))


def _plain(text: str, kind: str) -> Suggestion:
    return Suggestion(text, text, kind)


def _names(before: str) -> Iterable[str]:
    """Return what a bare name may be there."""
    keyword = _LAST_KEYWORD.search(before)
    match keyword[1].upper() if keyword else "":
        case "USING" if _PREDICTED.search(before):
            return [predictor.value for predictor in Predictor]
        case "USING":
            return [metric.value for metric in Metric]
        case "RETURN":
            return RETURNED
        case "BY" if _COUNTED.match(before) and not _ORDERED.search(before):
            return [name for name in GROUPS if _is_of_rows(before, name)]
        case "BY" if _MEASURED.match(before) and not _ORDERED.search(before):
            return [
                name for name in GROUPS if _is_of_rows(before, name) and name not in ("activating", "context")
            ]
        case _:
            return [name for name in FIELDS if _is_of_rows(before, name)]


def _is_of_rows(before: str, name: str) -> bool:
    """Whether rows of a query so far have a field, if it is of matches or of what neurons write."""
    said = set(re.findall(r"[a-z]+", before.lower()))
    if not said & {"neurons", "latents", "units", "patterns"}:
        return True  # of a statistic, what it is of is still to come
    if name in WRITTEN:
        return (name == WRITTEN[0] and "promoting" in said) or (name == WRITTEN[1] and "suppressing" in said)
    field = FIELDS.get(name)
    if field is None or not field.of_match:
        return True
    if "patterns" in said:
        return name not in ("matches", "share")
    return bool(said & {"matching", "mentioning", "activating", "firing"})
