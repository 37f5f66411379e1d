"""Any statement of the language, answered.

What only some statements need is imported where it is used: a cold query should start in a blink.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from n2gdb.grammar.ast import (
    And,
    Clause,
    Formula,
    Grouping,
    Matching,
    Mentioning,
    Mode,
    Query,
    Statement,
    Subject,
    TokenLiteral,
    TokenQuery,
    Writing,
)
from n2gdb.grammar.fields import FIELDS, Kind
from n2gdb.query.answer import Answer, R
from n2gdb.query.execution.clause_sets import require_effects
from n2gdb.query.execution.context import Session, Stage
from n2gdb.query.execution.hits import hits_of
from n2gdb.query.execution.neurons import count_neurons, find
from n2gdb.query.execution.units import of_asked_units
from n2gdb.query.semantics.binder import Settled, clauses_of, settle
from n2gdb.query.semantics.normal_form import tests_of
from n2gdb.query.semantics.places import shown_in
from n2gdb.query.semantics.vocabulary import literals_of

__all__ = ["answer", "count"]

_NEURON_COLUMNS = ("neuron", "f1", "activation", "path")
_SCORED_COLUMNS = ("neuron", "f1", "similarity", "size")
_PATTERN_COLUMNS = ("neuron", "f1", "activation", "importance", "path")


def answer(session: Session, statement: Statement) -> Answer[Any]:
    """Answer a statement; records are of the kind that it asks for.

    Raises UnknownNameError where it names a neuron or a model that is not there, QueryError where it asks
    for what cannot be answered.
    """
    with shown_in(statement.source):
        return _answer(session, statement)


def _answer(session: Session, statement: Statement) -> Answer[Any]:
    if statement.mode is not Mode.ANSWER:
        return _explained(session, statement)
    if isinstance(statement, TokenQuery):
        from n2gdb.query.execution.tokens import find_tokens

        return _sliced(
            find_tokens(session, statement), statement, ("token", "activation", "importance", "n_patterns")
        )
    settled = _settled(session, statement)
    if statement.count is not None:
        from n2gdb.query.execution.counts import count_groups

        kinds = {"group": FIELDS["layer"].kind} if statement.count.by is Grouping.LAYER else None
        groups = count_groups(session, settled)
        return _sliced(groups, statement, ("group", "count"), settled, session, kinds)
    if statement.subject is Subject.PATTERNS:
        return _patterns(session, settled)
    return _neurons(session, settled)


def _settled(session: Session, query: Query) -> Settled:
    asked = of_asked_units(query, session.models)
    settled = settle(asked, session.vocabulary, session.model_of(query))
    if settled.asks_for_effects:
        require_effects(session)
    names = {source.name for model in session.models for source in model.sources}
    return replace(settled, sources=tuple(sorted(names)))


def count(session: Session, statement: Statement) -> int:
    """Count what a statement finds, LIMIT and OFFSET aside."""
    with shown_in(statement.source):
        return _count(session, statement)


def _count(session: Session, statement: Statement) -> int:
    if isinstance(statement, TokenQuery) or statement.count is not None:
        return _answer(session, replace(statement, limit=None, offset=None)).total
    settled = _settled(session, statement)
    if statement.subject is Subject.PATTERNS:
        from n2gdb.query.execution.patterns import count_patterns

        return count_patterns(session, settled).total()
    return count_neurons(session, settled)


def _neurons(session: Session, settled: Settled) -> Answer[Any]:
    found = find(session, settled)

    def fetch(start: int, stop: int) -> list[Any]:
        return list(hits_of(session, settled, found.read(start, stop), found.sets))

    columns = _columns(
        session, settled, _SCORED_COLUMNS if found.sets.scores is not None else _NEURON_COLUMNS
    )
    if settled.matched and found.sets.scores is not None:
        columns = (*columns, "path")
    return _made(session, settled, len(found.ids), fetch, columns, found.total)


def _patterns(session: Session, settled: Settled) -> Answer[Any]:
    from n2gdb.query.execution.patterns import find_page, pattern_hits_of

    kept, total = find_page(session, settled)

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
    records: Sequence[R],
    statement: Statement,
    columns: tuple[str, ...],
    settled: Settled | None = None,
    session: Session | None = None,
    kinds: Mapping[str, Kind] | None = None,
) -> Answer[R]:
    start = statement.offset or 0
    kept = records[start : None if statement.limit is None else start + statement.limit]
    return Answer(
        len(kept),
        lambda start, stop: kept[start:stop],
        columns=columns,
        total=lambda: len(records),
        notices=lambda: _notices(session, settled, len(kept)) if session and settled else (),
        kinds=kinds,
    )


def _columns(session: Session, settled: Settled, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Name the model of each neuron where there are several."""
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
    kinds = Matching | Mentioning | Writing
    clauses = [each for each in clauses_of(settled.query.clauses) if isinstance(each, kinds)]
    return [literal for clause in clauses for test in tests_of(clause) for literal in literals_of(test)]


def _needs_every_token(clauses: Formula[Clause] | None) -> bool:
    """Tell whether a hit proves that every token named exists: no clause is negated or one of several."""
    if isinstance(clauses, And):
        return all(_needs_every_token(operand) for operand in clauses.operands)
    return isinstance(clauses, Matching | Mentioning | Writing)


def _explained(session: Session, statement: Statement) -> Answer[Any]:
    """Return the steps by which a statement is answered; PROFILE takes them, and the first records, too."""
    session.explaining = statement.mode is Mode.EXPLAIN
    plain: Statement = replace(statement, mode=Mode.ANSWER)
    if isinstance(plain, Query) and session.explaining:
        _note_tokens(session, plain)
    answered = _answer(session, plain)
    if not session.explaining:
        next(iter(answered), None)
    elif isinstance(plain, Query) and plain.count is None:
        session.note("read the matches and paths of the rows that are looked at, 256 at a time")
    stages: list[Stage] = list(session.stages)
    return Answer(
        len(stages),
        lambda start, stop: stages[start:stop],
        columns=("step", "rows", "milliseconds", "cypher", "parameters"),
        total=lambda: len(stages),
        notices=lambda: (),
    )


def _note_tokens(session: Session, query: Query) -> None:
    """Say what each literal stands for, as the statement holds only its key."""
    settled = _settled(session, query)
    for literal in dict.fromkeys(_literals(settled)):
        session.note(session.vocabulary.describe(literal))
