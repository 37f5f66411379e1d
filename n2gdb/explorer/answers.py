"""Queries over HTTP: answered, checked as they are typed, completed, and explained."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

from n2gdb.answer import Answer
from n2gdb.completing import candidates
from n2gdb.database import Database
from n2gdb.errors import N2gdbError, QueryError
from n2gdb.explorer.plain import plain_error, plain_record
from n2gdb.grammar.ast import Mode, Query, Statement, TokenQuery

__all__ = ["answer_query", "check_query", "complete_query", "explain_query"]

#: Characters of a query, and rows of one answer.
_LONGEST, _MOST_ROWS = 8_000, 200


def answer_query(
    database: Database, query: str, *, model: str | None, limit: int, offset: int
) -> dict[str, Any]:
    """Return some rows of an answer, from ``offset`` on, and how many there are in all."""
    started = perf_counter()
    asked = _read(query, model)
    kind = _kind(asked)
    if kind in ("counts", "stages"):
        found = database.query(asked)
        rows, total = list(found), len(found)
    else:
        found, total = _part(database, asked, min(limit, _MOST_ROWS), offset)
        rows = list(found)
    return {
        "kind": kind,
        "columns": list(found.columns),
        "rows": [plain_record(row) for row in rows],
        "total": total,
        "notices": list(found.notices),
        "milliseconds": (perf_counter() - started) * 1000,
    }


def check_query(query: str, *, model: str | None) -> dict[str, Any]:
    """Say what is wrong with a query as far as its text tells: nothing if it is right, or empty."""
    try:
        if query.strip():
            _read(query, model)
    except N2gdbError as error:
        return {"error": plain_error(error)}
    return {}


def complete_query(database: Database, query: str, at: int) -> dict[str, Any]:
    """Return what may stand at a place of a query."""
    if len(query) > _LONGEST:
        return {"from": at, "items": []}
    start, found = candidates(database.connection.rows, query[:at])
    items = [{"text": each.text, "shown": each.shown, "kind": each.kind} for each in found]
    return {"from": start, "items": items}


def explain_query(database: Database, query: str, *, model: str | None) -> dict[str, Any]:
    """Return the steps in which a query is answered, with the time of those that were run."""
    asked = replace(_read(query, model), mode=Mode.EXPLAIN)
    return {"stages": [plain_record(stage) for stage in database.query(asked)]}


def _read(query: str, model: str | None) -> Statement:
    """Read a query, in one model where it names none itself."""
    from n2gdb.compiler import read_query

    if len(query) > _LONGEST:
        raise QueryError(f"a query of {len(query):,} characters is too long: write {_LONGEST:,} or fewer")
    asked = read_query(query)
    if model is None:
        return asked
    if isinstance(asked, Query):
        return replace(asked, model=asked.model or model)
    return replace(asked, neuron=replace(asked.neuron, model=asked.neuron.model or model))


def _kind(asked: Statement) -> str:
    if asked.mode is not Mode.ANSWER:
        return "stages"
    if isinstance(asked, TokenQuery):
        return "tokens"
    return "counts" if asked.count is not None else asked.subject.value


def _part(database: Database, asked: Statement, limit: int, offset: int) -> tuple[Answer[Any], int]:
    """Ask for some rows alone, within the LIMIT and OFFSET of the query itself; return how many there are."""
    skipped, most = asked.offset or 0, asked.limit
    size = limit if most is None else max(0, min(limit, most - offset))
    found = database.query(replace(asked, limit=size, offset=skipped + offset))
    left = max(0, found.total - skipped)
    return found, left if most is None else min(most, left)
