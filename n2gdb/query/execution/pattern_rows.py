"""Finds the patterns of a query: by one statement, or as a formula over the patterns of each clause.

A clause is tested on single patterns. A row has the pattern's activation and its importance. For one match of
a positive clause, the importance is the smallest among the context tokens that the clause names (among all
context tokens if it names none); a row takes the largest over all such matches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from n2gdb.grammar.ast import And, Clause, Formula, Not, Or, Query
from n2gdb.query.cypher.patterns import ANY, pattern_statement
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.evaluators import evaluator_of
from n2gdb.query.execution.neurons import find_ids
from n2gdb.query.execution.plan import NeuronPlan, PatternPlan
from n2gdb.query.execution.rows import Known, PatternRow, Place, found_patterns, meeting
from n2gdb.query.semantics.binder import fold
from n2gdb.query.semantics.neuron_set import NeuronSet
from n2gdb.query.semantics.places import placed
from n2gdb.storage.parameters import MOST_LISTED

__all__ = ["find_rows"]


def find_rows(session: Session, plan: PatternPlan) -> list[PatternRow]:
    """Return all patterns of a query, in any order."""
    if plan.neurons is not None:
        return _rows_of_neurons(session, plan, plan.neurons)
    if plan.statement is not None:
        return [PatternRow(*row) for row in session.run("find the patterns", plan.statement)]
    return meeting(session, _Search(session, plan).rows(), plan.late)


def _rows_of_neurons(session: Session, plan: PatternPlan, neurons: NeuronPlan) -> list[PatternRow]:
    ids, _ = find_ids(session, neurons)
    statement = plan.statement
    if len(ids) <= MOST_LISTED or statement is None:
        everything = replace(plan.settled, query=Query(model=plan.settled.query.model))
        statement = pattern_statement(everything, ANY, (), sorted(ids))
    rows = session.run("find the patterns", statement)
    return [PatternRow(*row) for row in rows if row[0] in ids]


@dataclass(slots=True)
class _Search:
    """The patterns of each clause, combined by a formula."""

    session: Session
    plan: PatternPlan
    known: dict[Clause, Mapping[Place, Known]] = field(default_factory=dict)
    neurons: dict[Clause, NeuronSet] = field(default_factory=dict)

    def rows(self) -> list[PatternRow]:
        settled = self.plan.settled
        for clause in self.plan.searched:
            self._find(clause)
        clauses = settled.query.clauses
        base = self._least_superset(clauses)
        if base is None:
            base = found_patterns(self.session, settled, [ANY], self.plan.early)
        if clauses is None:
            return [PatternRow.of(place, known) for place, known in base.items()]
        every = base.keys()

        def leaf(clause: Clause) -> Set[Place]:
            if clause in self.neurons:
                return {place for place in every if place[0] in self.neurons[clause]}
            return every & self.known[clause].keys()

        holding = fold(
            clauses,
            leaf,
            lambda sets: set[Place]().union(sets[0]).intersection(*sets),
            lambda sets: set[Place]().union(*sets),
            lambda inner: every - inner,
        )
        positive = [self.known[each] for each in settled.positive if each in self.known]
        return [
            PatternRow.of(place, known._replace(importance=_importance(place, positive, known.importance)))
            for place in holding
            for known in (base[place],)
        ]

    def _find(self, clause: Clause) -> None:
        settled, evaluator = self.plan.settled, evaluator_of(clause)
        with placed(clause.at):
            found = evaluator.patterns(self.session, settled, clause, self.plan.early)
            if found is None:
                self.neurons[clause] = evaluator.work_out(self.session, settled, clause).neurons
            else:
                self.known[clause] = found

    def _least_superset(self, formula: Formula[Clause] | None) -> Mapping[Place, Known] | None:
        """Return a superset of the patterns that a formula can hold of; None if it may be any."""
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
            case Not() | None:
                return None
            case clause:
                return self.known.get(clause)


def _importance(place: Place, positive: Sequence[Mapping[Place, Known]], own: float | None) -> float | None:
    of_clauses = [known[place].importance for known in positive if place in known]
    return max((each for each in of_clauses or [own] if each is not None), default=None)
