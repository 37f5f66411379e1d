"""Evaluates the clauses that a statement cannot express, each as a set of neurons, before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from n2gdb.grammar.ast import Clause, Metric, RankBy
from n2gdb.grammar.records import dataclass
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.evaluators import WorkedOut, evaluator_of
from n2gdb.query.execution.plan import NeuronPlan
from n2gdb.query.semantics.binder import Settled
from n2gdb.query.semantics.neuron_set import NeuronSet
from n2gdb.query.semantics.places import placed

if TYPE_CHECKING:
    from n2gdb.prediction.firing import Firing
    from n2gdb.similarity.search import Score

__all__ = ["ClauseSets", "work_out"]


@dataclass(frozen=True, slots=True)
class ClauseSets:
    """The results of evaluated clauses: neurons by clause, firings by clause and neuron, scores by neuron.

    ``firings`` are those of positive clauses. ``scores`` are shown in the answer; the neuron ``first`` leads
    their order even if others are as similar.
    """

    known: Mapping[Clause, NeuronSet]
    firings: Mapping[Clause, Mapping[int, Sequence[Firing]]] = field(default_factory=dict)
    scores: Mapping[int, Score] | None = None
    first: int | None = None

    def fired(self, neuron: int, field: str) -> float | None:
        """Return the largest of a match's field of a neuron on the texts of positive clauses."""
        fired = (getattr(each, field) for found in self.firings.values() for each in found.get(neuron, ()))
        return max((value for value in fired if value is not None), default=None)

    def shown(self, neuron: int) -> tuple[float | None, int | None]:
        """Return the similarity and size of a neuron's match, None if the query compares with no neuron."""
        if self.scores is None:
            return None, None
        score = self.scores.get(neuron)
        return (score.score, score.size) if score else (0.0, 0)

    def ordering_key(self, neuron: int) -> tuple[bool, float, int]:
        """Return the sort key that puts the neuron itself first, then the most similar."""
        score, size = self.shown(neuron)
        return neuron != self.first, -(score or 0.0), -(size or 0)


def work_out(session: Session, plan: NeuronPlan) -> ClauseSets:
    """Evaluate every clause that a plan does not leave to its statement."""
    settled = plan.settled
    found: dict[Clause, WorkedOut] = {}
    for clause in plan.worked:
        if session.columns is not None and clause.has_matches:
            continue  # walked with all others, see ``by_columns``
        with placed(clause.at):
            found[clause] = evaluator_of(clause).work_out(session, settled, clause)
    known = {clause: each.neurons for clause, each in found.items()}
    positive = settled.positive
    firings = {
        clause: each.firings
        for clause, each in found.items()
        if each.firings is not None and clause in positive
    }
    rank = settled.query.rank
    if rank is not None and plan.named is not None:
        return ClauseSets(known, firings, _ranks(session, settled, rank, plan.named), plan.named)
    return ClauseSets(known, firings, found[plan.leading].scores if plan.leading is not None else None)


def _ranks(session: Session, settled: Settled, rank: RankBy, named: int) -> Mapping[int, Score]:
    from n2gdb.similarity.search import Bounds, ComparisonSource, Score, itself, similar

    def scores(source: ComparisonSource) -> Mapping[int, Score]:
        if session.columns is None:
            own = itself(source, named, rank.metric)
            found = similar(source, named, rank.metric, Bounds(model=settled.model))
            return {score.neuron: score for score in (own, *found)}
        from n2gdb.similarity.scored import scores_against

        if rank.metric is Metric.GRAPH:  # without a statement
            own = Score(named, 1.0, session.columns.count_steps(named))
        else:
            own = itself(source, named, rank.metric)
        return scores_against(source.columns(), own, rank.metric, settled.model)

    return session.compare(rank.neuron, scores)
