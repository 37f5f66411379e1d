"""Queries over HTTP: answered, checked while they are typed, completed, and explained."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

from n2gdb.core.deadline import timed
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName
from n2gdb.database import Database
from n2gdb.errors import N2gdbError, QueryError
from n2gdb.explorer.asked import LONGEST_QUERY, read_asked
from n2gdb.explorer.facets import group_query
from n2gdb.explorer.plain import plain_error, plain_record
from n2gdb.grammar.ast import Key, Mode, Query, Statement, Subject, TokenQuery, TokenSetQuery
from n2gdb.grammar.fields import FIELDS
from n2gdb.query.answer import Answer
from n2gdb.query.completion import candidates
from n2gdb.storage.read.names import neuron_key

__all__ = [
    "answer_query",
    "check_query",
    "complete_query",
    "explain_query",
    "sketch_rows",
    "take_away",
]

#: Rows of one answer.
_MOST_ROWS = 200

#: Columns by which the engine orders a whole answer.
_SORTABLE = ("neuron", *FIELDS)

#: Columns that a page draws as bars.
_DRAWN = frozenset(
    {
        "heldout_f1",
        "heldout_precision",
        "heldout_recall",
        "f1",
        "precision",
        "recall",
        "similarity",
        "confidence",
    }
)


class _Latest:
    """Rows of the latest answers of a database, whose pictures are asked for next."""

    _MOST = 16

    def __init__(self) -> None:
        self._rows: WeakKeyDictionary[Database, OrderedDict[object, Sequence[Any]]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def put(self, database: Database, asked: object, rows: Sequence[Any]) -> None:
        with self._lock:
            held = self._rows.setdefault(database, OrderedDict())
            held[asked] = rows
            held.move_to_end(asked)
            while len(held) > self._MOST:
                held.popitem(last=False)

    def get(self, database: Database, asked: object) -> Sequence[Any] | None:
        with self._lock:
            held = self._rows.get(database)
            return None if held is None else held.get(asked)


_LATEST = _Latest()


def answer_query(
    database: Database,
    query: str,
    *,
    model: str | None,
    limit: int,
    offset: int,
    order: str | None = None,
    find: str | None = None,
) -> dict[str, Any]:
    """Return some rows of an answer, from ``offset`` on, and how many there are in all.

    ``order`` is a column, followed by ``desc`` or nothing: the whole answer in that order instead of its own.
    ``find`` keeps only the rows that show this text somewhere, in any case.
    """
    started = perf_counter()
    asked = read_asked(query, model)
    kind = _kind(asked)
    found, chosen, total = _rows(database, asked, limit=limit, offset=offset, order=order, find=find)
    if kind == "neurons":
        _LATEST.put(database, (query, model, limit, offset, order, find), chosen)
    rows = [plain_record(row) for row in chosen]
    if kind == "counts" and isinstance(asked, Query):
        rows = [{**row, "query": group_query(asked, row)} for row in rows]
    return {
        "kind": kind,
        "noun": _noun(asked, kind),
        "columns": list(found.columns),
        "sortable": [column for column in found.columns if column in _SORTABLE],
        "rows": rows,
        "total": total,
        "notices": list(found.notices),
        "milliseconds": (perf_counter() - started) * 1000,
    }


def _rows(
    database: Database, asked: Statement, *, limit: int, offset: int, order: str | None, find: str | None
) -> tuple[Answer[Any], Sequence[Any], int]:
    """Return an answer, some of its rows in an order and with a text, and how many there are in all."""
    size = min(limit, _MOST_ROWS)
    if _kind(asked) in ("counts", "stages"):
        found = database.query(asked)
        return found, list(found), len(found)
    # With LIMIT or OFFSET the query's own order says which rows there are.
    if order is not None and isinstance(asked, Query) and asked.limit is None and not asked.offset:
        asked, order = replace(asked, order=_keys(*_read_order(order)), rank=None), None
    if order is None and find is None:
        found, total = _part(database, asked, size, offset)
        return found, list(found), total
    found = database.query(asked)
    chosen = list(found) if order is None else _sorted(found, *_read_order(order))
    if find is not None:
        chosen = [row for row in timed(chosen) if _shows(plain_record(row), found.columns, find)]
    return found, chosen[offset : offset + size], len(chosen)


def sketch_rows(
    database: Database,
    query: str,
    *,
    model: str | None,
    limit: int,
    offset: int,
    order: str | None = None,
    find: str | None = None,
) -> dict[str, Any]:
    """Return a small SVG for each of some rows: what matched, or else the neuron's strongest two patterns."""
    asked = read_asked(query, model)
    if _kind(asked) != "neurons":
        return {"pictures": []}
    rows = _LATEST.get(database, (query, model, limit, offset, order, find))
    if rows is None:
        _, rows, _ = _rows(database, asked, limit=limit, offset=offset, order=order, find=find)
    bare = [(row.model, row.neuron) for row in rows if not row.evidence]
    drawn = dict(zip(bare, _thumbnails(database, bare), strict=True))
    return {"pictures": [drawn.get((row.model, row.neuron)) or _sketch(database, row) for row in timed(rows)]}


def _sketch(database: Database, row: Any) -> str:
    from n2gdb.drawing import sketch

    matched = [(each.activation, each.path) for each in row.evidence]
    return sketch(matched, f"{row.neuron} of {row.model}", database.model(row.model).fire_threshold)


def _thumbnails(database: Database, named: Sequence[tuple[str, NeuronName]]) -> Iterator[str]:
    """Draw neurons small, whose graphs are read together."""
    from n2gdb.drawing import thumbnail_of
    from n2gdb.storage.read.graphs import read_graphs

    keys = [neuron_key(database.model(model), name) for model, name in named]
    graphs = read_graphs(database.connection, [key for key in keys if key is not None]) if keys else {}
    drawn = [NeuronGraph.empty() if key is None else graphs.get(key, NeuronGraph.empty()) for key in keys]
    texts = {
        model: database.texts(
            {
                token
                for (owner, _), graph in zip(named, drawn, strict=True)
                if owner == model
                for token in graph.token.tolist()
            },
            model,
        )
        for model in {model for model, _ in named}
    }
    for (model, name), graph in zip(named, drawn, strict=True):
        yield thumbnail_of(graph, texts[model], f"{name} of {model}", database.model(model).fire_threshold)


def take_away(database: Database, query: str, form: str, *, model: str | None) -> str:
    """Return a whole answer as CSV or JSON, as the command line prints it."""
    found = database.query(read_asked(query, model))
    if form == "csv":
        return found.to_csv()
    if form == "json":
        return found.to_json(indent=1)
    raise QueryError(f"an answer can be downloaded as csv or json, not as {form[:40]!r}")


def check_query(query: str, *, model: str | None) -> dict[str, Any]:
    """Say what is wrong with a query as far as its text tells: nothing if it is right, or empty."""
    try:
        if query.strip():
            read_asked(query, model)
    except N2gdbError as error:
        return {"error": plain_error(error)}
    return {}


def complete_query(database: Database, query: str, at: int) -> dict[str, Any]:
    """Return what may stand at a place of a query."""
    if len(query) > LONGEST_QUERY:
        return {"from": at, "items": []}
    start, found = candidates(database.connection.rows, query[:at])
    items = [{"text": each.text, "shown": each.shown, "kind": each.kind} for each in found]
    return {"from": start, "items": items}


def explain_query(database: Database, query: str, *, model: str | None) -> dict[str, Any]:
    """Return the steps in which a query is answered, with the time of those that were run."""
    asked = replace(read_asked(query, model), mode=Mode.EXPLAIN)
    return {"stages": [plain_record(stage) for stage in database.query(asked)]}


def _kind(asked: Statement) -> str:
    if asked.mode is not Mode.ANSWER:
        return "stages"
    if isinstance(asked, TokenQuery | TokenSetQuery):
        return "tokens"
    if asked.count is not None:
        return "counts"
    return "patterns" if asked.subject is Subject.PATTERNS else "neurons"


def _noun(asked: Statement, kind: str) -> str:
    """Return what a row is called."""
    if kind == "neurons" and isinstance(asked, Query):
        return asked.subject.value.removesuffix("s")
    return {"counts": "group", "stages": "step"}.get(kind, kind.removesuffix("s"))


def _shows(row: dict[str, Any], columns: Sequence[str], wanted: str) -> bool:
    """Whether a row shows a text: in its names, its paths, or its numbers that are not drawn as bars."""
    texts = (_text(row, column) for column in columns if column not in _DRAWN)
    return any(wanted.casefold() in text.casefold() for text in texts)


def _text(row: dict[str, Any], column: str) -> str:
    if column == "path":
        paths = [found["path"] for found in row["evidence"]] if "evidence" in row else [row["path"]]
        return " ".join(step["shown"] for path in paths for step in path["steps"])
    value = row["shown"] if column == "token" else row.get(column)
    return "" if value is None else str(value)


def _part(database: Database, asked: Statement, limit: int, offset: int) -> tuple[Answer[Any], int]:
    """Ask for some rows only, within the LIMIT and OFFSET of the query itself; return how many there are."""
    skipped, most = asked.offset or 0, asked.limit
    size = limit if most is None else max(0, min(limit, most - offset))
    found = database.query(replace(asked, limit=size, offset=skipped + offset))
    left = max(0, found.total - skipped)
    return found, left if most is None else min(most, left)


def _read_order(order: str) -> tuple[str, bool]:
    """Return the column of an order, and whether it falls."""
    column, _, direction = order.partition(" ")
    if direction not in ("", "desc"):
        raise QueryError(
            f"{direction[:40]!r} is not a direction: write the column, then desc for descending order"
        )
    return column, direction == "desc"


def _keys(column: str, descending: bool) -> tuple[Key, ...]:
    """Return the keys that order an answer by a column."""
    if column not in _SORTABLE:
        raise QueryError(f"an answer cannot be ordered by {column[:40]}: write one of {', '.join(_SORTABLE)}")
    names = ("layer", "index") if column == "neuron" else (column,)
    return tuple(Key(name, descending) for name in names)


def _sorted(found: Answer[Any], column: str, descending: bool) -> list[Any]:
    """Return all records of an answer by a column, those without a value last."""
    rows = [(_place(record.as_dict().get(column)), record) for record in timed(found)]
    known = sorted((row for row in rows if row[0] is not None), key=lambda row: row[0], reverse=descending)
    return [record for _, record in (*known, *(row for row in rows if row[0] is None))]


def _place(value: Any) -> Any:
    """Return what a value is sorted by: the numbers in a name as numbers, L3N45 after L3N5."""
    if isinstance(value, str):
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", value)]
    return value
