"""Executor: answers a statement by making its plan and running it.

Modules that only some statements need are imported where they are used, to keep the start-up of a query
short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from n2gdb.grammar.ast import And, Clause, Count, Formula, Grouping, Mode, Statement, TokenLiteral
from n2gdb.grammar.fields import FIELDS, Kind
from n2gdb.query.answer import Answer, answer_of
from n2gdb.query.cypher.breadth import of_columns
from n2gdb.query.execution.context import Session, Stage
from n2gdb.query.execution.hits import hits_of
from n2gdb.query.execution.neurons import count_neurons, find
from n2gdb.query.execution.plan import (
    CountPlan,
    NeuronPlan,
    PatternPlan,
    Plan,
    TokenPlan,
    TokenSetPlan,
)
from n2gdb.query.execution.planner import plan_statement, read_columns, steps_of
from n2gdb.query.semantics.binder import Settled, clauses_of
from n2gdb.query.semantics.normal_form import names_tokens, tests_of
from n2gdb.query.semantics.places import shown_in
from n2gdb.query.semantics.vocabulary import literals_of

__all__ = ["answer", "count", "execute"]

#: Columns of answers; in place of f1, a database with held-out text has the F1 there, and the firings behind.
_NEURON_COLUMNS = ("neuron", "f1", "activation", "path")
_TOKEN_COLUMNS = ("token", "activation", "importance", "n_patterns")
_STAGE_COLUMNS = ("step", "least_rows", "most_rows", "reads", "rows", "milliseconds", "cypher", "parameters")
_SCORED_COLUMNS = ("neuron", "f1", "similarity", "size")
_PATTERN_COLUMNS = ("neuron", "f1", "activation", "importance", "path")
#: What stands in place of a column where a record of the corpus was kept.
_ON_HELDOUT = {
    "f1": ("heldout_f1", "heldout_firings"),
    "importance": ("importance", "support", "confidence"),
}


def answer(session: Session, statement: Statement) -> Answer[Any]:
    """Answer a statement; records are of the kind that it asks for.

    EXPLAIN answers with the steps of the plan, none of them run, and how many rows each is expected to give.
    PROFILE runs the plan, and answers with the steps as they were taken, beside what was expected of them.
    Raises UnknownNameError if the statement names a neuron or a model that does not exist, QueryError where
    it asks for what cannot be answered.
    """
    with shown_in(statement.source):
        plan = plan_statement(session, statement)
        if statement.mode is Mode.EXPLAIN:
            return answer_of([*_meanings(session, plan), *_estimated(session, plan)], _STAGE_COLUMNS)
        if statement.mode is Mode.PROFILE:
            # It takes the steps that EXPLAIN shows.
            session.columns, session.outlined = None, lambda: None
        answered = execute(session, plan)
        if statement.mode is Mode.PROFILE:
            next(iter(answered), None)
            return answer_of(_with_estimates(list(session.stages), _estimated(session, plan)), _STAGE_COLUMNS)
        return answered


def count(session: Session, statement: Statement) -> int:
    """Count the rows of a statement, without its LIMIT and OFFSET."""
    with shown_in(statement.source):
        plan = plan_statement(session, replace(statement, limit=None, offset=None), counted=True)
        read_columns(session, plan)
        if isinstance(plan, NeuronPlan):
            return count_neurons(session, plan)
        if isinstance(plan, PatternPlan):
            from n2gdb.query.execution.patterns import count_patterns

            return count_patterns(session, plan).total()
        return execute(session, plan).total


def execute(session: Session, plan: Plan) -> Answer[Any]:
    """Run a plan."""
    read_columns(session, plan)
    match plan:
        case NeuronPlan():
            return _neurons(session, plan)
        case PatternPlan():
            return _patterns(session, plan)
        case CountPlan():
            from n2gdb.query.execution.counts import GroupCount, group_rows

            groups = group_rows(session, plan)
            columns: tuple[str, ...] = ("group", "count")
            kinds = {"group": FIELDS["layer"].kind} if plan.by is Grouping.LAYER else None
            asked = plan.query.count
            if asked is not None and (asked.groups or asked.measure is not None):
                columns, kinds = _grouped_columns(asked)
            return _sliced(groups, plan.query, columns, plan.settled, session, kinds, GroupCount)
        case TokenPlan():
            from n2gdb.query.execution.tokens import find_tokens

            return _sliced(find_tokens(session, plan), plan.query, _TOKEN_COLUMNS)
        case TokenSetPlan():
            from n2gdb.query.execution.tokens import find_set_tokens

            return _sliced(find_set_tokens(session, plan), plan.query, _TOKEN_COLUMNS)


def _grouped_columns(count: Count) -> tuple[tuple[str, ...], dict[str, Kind]]:
    from n2gdb.query.columnar.groups import kinds_of_groups, names_of_groups

    figure = () if count.measure is None else (count.measure.statistic.value.lower(),)
    kinds = {**kinds_of_groups(count), **dict.fromkeys(figure, Kind.REAL)}
    return (*names_of_groups(count), *figure, "count"), kinds


def _neurons(session: Session, plan: NeuronPlan) -> Answer[Any]:
    settled = plan.settled
    found = find(session, plan)

    def fetch(start: int, stop: int) -> list[Any]:
        return list(hits_of(session, settled, found.read(start, stop), found.sets))

    columns = _columns(
        session, settled, _SCORED_COLUMNS if found.sets.scores is not None else _NEURON_COLUMNS
    )
    if settled.matched and found.sets.scores is not None:
        columns = (*columns, "path")
    if asked := of_columns(settled):
        columns = (*columns[:-1], *asked, columns[-1])
    return _made(session, settled, len(found.ids), fetch, columns, found.total)


def _patterns(session: Session, plan: PatternPlan) -> Answer[Any]:
    from n2gdb.query.execution.patterns import find_page, pattern_hits_of

    settled = plan.settled
    kept, total = find_page(session, plan)

    def fetch(start: int, stop: int) -> list[Any]:
        return list(pattern_hits_of(session, settled, kept[start:stop]))

    return _made(session, settled, len(kept), fetch, _columns(session, settled, _PATTERN_COLUMNS), total)


def _made(
    session: Session,
    settled: Settled,
    length: int,
    fetch: Callable[[int, int], list[Any]],
    columns: tuple[str, ...],
    total: Callable[[], int],
) -> Answer[Any]:
    return Answer(
        length,
        fetch,
        columns=settled.query.returns or columns,
        total=total,
        notices=lambda: _notices(session, settled, length),
        only_columns=bool(settled.query.returns),
    )


def _sliced(
    records: Sequence[Any],
    statement: Statement,
    columns: tuple[str, ...],
    settled: Settled | None = None,
    session: Session | None = None,
    kinds: Mapping[str, Kind] | None = None,
    make: Callable[..., Any] | None = None,
) -> Answer[Any]:
    """Answer with a page of records, or of what each is made of by ``make``."""
    start = statement.offset or 0
    kept = records[start : None if statement.limit is None else start + statement.limit]
    return Answer(
        len(kept),
        lambda start, stop: [make(*each) for each in kept[start:stop]] if make else kept[start:stop],
        columns=columns,
        total=lambda: len(records),
        notices=lambda: _notices(session, settled, len(kept)) if session and settled else (),
        kinds=kinds,
    )


def _columns(session: Session, settled: Settled, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Name the model of each neuron where there are several; show its quality as it is known."""
    if session.has_heldout:
        columns = tuple(each for column in columns for each in _ON_HELDOUT.get(column, (column,)))
    if len(session.models) > 1 and settled.model is None:
        return (columns[0], "model", *columns[1:])
    return columns


def _notices(session: Session, settled: Settled, length: int) -> tuple[str, ...]:
    if length and _needs_every_token(settled.query.clauses):
        literals = [each for each in _literals(settled) if session.vocabulary.cuts(each)]
    else:
        literals = _literals(settled)
    if not literals:
        return ()
    from n2gdb.query.execution.notices import unknown_tokens

    return unknown_tokens(session, literals, suggest=not length)


def _literals(settled: Settled) -> list[TokenLiteral]:
    clauses = [each for each in clauses_of(settled.query.clauses) if names_tokens(each)]
    return [literal for clause in clauses for test in tests_of(clause) for literal in literals_of(test)]


def _needs_every_token(clauses: Formula[Clause] | None) -> bool:
    """Whether a hit proves that every named token exists: no clause is negated or an alternative."""
    if isinstance(clauses, And):
        return all(_needs_every_token(operand) for operand in clauses.operands)
    return names_tokens(clauses)


def _estimated(session: Session, plan: Plan) -> list[Stage]:
    """Return the steps of a plan with how many rows each gives, as far as look-ups tell."""
    from n2gdb.query.cypher.estimates import Estimator

    estimator = Estimator(
        session.rows,
        session.vocabulary.classes_of,
        lambda settled, clause: session.text_of(settled.model, clause),
        lambda settled, clause: session.named_by(clause, settled.query.model),
    )
    return [
        step if step.finds is None else replace(step, estimate=estimator.estimate(step.finds))
        for step in steps_of(session, plan)
    ]


def _with_estimates(taken: Sequence[Stage], planned: Sequence[Stage]) -> list[Stage]:
    """Put beside each step that was taken what was expected of it, where it is one of the planned ones."""
    by_statement = {_statement(each): each.estimate for each in planned if each.cypher is not None}
    by_step: dict[str, list[Stage]] = {}
    for each in planned:
        by_step.setdefault(each.step.partition(";")[0], []).append(each)
    times = Counter(each.step for each in taken)  # other sets may be found in the same way, if not as planned
    estimates = []
    for each in taken:
        same = by_step.get(each.step, [])
        # A list may have narrowed its statement since.
        only = same[0].estimate if len(same) == times[each.step] == 1 else None
        estimates.append(by_statement.get(_statement(each), only))
    return [replace(each, estimate=estimate) for each, estimate in zip(taken, estimates, strict=True)]


def _statement(stage: Stage) -> tuple[str, str | None, str]:
    return stage.step, stage.cypher, repr(stage.parameters)


def _meanings(session: Session, plan: Plan) -> list[Stage]:
    """Describe what each literal stands for, as statements hold only its key."""
    if isinstance(plan, TokenPlan | TokenSetPlan):
        return []
    literals = dict.fromkeys(_literals(plan.settled))
    return [Stage(session.vocabulary.describe(literal)) for literal in literals]
