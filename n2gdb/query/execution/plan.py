"""Plans: what steps answer a statement, in what order, decided once and before any of them runs.

The clauses that a statement of Cypher says are asked in one; the others are worked out before as sets of
neurons, each by the evaluator of its kind. A plan holds these decisions and the statements, and the executor
runs it; EXPLAIN prints it. To plan runs no statement of the answer: only names and tokens are looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias

from n2gdb.grammar.ast import (
    And,
    Clause,
    Condition,
    Count,
    Formula,
    Grouping,
    Query,
    Role,
    Statement,
    Subject,
    TokenQuery,
    TokenSetQuery,
)
from n2gdb.query.cypher.breadth import needs_columns
from n2gdb.query.cypher.compiler import (
    DEFAULT_ORDER,
    Compiled,
    compile_count,
    compile_neurons,
    compile_query,
    compile_ranks,
    compile_rows,
    ranked_fields,
)
from n2gdb.query.cypher.patterns import ANY, ordered_statement, pattern_statement, single_statement
from n2gdb.query.cypher.where import mentions, split
from n2gdb.query.execution.context import Session, Stage
from n2gdb.query.execution.evaluators import EVALUATORS, evaluator_of, require_effects
from n2gdb.query.semantics.binder import Settled, clauses_of, conjuncts, fold, settle
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.query.semantics.places import placed
from n2gdb.query.semantics.units import of_asked_units
from n2gdb.storage.parameters import MOST_LISTED

__all__ = [
    "ClausePlan",
    "CountPlan",
    "NeuronPlan",
    "PatternPlan",
    "Plan",
    "Purpose",
    "TokenPlan",
    "TokenSetPlan",
    "plan_patterns",
    "plan_statement",
    "steps_of",
]

_ROLES = (Grouping.ACTIVATING, Grouping.CONTEXT)

_READ = Stage("read the matches and paths of the rows that are looked at, 256 at a time")


class Purpose(Enum):
    """What neurons are found for."""

    PAGE = auto()  # their rows in order, LIMIT and OFFSET applied
    COUNT = auto()  # how many they are, LIMIT and OFFSET aside
    IDS = auto()  # which they are, in any order, LIMIT and OFFSET aside


@dataclass(frozen=True, slots=True)
class ClausePlan:
    """A clause that is worked out before the statement, as a set of neurons or of patterns."""

    clause: Clause
    steps: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class NeuronPlan:
    """How the neurons of a query are found.

    ``stated`` are the conjuncts that ``statement`` asks and ``kept`` those that come to sets of neurons, put
    together from the clauses ``worked``; where these are few, the statement lists them. ``is_whole`` tells
    that the statement answers by itself; else its ``fields`` are read, ranked by the matches that ``ranks``
    find where ``is_ranked``, and ordered in Python.
    ``leading`` is the clause whose scores the answer shows, ``named`` the neuron of RANK BY SIMILARITY.
    """

    settled: Settled
    purpose: Purpose
    worked: tuple[ClausePlan, ...]
    stated: Formula[Clause] | None
    kept: tuple[Formula[Clause], ...]
    statement: Compiled
    is_whole: bool
    fields: tuple[str, ...] = ()
    is_ranked: bool = False
    ranks: tuple[Compiled, ...] = ()
    leading: Clause | None = None
    named: int | None = None

    @property
    def is_of_matches(self) -> bool:
        """Whether the neurons are just those that meet WHERE and have a pattern which matches."""
        clauses = self.settled.query.clauses
        return not self.kept and (clauses is None or self.settled.positive == (clauses,))

    @property
    def is_ordered_by_score(self) -> bool:
        """Whether the most similar neurons come first."""
        return self.named is not None or (self.leading is not None and not self.settled.query.order)

    def steps(self) -> Iterator[Stage]:
        """Yield what is done, in order."""
        for each in self.worked:
            yield from each.steps
        if self.settled.query.sample is not None:
            yield Stage(
                f"draw {self.settled.query.sample} of the neurons by the seed {self.settled.query.seed}"
            )
        if (rank := self.settled.query.rank) is not None and self.named is not None:
            yield Stage(f"compare with {rank.neuron}")
        if self.is_whole:
            named = {Purpose.PAGE: "find and order the neurons", Purpose.COUNT: "count the neurons"}
            yield Stage.of(named.get(self.purpose, "find the neurons"), self.statement)
            return
        yield Stage.of("find the neurons", self.statement)
        for ranking in self.ranks:
            yield Stage.of("rank the neurons of one clause", ranking)
        if self.kept:
            yield Stage(
                "keep the neurons of the sets worked out before;"
                f" the statement lists them where they are {MOST_LISTED} or fewer"
            )
        if self.purpose is Purpose.PAGE:
            yield Stage("order the neurons")


@dataclass(frozen=True, slots=True)
class PatternPlan:
    """How the patterns of a query are found: by ``statement`` alone, or as a formula over sets of patterns.

    ``page`` is the statement with the order and the LIMIT of the query, where it has one. ``neurons`` finds
    the neurons of PATTERNS OF. Conditions ``early`` are asked of each clause, ``late`` ones of the result;
    ``every`` finds all patterns, where a formula may hold of some that no clause names.
    """

    settled: Settled
    statement: Compiled | None = None
    page: Compiled | None = None
    neurons: NeuronPlan | None = None
    searched: tuple[ClausePlan, ...] = ()
    early: tuple[Formula[Condition], ...] = ()
    late: tuple[Formula[Condition], ...] = ()
    every: Compiled | None = None

    def steps(self) -> Iterator[Stage]:
        """Yield what is done, in order."""
        if self.page is not None:
            yield Stage.of("find and order the patterns", self.page)
            return
        if self.neurons is not None:
            yield from self.neurons.steps()
        for each in self.searched:
            yield from each.steps
        for statement in (self.statement, self.every):
            if statement is not None:
                yield Stage.of("find the patterns", statement)
        if len(self.searched) > 1:
            yield Stage("keep the patterns that all clauses together hold of")


@dataclass(frozen=True, slots=True)
class CountPlan:
    """How what a query finds is counted: in all, by a field of its neurons, or by a token's role.

    Of tokens, ``forms`` are the normal forms of the patterns that count in the neurons of a query, found with
    conditions ``early``; none where every pattern does.
    """

    query: Query
    settled: Settled
    by: Grouping | None
    counted: NeuronPlan | PatternPlan
    forms: tuple[Lowered, ...] = ()
    early: tuple[Formula[Condition], ...] = ()

    def steps(self) -> Iterator[Stage]:
        """Yield what is done, in order."""
        of_tokens = self.by in _ROLES and isinstance(self.counted, NeuronPlan)
        if not of_tokens or not self.counted.is_of_matches:  # type: ignore[union-attr]
            yield from self.counted.steps()
        for form in self.forms:
            yield Stage.of("find the patterns", pattern_statement(self.settled, form, self.early))
        if self.by in _ROLES:
            yield Stage("read the tokens of the neurons")
        if self.by is not None:
            yield Stage(f"count by {self.by.value}")
        count = self.query.count
        if count is not None and (count.groups or count.measure is not None):
            yield Stage("put the rows in groups")


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """How the tokens of a neuron in a role are found: by its nodes, and where its patterns end."""

    query: TokenQuery
    nodes: Compiled
    ends: Compiled

    def steps(self) -> Iterator[Stage]:
        """Yield what is done, in order."""
        yield Stage.of("read the tokens", self.nodes)
        yield Stage.of("read where patterns end", self.ends)


@dataclass(frozen=True, slots=True)
class TokenSetPlan:
    """How the tokens over sets of units are found: the units of each term, then their tokens."""

    query: TokenSetQuery
    units: tuple[NeuronPlan, ...]

    def steps(self) -> Iterator[Stage]:
        """Yield what is done, in order."""
        for each in self.units:
            yield from each.steps()
        yield Stage("read the tokens of these neurons from their tries")


Plan: TypeAlias = NeuronPlan | PatternPlan | CountPlan | TokenPlan | TokenSetPlan


def plan_statement(session: Session, statement: Statement, *, counted: bool = False) -> Plan:
    """Bind a statement and decide how it is answered; ``counted`` asks only how many rows there are.

    Raises UnknownNameError where it names a neuron or a model that is not there, QueryError where it asks
    for what cannot be answered.
    """
    if isinstance(statement, TokenQuery):
        return _plan_tokens(session, statement)
    if isinstance(statement, TokenSetQuery):
        return _plan_token_sets(session, statement)
    asked = session.learn_tokens(of_asked_units(statement, session.kinds))
    settled = settle(asked, session.vocabulary, session.model_of(asked), session.sources)
    if settled.asks_for_effects:
        require_effects(session)
    if statement.count is not None:
        return _plan_count(session, settled, statement.count.by)
    if statement.subject is Subject.PATTERNS:
        return plan_patterns(session, settled)
    return _plan_neurons(session, settled, Purpose.COUNT if counted else Purpose.PAGE)


def steps_of(plan: Plan) -> tuple[Stage, ...]:
    """Return the steps of a plan, with what is read once rows are looked at."""
    return (*plan.steps(), *((_READ,) if isinstance(plan, NeuronPlan | PatternPlan) else ()))


def _plan_neurons(session: Session, settled: Settled, purpose: Purpose) -> NeuronPlan:
    query = settled.query
    stated: list[Formula[Clause]] = []
    kept: list[Formula[Clause]] = []
    for conjunct in conjuncts(query.clauses):
        asked = all(evaluator_of(each).is_stated(settled, each) for each in clauses_of(conjunct))
        (stated if asked else kept).append(conjunct)
    worked = []
    for clause in dict.fromkeys(each for conjunct in kept for each in clauses_of(conjunct)):
        with placed(clause.at):
            worked.append(ClausePlan(clause, evaluator_of(clause).steps(session, settled, clause)))
    named = None if query.rank is None else session.neuron(query.rank.neuron, query.model)
    scored = (each for each in kept if type(each) in EVALUATORS and EVALUATORS[type(each)].scores)
    leading = None if query.rank is not None else next(scored, None)
    ranks = ranked_fields(query.order) if purpose is Purpose.PAGE else ()
    ordered = purpose is Purpose.PAGE and (named is not None or (leading is not None and not query.order))
    asked_of = _all_of(stated)
    walked = needs_columns(settled)
    is_whole = not kept and not ordered and not ranks and not walked
    fields = _fields(query, purpose, ranks)
    if is_whole:
        compiled = {Purpose.PAGE: compile_query, Purpose.COUNT: compile_count}.get(purpose)
        statement = compiled(settled) if compiled else compile_neurons(settled, asked_of)
    else:
        statement = compile_rows(settled, asked_of, fields)
    return NeuronPlan(
        settled,
        purpose,
        tuple(worked),
        asked_of,
        tuple(kept),
        statement,
        is_whole,
        fields,
        bool(ranks),
        tuple(compile_ranks(settled)) if ranks and not walked else (),
        leading,  # type: ignore[arg-type]
        named if purpose is Purpose.PAGE else None,
    )


def _fields(query: Query, purpose: Purpose, ranks: Sequence[str]) -> tuple[str, ...]:
    """Return what is read of neurons that are ordered in Python."""
    if purpose is not Purpose.PAGE:
        return ("id",)
    named = ["id", "layer", "index", *(key.field for key in query.order or DEFAULT_ORDER)]
    return tuple(name for name in dict.fromkeys(named) if name not in ranks)


def plan_patterns(session: Session, settled: Settled) -> PatternPlan:
    """Decide how the patterns of a query are found."""
    query = settled.query
    if query.of_neurons:
        every = replace(settled, query=replace(query, order=(), limit=None, offset=None))
        statement = pattern_statement(replace(settled, query=Query(model=query.model)), ANY, ())
        neurons = _plan_neurons(session, every, Purpose.IDS)
        return PatternPlan(settled, statement, neurons=neurons)
    single = None if needs_columns(settled) else single_statement(settled)
    if single is not None:
        page = None if query.limit is None else ordered_statement(settled, single)
        return PatternPlan(settled, single, page)
    conditions = split(query.where).match
    early = tuple(each for each in conditions if not mentions(each, "importance"))
    late = tuple(each for each in conditions if mentions(each, "importance"))
    searched = []
    for clause in dict.fromkeys(clauses_of(query.clauses)):
        with placed(clause.at):
            steps = evaluator_of(clause).pattern_steps(session, settled, clause, early)
        searched.append(ClausePlan(clause, steps))
    anything = None
    if not needs_columns(settled) and not _is_bounded(query.clauses):
        anything = pattern_statement(settled, ANY, early)
    return PatternPlan(settled, searched=tuple(searched), early=early, late=late, every=anything)


def _is_bounded(clauses: Formula[Clause] | None) -> bool:
    """Tell whether a formula holds only of patterns that some of its clauses hold of."""
    if clauses is None:
        return False
    return fold(clauses, lambda clause: clause.has_matches, any, all, lambda _: False)


def _plan_count(session: Session, settled: Settled, by: Grouping | None) -> CountPlan:
    bare = replace(settled, query=replace(settled.query, order=(), limit=None, offset=None))
    if settled.query.subject is Subject.PATTERNS:
        return CountPlan(settled.query, bare, by, plan_patterns(session, bare))
    if by not in _ROLES:
        alone = by is None and settled.query.count == Count()
        purpose = Purpose.COUNT if alone else Purpose.PAGE
        return CountPlan(settled.query, bare, by, _plan_neurons(session, bare, purpose))
    forms = tuple(form for clause in bare.matched for form in bare.forms[clause])
    early = split(bare.query.where).match
    if early and not any(each.has_matches for each in bare.positive):
        forms = (ANY,)
    return CountPlan(settled.query, bare, by, _plan_neurons(session, bare, Purpose.IDS), forms, early)


def _plan_tokens(session: Session, query: TokenQuery) -> TokenPlan:
    neuron = session.neuron(query.neuron, None)
    kind = {Role.ACTIVATING: "ACTIVATES_ON", Role.CONTEXT: "CONTEXT"}[query.role]
    importance = "c.importance" if query.role is Role.CONTEXT else "NULL"
    return TokenPlan(
        query,
        Compiled(
            f"MATCH (n:Neuron)-[c:{kind}]->(t:Token) WHERE n.id = $neuron"
            f" RETURN t.text, c.pre, c.last, c.activation, {importance}",
            {"neuron": neuron},
        ),
        Compiled(
            "MATCH (n:Neuron)-[c:ACTIVATES_ON|CONTEXT]->(t:Token) WHERE n.id = $neuron"
            " WITH * WHERE c.`end` IS NOT NULL RETURN c.pre",
            {"neuron": neuron},
        ),
    )


def _plan_token_sets(session: Session, query: TokenSetQuery) -> TokenSetPlan:
    plans = []
    for term in query.terms:
        asked = session.learn_tokens(of_asked_units(term.units, session.kinds))
        settled = settle(asked, session.vocabulary, session.model_of(asked), session.sources)
        if settled.asks_for_effects:
            require_effects(session)
        plans.append(_plan_neurons(session, settled, Purpose.IDS))
    return TokenSetPlan(query, tuple(plans))


def _all_of(operands: Sequence[Formula[Clause]]) -> Formula[Clause] | None:
    if len(operands) > 1:
        return And(tuple(operands))
    return operands[0] if operands else None
