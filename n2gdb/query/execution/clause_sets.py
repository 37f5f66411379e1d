"""The clauses that are worked out before a statement runs: each as the set of neurons that it holds of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from n2gdb.errors import QueryError
from n2gdb.grammar.ast import (
    Clause,
    ContainedIn,
    Contains,
    FiringOn,
    Matching,
    Mentioning,
    Query,
    RankBy,
    SimilarTo,
    Writing,
)
from n2gdb.query.cypher.compiler import compile_joined, compile_rows, compile_written
from n2gdb.query.cypher.where import mentions_neuron, split
from n2gdb.query.execution.breadth import is_scanned
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.neuron_set import NeuronSet
from n2gdb.query.semantics.binder import PatternClause, Settled, clauses_of, conjuncts
from n2gdb.query.semantics.places import placed
from n2gdb.query.semantics.token_sets import is_listable, mask
from n2gdb.storage.columns import ANSWER_COLUMNS

if TYPE_CHECKING:
    from n2gdb.prediction.firing import Firing
    from n2gdb.similarity.search import Score

__all__ = [
    "ClauseSets",
    "all_firings",
    "compares_match_with_neuron",
    "require_effects",
    "similarity_scores",
    "work_out",
    "writers",
]

_SimilarityClause = SimilarTo | ContainedIn | Contains


@dataclass(frozen=True, slots=True)
class ClauseSets:
    """What was worked out: the neurons of each such clause, firings by clause and neuron, scores by neuron.

    ``firings`` are those of positive clauses; ``scores`` are what the answer shows, ``ordering`` tells that
    it is in their order too, with the neuron ``first`` at its head, whoever is as similar.
    """

    known: Mapping[Clause, NeuronSet]
    firings: Mapping[FiringOn, Mapping[int, Sequence[Firing]]] = field(default_factory=dict)
    scores: Mapping[int, Score] | None = None
    ordering: bool = False
    first: int | None = None

    def activation(self, neuron: int) -> float | None:
        """Return the largest prediction on the texts of positive clauses."""
        predicted = [each.activation for found in self.firings.values() for each in found.get(neuron, ())]
        return max(predicted, default=None)

    def shown(self, neuron: int) -> tuple[float | None, int | None]:
        """Return the similarity and the size of a neuron's match, None where the query compares with none."""
        if self.scores is None:
            return None, None
        score = self.scores.get(neuron)
        return (score.score, score.size) if score else (0.0, 0)

    def ordering_key(self, neuron: int) -> tuple[bool, float, int]:
        """Return what sorts the neuron itself first, then the most similar."""
        score, size = self.shown(neuron)
        return neuron != self.first, -(score or 0.0), -(size or 0)


def work_out(session: Session, settled: Settled) -> ClauseSets:
    """Work out every clause of a query that no statement asks."""
    query = settled.query
    known: dict[Clause, NeuronSet] = {}
    firings: dict[FiringOn, Mapping[int, Sequence[Firing]]] = {}
    scores: dict[Clause, dict[int, Score]] = {}
    for clause in dict.fromkeys(clauses_of(query.clauses)):
        with placed(clause.at):
            match clause:
                case FiringOn():
                    fired = _counting(session, settled, all_firings(session, settled, clause))
                    known[clause] = NeuronSet.of(fired)
                    if clause in settled.positive:
                        firings[clause] = fired
                case SimilarTo() | ContainedIn() | Contains():
                    scores[clause] = similarity_scores(session, settled, clause)
                    known[clause] = NeuronSet.of(scores[clause])
                case Writing():
                    known[clause] = NeuronSet.of(writers(session, settled, clause))
                case Matching() | Mentioning() if compares_match_with_neuron(settled):
                    known[clause] = NeuronSet.of(_joined(session, settled, clause))
                case _ if is_scanned(settled, clause):
                    known[clause] = NeuronSet.of(_scanned(session, settled, clause))
                case _:
                    pass
    if query.rank is not None:
        named = session.neuron(query.rank.neuron, query.model)
        return ClauseSets(known, firings, _ranks(session, settled, query.rank, named), True, named)
    leading = next((each for each in conjuncts(query.clauses) if isinstance(each, _SimilarityClause)), None)
    if leading is None:
        return ClauseSets(known, firings)
    return ClauseSets(known, firings, scores[leading], not query.order)


def compares_match_with_neuron(settled: Settled) -> bool:
    """Tell whether a condition of WHERE looks at a match and at its neuron."""
    return any(mentions_neuron(each) for each in split(settled.query.where).match)


def require_effects(session: Session) -> None:
    """Raise QueryError for a database that was built without what neurons write."""
    if not session.rows("MATCH (:Neuron)-[w:WRITES]->(:Token) RETURN w.rank LIMIT 1", {}):
        raise QueryError(
            "the database does not hold what its neurons promote and suppress: add it with n2gdb effects"
        )


def writers(session: Session, settled: Settled, clause: Writing) -> set[int]:
    """Return the ids of the neurons that write such a token."""
    rows = session.run("find the neurons that write such tokens", compile_written(settled, clause))
    if is_listable(settled.written[clause]):
        return {neuron for neuron, _ in rows}
    chosen = mask(settled.written[clause], session.vocabulary.table).tolist()
    return {neuron for neuron, token in rows if chosen[token]}


def _joined(session: Session, settled: Settled, clause: PatternClause) -> set[int]:
    rows = (session.run("compare matches with neurons", each) for each in compile_joined(settled, clause))
    return {neuron for found in rows for (neuron,) in found}


def _scanned(session: Session, settled: Settled, clause: Clause) -> set[int]:
    from n2gdb.query.execution.path_scan import scan  # numpy takes longer to load than most answers

    return scan(session, settled, clause)


def similarity_scores(
    session: Session, settled: Settled, clause: SimilarTo | ContainedIn | Contains
) -> dict[int, Score]:
    """Return the scores of the neurons that a clause on similarity holds of."""
    from n2gdb.similarity.search import contained_in, contains, similar

    named = session.neuron(clause.neuron, settled.query.model)
    rows = session.stage_rows(f"compare with {clause.neuron}")
    match clause:
        case SimilarTo(_, metric, above):
            found = similar(rows, named, metric, above=above, model=settled.model)
        case ContainedIn(_, above):
            found = contained_in(rows, named, above=above, model=settled.model)
        case Contains(_, above):
            found = contains(rows, named, above=above, model=settled.model)
    return {score.neuron: score for score in found}


def _ranks(session: Session, settled: Settled, rank: RankBy, named: int) -> dict[int, Score]:
    from n2gdb.similarity.search import itself, similar

    rows = session.stage_rows(f"compare with {rank.neuron}")
    found = similar(rows, named, rank.metric, model=settled.model)
    return {score.neuron: score for score in (itself(rows, named, rank.metric), *found)}


def all_firings(session: Session, settled: Settled, clause: FiringOn) -> list[Firing]:
    """Run the graphs of the models of a query on a text; return all firings, whatever WHERE says."""
    from n2gdb.prediction.firing import read_firings

    found: list[Firing] = []
    models = [model for model in session.models if settled.model in (None, model.number)]
    thresholds = {model.number: model.fire_threshold for model in models}
    cuts = {model.number: session.cut(model.number, clause.text) for model in models}
    if not any(cut is not None for cut in cuts.values()):
        raise QueryError(
            f"{' and '.join(model.name for model in models)} came without a tokenizer, so no text can be cut"
            " for FIRING ON: ingest the model again with one"
        )
    at = clause.token
    reached = {
        number: cut for number, cut in cuts.items() if cut and (at is None or -len(cut) <= at < len(cut))
    }
    if at is not None and not reached:
        longest = max((len(cut) for cut in cuts.values() if cut is not None), default=0)
        tokens = "1 token, 0" if longest == 1 else f"{longest} tokens, 0 to {longest - 1}"
        with placed(clause.token_at):
            raise QueryError(f"AT {at} lies outside the text: it has {tokens}")
    for number, cut in reached.items():
        read = session.stage_table("read the patterns that may match the text")
        positions = None if at is None else [at % len(cut)]
        found += read_firings(read, cut, number, threshold=thresholds[number], positions=positions)
    return found


def _counting(session: Session, settled: Settled, found: Sequence[Firing]) -> dict[int, list[Firing]]:
    """Keep the firings that the conditions on a match let count, by neuron."""
    from n2gdb.query.semantics.evaluate import holds  # only where there is a text to fire on

    restrictions = split(settled.query.where).match
    neurons: dict[int, Mapping[str, Any]] = {}
    if any(mentions_neuron(each) for each in restrictions):
        listed = sorted({firing.neuron for firing in found})
        rows = session.run(
            "read the neurons that fire",
            compile_rows(Settled(Query(), {}), None, ANSWER_COLUMNS, among=listed),
        )
        neurons = {row[0]: dict(zip(ANSWER_COLUMNS, row, strict=True)) for row in rows}
    kept: dict[int, list[Firing]] = {}
    for firing in found:
        fields = {
            **neurons.get(firing.neuron, {}),
            "activation": firing.activation,
            "importance": firing.importance,
        }
        if all(holds(each, fields) is True for each in restrictions):
            kept.setdefault(firing.neuron, []).append(firing)
    return kept
