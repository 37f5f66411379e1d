"""Facets of an answer: how many rows each layer, state, band of F1 and token has, and the query for these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from n2gdb.core.tokens import display
from n2gdb.database import Database
from n2gdb.explorer.answers import read_asked
from n2gdb.grammar.ast import Count, Grouping, Mode, Query, Subject
from n2gdb.grammar.unparse import written
from n2gdb.query.builder.conditions import conditions_of, conjoined
from n2gdb.query.builder.queries import neurons, tok

__all__ = ["list_facets"]

#: Bands of F1, from and below; tokens of one facet.
_BANDS = ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, None))
_DENSITIES = ((0.0, 1e-5), (1e-5, 1e-4), (1e-4, 1e-3), (1e-3, 1e-2), (1e-2, None))
_TOKENS = 12


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
    return {"facets": [facet for facet in _facets(database, plain, shown) if len(facet["groups"]) > 1]}


def _facets(database: Database, plain: Query, shown: Query) -> Iterator[dict[str, Any]]:
    yield _facet(
        "layer",
        "layer",
        [
            (str(group), count, _narrowed(shown, layer=group))
            for group, count in _counts(database, plain, Grouping.LAYER)
        ],
    )
    if len(database.models()) > 1:
        yield _facet(
            "model",
            "model",
            [
                (str(group), count, replace(shown, model=str(group)))
                for group, count in _counts(database, plain, Grouping.MODEL)
            ],
        )
    yield _facet("f1", "F1", list(_bands(database, plain, shown, "f1", _BANDS)))
    yield _facet("density", "density", list(_bands(database, plain, shown, "density", _DENSITIES)))
    if plain.subject is Subject.NEURONS:
        yield _facet(
            "state",
            "state",
            [
                (str(group), count, _narrowed(shown, state=group))
                for group, count in _counts(database, plain, Grouping.STATE)
            ],
        )
    yield _facet(
        "activating",
        "fires on",
        [
            (display(str(group)), count, _firing_on(shown, str(group)))
            for group, count in _counts(database, plain, Grouping.ACTIVATING)[:_TOKENS]
        ],
    )


def _facet(name: str, title: str, groups: list[tuple[str, int, Query]]) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "groups": [
            {"said": said, "count": count, "query": written(query)} for said, count, query in groups if count
        ],
    }


def _counts(database: Database, plain: Query, by: Grouping) -> list[tuple[Any, int]]:
    return [(each.group, each.count) for each in database.query(replace(plain, count=Count(by)))]


def _bands(
    database: Database,
    plain: Query,
    shown: Query,
    field: str,
    bands: tuple[tuple[float, float | None], ...],
) -> Iterator[tuple[str, int, Query]]:
    for least, below in bands:
        within = {f"{field}__ge": least} | ({} if below is None else {f"{field}__lt": below})
        counted = replace(_narrowed(plain, **within), count=Count())
        said = f"{least:g} and more" if below is None else f"{least:g} to {below:g}"
        yield said, database.query(counted)[0].count, _narrowed(shown, **within)


def _narrowed(query: Query, **fields: object) -> Query:
    given = () if query.where is None else (query.where,)
    return replace(query, where=conjoined(*given, *conditions_of(fields)))


def _firing_on(query: Query, token: str) -> Query:
    """Return the query for the neurons of another that fire on this very token."""
    clause = neurons().matching(tok(token, exact=True)).tree.clauses
    assert clause is not None, "it was just given one"
    return replace(query, clauses=clause if query.clauses is None else conjoined(query.clauses, clause))
