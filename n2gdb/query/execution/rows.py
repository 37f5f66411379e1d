"""Rows of neurons and of patterns: read by their ids, and held to conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from n2gdb.grammar.ast import Condition, Formula, Query
from n2gdb.query.cypher.compiler import compile_page, compile_rows
from n2gdb.query.cypher.where import mentions_neuron
from n2gdb.query.execution.context import Session
from n2gdb.query.semantics.binder import Settled
from n2gdb.query.semantics.evaluate import holds
from n2gdb.storage.columns import ANSWER_COLUMNS
from n2gdb.storage.parameters import MOST_LISTED

__all__ = ["Known", "PatternRow", "Place", "meeting", "read_neurons"]

#: A pattern: Neuron.id, and the preorder index of its end.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PatternRow:
    """A pattern that a query found: ``end`` is the preorder index of its end."""

    neuron: int  # Neuron.id
    end: int
    activation: float
    importance: float | None


#: What is known of a pattern: its activation, and its importance as of one clause.
Known = tuple[float, float | None]


def read_neurons(session: Session, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the neurons with these ids as mappings of ANSWER_COLUMNS to what is stored."""
    if session.columns is not None:
        units = session.columns.units
        return units.rows(units.places(ids))
    if len(ids) <= MOST_LISTED:
        compiled = compile_page(ids)
    else:
        compiled = compile_rows(Settled(Query(), {}), None, ANSWER_COLUMNS)
    rows = session.run("read the neurons", compiled)
    by_id = {row[0]: dict(zip(ANSWER_COLUMNS, row, strict=True)) for row in rows}
    return [by_id[neuron] for neuron in ids]


class _Valued(Protocol):
    """A pattern of a neuron, or a firing: what conditions look at."""

    @property
    def neuron(self) -> int: ...
    @property
    def activation(self) -> float: ...
    @property
    def importance(self) -> float | None: ...


_Row = TypeVar("_Row", bound=_Valued)


def meeting(session: Session, rows: Sequence[_Row], conditions: Sequence[Formula[Condition]]) -> list[_Row]:
    """Keep the rows, patterns or firings, that conditions hold of."""
    if not conditions or not rows:
        return list(rows)
    neurons: Mapping[int, Mapping[str, Any]] = {}
    if any(mentions_neuron(each) for each in conditions):
        wanted = sorted({row.neuron for row in rows})
        neurons = {neuron["id"]: neuron for neuron in read_neurons(session, wanted)}
    kept = []
    for row in rows:
        own = {"activation": row.activation, "importance": row.importance}
        fields = {**neurons.get(row.neuron, {}), **own}
        if all(holds(each, fields) is True for each in conditions):
            kept.append(row)
    return kept
