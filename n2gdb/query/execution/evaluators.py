"""Evaluators, one per kind of clause: how it is planned, evaluated, and matched to single patterns.

EVALUATORS maps each class of clause to its evaluator, for the planner and the executor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from n2gdb.core.units import token_key
from n2gdb.grammar.ast import (
    Clause,
    Condition,
    ContainedIn,
    Contains,
    FiringOn,
    Formula,
    Influenced,
    Listed,
    Matching,
    Mentioning,
    Predictor,
    Query,
    Showing,
    SimilarTo,
    Writing,
)
from n2gdb.grammar.records import dataclass
from n2gdb.query.cypher.breadth import is_scanned, needs_columns
from n2gdb.query.cypher.compiler import (
    compile_evidence,
    compile_influenced,
    compile_joined,
    compile_rows,
    compile_written,
)
from n2gdb.query.cypher.match import WRITES
from n2gdb.query.cypher.patterns import pattern_statement
from n2gdb.query.cypher.where import compares_match_with_neuron, split
from n2gdb.query.execution.context import FIRING, Session, Stage, positions_of
from n2gdb.query.execution.rows import Known, Place, found_patterns, meeting
from n2gdb.query.semantics.binder import PatternClause, Settled
from n2gdb.query.semantics.neuron_set import NeuronSet
from n2gdb.query.semantics.token_sets import Among, is_listable, mask

if TYPE_CHECKING:
    from n2gdb.prediction.firing import Firing
    from n2gdb.similarity.search import ComparisonSource, Score

#: Firings of clauses that were worked out, by clause and Neuron.id.
Firings: TypeAlias = "Mapping[Clause, Mapping[int, Sequence[Firing]]]"

__all__ = [
    "EVALUATORS",
    "Evaluator",
    "WorkedOut",
    "evaluator_of",
]

_ONE_CLAUSE = "find the neurons of one clause"
_WRITERS = "find the neurons that write such tokens"
_INFLUENCED = "find the neurons that such tokens excite or inhibit"
_INFLUENCED_BY_CLASS = f"{_INFLUENCED}, as members of a class"
_JOINED = "compare matches with neurons"


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """The result of a clause: the neurons that it holds of, with their firings or scores if it has any."""

    neurons: NeuronSet
    firings: Mapping[int, Sequence[Firing]] | None = None
    scores: Mapping[int, Score] | None = None


class Evaluator(ABC):
    """How clauses of one kind are answered; ``clause`` is always one of that kind.

    What is not abstract holds of clauses that no statement can express and that match no single pattern.
    """

    #: Whether it scores neurons, by which an answer is ordered.
    scores: bool = False

    def is_stated(self, settled: Settled, clause: Any) -> bool:
        """Return whether a statement tests it on neurons; otherwise it is worked out before."""
        return False

    @abstractmethod
    def steps(self, session: Session, settled: Settled, clause: Any) -> tuple[Stage, ...]:
        """Return the steps that work it out, none of them run."""

    @abstractmethod
    def work_out(self, session: Session, settled: Settled, clause: Any) -> WorkedOut:
        """Return the neurons that it holds of."""

    def patterns(
        self, session: Session, settled: Settled, clause: Any, conditions: Sequence[Formula[Condition]]
    ) -> Mapping[Place, Known] | None:
        """Return the patterns that it holds of and that meet conditions; None if it holds only of neurons."""
        return None

    def pattern_steps(
        self, session: Session, settled: Settled, clause: Any, conditions: Sequence[Formula[Condition]]
    ) -> tuple[Stage, ...]:
        """Return the steps that find these patterns, none of them run."""
        return self.steps(session, settled, clause)

    def matches(
        self, session: Session, settled: Settled, clause: Any, neurons: Sequence[int], firings: Firings
    ) -> Iterable[tuple[Any, ...]]:
        """Yield its matches in neurons: id, end, OF_MATCH, then the depth of each token that it names."""
        return ()


class _OfPatterns(Evaluator):
    """MATCHING and MENTIONING: a condition of the statement, a join, or a scan of the tries."""

    def is_stated(self, settled: Settled, clause: PatternClause) -> bool:
        if needs_columns(settled) or compares_match_with_neuron(settled.query.where):
            return False
        return not is_scanned(settled, clause)

    def steps(self, session: Session, settled: Settled, clause: PatternClause) -> tuple[Stage, ...]:
        if needs_columns(settled):
            return ()  # walked with all others, as a step of the whole plan
        from n2gdb.query.cypher.step_rows import NeuronRows  # here and below: only a shown plan needs it

        if compares_match_with_neuron(settled.query.where):
            joined = zip(compile_joined(settled, clause), settled.forms[clause], strict=True)
            return tuple(Stage.of(_JOINED, each, NeuronRows(settled, form=form)) for each, form in joined)
        if is_scanned(settled, clause):
            from n2gdb.query.columnar.path_scan import scan_steps

            return tuple(
                Stage(step, finds=finds) if compiled is None else Stage.of(step, compiled, finds)
                for step, compiled, finds in scan_steps(session, settled, clause)
            )
        return (Stage.of(_ONE_CLAUSE, compile_rows(settled, clause, ("id",)), NeuronRows(settled, clause)),)

    def work_out(self, session: Session, settled: Settled, clause: PatternClause) -> WorkedOut:
        if compares_match_with_neuron(settled.query.where):
            statements = compile_joined(settled, clause)
            rows = [row for each in statements for row in session.run(_JOINED, each)]
        elif is_scanned(settled, clause):
            from n2gdb.query.columnar.path_scan import scan  # numpy loads longer than most answers take

            return WorkedOut(NeuronSet.of(scan(session, settled, clause)))
        else:
            rows = session.run(_ONE_CLAUSE, compile_rows(settled, clause, ("id",)))
        return WorkedOut(NeuronSet.of(neuron for (neuron,) in rows))

    def patterns(
        self, session: Session, settled: Settled, clause: Any, conditions: Sequence[Formula[Condition]]
    ) -> Mapping[Place, Known]:
        return found_patterns(session, settled, settled.forms[clause], conditions)

    def pattern_steps(
        self, session: Session, settled: Settled, clause: Any, conditions: Sequence[Formula[Condition]]
    ) -> tuple[Stage, ...]:
        if needs_columns(settled):
            return ()
        from n2gdb.query.cypher.step_rows import PatternRows

        return tuple(
            Stage.of(
                "find the patterns",
                pattern_statement(settled, form, conditions),
                PatternRows(settled, form, conditions),
            )
            for form in settled.forms[clause]
        )

    def matches(
        self, session: Session, settled: Settled, clause: Any, neurons: Sequence[int], firings: Firings
    ) -> Iterator[tuple[Any, ...]]:
        for compiled in compile_evidence(settled, clause, neurons):
            yield from session.run("read the matches of these neurons", compiled)


class _Firing(Evaluator):
    """FIRING ON: neurons run on a text by their evidence, or by their graphs; patterns are graphs' alone."""

    def steps(self, session: Session, settled: Settled, clause: FiringOn) -> tuple[Stage, ...]:
        from n2gdb.prediction.firing import statements_of
        from n2gdb.query.cypher.step_rows import NodeRows, StatedRows

        steps = []
        for number, cut in session.cuts(settled.model, clause).items():
            positions = positions_of(clause, cut)
            activating = cut if positions is None else [cut[position] for position in positions]
            anyone = replace(settled, query=Query(), model=number)
            nodes = {
                "ACTIVATES_ON": NodeRows(anyone, "ACTIVATES_ON", (_among(number, activating),), True),
                "CONTEXT": NodeRows(anyone, "CONTEXT", (_among(number, cut),)),
            }
            before = cut[: -1 if positions is None else positions[-1]]
            classes = session.vocabulary.classes_of(_among(number, before)) if before else ()
            for read, stated in statements_of(cut, number, positions, by=clause.by.value, classes=classes):
                weights = StatedRows(*stated) if read.endswith("EVIDENCE") else None
                steps.append(Stage(FIRING, *stated, finds=nodes.get(read, weights)))
        return tuple(steps)

    def work_out(self, session: Session, settled: Settled, clause: FiringOn) -> WorkedOut:
        found: dict[int, list[Firing]] = {}
        for each in meeting(session, session.fired(settled.model, clause), split(settled.query.where).match):
            found.setdefault(each.neuron, []).append(each)
        return WorkedOut(NeuronSet.of(found), firings=found)

    def patterns(
        self, session: Session, settled: Settled, clause: FiringOn, conditions: Sequence[Formula[Condition]]
    ) -> Mapping[Place, Known]:
        wanted = [*split(settled.query.where).neuron, *conditions]
        met = meeting(session, session.fired(settled.model, _by_graph(clause)), wanted)
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
        self, session: Session, settled: Settled, clause: Any, neurons: Sequence[int], firings: Firings
    ) -> Iterator[tuple[Any, ...]]:
        for neuron in neurons:
            for each in firings[clause].get(neuron, ()):
                end = each.steps if each.end is None else each.end
                yield neuron, end, each.activation, each.importance, each.support, each.confidence


def _by_graph(clause: FiringOn) -> FiringOn:
    """Return the clause as it is asked of patterns, which evidence has none of."""
    return replace(clause, by=Predictor.GRAPH)


@dataclass(frozen=True, slots=True)
class _Similarity(Evaluator):
    """SIMILAR TO, SUBSET OF, SUPERSET OF: neurons compared with one, scored by ``search``."""

    search: Callable[[ComparisonSource, int, Any, int | None], Sequence[Score]]
    scores: bool = True

    def steps(self, session: Session, settled: Settled, clause: Any) -> tuple[Stage, ...]:
        from n2gdb.query.cypher.step_rows import ComparedRows

        named = session.neuron(clause.neuron, settled.query.model)
        return (Stage(f"compare with {clause.neuron}", finds=ComparedRows(named)),)

    def work_out(self, session: Session, settled: Settled, clause: Any) -> WorkedOut:
        named = session.neuron(clause.neuron, settled.query.model)
        scores = session.compare(
            clause.neuron, lambda source: self.search(source, named, clause, settled.model)
        )
        found = {score.neuron: score for score in scores}
        return WorkedOut(NeuronSet.of(found), scores=found)


class _Writing(Evaluator):
    """PROMOTING and SUPPRESSING: the neurons that write such tokens."""

    def steps(self, session: Session, settled: Settled, clause: Writing) -> tuple[Stage, ...]:
        from n2gdb.query.cypher.step_rows import NodeRows

        finds = NodeRows(settled, WRITES[clause.effect], (settled.written[clause],), is_whole=True)
        return (Stage.of(_WRITERS, compile_written(settled, clause), finds),)

    def work_out(self, session: Session, settled: Settled, clause: Writing) -> WorkedOut:
        rows = session.run(_WRITERS, compile_written(settled, clause))
        tokens = settled.written[clause]
        if is_listable(tokens):
            return WorkedOut(NeuronSet.of(neuron for neuron, _ in rows))
        chosen = mask(tokens, session.vocabulary.table).tolist()
        return WorkedOut(NeuronSet.of(neuron for neuron, token in rows if chosen[token]))


class _Listed(Evaluator):
    """IN (...): the units that are named one by one."""

    def steps(self, session: Session, settled: Settled, clause: Listed) -> tuple[Stage, ...]:
        return (Stage("look up the neurons that are named"),)

    def work_out(self, session: Session, settled: Settled, clause: Listed) -> WorkedOut:
        named = session.saved(clause.saved) if clause.saved else clause.neurons
        return WorkedOut(NeuronSet.of(session.neurons(named, settled.query.model)))


class _Showing(Evaluator):
    """SHOWING: the units in whose stored examples a text stands."""

    def steps(self, session: Session, settled: Settled, clause: Showing) -> tuple[Stage, ...]:
        return (Stage("look for the text in the stored examples"),)

    def work_out(self, session: Session, settled: Settled, clause: Showing) -> WorkedOut:
        windows = session.read_columns().windows
        found = session.work(
            "look for the text in the stored examples",
            lambda: windows.showing(clause.text, exact=clause.exact),
        )
        return WorkedOut(NeuronSet.of(found))


class _Influence(Evaluator):
    """EXCITED BY and INHIBITED BY: the weights of a neuron's evidence, of tokens and of their classes."""

    def steps(self, session: Session, settled: Settled, clause: Influenced) -> tuple[Stage, ...]:
        from n2gdb.query.cypher.step_rows import StatedRows

        stated = compile_influenced(settled, clause)
        steps = [Stage.of(_INFLUENCED, stated, StatedRows(stated.cypher, stated.parameters))]
        if classes := session.vocabulary.classes_of(settled.influences[clause]):
            stated = compile_influenced(settled, clause, classes)
            finds = StatedRows(stated.cypher, stated.parameters)
            steps.append(Stage.of(_INFLUENCED_BY_CLASS, stated, finds))
        return tuple(steps)

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
            found.update(neuron for neuron, _ in session.run(_INFLUENCED_BY_CLASS, compiled))
        return WorkedOut(NeuronSet.of(found))


def _similar(source: ComparisonSource, named: int, clause: SimilarTo, model: int | None) -> Sequence[Score]:
    from n2gdb.similarity.search import Bounds, similar

    return similar(source, named, clause.metric, Bounds(clause.least, clause.sharing, model))


def _contained_in(
    source: ComparisonSource, named: int, clause: ContainedIn, model: int | None
) -> Sequence[Score]:
    from n2gdb.similarity.search import Bounds, contained_in

    return contained_in(source, named, Bounds(clause.above, clause.sharing, model))


def _contains(source: ComparisonSource, named: int, clause: Contains, model: int | None) -> Sequence[Score]:
    from n2gdb.similarity.search import Bounds, contains

    return contains(source, named, Bounds(clause.above, clause.sharing, model))


EVALUATORS: Mapping[type, Evaluator] = {
    Matching: _OfPatterns(),
    Mentioning: _OfPatterns(),
    FiringOn: _Firing(),
    Writing: _Writing(),
    Influenced: _Influence(),
    Listed: _Listed(),
    Showing: _Showing(),
    SimilarTo: _Similarity(_similar),
    ContainedIn: _Similarity(_contained_in),
    Contains: _Similarity(_contains),
}


def evaluator_of(clause: Clause) -> Evaluator:
    """Return the evaluator of a clause's kind."""
    return EVALUATORS[type(clause)]


def _among(model: int, tokens: Iterable[int]) -> Among:
    return Among(tuple(sorted({token_key(model, token) for token in tokens})))
