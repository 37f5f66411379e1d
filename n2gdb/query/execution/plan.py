"""Plans: the steps that answer a statement, as the planner decided on them.

A plan records which clauses go into one statement, which are evaluated before as sets of neurons, and the
statements: the executor runs it, EXPLAIN prints it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

from n2gdb.grammar.ast import (
    Clause,
    Condition,
    Count,
    Formula,
    Grouping,
    Query,
    Subject,
    TokenQuery,
    TokenSetQuery,
)
from n2gdb.grammar.records import dataclass
from n2gdb.query.cypher.breadth import needs_columns
from n2gdb.query.cypher.compiler import (
    Compiled,
)
from n2gdb.query.cypher.patterns import ANY, pattern_statement
from n2gdb.query.cypher.where import split
from n2gdb.query.execution.context import WALK, Session, Stage
from n2gdb.query.execution.evaluators import evaluator_of
from n2gdb.query.semantics.binder import Settled
from n2gdb.query.semantics.normal_form import Lowered
from n2gdb.query.semantics.places import placed
from n2gdb.storage.parameters import MOST_LISTED
from n2gdb.storage.shapes import Page

if TYPE_CHECKING:
    from n2gdb.query.cypher.step_rows import PatternRows

__all__ = [
    "KEEP",
    "ORDER_NEURONS",
    "ORDER_PATTERNS",
    "READ_STATES",
    "ROLES",
    "CountPlan",
    "NeuronPlan",
    "PatternPlan",
    "Plan",
    "Purpose",
    "TokenPlan",
    "TokenSetPlan",
    "drawing",
]

#: Groups that are the tokens of a role: the relationship that has them.
ROLES = {Grouping.ACTIVATING: "ACTIVATES_ON", Grouping.CONTEXT: "CONTEXT"}

ORDER_NEURONS, ORDER_PATTERNS = "order the neurons", "order the patterns"
READ_STATES = "read the states of the neurons"
#: What is done with the sets of clauses that were worked out before.
KEEP = "keep the neurons of the sets worked out before"


def drawing(query: Query) -> str:
    """Return the step that draws the sample of a query."""
    what = "patterns" if query.subject is Subject.PATTERNS else "neurons"
    return f"draw {query.sample} of the {what} by the seed {query.seed}"


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
        from n2gdb.query.cypher.step_rows import ComparedRows, NeuronRows  # only EXPLAIN and PROFILE need it

        for clause in self.worked:
            with placed(clause.at):
                yield from evaluator_of(clause).steps(session, self.settled, clause)
        if (rank := self.settled.query.rank) is not None and self.named is not None:
            yield Stage(f"compare with {rank.neuron}", finds=ComparedRows(self.named))
        query = self.settled.query
        found = NeuronRows(self.settled, query.clauses)
        if needs_columns(self.settled):
            yield Stage(WALK, finds=found)
            if query.sample is not None:
                found = replace(found, limit=query.sample)
                yield Stage(drawing(query), finds=found)
            if self.purpose is Purpose.PAGE:
                yield Stage(ORDER_NEURONS, finds=found)
            return
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
            yield Stage(ORDER_NEURONS, finds=found)


@dataclass(frozen=True, slots=True)
class PatternPlan:
    """How the patterns of a query are found: by ``statement`` alone, or as a formula over sets of patterns.

    ``page`` is the statement with the query's order and LIMIT, if it has a LIMIT. ``neurons`` finds the
    neurons of PATTERNS OF. The conditions ``early`` are tested with each clause, ``late`` on the result.
    ``every`` finds all patterns, for formulas that may hold of patterns that no clause matches. ``is_page``
    says that rows are wanted, in order, and not only their number.
    """

    settled: Settled
    statement: Compiled | None = None
    page: Compiled | None = None
    neurons: NeuronPlan | None = None
    searched: tuple[Clause, ...] = ()
    early: tuple[Formula[Condition], ...] = ()
    late: tuple[Formula[Condition], ...] = ()
    every: Compiled | None = None
    is_page: bool = True

    def steps(self, session: Session) -> Iterator[Stage]:
        """Yield what is done, in order."""
        found = self._rows()
        if needs_columns(self.settled):
            yield from self._walked(session, self._answer())
            return
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
            yield Stage("keep the patterns that all clauses together hold of", finds=self._answer())
        if self.is_page:
            yield Stage(ORDER_PATTERNS, finds=self._answer())

    def _walked(self, session: Session, found: PatternRows) -> Iterator[Stage]:
        """Yield the steps of patterns that are found along the tries."""
        query = self.settled.query
        for clause in self.searched if self.neurons is None else self.neurons.worked:
            evaluator = evaluator_of(clause)
            with placed(clause.at):
                if self.neurons is None:
                    yield from evaluator.pattern_steps(session, self.settled, clause, self.early)
                else:
                    yield from evaluator.steps(session, self.settled, clause)
        yield Stage(WALK, finds=found)
        if query.sample is not None:
            found = replace(found, limit=query.sample)
            yield Stage(drawing(query), finds=found)
        if self.is_page:
            yield Stage(ORDER_PATTERNS, finds=found)

    def _rows(self) -> PatternRows:
        """Return what the rows of the statement are: all patterns that meet WHERE, or those of one clause."""
        from n2gdb.query.cypher.step_rows import PatternRows

        query = self.settled.query
        if self.neurons is not None:
            return PatternRows(replace(self.settled, query=Query(model=query.model)), ANY, is_narrowed=True)
        if self.statement is not None and query.clauses is not None:
            return PatternRows(self.settled, self.settled.matched_forms[0], split(query.where).match)
        return PatternRows(self.settled, ANY, self.early or split(query.where).match)

    def _answer(self) -> PatternRows:
        """Return what the rows of the answer are, before any are drawn."""
        from n2gdb.query.cypher.step_rows import PatternRows

        return PatternRows(self.settled, None, split(self.settled.query.where).match)


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
        from n2gdb.query.cypher.step_rows import GroupRows, NodeRows, PatternRows

        of_tokens = self.by in ROLES and isinstance(self.counted, NeuronPlan)
        walked = needs_columns(self.settled)  # by fields that no statement knows
        if walked or not of_tokens or not self.counted.is_of_matches:  # type: ignore[union-attr]
            yield from self.counted.steps(session)
        for form in () if walked else self.forms:
            found = PatternRows(self.settled, form, self.early)
            yield Stage.of("find the patterns", pattern_statement(self.settled, form, self.early), found)
        if self.by in ROLES:
            yield Stage(
                "read the tokens of the neurons", finds=NodeRows(Settled(Query(), {}), ROLES[self.by], None)
            )
        if self.by is Grouping.STATE:
            yield Stage(READ_STATES)
        if self.by is not None:
            yield Stage(self.grouping, finds=GroupRows(self.settled, ROLES.get(self.by, self.by.value)))
        elif self.query.count != Count():
            yield Stage(self.grouping)

    @property
    def grouping(self) -> str:
        """The step that counts what was found, in each group."""
        return "put the rows in groups" if self.by is None else f"count by {self.by.value}"


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
        from n2gdb.query.cypher.step_rows import OwnRows

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
