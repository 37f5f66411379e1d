"""Planner: the steps that answer a statement, decided once, before any of them runs.

Clauses that Cypher can express go into one statement. Every other clause is first evaluated as a set of
neurons, by the evaluator of its kind. A plan records these decisions and the statements: the executor runs
it, EXPLAIN prints it. Planning runs no statement of the answer; it only looks up names and tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

from n2gdb.grammar.ast import (
    And,
    Clause,
    Condition,
    Count,
    Formula,
    Grouping,
    Key,
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
from n2gdb.query.execution.evaluators import EVALUATORS, evaluator_of
from n2gdb.query.semantics.binder import Settled, clauses_of, conjuncts, fold, settle
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.query.semantics.places import placed
from n2gdb.query.semantics.units import of_asked_units
from n2gdb.storage.parameters import MOST_LISTED
from n2gdb.storage.shapes import Page

if TYPE_CHECKING:
    from n2gdb.query.cypher.estimates import PatternRows

__all__ = [
    "KEEP",
    "ROLES",
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

#: Groups that are the tokens of a role: the relationship that has them.
ROLES = {Grouping.ACTIVATING: "ACTIVATES_ON", Grouping.CONTEXT: "CONTEXT"}

#: What is done with the sets of clauses that were worked out before.
KEEP = "keep the neurons of the sets worked out before"

_READ = Stage("read the matches and paths of the rows as they are used, 256 at a time")


class Purpose(Enum):
    """The purpose for which neurons are found."""

    PAGE = auto()  # their rows in order, with LIMIT and OFFSET
    COUNT = auto()  # their number, without LIMIT and OFFSET
    IDS = auto()  # their ids in any order, without LIMIT and OFFSET


@dataclass(frozen=True, slots=True)
class NeuronPlan:
    """How the neurons of a query are found.

    ``stated`` holds the conjuncts in ``statement``; ``kept`` holds those that are combined from the sets of
    ``worked`` clauses, which the statement lists if they are few. If ``is_whole``, the statement is the
    answer; otherwise its ``fields`` are read, ranked by the matches of ``ranks`` if ``is_ranked``, and
    ordered in Python. ``leading`` is the clause whose scores the answer shows, ``named`` the neuron of RANK
    BY SIMILARITY.
    """

    settled: Settled
    purpose: Purpose
    worked: tuple[Clause, ...]
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
        """Whether the neurons are exactly those that meet WHERE and have a matching pattern."""
        clauses = self.settled.query.clauses
        return not self.kept and (clauses is None or self.settled.positive == (clauses,))

    @property
    def is_ordered_by_score(self) -> bool:
        """Whether the most similar neurons come first."""
        return self.named is not None or (self.leading is not None and not self.settled.query.order)

    def steps(self, session: Session) -> Iterator[Stage]:
        """Yield the steps in order."""
        from n2gdb.query.cypher.estimates import ComparedRows, NeuronRows  # only EXPLAIN and PROFILE need it

        for clause in self.worked:
            with placed(clause.at):
                yield from evaluator_of(clause).steps(session, self.settled, clause)
        if self.settled.query.sample is not None:
            yield Stage(
                f"draw {self.settled.query.sample} of the neurons by the seed {self.settled.query.seed}"
            )
        if (rank := self.settled.query.rank) is not None and self.named is not None:
            yield Stage(f"compare with {rank.neuron}", finds=ComparedRows(self.named))
        query = self.settled.query
        found = NeuronRows(self.settled, query.clauses)
        if self.is_whole:
            limit = Page.of(query.offset, query.limit).stop if self.purpose is Purpose.PAGE else None
            named = {Purpose.PAGE: "find and order the neurons", Purpose.COUNT: "count the neurons"}
            whole = replace(found, limit=limit, is_count=self.purpose is Purpose.COUNT)
            yield Stage.of(named.get(self.purpose, "find the neurons"), self.statement, whole)
            return
        asked = NeuronRows(self.settled, self.stated, is_narrowed=bool(self.kept))
        yield Stage.of("find the neurons", self.statement, asked)
        for ranking, form in zip(self.ranks, self.settled.matched_forms, strict=False):
            yield Stage.of("rank the neurons of one clause", ranking, NeuronRows(self.settled, form=form))
        if self.kept:
            yield Stage(
                f"{KEEP}; the statement lists them where they are {MOST_LISTED} or fewer", finds=found
            )
        if self.purpose is Purpose.PAGE:
            yield Stage("order the neurons", finds=found)


@dataclass(frozen=True, slots=True)
class PatternPlan:
    """How the patterns of a query are found: by ``statement`` alone, or as a formula over sets of patterns.

    ``page`` is the statement with the query's order and LIMIT, if it has a LIMIT. ``neurons`` finds the
    neurons of PATTERNS OF. The conditions ``early`` are tested with each clause, ``late`` on the result.
    ``every`` finds all patterns, for formulas that may hold of patterns that no clause matches.
    """

    settled: Settled
    statement: Compiled | None = None
    page: Compiled | None = None
    neurons: NeuronPlan | None = None
    searched: tuple[Clause, ...] = ()
    early: tuple[Formula[Condition], ...] = ()
    late: tuple[Formula[Condition], ...] = ()
    every: Compiled | None = None

    def steps(self, session: Session) -> Iterator[Stage]:
        """Yield what is done, in order."""
        found = self._rows()
        if self.page is not None:
            page = Page.of(self.settled.query.offset, self.settled.query.limit)
            yield Stage.of("find and order the patterns", self.page, replace(found, limit=page.stop))
            return
        if self.neurons is not None:
            yield from self.neurons.steps(session)
        for clause in self.searched:
            with placed(clause.at):
                yield from evaluator_of(clause).pattern_steps(session, self.settled, clause, self.early)
        if self.statement is not None:
            yield Stage.of("find the patterns", self.statement, found)
        if self.every is not None:
            yield Stage.of("find the patterns", self.every, found)
        if len(self.searched) > 1:
            yield Stage("keep the patterns that all clauses together hold of", finds=found)

    def _rows(self) -> PatternRows:
        """Return what the rows of the statement are: all patterns that meet WHERE, or those of one clause."""
        from n2gdb.query.cypher.estimates import PatternRows

        query = self.settled.query
        if self.neurons is not None:
            return PatternRows(replace(self.settled, query=Query(model=query.model)), ANY, is_narrowed=True)
        if self.statement is not None and query.clauses is not None:
            return PatternRows(self.settled, self.settled.matched_forms[0], split(query.where).match)
        return PatternRows(self.settled, ANY, self.early or split(query.where).match)


@dataclass(frozen=True, slots=True)
class CountPlan:
    """How the results of a query are counted: in total, by a field of their neurons, or by a token's role.

    For counts of tokens, ``forms`` are the normal forms of the patterns that count, found under the
    conditions ``early``; empty if every pattern counts.
    """

    query: Query
    settled: Settled
    by: Grouping | None
    counted: NeuronPlan | PatternPlan
    forms: tuple[Lowered, ...] = ()
    early: tuple[Formula[Condition], ...] = ()

    def steps(self, session: Session) -> Iterator[Stage]:
        """Yield what is done, in order."""
        from n2gdb.query.cypher.estimates import GroupRows, NodeRows, PatternRows

        of_tokens = self.by in ROLES and isinstance(self.counted, NeuronPlan)
        if not of_tokens or not self.counted.is_of_matches:  # type: ignore[union-attr]
            yield from self.counted.steps(session)
        for form in self.forms:
            found = PatternRows(self.settled, form, self.early)
            yield Stage.of("find the patterns", pattern_statement(self.settled, form, self.early), found)
        if self.by in ROLES:
            yield Stage(
                "read the tokens of the neurons", finds=NodeRows(Settled(Query(), {}), ROLES[self.by], None)
            )
        if self.by is not None:
            yield Stage(
                f"count by {self.by.value}", finds=GroupRows(self.settled, ROLES.get(self.by, self.by.value))
            )
        count = self.query.count
        if count is not None and (count.groups or count.measure is not None):
            yield Stage("put the rows in groups")


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """How the tokens of one neuron in a role are found: from its nodes, and from where its patterns end."""

    query: TokenQuery
    neuron: int  # Neuron.id
    kind: str  # the relationship of the role
    nodes: Compiled
    ends: Compiled

    def steps(self, session: Session) -> Iterator[Stage]:
        """Yield what is done, in order."""
        from n2gdb.query.cypher.estimates import OwnRows

        yield Stage.of("read the tokens", self.nodes, OwnRows(self.neuron, self.kind))
        yield Stage.of("read where patterns end", self.ends, OwnRows(self.neuron, None))


@dataclass(frozen=True, slots=True)
class TokenSetPlan:
    """How the tokens over sets of units are found: the units of each term, then their tokens."""

    query: TokenSetQuery
    units: tuple[NeuronPlan, ...]

    def steps(self, session: Session) -> Iterator[Stage]:
        """Yield what is done, in order."""
        for each in self.units:
            yield from each.steps(session)
        yield Stage("read the tokens of these neurons from their tries")


Plan: TypeAlias = NeuronPlan | PatternPlan | CountPlan | TokenPlan | TokenSetPlan


def plan_statement(session: Session, statement: Statement, *, counted: bool = False) -> Plan:
    """Bind a statement and decide how it is answered; with ``counted``, only its number of rows is needed.

    Raises UnknownNameError for a neuron or a model that does not exist, QueryError for a statement that
    cannot be answered.
    """
    if isinstance(statement, TokenQuery):
        return _plan_tokens(session, statement)
    if isinstance(statement, TokenSetQuery):
        return _plan_token_sets(session, statement)
    asked = session.learn_tokens(of_asked_units(statement, session.kinds))
    settled = settle(asked, session.vocabulary, session.model_of(asked), session.sources)
    if settled.asks_for_effects:
        session.require_effects()
    if settled.influences:
        session.require_evidence()
    if statement.count is not None:
        return _plan_count(session, settled, statement.count.by)
    if statement.subject is Subject.PATTERNS:
        return plan_patterns(session, settled)
    return _plan_neurons(session, settled, Purpose.COUNT if counted else Purpose.PAGE)


def steps_of(session: Session, plan: Plan) -> tuple[Stage, ...]:
    """Return the steps of a plan, including what is read once rows are used."""
    return (*plan.steps(session), *((_READ,) if isinstance(plan, NeuronPlan | PatternPlan) else ()))


def _plan_neurons(session: Session, settled: Settled, purpose: Purpose) -> NeuronPlan:
    query = settled.query
    stated: list[Formula[Clause]] = []
    kept: list[Formula[Clause]] = []
    for conjunct in conjuncts(query.clauses):
        asked = all(evaluator_of(each).is_stated(settled, each) for each in clauses_of(conjunct))
        (stated if asked else kept).append(conjunct)
    worked = tuple(dict.fromkeys(each for conjunct in kept for each in clauses_of(conjunct)))
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
        worked,
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
    """Return the fields to read for neurons that are ordered in Python."""
    if purpose is not Purpose.PAGE:
        return ("id",)
    order = query.order or (*DEFAULT_ORDER, Key("heldout_firings"))
    named = ["id", "layer", "index", *(key.field for key in order)]
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
    searched = tuple(dict.fromkeys(clauses_of(query.clauses)))
    anything = None
    if not needs_columns(settled) and not _is_bounded(query.clauses):
        anything = pattern_statement(settled, ANY, early)
    return PatternPlan(settled, searched=searched, early=early, late=late, every=anything)


def _is_bounded(clauses: Formula[Clause] | None) -> bool:
    """Return whether a formula holds only of patterns that some of its clauses hold of."""
    if clauses is None:
        return False
    return fold(clauses, lambda clause: clause.has_matches, any, all, lambda _: False)


def _plan_count(session: Session, settled: Settled, by: Grouping | None) -> CountPlan:
    bare = replace(settled, query=replace(settled.query, order=(), limit=None, offset=None))
    if settled.query.subject is Subject.PATTERNS:
        return CountPlan(settled.query, bare, by, plan_patterns(session, bare))
    if by not in ROLES:
        alone = by is None and settled.query.count == Count()
        purpose = Purpose.COUNT if alone else Purpose.PAGE
        return CountPlan(settled.query, bare, by, _plan_neurons(session, bare, purpose))
    forms = bare.matched_forms
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
        neuron,
        kind,
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
            session.require_effects()
        if settled.influences:
            session.require_evidence()
        plans.append(_plan_neurons(session, settled, Purpose.IDS))
    return TokenSetPlan(query, tuple(plans))


def _all_of(operands: Sequence[Formula[Clause]]) -> Formula[Clause] | None:
    if len(operands) > 1:
        return And(tuple(operands))
    return operands[0] if operands else None
