"""Which patterns a query finds: by one statement, or by a formula over the patterns of each clause.

A clause holds of a pattern itself. The fields of a row are the pattern's activation, and its importance: the
largest over the ways in which clauses that are not negated match it, of the least importance among the
context tokens that the clause names; the least of all of the pattern's context where a clause names none.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from n2gdb.grammar.ast import (
    And,
    Clause,
    Condition,
    ContainedIn,
    Contains,
    FiringOn,
    Formula,
    Matching,
    Mentioning,
    Or,
    Query,
    SimilarTo,
    Writing,
)
from n2gdb.query.cypher.compiler import Compiled, neuron_truths
from n2gdb.query.cypher.match import match_clause
from n2gdb.query.cypher.where import mentions, mentions_neuron, split
from n2gdb.query.execution.clause_sets import all_firings, similarity_scores, writers
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.neurons import find, read_neurons
from n2gdb.query.semantics.binder import Settled, clauses_of, fold
from n2gdb.query.semantics.evaluate import holds
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.storage.parameters import MOST_LISTED, Parameters

__all__ = ["ANY", "PatternRow", "find_rows", "pattern_statement", "single_statement"]

#: Any pattern at all.
ANY = Lowered((), (), 0)

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


def pattern_statement(
    settled: Settled,
    form: Lowered,
    restrictions: Sequence[Formula[Condition]],
    among: Sequence[int] | None = None,
) -> Compiled:
    """Return the statement of the patterns of a normal form, in neurons that meet WHERE.

    Columns: neuron (its id), pattern (preorder index of its end), activation, importance; each pattern once.
    ``restrictions`` are conditions on a match, ``among`` the ids of neurons to look in.
    """
    parameters = Parameters()
    truths = neuron_truths(settled, None, parameters, among)
    rows = match_clause(form, "", restrictions, parameters, exactly=True, few_neurons=among is not None)
    parts = [
        f"MATCH (n:Neuron), {', '.join(rows.paths)}",
        *_where([*truths, *rows.conditions], rows.filters, rows.hint),
        f"RETURN n.id AS neuron, {rows.end} AS pattern, {rows.activation} AS activation,"
        f" max({rows.importance}) AS importance",
    ]
    return Compiled("\n".join(parts), parameters.values)


def _where(truths: Sequence[str], filters: Sequence[str], hint: str) -> list[str]:
    """Return WHERE; what filters the ends comes after it where no hint keeps the engine from starting so."""
    if hint:
        return [f"WHERE {' AND '.join([*truths, *filters])}{hint}"]
    first = [f"WHERE {' AND '.join(truths)}"] if truths else []
    return [*first, f"WITH * WHERE {' AND '.join(filters)}"]


def single_statement(settled: Settled) -> Compiled | None:
    """Return the statement that finds all rows of a query by itself; None where it takes several."""
    query = settled.query
    conditions = split(query.where).match
    if query.of_neurons or any(mentions(each, "importance") for each in conditions):
        return None
    if query.clauses is None:
        return pattern_statement(settled, ANY, conditions)
    if isinstance(query.clauses, Matching | Mentioning) and len(settled.forms[query.clauses]) == 1:
        return pattern_statement(settled, settled.forms[query.clauses][0], conditions)
    return None


def find_rows(session: Session, settled: Settled) -> list[PatternRow]:
    """Return all patterns of a query, in any order."""
    if settled.query.of_neurons:
        return _rows_of_neurons(session, settled)
    conditions = split(settled.query.where).match
    early = [each for each in conditions if not mentions(each, "importance")]
    found = _Search(session, settled, early).rows()
    late = [each for each in conditions if mentions(each, "importance")]
    return _meeting(session, found, late)


def _rows_of_neurons(session: Session, settled: Settled) -> list[PatternRow]:
    every = replace(settled, query=replace(settled.query, order=(), limit=None, offset=None))
    ids = set(find(session, every).ids)
    listed = sorted(ids) if len(ids) <= MOST_LISTED else None
    everything = replace(settled, query=Query(model=settled.query.model))
    rows = session.run_last("find the patterns", pattern_statement(everything, ANY, (), listed))
    return [PatternRow(*row) for row in rows if row[0] in ids]


@dataclass(slots=True)
class _Search:
    """The patterns of each clause, and what a formula makes of them.

    ``conditions`` are those that hold of a pattern and its neuron, whichever way it is matched.
    """

    session: Session
    settled: Settled
    conditions: Sequence[Formula[Condition]]
    known: dict[Clause, dict[Place, Known]] = field(default_factory=dict)
    of_neurons: dict[Clause, Container[int]] = field(default_factory=dict)

    def rows(self) -> list[PatternRow]:
        clauses = self.settled.query.clauses
        for clause in dict.fromkeys(clauses_of(clauses)):
            if isinstance(clause, SimilarTo | ContainedIn | Contains):
                self.of_neurons[clause] = similarity_scores(self.session, self.settled, clause)
            elif isinstance(clause, Writing):
                self.of_neurons[clause] = writers(self.session, self.settled, clause)
            else:
                self.known[clause] = self._patterns(clause)
        base = self._least_superset(clauses)
        if base is None:
            base = self._matched([ANY])
        if clauses is None:
            return [PatternRow(*place, *known) for place, known in base.items()]
        every = base.keys()

        def leaf(clause: Clause) -> Set[Place]:
            if clause in self.of_neurons:
                return {place for place in every if place[0] in self.of_neurons[clause]}
            return every & self.known[clause].keys()

        holding = fold(
            clauses,
            leaf,
            lambda sets: set[Place]().union(sets[0]).intersection(*sets),
            lambda sets: set[Place]().union(*sets),
            lambda inner: every - inner,
        )
        positive = [self.known[each] for each in self.settled.positive if each in self.known]
        return [
            PatternRow(*place, base[place][0], _importance(place, positive, base[place][1]))
            for place in holding
        ]

    def _patterns(self, clause: Clause) -> dict[Place, Known]:
        if isinstance(clause, FiringOn):
            return self._fired(clause)
        assert isinstance(clause, Matching | Mentioning)
        return self._matched(self.settled.forms[clause])

    def _matched(self, forms: Iterable[Lowered]) -> dict[Place, Known]:
        found: dict[Place, Known] = {}
        for form in forms:
            statement = pattern_statement(self.settled, form, self.conditions)
            for neuron, end, activation, importance in self.session.run_last("find the patterns", statement):
                known = found.get((neuron, end))
                if known is None or (importance or -1.0) > (known[1] or -1.0):
                    found[neuron, end] = (activation, importance)
        return found

    def _fired(self, clause: FiringOn) -> dict[Place, Known]:
        firings = all_firings(self.session, self.settled, clause)
        rows = [PatternRow(each.neuron, each.end, each.activation, each.importance) for each in firings]
        met = _meeting(self.session, rows, [*split(self.settled.query.where).neuron, *self.conditions])
        return {(row.neuron, row.end): (row.activation, row.importance) for row in met}

    def _least_superset(self, formula: Formula[Clause] | None) -> dict[Place, Known] | None:
        """Return patterns among which are all that a formula can hold of; None where any may be."""
        match formula:
            case And(operands):
                return next(
                    (found for each in operands if (found := self._least_superset(each)) is not None), None
                )
            case Or(operands):
                parts = [self._least_superset(each) for each in operands]
                given = [part for part in parts if part is not None]
                united: dict[Place, Known] = {}
                for part in given:
                    united |= part
                return united if len(given) == len(parts) else None
            case Matching() | Mentioning() | FiringOn():
                return self.known[formula]
            case _:
                return None


def _importance(place: Place, positive: Sequence[Mapping[Place, Known]], own: float | None) -> float | None:
    of_clauses = [known[place][1] for known in positive if place in known]
    return max((each for each in of_clauses or [own] if each is not None), default=None)


def _meeting(
    session: Session, rows: Sequence[PatternRow], conditions: Sequence[Formula[Condition]]
) -> list[PatternRow]:
    """Keep the rows that conditions hold of."""
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
