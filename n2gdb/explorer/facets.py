"""Facets of an answer, and groups of a count: how many rows each has, and the query for these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import nsmallest
from typing import Any

import numpy as np

from n2gdb.core.arrays import Int64Array
from n2gdb.core.tokens import CLASSES, SHAPES, display, kinds_of
from n2gdb.database import Database
from n2gdb.evidence.quality import FEW_FIRINGS
from n2gdb.explorer.asked import read_asked
from n2gdb.grammar.ast import (
    AnyToken,
    GroupBy,
    Grouping,
    Matching,
    Mode,
    Query,
    Run,
    Subject,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
)
from n2gdb.grammar.fields import FIELDS
from n2gdb.grammar.unparse import written
from n2gdb.query.builder.conditions import conditions_of, conjoined
from n2gdb.query.builder.patterns import Steps, kind, tok
from n2gdb.query.builder.queries import neurons
from n2gdb.query.columnar.units import Words, holding
from n2gdb.query.execution.counts import Tally, tally

__all__ = ["group_query", "list_facets"]

#: Bands of F1, of density and of firings on held-out text, from and below; tokens of one facet.
_BANDS = ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, None))
_DENSITIES = ((0.0, 1e-5), (1e-5, 1e-4), (1e-4, 1e-3), (1e-3, 1e-2), (1e-2, None))
_FIRINGS = ((0, 1), (1, FEW_FIRINGS), (FEW_FIRINGS, 100), (100, 1000), (1000, None))
_TOKENS = 12

#: Classes of tokens that are told apart.
_CLASSES = (
    *(TokenKind.WORD, TokenKind.LOWER, TokenKind.TITLE, TokenKind.UPPER),
    *(TokenKind.PIECE, TokenKind.DIGIT, TokenKind.PUNCT, TokenKind.SPACE),
)

#: Steps of a pattern that stand for one token, whichever it is.
_ONE_TOKEN = (Run, AnyToken, TokenLiteral, TokenExpression, TokenClass)

_Bands = tuple[tuple[float, float | None], ...]
_Shown = list[tuple[str, int, Query]]


def list_facets(database: Database, query: str, *, model: str | None) -> dict[str, Any]:
    """Return the facets of all that a query for neurons or patterns finds, LIMIT aside; none of others."""
    asked = read_asked(query, model)
    if not isinstance(asked, Query) or asked.count is not None or asked.mode is not Mode.ANSWER:
        return {"facets": []}
    plain = replace(asked, order=(), rank=None, limit=None, offset=None, returns=(), source="")
    shown = replace(
        asked, model=None if model is not None and asked.model == model else asked.model, source=""
    )
    counts = _Counts(database, plain, tally(database.session(), plain))
    return {
        "facets": [facet for facet in _facets(database, plain, shown, counts) if len(facet["groups"]) > 1]
    }


@dataclass(frozen=True, eq=False)
class _Counts:
    """How many rows of an answer there are of each group, with each band of a field, on each token."""

    database: Database
    plain: Query
    found: Tally

    def of(self, by: Grouping) -> list[tuple[Any, int]]:
        units, rows = self.found.columns.units, self.found.rows
        match by:
            case Grouping.LAYER:
                counts = np.bincount(units.table["layer"].to_numpy(), rows)
                return [(layer, int(count)) for layer, count in enumerate(counts) if count]
            case _:
                counts = np.bincount(units.models, rows)
                named: list[tuple[Any, int]] = [
                    (each.name, int(counts[each.number]))
                    for each in self.database.models()
                    if each.number < len(counts)
                ]
        return sorted(named, key=lambda each: (-each[1], each[0]))

    def of_words(self, field: str) -> list[tuple[str, int]]:
        """Count the rows of each word of a field, the most frequent first."""
        words = self.found.columns.units.column(field)
        assert isinstance(words, Words), "kinds and states are words"
        rows = self.found.rows
        named = [(name, int(rows[words.codes == code].sum())) for code, name in enumerate(words.names)]
        return sorted(named, key=lambda each: (-each[1], each[0]))

    def within(self, narrowing: Mapping[str, float]) -> int:
        units = self.found.columns.units
        inside = holding(conjoined(*conditions_of(narrowing)), units.column, len(units))
        return int(self.found.rows[inside].sum())

    @cached_property
    def tokens(self) -> Counter[str]:
        """Rows by the token that they fire on: by what the query asks for, or else at all."""
        if self.plain.subject is Subject.PATTERNS or self._asks_for_one:
            return self.found.tokens()
        return self._at_all

    @property
    def _asks_for_one(self) -> bool:
        return self.plain.clauses is not None and _firing_on(self.plain, "") is not None

    @cached_property
    def _at_all(self) -> Counter[str]:
        on = self.found.columns.activating
        counts = np.bincount(on.code, self.found.rows[on.owner], len(on.texts))
        return Counter({on.texts[place]: int(counts[place]) for place in np.flatnonzero(counts)})

    def of_class(self, of: TokenKind) -> int:
        """Return how many rows fire on a token of a class."""
        texts, units = self.found.columns.activating.of_class(of, _is_of)
        if self.plain.subject is Subject.PATTERNS:
            return int(self._by_text[texts].sum())
        return int(self.found.rows[units].sum())

    @cached_property
    def _by_text(self) -> Int64Array:
        return np.array([self.tokens[text] for text in self.found.columns.activating.texts], np.int64)


def _is_of(text: str, of: TokenKind) -> bool:
    if of.value in SHAPES:
        return SHAPES[of.value](text)
    return bool(kinds_of(text) & 1 << CLASSES.index(of.value))


def _facets(database: Database, plain: Query, shown: Query, counts: _Counts) -> Iterator[dict[str, Any]]:
    layers: _Shown = [
        (str(group), count, _narrowed(shown, layer=group)) for group, count in counts.of(Grouping.LAYER)
    ]
    yield _facet("layer", "layer", layers)
    if len(database.models()) > 1:
        models: _Shown = [
            (str(group), count, replace(shown, model=str(group)))
            for group, count in counts.of(Grouping.MODEL)
        ]
        yield _facet("model", "model", models)
    if counts.within({"heldout_f1__ge": 0.0}):
        yield _facet("heldout_f1", "held-out F1", list(_bands(counts, shown, "heldout_f1", _BANDS)))
        yield _facet(
            "heldout_firings", "held-out firings", list(_bands(counts, shown, "heldout_firings", _FIRINGS))
        )
    else:
        yield _facet("f1", "F1", list(_bands(counts, shown, "f1", _BANDS)))
    yield _facet("density", "density", list(_bands(counts, shown, "density", _DENSITIES)))
    if plain.subject is not Subject.PATTERNS:
        kinds: _Shown = [
            (group, count, _narrowed(shown, kind=group)) for group, count in counts.of_words("kind")
        ]
        yield _facet("kind", "kind", kinds)
        states: _Shown = [
            (group, count, _narrowed(shown, state=group)) for group, count in counts.of_words("state")
        ]
        yield _facet("state", "state", states)
    yield _facet("activating", "fires on", list(_tokens(shown, counts)))
    classes = [
        (f"<{each.value}>", counts.of_class(each), _also(shown, kind(each.value))) for each in _CLASSES
    ]
    yield _facet("class", "fires on a token that is", classes)


def _tokens(shown: Query, counts: _Counts) -> Iterator[tuple[str, int, Query]]:
    """Yield the tokens that most rows fire on, each with the query for these."""
    for text, count in nsmallest(_TOKENS, counts.tokens.items(), key=lambda each: (-each[1], each[0])):
        query = _firing_on(shown, text)
        yield display(text), count, _also(shown, tok(text, exact=True)) if query is None else query


def group_query(asked: Query, row: Mapping[str, Any]) -> str | None:
    """Return the query for what one row of a COUNT, or a statistic, is of; None where it cannot be written.

    A row has its group under ``group``, or several under their names.
    """
    count = asked.count
    if count is None or asked.sample is not None:
        return None
    query = replace(asked, count=None, order=(), rank=None, limit=None, offset=None, source="")
    named = (*(GroupBy(by.value) for by in (count.by,) if by is not None), *count.groups)
    for group in named:
        value = row["group" if len(named) == 1 else group.name]
        if value is None:
            return None
        narrowed = _of_group(query, group, value)
        if narrowed is None:
            return None
        query = narrowed
    return written(query)


def _of_group(query: Query, group: GroupBy, value: Any) -> Query | None:
    match group.name:
        case Grouping.MODEL.value:
            return replace(query, model=str(value))
        case Grouping.ACTIVATING.value:
            return _firing_on(query, str(value))
        case Grouping.CONTEXT.value:
            return _also(query, tok(str(value), exact=True).before(...))
        case name if FIELDS[name].of_match and query.subject is not Subject.PATTERNS:
            return None  # it is the largest of several matches, which no condition says
        case name if group.width is None:
            return _narrowed(query, **{name: value})
        case name:
            return _narrowed(query, **{f"{name}__ge": value, f"{name}__lt": round(value + group.width, 9)})


def _facet(name: str, title: str, groups: _Shown) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "groups": [
            {"said": said, "count": count, "query": written(query)} for said, count, query in groups if count
        ],
    }


def _bands(counts: _Counts, shown: Query, field: str, bands: _Bands) -> Iterator[tuple[str, int, Query]]:
    for least, below in bands:
        limits = _limits(field, least, below)
        yield _band(field, least, below), counts.within(limits), _narrowed(shown, **limits)


def _band(field: str, least: float, below: float | None) -> str:
    """Write a band, of whole numbers by its first and last."""
    if below is None:
        return f"{least:g} and more"
    if field != "heldout_firings":
        return f"{_plain(least)} to {_plain(below)}"
    return f"{least:g}" if below - least == 1 else f"{least:g} to {below - 1:g}"


def _plain(number: float) -> str:
    """Write a number without an exponent."""
    return f"{number:.9f}".rstrip("0").rstrip(".")


def _limits(field: str, least: float, below: float | None) -> dict[str, float]:
    return {f"{field}__ge": least} | ({} if below is None else {f"{field}__lt": below})


def _narrowed(query: Query, **fields: object) -> Query:
    given = () if query.where is None else (query.where,)
    return replace(query, where=conjoined(*given, *conditions_of(fields)))


def _firing_on(query: Query, token: str) -> Query | None:
    """Return the query for what another finds that fires on this very token by what it asks for.

    None where that is not one pattern whose last step stands for one token.
    """
    if query.clauses is None:
        return _also(query, tok(token, exact=True))
    if not isinstance(query.clauses, Matching) or query.clauses.only or query.clauses.written:
        return None
    pattern = query.clauses.pattern
    *before, last = pattern.steps
    if not isinstance(last, _ONE_TOKEN) or (pattern.links and pattern.links[-1].either):
        return None
    steps = (*before, TokenLiteral(token, exact=True))
    return replace(query, clauses=replace(query.clauses, pattern=replace(pattern, steps=steps)))


def _also(query: Query, step: Steps) -> Query:
    clause = neurons().matching(step).tree.clauses
    assert clause is not None, "it was just given one"
    return replace(query, clauses=clause if query.clauses is None else conjoined(query.clauses, clause))
