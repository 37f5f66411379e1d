"""Clause kinds: how each is planned, worked out as a set of neurons, and found on single patterns.

One evaluator for each class of clause, in EVALUATORS: whoever plans or runs a query looks it up there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from n2gdb.errors import QueryError
from n2gdb.grammar.ast import (
    Clause,
    Condition,
    ContainedIn,
    Contains,
    FiringOn,
    Formula,
    Listed,
    Matching,
    Mentioning,
    Showing,
    SimilarTo,
    Writing,
)
from n2gdb.query.cypher.breadth import is_scanned, needs_columns
from n2gdb.query.cypher.compiler import compile_evidence, compile_joined, compile_neurons, compile_written
from n2gdb.query.cypher.patterns import pattern_statement
from n2gdb.query.cypher.where import compares_match_with_neuron, split
from n2gdb.query.execution.context import Rows, Session, Stage
from n2gdb.query.execution.firings import FIRING, cuts_of, fired, positions_of
from n2gdb.query.execution.rows import Known, Place, meeting
from n2gdb.query.semantics.binder import PatternClause, Settled
from n2gdb.query.semantics.neuron_set import NeuronSet
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.query.semantics.token_sets import is_listable, mask

if TYPE_CHECKING:
    from n2gdb.prediction.firing import Firing
    from n2gdb.similarity.search import Score

__all__ = [
    "EVALUATORS",
    "Evaluator",
    "WorkedOut",
    "evaluator_of",
    "found_patterns",
    "require_effects",
]

_WALKED = "walk the paths of all tries"
_SCANNED = "walk the paths of the tries, as several steps may take many tokens"
_ONE_CLAUSE = "find the neurons of one clause"
_WRITERS = "find the neurons that write such tokens"
_JOINED = "compare matches with neurons"


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """What a clause came to: the neurons that it holds of, and their firings or scores where it has such."""

    neurons: NeuronSet
    firings: Mapping[int, Sequence[Firing]] | None = None
    scores: Mapping[int, Score] | None = None


class Evaluator(Protocol):
    """How clauses of a kind are answered; ``clause`` is always one of that kind."""

    @property
    def scores(self) -> bool:
        """Whether it scores neurons, by which an answer is ordered."""

    def is_stated(self, settled: Settled, clause: Any) -> bool:
        """Tell whether a statement is to ask it of neurons; else it is worked out before."""

    def steps(self, session: Session, settled: Settled, clause: Any) -> tuple[Stage, ...]:
        """Return the steps that work it out, none of them run."""

    def work_out(self, session: Session, settled: Settled, clause: Any) -> WorkedOut:
        """Return the neurons that it holds of."""

    def patterns(
        self, session: Session, settled: Settled, clause: Any, conditions: Sequence[Formula[Condition]]
    ) -> Mapping[Place, Known] | None:
        """Return the patterns that it holds of and that meet conditions; None for one of neurons alone."""

    def pattern_steps(
        self, session: Session, settled: Settled, clause: Any, conditions: Sequence[Formula[Condition]]
    ) -> tuple[Stage, ...]:
        """Return the steps that find these patterns, none of them run."""

    def matches(
        self,
        session: Session,
        settled: Settled,
        clause: Any,
        neurons: Sequence[int],
        firings: Mapping[Clause, Mapping[int, Sequence[Firing]]],
    ) -> Iterable[tuple[Any, ...]]:
        """Yield its matches in neurons: id, end, activation, importance, depth of each token it names."""


class _OfPatterns:
    """MATCHING and MENTIONING: what Cypher says, joins or, of broad steps, a walk along the tries."""

    scores = False

    def is_stated(self, settled: Settled, clause: PatternClause) -> bool:
        if needs_columns(settled) or compares_match_with_neuron(settled.query.where):
            return False
        return not is_scanned(settled, clause)

    def steps(self, session: Session, settled: Settled, clause: PatternClause) -> tuple[Stage, ...]:
        if needs_columns(settled):
            return (Stage(_WALKED),)
        if compares_match_with_neuron(settled.query.where):
            return tuple(Stage.of(_JOINED, each) for each in compile_joined(settled, clause))
        if is_scanned(settled, clause):
            return (Stage(_SCANNED),)
        return (Stage.of(_ONE_CLAUSE, compile_neurons(settled, clause)),)

    def work_out(self, session: Session, settled: Settled, clause: PatternClause) -> WorkedOut:
        if compares_match_with_neuron(settled.query.where):
            statements = compile_joined(settled, clause)
            rows = [row for each in statements for row in session.run(_JOINED, each)]
        elif is_scanned(settled, clause):
            from n2gdb.query.columnar.path_scan import scan  # numpy loads longer than most answers take

            return WorkedOut(NeuronSet.of(scan(session, settled, clause)))
        else:
            rows = session.run(_ONE_CLAUSE, compile_neurons(settled, clause))
        return WorkedOut(NeuronSet.of(neuron for (neuron,) in rows))

    def patterns(
        self,
        session: Session,
        settled: Settled,
        clause: PatternClause,
        conditions: Sequence[Formula[Condition]],
    ) -> Mapping[Place, Known]:
        return found_patterns(session, settled, settled.forms[clause], conditions)

    def pattern_steps(
        self,
        session: Session,
        settled: Settled,
        clause: PatternClause,
        conditions: Sequence[Formula[Condition]],
    ) -> tuple[Stage, ...]:
        if needs_columns(settled):
            return (Stage(_WALKED),)
        statements = (pattern_statement(settled, form, conditions) for form in settled.forms[clause])
        return tuple(Stage.of("find the patterns", each) for each in statements)

    def matches(
        self,
        session: Session,
        settled: Settled,
        clause: PatternClause,
        neurons: Sequence[int],
        firings: Mapping[Clause, Mapping[int, Sequence[Firing]]],
    ) -> Iterator[tuple[Any, ...]]:
        for compiled in compile_evidence(settled, clause, neurons):
            yield from session.run("read the matches of these neurons", compiled)


class _Firing:
    """FIRING ON: the graphs run on a text."""

    scores = False

    def is_stated(self, settled: Settled, clause: FiringOn) -> bool:
        return False

    def steps(self, session: Session, settled: Settled, clause: FiringOn) -> tuple[Stage, ...]:
        from n2gdb.prediction.firing import firing_statements

        return tuple(
            Stage(FIRING, cypher, given)
            for number, cut in cuts_of(session, settled, clause).items()
            for cypher, given in firing_statements(cut, number, positions_of(clause, cut))
        )

    def work_out(self, session: Session, settled: Settled, clause: FiringOn) -> WorkedOut:
        found: dict[int, list[Firing]] = {}
        for each in meeting(session, fired(session, settled, clause), split(settled.query.where).match):
            found.setdefault(each.neuron, []).append(each)
        return WorkedOut(NeuronSet.of(found), firings=found)

    def patterns(
        self, session: Session, settled: Settled, clause: FiringOn, conditions: Sequence[Formula[Condition]]
    ) -> Mapping[Place, Known]:
        wanted = [*split(settled.query.where).neuron, *conditions]
        met = meeting(session, fired(session, settled, clause), wanted)
        return {(each.neuron, each.end): (each.activation, each.importance) for each in met}

    def pattern_steps(
        self, session: Session, settled: Settled, clause: FiringOn, conditions: Sequence[Formula[Condition]]
    ) -> tuple[Stage, ...]:
        return self.steps(session, settled, clause)

    def matches(
        self,
        session: Session,
        settled: Settled,
        clause: FiringOn,
        neurons: Sequence[int],
        firings: Mapping[Clause, Mapping[int, Sequence[Firing]]],
    ) -> Iterator[tuple[Any, ...]]:
        for neuron in neurons:
            for firing in firings[clause].get(neuron, ()):
                yield neuron, firing.end, firing.activation, firing.importance


class _Unmatched(ABC):
    """What clauses have alike that hold of a neuron, and of none of its patterns by itself."""

    __slots__ = ()

    def is_stated(self, settled: Settled, clause: Any) -> bool:
        return False

    @abstractmethod
    def steps(self, session: Session, settled: Settled, clause: Any) -> tuple[Stage, ...]:
        """See Evaluator."""

    def patterns(
        self, session: Session, settled: Settled, clause: Any, conditions: Sequence[Formula[Condition]]
    ) -> None:
        return None

    def pattern_steps(
        self, session: Session, settled: Settled, clause: Any, conditions: Sequence[Formula[Condition]]
    ) -> tuple[Stage, ...]:
        return self.steps(session, settled, clause)

    def matches(
        self,
        session: Session,
        settled: Settled,
        clause: Any,
        neurons: Sequence[int],
        firings: Mapping[Clause, Mapping[int, Sequence[Firing]]],
    ) -> tuple[()]:
        return ()


@dataclass(frozen=True, slots=True)
class _Similarity(_Unmatched):
    """SIMILAR TO and its like: neurons compared with one, scored by ``search``."""

    search: Callable[[Rows, int, Any, int | None], Iterable[Score]]
    scores: bool = True

    def steps(self, session: Session, settled: Settled, clause: Any) -> tuple[Stage, ...]:
        session.neuron(clause.neuron, settled.query.model)
        return (Stage(f"compare with {clause.neuron}"),)

    def work_out(self, session: Session, settled: Settled, clause: Any) -> WorkedOut:
        named = session.neuron(clause.neuron, settled.query.model)
        rows = session.stage_rows(f"compare with {clause.neuron}")
        found = {score.neuron: score for score in self.search(rows, named, clause, settled.model)}
        return WorkedOut(NeuronSet.of(found), scores=found)


class _Writing(_Unmatched):
    """PROMOTING and SUPPRESSING: the strongest effects of neurons on the logits, as they are stored."""

    scores = False

    def steps(self, session: Session, settled: Settled, clause: Writing) -> tuple[Stage, ...]:
        return (Stage.of(_WRITERS, compile_written(settled, clause)),)

    def work_out(self, session: Session, settled: Settled, clause: Writing) -> WorkedOut:
        rows = session.run(_WRITERS, compile_written(settled, clause))
        if is_listable(settled.written[clause]):
            return WorkedOut(NeuronSet.of(neuron for neuron, _ in rows))
        chosen = mask(settled.written[clause], session.vocabulary.table).tolist()
        return WorkedOut(NeuronSet.of(neuron for neuron, token in rows if chosen[token]))


class _Listed(_Unmatched):
    """IN (...): the units that are named one by one."""

    scores = False

    def steps(self, session: Session, settled: Settled, clause: Listed) -> tuple[Stage, ...]:
        return (Stage("look up the neurons that are named"),)

    def work_out(self, session: Session, settled: Settled, clause: Listed) -> WorkedOut:
        named = session.saved(clause.saved) if clause.saved else clause.neurons
        return WorkedOut(NeuronSet.of(session.neurons(named, settled.query.model)))


class _Showing(_Unmatched):
    """SHOWING: the units in whose stored examples a text stands."""

    scores = False

    def steps(self, session: Session, settled: Settled, clause: Showing) -> tuple[Stage, ...]:
        return (Stage("look for the text in the stored examples"),)

    def work_out(self, session: Session, settled: Settled, clause: Showing) -> WorkedOut:
        windows = session.read_columns().windows
        found = session.work(
            "look for the text in the stored examples",
            lambda: windows.showing(clause.text, exact=clause.exact),
        )
        return WorkedOut(NeuronSet.of(found))


def require_effects(session: Session) -> None:
    """Raise QueryError for a database that was built without what neurons write."""
    if not session.rows("MATCH (:Neuron)-[w:WRITES]->(:Token) RETURN w.rank LIMIT 1", {}):
        raise QueryError(
            "the database does not hold what its neurons promote and suppress: add it with n2gdb effects"
        )


def _similar(rows: Rows, named: int, clause: SimilarTo, model: int | None) -> list[Score]:
    from n2gdb.similarity.search import similar

    return similar(rows, named, clause.metric, above=clause.above, model=model)


def _contained_in(rows: Rows, named: int, clause: ContainedIn, model: int | None) -> list[Score]:
    from n2gdb.similarity.search import contained_in

    return contained_in(rows, named, above=clause.above, model=model)


def _contains(rows: Rows, named: int, clause: Contains, model: int | None) -> list[Score]:
    from n2gdb.similarity.search import contains

    return contains(rows, named, above=clause.above, model=model)


EVALUATORS: Mapping[type, Evaluator] = {
    Matching: _OfPatterns(),
    Mentioning: _OfPatterns(),
    FiringOn: _Firing(),
    Writing: _Writing(),
    Listed: _Listed(),
    Showing: _Showing(),
    SimilarTo: _Similarity(_similar),
    ContainedIn: _Similarity(_contained_in),
    Contains: _Similarity(_contains),
}


def evaluator_of(clause: Clause) -> Evaluator:
    """Return what answers clauses of this one's kind."""
    return EVALUATORS[type(clause)]


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
        for neuron, end, activation, importance in session.run("find the patterns", statement):
            known = found.get((neuron, end))
            if known is None or (importance or -1.0) > (known[1] or -1.0):
                found[neuron, end] = (activation, importance)
    return found
