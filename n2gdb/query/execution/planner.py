"""Planner: decides how a statement is answered, once, before any of its steps runs.

Clauses that Cypher can express go into one statement. Every other clause is first evaluated as a set of
neurons, by the evaluator of its kind. Planning runs no statement of the answer; it only looks up names and
tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from n2gdb.grammar.ast import (
    And,
    Clause,
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
from n2gdb.query.cypher.breadth import is_walked, needs_columns
from n2gdb.query.cypher.compiler import (
    DEFAULT_ORDER,
    Compiled,
    compile_count,
    compile_query,
    compile_ranks,
    compile_rows,
    ranked_fields,
)
from n2gdb.query.cypher.patterns import ANY, ordered_statement, pattern_statement, single_statement
from n2gdb.query.cypher.patterns import DEFAULT_ORDER as STRONGEST
from n2gdb.query.cypher.where import mentions, split
from n2gdb.query.execution.context import Session, Stage
from n2gdb.query.execution.evaluators import EVALUATORS, evaluator_of
from n2gdb.query.execution.plan import (
    ROLES,
    CountPlan,
    NeuronPlan,
    PatternPlan,
    Plan,
    Purpose,
    TokenPlan,
    TokenSetPlan,
)
from n2gdb.query.semantics.binder import Settled, clauses_of, conjuncts, fold, settle
from n2gdb.query.semantics.units import of_named_units

__all__ = ["plan_patterns", "plan_statement", "read_columns", "steps_of"]

#: Patterns up to which the units of those that are shown are read apart.
_MOST_SHOWN = 1000

_READ = Stage("read the matches and paths of the rows as they are used, 256 at a time")


def plan_statement(session: Session, statement: Statement, *, counted: bool = False) -> Plan:
    """Bind a statement and decide how it is answered; with ``counted``, only its number of rows is needed.

    Raises UnknownNameError for a neuron or a model that does not exist, QueryError for a statement that
    cannot be answered.
    """
    if isinstance(statement, TokenQuery):
        return _plan_tokens(session, statement)
    if isinstance(statement, TokenSetQuery):
        return _plan_token_sets(session, statement)
    settled = _bound(session, statement)
    if statement.count is not None:
        return _plan_count(session, settled, statement.count.by)
    if statement.subject is Subject.PATTERNS:
        return replace(plan_patterns(session, settled), is_page=not counted)
    return _plan_neurons(session, settled, Purpose.COUNT if counted else Purpose.PAGE)


def steps_of(session: Session, plan: Plan) -> tuple[Stage, ...]:
    """Return the steps of a plan, including what is read once rows are used."""
    return (*plan.steps(session), *((_READ,) if isinstance(plan, NeuronPlan | PatternPlan) else ()))


def _bound(session: Session, query: Query) -> Settled:
    model = session.model_of(query)
    asked = session.learn_tokens(of_named_units(query, model, session.kinds, session.read_held))
    settled = settle(asked, session.vocabulary, model, session.sources)
    if settled.asks_for_effects:
        session.require_effects()
    if settled.influences:
        session.require_evidence()
    return settled


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
        statement = compiled(settled) if compiled else compile_rows(settled, asked_of, fields)
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
    if query.owners is not None:
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
        return CountPlan(settled.query, bare, by, replace(plan_patterns(session, bare), is_page=False))
    if by not in ROLES:
        purpose = Purpose.COUNT if settled.query.count == Count() else Purpose.IDS
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
    units = [_plan_neurons(session, _bound(session, term.units), Purpose.IDS) for term in query.terms]
    return TokenSetPlan(query, tuple(units))


def _all_of(operands: Sequence[Formula[Clause]]) -> Formula[Clause] | None:
    if len(operands) > 1:
        return And(tuple(operands))
    return operands[0] if operands else None


def read_columns(session: Session, plan: Plan) -> None:
    """Let a question be answered from columns that no statement answers, or none as quickly."""
    if session.columns is not None or isinstance(plan, TokenPlan):
        return
    if isinstance(plan, TokenSetPlan) or needs_columns(plan.settled) or _is_walked(plan, session.outlined()):
        session.columns = session.read_columns()


def _is_walked(plan: NeuronPlan | PatternPlan | CountPlan, outlined: Collection[str] | None) -> bool:
    """Whether the outline of all graphs is walked, and fields of matches that were read beside it."""
    if outlined is None:
        return False
    query, settled = plan.settled.query, plan.settled
    match plan:
        case PatternPlan(is_page=True):
            is_short = query.limit is not None and query.limit <= _MOST_SHOWN
            return is_short and is_walked(settled, outlined, query.order or STRONGEST)
        case NeuronPlan(purpose=Purpose.PAGE):
            return is_walked(settled, outlined, query.order)
        case _:
            return is_walked(settled, outlined, by_token=isinstance(plan, CountPlan) and plan.by in ROLES)
