"""Answers ``patterns ...``: single patterns of the neurons found, each with its path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from n2gdb.core.deadline import check_time, timed
from n2gdb.core.paths import PathStep, filled, written
from n2gdb.core.units import NeuronName, OfNeuron
from n2gdb.grammar.ast import Key
from n2gdb.grammar.fields import FIELDS, MATCH_FIELDS, OF_MATCH, WRITTEN
from n2gdb.query.cypher.breadth import of_columns
from n2gdb.query.cypher.patterns import DEFAULT_ORDER
from n2gdb.query.execution.clause_sets import ClauseSets
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.evaluators import evaluator_of
from n2gdb.query.execution.hits import paths_of
from n2gdb.query.execution.pattern_rows import find_rows
from n2gdb.query.execution.plan import ORDER_PATTERNS, PatternPlan
from n2gdb.query.execution.planner import read_columns
from n2gdb.query.execution.rows import PatternRow, read_neurons
from n2gdb.query.semantics.binder import Settled
from n2gdb.storage.columns import STATISTICS
from n2gdb.storage.read.names import neuron_of
from n2gdb.storage.shapes import Page

__all__ = ["FoundPattern", "PatternHit", "count_patterns", "find_page", "pattern_hits_of"]


@dataclass(frozen=True, slots=True, repr=False)
class PatternHit(OfNeuron):
    """A pattern that a query found; ``activation`` is the normalised activation at its end.

    ``path`` and ``steps`` are in text order.

    ``support`` is how often it occurs in the corpus, ``confidence`` on which share of these occurrences the
    neuron fires; None where that was not counted, or there is none. ``promoted`` and ``suppressed`` are its
    neuron's, known where the query asks for them.

    >>> hit = db.query("patterns MATCHING 'an' BEFORE ...")[0]
    >>> str(hit.neuron), hit.path, hit.activation
    ('L4N358', '·an · ·other', 0.75)
    """

    neuron: NeuronName
    model: str
    f1: float | None
    activation: float
    importance: float | None
    support: int | None
    confidence: float | None
    steps: tuple[PathStep, ...]
    statistics: Mapping[str, object] = field(hash=False)
    promoted: float | None = None
    suppressed: float | None = None

    def __repr__(self) -> str:
        return f"<PatternHit {self.neuron} activation {self.activation:.2f}: {self.path}>"

    @property
    def depth(self) -> int:
        """How many positions the pattern reaches back from its activating token.

        >>> db.query("patterns MATCHING 'on' BEFORE ...")[0].depth
        2
        """
        return self.steps[0].depth

    @property
    def named(self) -> int:
        """How many context tokens the pattern names.

        >>> db.query("patterns MATCHING 'on' BEFORE ...")[0].named
        1
        """
        return sum(step.token is not None for step in self.steps) - 1

    @property
    def path(self) -> str:
        """The pattern as text: ``·on · _ · ·other``.

        >>> db.query("patterns MATCHING 'end' LIMIT 1")[0].path
        '·the · ·end'
        """
        return written(self.steps)

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON.

        >>> db.query("patterns LIMIT 1")[0].as_dict()["activation"]
        1.0
        """
        return {
            "neuron": str(self.neuron),
            "model": self.model,
            **self.statistics,
            **{name: getattr(self, name, None) for name in (*MATCH_FIELDS, *WRITTEN)},  # some are of neurons
            "similarity": None,  # as of neurons that are compared with none
            "size": None,
            "path": self.path,
            "steps": [step.as_dict() for step in self.steps],
        }


@dataclass(frozen=True, slots=True)
class FoundPattern:
    """A pattern of a neuron (ANSWER_COLUMNS by name)."""

    neuron: Mapping[str, Any]
    row: PatternRow


def find_page(session: Session, plan: PatternPlan) -> tuple[Sequence[FoundPattern], Callable[[], int]]:
    """Return the patterns of a query, with LIMIT and OFFSET, and a function that counts all.

    If one statement finds them, it also orders and limits them: there may be hundreds per neuron.
    """
    query = plan.settled.query
    page = Page.of(query.offset, query.limit)
    if session.columns is not None:
        from n2gdb.query.execution.by_columns import find_patterns, order_of_patterns, pattern_rows

        search, every = find_patterns(session, plan)
        order = session.work(
            ORDER_PATTERNS, lambda: order_of_patterns(search, every, query, page.stop), len(every)
        )
        kept = pattern_rows(search, every.kept(order[page.slice]))
        return _with_neurons(session, kept), lambda: len(every)
    if plan.page is not None:
        found = page.cut(session.run("find and order the patterns", plan.page))
        kept = [PatternRow(*row[: 2 + len(OF_MATCH)]) for row in found]
        return _with_neurons(session, kept), lambda: _count_all(session, plan)
    rows = find_rows(session, plan)
    patterns = _with_neurons(session, rows)
    ordered = session.work(ORDER_PATTERNS, lambda: _sorted(patterns, query.order or DEFAULT_ORDER))
    return page.cut(ordered), lambda: len(rows)


def _count_all(session: Session, plan: PatternPlan) -> int:
    read_columns(session, replace(plan, is_page=False))  # which may tell how many there are, if not of what
    return count_patterns(session, plan).total()


def count_patterns(session: Session, plan: PatternPlan) -> Counter[int]:
    """Count the patterns of a query by Neuron.id, without LIMIT and OFFSET."""
    if session.columns is not None:
        import numpy as np

        from n2gdb.query.execution.by_columns import find_patterns

        search, every = find_patterns(session, plan)
        counts = search.columns.tries.per_unit(every.end)
        held = np.flatnonzero(counts)
        return Counter(dict(zip(search.columns.units.ids[held].tolist(), counts[held].tolist(), strict=True)))
    if plan.statement is None or plan.neurons is not None:
        return Counter(row.neuron for row in find_rows(session, plan))
    counted = session.read("find the patterns", plan.statement)["neuron"].value_counts()
    return Counter({each["values"]: each["counts"] for each in counted.to_pylist()})


def _with_neurons(session: Session, rows: Sequence[PatternRow]) -> list[FoundPattern]:
    ids = sorted({row.neuron for row in timed(rows)})
    neurons = {each["id"]: each for each in read_neurons(session, ids)}
    return [FoundPattern(neurons[row.neuron], row) for row in timed(rows)]


def pattern_hits_of(session: Session, settled: Settled, patterns: Sequence[FoundPattern]) -> list[PatternHit]:
    """Return patterns with their paths, the steps that the query names marked."""
    paths = paths_of(session, [(pattern.row.neuron, pattern.row.end) for pattern in patterns])
    depths = _depths(session, settled, list({pattern.row.neuron for pattern in patterns}))
    models = {model.number: model.name for model in session.models}
    written = _written(session, settled, list({pattern.row.neuron for pattern in patterns}))
    return [
        PatternHit(
            neuron_of(session.models, pattern.neuron["id"])[1],
            models[pattern.neuron["model"]],
            pattern.neuron["f1"],
            pattern.row.activation,
            pattern.row.importance,
            pattern.row.support,
            pattern.row.confidence,
            filled(paths[key], depths.get(key, frozenset())),
            {name: pattern.neuron[name] for name in STATISTICS},
            **written.get(pattern.row.neuron, {}),
        )
        for pattern in patterns
        for key in [(pattern.row.neuron, pattern.row.end)]
    ]


def _written(session: Session, settled: Settled, neurons: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
    """Return the logits that a query asks for, by name and Neuron.id."""
    names = [name for name in of_columns(settled) if name in WRITTEN]
    if not names or not neurons:
        return {}
    from n2gdb.query.execution.by_columns import matches_in, values_in

    return values_in(matches_in(session, settled, neurons, ClauseSets({}))[0], names, neurons)


def _depths(
    session: Session, settled: Settled, neurons: Sequence[int]
) -> dict[tuple[int, int], frozenset[int]]:
    """Return the depths that the query's steps match on each pattern, by (Neuron.id, end)."""
    depths: dict[tuple[int, int], frozenset[int]] = {}
    freely = replace(settled, query=replace(settled.query, where=None))  # WHERE is of rows, not of matches
    found: Mapping[Any, Any] = {}
    if session.columns is not None and neurons and settled.matched:
        from n2gdb.query.execution.by_columns import matches_in

        found = matches_in(session, freely, neurons, ClauseSets({}))[1]
    for clause in settled.matched if neurons else ():
        matches = found.get(clause)
        if matches is None:
            matches = evaluator_of(clause).matches(session, freely, clause, neurons, {})
        for neuron, end, *rest in matches:
            named = frozenset(rest[len(OF_MATCH) :])
            depths[neuron, end] = depths.get((neuron, end), frozenset()) | named
    return depths


def _sorted(patterns: list[FoundPattern], order: Sequence[Key]) -> list[FoundPattern]:
    patterns.sort(
        key=lambda each: (each.neuron["layer"], each.neuron["index"], each.row.neuron, each.row.end)
    )
    for key in reversed(order):
        check_time()
        value = _reader(key.field)
        known = [each for each in timed(patterns) if value(each) is not None]
        known.sort(key=value, reverse=key.descending)
        patterns = [*known, *(each for each in patterns if value(each) is None)]
    return patterns


def _reader(field: str) -> Callable[[FoundPattern], Any]:
    if FIELDS[field].of_match:
        return lambda pattern: getattr(pattern.row, field)
    return lambda pattern: pattern.neuron[field]
