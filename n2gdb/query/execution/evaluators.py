"""Clause kinds: how each is planned, worked out as a set of neurons, and found on single patterns.

One evaluator for each class of clause, in EVALUATORS: whoever plans or runs a query looks it up there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from n2gdb.grammar.ast import (
    Clause,
    Condition,
    ContainedIn,
    Contains,
    FiringOn,
    Formula,
    Influenced,
    Matching,
    Mentioning,
    Predictor,
    SimilarTo,
    Writing,
)
from n2gdb.query.cypher.breadth import is_scanned
from n2gdb.query.cypher.compiler import (
    Compiled,
    compile_evidence,
    compile_influenced,
    compile_joined,
    compile_neurons,
    compile_written,
)
from n2gdb.query.cypher.patterns import pattern_statement
from n2gdb.query.cypher.where import compares_match_with_neuron, split
from n2gdb.query.execution.context import Rows, Session, Stage
from n2gdb.query.execution.neuron_set import NeuronSet
from n2gdb.query.execution.rows import Known, Place, found_patterns, meeting
from n2gdb.query.semantics.binder import PatternClause, Settled
from n2gdb.query.semantics.token_sets import TokenSet, is_listable, mask

if TYPE_CHECKING:
    from n2gdb.prediction.firing import Firing
    from n2gdb.similarity.search import Score

__all__ = [
    "EVALUATORS",
    "Evaluator",
    "WorkedOut",
    "evaluator_of",
]

_SCANNED = "walk the paths of the tries, as several steps may take many tokens"
_FIRING = "read the patterns that may match the text"
_ONE_CLAUSE = "find the neurons of one clause"
_WRITERS = "find the neurons that write such tokens"
_INFLUENCED = "find the neurons that such tokens excite or inhibit"
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
        """Yield its matches in neurons: id, end, OF_MATCH, then the depth of each token that it names."""


class _OfPatterns:
    """MATCHING and MENTIONING: what Cypher says, joins or, of broad steps, a walk along the tries."""

    scores = False

    def is_stated(self, settled: Settled, clause: PatternClause) -> bool:
        return not compares_match_with_neuron(settled.query.where) and not is_scanned(settled, clause)

    def steps(self, session: Session, settled: Settled, clause: PatternClause) -> tuple[Stage, ...]:
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
            from n2gdb.query.execution.path_scan import scan  # numpy loads longer than most answers take

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
    """FIRING ON: neurons run on a text by their evidence, or by their graphs; patterns are graphs' alone."""

    scores = False

    def is_stated(self, settled: Settled, clause: FiringOn) -> bool:
        return False

    def steps(self, session: Session, settled: Settled, clause: FiringOn) -> tuple[Stage, ...]:
        from n2gdb.prediction.firing import statements_of

        return tuple(
            Stage(_FIRING, cypher, given)
            for number, cut in session.cuts(settled.model, clause).items()
            for cypher, given in statements_of(cut, number, _positions(clause, cut), by=clause.by.value)
        )

    def work_out(self, session: Session, settled: Settled, clause: FiringOn) -> WorkedOut:
        fired: dict[int, list[Firing]] = {}
        for each in meeting(session, _fired(session, settled, clause), split(settled.query.where).match):
            fired.setdefault(each.neuron, []).append(each)
        return WorkedOut(NeuronSet.of(fired), firings=fired)

    def patterns(
        self, session: Session, settled: Settled, clause: FiringOn, conditions: Sequence[Formula[Condition]]
    ) -> Mapping[Place, Known]:
        wanted = [*split(settled.query.where).neuron, *conditions]
        met = meeting(session, _fired(session, settled, _by_graph(clause)), wanted)
        return {
            (each.neuron, each.end): Known(each.activation, each.importance, each.support, each.confidence)
            for each in met
            if each.end is not None
        }

    def pattern_steps(
        self, session: Session, settled: Settled, clause: FiringOn, conditions: Sequence[Formula[Condition]]
    ) -> tuple[Stage, ...]:
        return self.steps(session, settled, _by_graph(clause))

    def matches(
        self,
        session: Session,
        settled: Settled,
        clause: FiringOn,
        neurons: Sequence[int],
        firings: Mapping[Clause, Mapping[int, Sequence[Firing]]],
    ) -> Iterator[tuple[Any, ...]]:
        for neuron in neurons:
            for each in firings[clause].get(neuron, ()):
                end = each.steps if each.end is None else each.end
                yield neuron, end, each.activation, each.importance, each.support, each.confidence


def _by_graph(clause: FiringOn) -> FiringOn:
    """Return the clause as it is asked of patterns, which evidence has none of."""
    return replace(clause, by=Predictor.GRAPH)


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


@dataclass(frozen=True, slots=True)
class _OfTokens(_Unmatched):
    """Clauses on tokens that are stored with a neuron, as it writes them or is influenced by them.

    ``statement`` finds neurons and rows of tokens; ``tokens`` are those that the clause means.
    """

    step: str
    statement: Callable[[Settled, Any], Compiled]
    tokens: Callable[[Settled, Any], TokenSet]
    scores: bool = False

    def steps(self, session: Session, settled: Settled, clause: Any) -> tuple[Stage, ...]:
        return (Stage.of(self.step, self.statement(settled, clause)),)

    def work_out(self, session: Session, settled: Settled, clause: Any) -> WorkedOut:
        rows = session.run(self.step, self.statement(settled, clause))
        tokens = self.tokens(settled, clause)
        if is_listable(tokens):
            return WorkedOut(NeuronSet.of(neuron for neuron, _ in rows))
        chosen = mask(tokens, session.vocabulary.table).tolist()
        return WorkedOut(NeuronSet.of(neuron for neuron, token in rows if chosen[token]))


class _Influence(_Unmatched):
    """EXCITED BY and INHIBITED BY: the weights of a neuron's evidence, of tokens and of their classes."""

    scores = False

    def steps(self, session: Session, settled: Settled, clause: Influenced) -> tuple[Stage, ...]:
        return (
            Stage.of(_INFLUENCED, compile_influenced(settled, clause)),
            Stage(f"{_INFLUENCED}, as members of a class"),
        )

    def work_out(self, session: Session, settled: Settled, clause: Influenced) -> WorkedOut:
        tokens = settled.influences[clause]
        rows = session.run(_INFLUENCED, compile_influenced(settled, clause))
        if not is_listable(tokens):
            chosen = mask(tokens, session.vocabulary.table).tolist()
            rows = [row for row in rows if chosen[row[1]]]
        found = {neuron for neuron, _ in rows}
        classes = session.vocabulary.classes_of(tokens)
        if classes:
            compiled = compile_influenced(settled, clause, classes)
            found.update(
                neuron for neuron, _ in session.run(f"{_INFLUENCED}, as members of a class", compiled)
            )
        return WorkedOut(NeuronSet.of(found))


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
    Writing: _OfTokens(_WRITERS, compile_written, lambda settled, clause: settled.written[clause]),
    Influenced: _Influence(),
    SimilarTo: _Similarity(_similar),
    ContainedIn: _Similarity(_contained_in),
    Contains: _Similarity(_contains),
}


def evaluator_of(clause: Clause) -> Evaluator:
    """Return what answers clauses of this one's kind."""
    return EVALUATORS[type(clause)]


def _fired(session: Session, settled: Settled, clause: FiringOn) -> list[Firing]:
    """Run the neurons of the models of a query on a text; return all firings, whatever WHERE says."""
    from n2gdb.prediction.firing import read_firings

    thresholds = {model.number: model.fire_threshold for model in session.models}
    read = session.stage_table(_FIRING)
    return [
        firing
        for number, cut in session.cuts(settled.model, clause).items()
        for firing in read_firings(
            read,
            cut,
            number,
            threshold=thresholds[number],
            positions=_positions(clause, cut),
            by=clause.by.value,
        )
    ]


def _positions(clause: FiringOn, cut: Sequence[int]) -> list[int] | None:
    return None if clause.token is None else [clause.token % len(cut)]
