"""The answer to ``patterns ...``: single patterns of the neurons found, each with its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from n2gdb.core.deadline import check_time, timed
from n2gdb.core.ids import NeuronName
from n2gdb.core.paths import PathStep, filled, written
from n2gdb.grammar.ast import Key
from n2gdb.grammar.fields import FIELDS
from n2gdb.query.cypher.compiler import NO_NUMBER, Compiled, neuron_truths
from n2gdb.query.cypher.match import ClauseMatch, match_clause
from n2gdb.query.cypher.where import column, split
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.hits import evidence_rows, paths_of
from n2gdb.query.execution.neurons import Found, find, read_neurons
from n2gdb.query.semantics.binder import PatternClause, Settled
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.storage.columns import STATISTICS
from n2gdb.storage.parameters import MOST_LISTED, Parameters

__all__ = [
    "FoundPattern",
    "PatternHit",
    "find_page",
    "find_patterns",
    "pattern_hits_of",
    "pattern_statements",
]

#: Any pattern at all.
_ANY = Lowered((), (), 0)


@dataclass(frozen=True, slots=True)
class PatternHit:
    """A pattern that a query found: ``activation`` is its end mark, ``path`` is in text order."""

    neuron: NeuronName
    model: str
    f1: float | None
    activation: float
    importance: float | None
    steps: tuple[PathStep, ...]
    statistics: Mapping[str, object]

    @property
    def path(self) -> str:
        """The pattern as a person reads it."""
        return written(self.steps)

    def as_dict(self) -> dict[str, object]:
        """Return what JSON can hold."""
        return {
            "neuron": str(self.neuron),
            "model": self.model,
            **self.statistics,
            "activation": self.activation,
            "importance": self.importance,
            "path": self.path,
            "steps": [step.as_dict() for step in self.steps],
        }


@dataclass(frozen=True, slots=True)
class FoundPattern:
    """A pattern of a neuron (ANSWER_COLUMNS by name); ``end`` is the preorder index of its end."""

    neuron: Mapping[str, Any]
    end: int
    activation: float
    importance: float | None


def find_patterns(session: Session, settled: Settled) -> list[FoundPattern]:
    """Return the patterns of a query in order, LIMIT and OFFSET aside."""
    found = find(session, _unlimited(settled))
    neurons = {neuron["id"]: neuron for neuron in found.every()}
    best: dict[tuple[int, int], tuple[float, float | None]] = {}
    for neuron, end, activation, importance in timed(_pattern_rows(session, settled, found, list(neurons))):
        known = best.get((neuron, end))
        if neuron in neurons and (known is None or (importance or -1.0) > (known[1] or -1.0)):
            best[neuron, end] = (activation, importance)
    session.note("order the patterns")
    patterns = [
        FoundPattern(neurons[neuron], end, activation, importance)
        for (neuron, end), (activation, importance) in timed(best.items())
    ]
    return _sorted(patterns, settled.query.order or (Key("activation", descending=True),))


def find_page(session: Session, settled: Settled) -> tuple[Sequence[FoundPattern], Callable[[], int]]:
    """Return the patterns of a query, LIMIT and OFFSET applied, and what counts them all.

    Where one statement finds them, it orders and cuts them too: there are hundreds a neuron.
    """
    query = settled.query
    statements = list(pattern_statements(settled, None))
    one_clause = query.clauses is None or settled.matched == (query.clauses,)
    if len(statements) == 1 and one_clause and query.limit is not None:
        return _ordered_page(session, settled, statements[0])
    patterns = find_patterns(session, settled)
    start = query.offset or 0
    kept = patterns[start : None if query.limit is None else start + query.limit]
    return kept, lambda: len(patterns)


def _ordered_page(
    session: Session, settled: Settled, statement: Compiled
) -> tuple[Sequence[FoundPattern], Callable[[], int]]:
    query = settled.query
    order = query.order or (Key("activation", descending=True),)
    fields = [key.field for key in order if not FIELDS[key.field].of_match]
    named = dict.fromkeys(["layer", "index", "id", *fields])
    keys = [
        f"{_column(key.field)} IS NULL, {_column(key.field)}{' DESC' if key.descending else ''}"
        for key in order
    ]
    parts = [
        f"{statement.cypher}, {', '.join(f'{column(name)} AS by_{name}' for name in named)}",
        f"ORDER BY {', '.join([*keys, 'by_layer', 'by_index', 'by_id', 'pattern'])}",
        "SKIP $skipped LIMIT $limit",
    ]
    given = {**statement.parameters, "skipped": query.offset or 0, "limit": query.limit}
    rows = session.run_last("find and order the patterns", Compiled("\n".join(parts), given))
    neurons = {neuron["id"]: neuron for neuron in read_neurons(session, sorted({row[0] for row in rows}))}
    found = [FoundPattern(neurons[row[0]], *row[1:4]) for row in rows]

    def total() -> int:
        return len(session.table(statement.cypher, statement.parameters))

    return found, total


def _column(field: str) -> str:
    return field if FIELDS[field].of_match else f"by_{field}"


def pattern_hits_of(session: Session, settled: Settled, patterns: Sequence[FoundPattern]) -> list[PatternHit]:
    """Return patterns with their paths, the steps that the query names marked."""
    paths = paths_of(session, [(pattern.neuron["id"], pattern.end) for pattern in patterns])
    depths = _depths(session, settled, list({pattern.neuron["id"] for pattern in patterns}))
    models = {model.number: model.name for model in session.models}
    return [
        PatternHit(
            NeuronName(pattern.neuron["layer"], pattern.neuron["index"]),
            models[pattern.neuron["model"]],
            pattern.neuron["f1"],
            pattern.activation,
            pattern.importance,
            filled(paths[key], depths.get(key, frozenset())),
            {name: pattern.neuron[name] for name in STATISTICS},
        )
        for pattern in patterns
        for key in [(pattern.neuron["id"], pattern.end)]
    ]


def pattern_statements(settled: Settled, among: Sequence[int] | None) -> Iterator[Compiled]:
    """Yield what finds the patterns of a query, also in neurons that other clauses rule out.

    Columns: neuron (its id), pattern (preorder index of its end), activation, importance. A pattern comes
    once from each normal form that it matches; ``among`` are the ids of neurons to look in.
    """
    forms = [form for clause in settled.matched for form in settled.forms[clause]]
    if settled.fired and not settled.matched:
        return
    for form in forms if settled.matched else [_ANY]:
        parameters = Parameters()
        truths = neuron_truths(settled, None, parameters, among)
        restrictions = split(settled.query.where).match
        few = among is not None
        rows = match_clause(form, "", restrictions, parameters, exactly=True, few_neurons=few)
        importance = f"max({rows.importance})" if rows.importance else NO_NUMBER
        parts = [
            f"MATCH (n:Neuron), {', '.join(rows.paths)}",
            *_where([*truths, *rows.conditions], rows),
            f"RETURN n.id AS neuron, {rows.end} AS pattern, {rows.activation} AS activation,"
            f" {importance} AS importance",
        ]
        yield Compiled("\n".join(parts), parameters.values)


def _where(truths: Sequence[str], rows: ClauseMatch) -> list[str]:
    """Return WHERE; what filters the ends comes after it where no hint keeps the engine from starting so."""
    if rows.hint:
        return [f"WHERE {' AND '.join([*truths, *rows.filters])}{rows.hint}"]
    first = [f"WHERE {' AND '.join(truths)}"] if truths else []
    return [*first, f"WITH * WHERE {' AND '.join(rows.filters)}"]


def _pattern_rows(
    session: Session, settled: Settled, found: Found, neurons: Sequence[int]
) -> Iterator[tuple[int, int, float, float | None]]:
    """Yield (Neuron.id, end, activation, importance) of the patterns of a query, of other neurons too."""
    for fired in found.sets.firings.values():
        for neuron, firings in fired.items():
            yield from ((neuron, firing.end, firing.activation, None) for firing in firings)
    for compiled in pattern_statements(settled, neurons if len(neurons) <= MOST_LISTED else None):
        yield from session.run_last("find the patterns", compiled)


def _depths(
    session: Session, settled: Settled, neurons: Sequence[int]
) -> dict[tuple[int, int], frozenset[int]]:
    """Return where the steps of the query stand on each pattern that they match, by (Neuron.id, end)."""
    depths: dict[tuple[int, int], frozenset[int]] = {}
    clause: PatternClause
    for clause in settled.matched if neurons else ():
        for neuron, end, _, _, *named in evidence_rows(session, settled, clause, neurons):
            depths[neuron, end] = depths.get((neuron, end), frozenset()) | frozenset(named)
    return depths


def _sorted(patterns: list[FoundPattern], order: Sequence[Key]) -> list[FoundPattern]:
    patterns.sort(key=lambda each: (each.neuron["layer"], each.neuron["index"], each.neuron["id"], each.end))
    for key in reversed(order):
        check_time()
        value = _reader(key.field)
        known = [each for each in timed(patterns) if value(each) is not None]
        known.sort(key=value, reverse=key.descending)
        patterns = [*known, *(each for each in patterns if value(each) is None)]
    return patterns


def _reader(field: str) -> Callable[[FoundPattern], Any]:
    match field:
        case "activation":
            return lambda pattern: pattern.activation
        case "importance":
            return lambda pattern: pattern.importance
        case _:
            return lambda pattern: pattern.neuron[field]


def _unlimited(settled: Settled) -> Settled:
    """Return the query for the neurons alone: all of them, in any order."""
    return replace(settled, query=replace(settled.query, order=(), limit=None, offset=None))
