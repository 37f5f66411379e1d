"""Rows of neurons and patterns: read by id, and filtered by conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from n2gdb.core.units import place_of, without_index
from n2gdb.grammar.ast import Condition, Formula, Query
from n2gdb.grammar.fields import OF_MATCH
from n2gdb.grammar.records import dataclass
from n2gdb.query.cypher.compiler import compile_page, compile_rows
from n2gdb.query.cypher.patterns import pattern_statement
from n2gdb.query.cypher.where import mentions_neuron
from n2gdb.query.execution.context import Session
from n2gdb.query.semantics.binder import Settled
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.storage.columns import STORED_COLUMNS
from n2gdb.storage.parameters import MOST_LISTED

__all__ = ["Known", "PatternRow", "Place", "found_patterns", "meeting", "neuron_rows", "read_neurons"]

#: A pattern: Neuron.id, and the preorder index of its end.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PatternRow:
    """A pattern that a query found: ``end`` is the preorder index of its end."""

    neuron: int  # Neuron.id
    end: int
    activation: float
    importance: float | None
    support: int | None
    confidence: float | None

    @classmethod
    def of(cls, place: Place, known: Known) -> PatternRow:
        """Join where a pattern is and what is known of it."""
        return cls(*place, known.activation, known.importance, known.support, known.confidence)


class Known(NamedTuple):
    """What is known of a pattern: its importance is as of one clause."""

    activation: float
    importance: float | None
    support: int | None
    confidence: float | None


def read_neurons(session: Session, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the neurons with these ids as mappings from ANSWER_COLUMNS to stored values."""
    if session.columns is not None:
        units = session.columns.of(ids).units
        return units.rows(units.places(ids))
    if len(ids) <= MOST_LISTED:
        compiled = compile_page(ids)
    else:
        compiled = compile_rows(Settled(Query(), {}), None, STORED_COLUMNS)
    neurons = neuron_rows(session, session.run("read the neurons", compiled))
    by_id = {neuron["id"]: neuron for neuron in neurons}
    return [by_id[neuron] for neuron in ids]


def neuron_rows(session: Session, rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return rows of STORED_COLUMNS as mappings from ANSWER_COLUMNS to values."""
    sources = {
        (model.number, source.layer, source.number): source
        for model in session.models
        for source in model.sources
    }
    told: dict[int, dict[str, str]] = {}  # by what follows from a key, of all units of a set and a side
    neurons = []
    for row in rows:
        neuron = dict(zip(STORED_COLUMNS, row, strict=True))
        alike = without_index(neuron["id"])
        if alike not in told:
            place = place_of(alike)
            source = sources[place.model, place.layer, place.source]
            told[alike] = {"source": source.name, "kind": source.kind, "side": place.side}
        neuron.update(told[alike])
        neurons.append(neuron)
    return neurons


class _Valued(Protocol):
    """A pattern of a neuron, or a firing, to which conditions apply."""

    @property
    def neuron(self) -> int: ...
    @property
    def activation(self) -> float: ...
    @property
    def importance(self) -> float | None: ...
    @property
    def support(self) -> int | None: ...
    @property
    def confidence(self) -> float | None: ...


_Row = TypeVar("_Row", bound=_Valued)


def meeting(session: Session, rows: Sequence[_Row], conditions: Sequence[Formula[Condition]]) -> list[_Row]:
    """Keep the rows, patterns or firings, that meet the conditions."""
    if not conditions or not rows:
        return list(rows)
    neurons: Mapping[int, Mapping[str, Any]] = {}
    if any(mentions_neuron(each) for each in conditions):
        wanted = sorted({row.neuron for row in rows})
        neurons = {neuron["id"]: neuron for neuron in read_neurons(session, wanted)}
    from n2gdb.query.semantics.evaluate import holds  # few queries need it

    kept = []
    for row in rows:
        own = {name: getattr(row, name) for name in OF_MATCH}
        fields = {**neurons.get(row.neuron, {}), **own}
        if all(holds(each, fields) is True for each in conditions):
            kept.append(row)
    return kept


def found_patterns(
    session: Session,
    settled: Settled,
    forms: Iterable[Lowered],
    conditions: Sequence[Formula[Condition]],
) -> dict[Place, Known]:
    """Return the patterns that some normal form matches, each with its largest importance."""
    found: dict[Place, Known] = {}
    for form in forms:
        statement = pattern_statement(settled, form, conditions)
        for neuron, end, *fields in session.run("find the patterns", statement):
            here, known = Known(*fields), found.get((neuron, end))
            if known is None or (here.importance or -1.0) > (known.importance or -1.0):
                found[neuron, end] = here
    return found
