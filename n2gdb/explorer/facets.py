"""Facets of an answer: how many rows each layer, state, band of F1 and token has, and the query for these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any, Protocol

from n2gdb.core.paths import PathStep
from n2gdb.core.tokens import CLASSES, SHAPES, display, kinds_of
from n2gdb.core.units import NeuronName
from n2gdb.database import Database
from n2gdb.evidence.quality import FEW_FIRINGS
from n2gdb.explorer.answers import read_asked
from n2gdb.grammar.ast import Count, Grouping, Mode, Query, Subject, TokenKind
from n2gdb.grammar.unparse import written
from n2gdb.query.builder.conditions import conditions_of, conjoined
from n2gdb.query.builder.patterns import TokenStep, kind, tok
from n2gdb.query.builder.queries import neurons
from n2gdb.storage.read.names import neuron_key
from n2gdb.storage.read.tokens import activating_texts

__all__ = ["list_facets"]

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

#: Rows up to which an answer is read once, and counted here: each count of its own asks the query again.
_FEW_ROWS = 500

_Bands = tuple[tuple[float, float | None], ...]
_Shown = list[tuple[str, int, Query]]


def list_facets(database: Database, query: str, *, model: str | None) -> dict[str, Any]:
    """Return the facets of all that a query for neurons or patterns finds, LIMIT aside; none of others."""
    asked = read_asked(query, model)
    if not isinstance(asked, Query) or asked.count is not None or asked.mode is not Mode.ANSWER:
        return {"facets": []}
    if asked.subject is Subject.LATENTS or asked.subject is Subject.UNITS:
        return {"facets": []}
    plain = replace(asked, order=(), rank=None, limit=None, offset=None, returns=(), source="")
    shown = replace(
        asked, model=None if model is not None and asked.model == model else asked.model, source=""
    )
    counts = _counts_of(database, plain)
    return {
        "facets": [facet for facet in _facets(database, plain, shown, counts) if len(facet["groups"]) > 1]
    }


class _Counts(Protocol):
    """How many rows of an answer there are of each group, and with each band of a field."""

    def of(self, by: Grouping) -> list[tuple[Any, int]]: ...

    def within(self, field: str, least: float, below: float | None) -> int: ...

    def of_class(self, of: TokenKind) -> int:
        """Return how many rows fire on a token of a class."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Counts that are asked for one by one."""

    database: Database
    plain: Query

    def of(self, by: Grouping) -> list[tuple[Any, int]]:
        return _counted(self.database, self.plain, by)

    def within(self, field: str, least: float, below: float | None) -> int:
        narrowed = _narrowed(self.plain, **_limits(field, least, below))
        return int(self.database.query(replace(narrowed, count=Count()))[0].count)

    def of_class(self, of: TokenKind) -> int:
        return self.database.count(_also(self.plain, kind(of.value)))


@dataclass(frozen=True, slots=True)
class _Read:
    """Counts of the rows of an answer, which are read once."""

    rows: tuple[dict[str, Any], ...]
    tokens: tuple[frozenset[str], ...]
    """What each row fires on."""

    def of(self, by: Grouping) -> list[tuple[Any, int]]:
        found = Counter(row[by.value] for row in self.rows)
        return sorted(
            found.items(), key=lambda each: (each[0] if by is Grouping.LAYER else -each[1], each[0])
        )

    def within(self, field: str, least: float, below: float | None) -> int:
        held = (row[field] for row in self.rows)
        return sum(least <= each and (below is None or each < below) for each in held if each is not None)

    def of_class(self, of: TokenKind) -> int:
        return sum(any(_is_of(text, of) for text in texts) for texts in self.tokens)


@lru_cache(maxsize=10_000)
def _is_of(text: str, of: TokenKind) -> bool:
    if of.value in SHAPES:
        return SHAPES[of.value](text)
    return bool(kinds_of(text) & 1 << CLASSES.index(of.value))


def _counts_of(database: Database, plain: Query) -> _Counts:
    if database.count(plain) > _FEW_ROWS:
        return _Asked(database, plain)
    named = "path" if plain.subject is Subject.PATTERNS else "neuron"
    columns = (named, "model", "layer", "state", "f1", "heldout_f1", "heldout_firings", "density")
    found = database.query(replace(plain, returns=columns))
    rows = tuple(row.as_dict() for row in found)
    if plain.subject is Subject.PATTERNS:
        return _Read(rows, tuple(frozenset(_last(row.steps)) for row in found))
    keys = [neuron_key(database.model(row["model"]), NeuronName.of(row["neuron"])) for row in rows]
    texts = activating_texts(database.connection, [key for key in keys if key is not None])
    return _Read(rows, tuple(frozenset(() if key is None else texts.get(key, ())) for key in keys))


def _last(steps: Sequence[PathStep]) -> Iterator[str]:
    return (step.text for step in steps if step.depth == 0 and step.text is not None)


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
    if any(counts.within("heldout_f1", *band) for band in _BANDS):
        yield _facet("heldout_f1", "held-out F1", list(_bands(counts, shown, "heldout_f1", _BANDS)))
        yield _facet(
            "heldout_firings", "held-out firings", list(_bands(counts, shown, "heldout_firings", _FIRINGS))
        )
    else:
        yield _facet("f1", "F1", list(_bands(counts, shown, "f1", _BANDS)))
    yield _facet("density", "density", list(_bands(counts, shown, "density", _DENSITIES)))
    if plain.subject is Subject.NEURONS:
        states: _Shown = [
            (str(group), count, _narrowed(shown, state=group)) for group, count in counts.of(Grouping.STATE)
        ]
        yield _facet("state", "state", states)
    tokens: _Shown = [
        (display(str(group)), count, _firing_on(shown, str(group)))
        for group, count in _counted(database, plain, Grouping.ACTIVATING, _TOKENS)
    ]
    yield _facet("activating", "fires on", tokens)
    classes = [
        (f"<{each.value}>", counts.of_class(each), _also(shown, kind(each.value))) for each in _CLASSES
    ]
    yield _facet("class", "fires on a token that is", classes)


def _facet(name: str, title: str, groups: _Shown) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "groups": [
            {"said": said, "count": count, "query": written(query)} for said, count, query in groups if count
        ],
    }


def _counted(
    database: Database, plain: Query, by: Grouping, most: int | None = None
) -> list[tuple[Any, int]]:
    found = database.query(replace(plain, count=Count(by)))
    return [(each.group, each.count) for each in islice(found, most)]


def _bands(counts: _Counts, shown: Query, field: str, bands: _Bands) -> Iterator[tuple[str, int, Query]]:
    for least, below in bands:
        query = _narrowed(shown, **_limits(field, least, below))
        yield _band(field, least, below), counts.within(field, least, below), query


def _band(field: str, least: float, below: float | None) -> str:
    """Write a band, of whole numbers by its first and last."""
    if below is None:
        return f"{least:g} and more"
    if field != "heldout_firings":
        return f"{least:g} to {below:g}"
    return f"{least:g}" if below - least == 1 else f"{least:g} to {below - 1:g}"


def _limits(field: str, least: float, below: float | None) -> dict[str, float]:
    return {f"{field}__ge": least} | ({} if below is None else {f"{field}__lt": below})


def _narrowed(query: Query, **fields: object) -> Query:
    given = () if query.where is None else (query.where,)
    return replace(query, where=conjoined(*given, *conditions_of(fields)))


def _firing_on(query: Query, token: str) -> Query:
    """Return the query for the neurons of another that fire on this very token."""
    return _also(query, tok(token, exact=True))


def _also(query: Query, step: TokenStep) -> Query:
    clause = neurons().matching(step).tree.clauses
    assert clause is not None, "it was just given one"
    return replace(query, clauses=clause if query.clauses is None else conjoined(query.clauses, clause))
