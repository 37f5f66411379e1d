"""The binder: resolves a query's names against a database and puts its clauses in normal form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TypeVar

from n2gdb.errors import QueryError
from n2gdb.grammar.ast import (
    And,
    Clause,
    Condition,
    Formula,
    Influenced,
    Matching,
    Not,
    Or,
    Query,
    Writing,
    signed,
)
from n2gdb.grammar.records import dataclass
from n2gdb.query.semantics.normal_form import (
    Lowered,
    PatternClause,
    is_of_patterns,
    lower,
    named_tokens,
    names_tokens,
    tests_of,
)
from n2gdb.query.semantics.places import placed
from n2gdb.query.semantics.token_sets import TokenSet
from n2gdb.query.semantics.vocabulary import Vocabulary

__all__ = ["PatternClause", "Settled", "clauses_of", "conjuncts", "fold", "positive_clauses", "settle"]

#: Conditions of one statement: the engine takes seconds to plan ten times as many.
MOST_CONDITIONS = 256

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Settled:
    """A bound query: with the normal forms of its clauses on patterns, and the number of its model.

    ``sources`` are the names of all sources of the database: the words that the field can be. ``written`` are
    the tokens that its clauses on what neurons write ask for, ``influences`` those that excite or inhibit.
    """

    query: Query
    forms: Mapping[PatternClause, tuple[Lowered, ...]]
    model: int | None = None
    written: Mapping[Writing, TokenSet] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    influences: Mapping[Influenced, TokenSet] = field(default_factory=dict)

    @property
    def asks_for_effects(self) -> bool:
        """Whether a clause uses what neurons write."""
        return bool(self.written) or any(
            isinstance(clause, Matching) and bool(clause.written) for clause in self.forms
        )

    @property
    def positive(self) -> tuple[Clause, ...]:
        """The clauses that are not negated."""
        return positive_clauses(self.query.clauses)

    @property
    def matched(self) -> tuple[PatternClause, ...]:
        """The positive clauses that match patterns."""
        return tuple(clause for clause in self.positive if is_of_patterns(clause))

    @property
    def matched_forms(self) -> tuple[Lowered, ...]:
        """The normal forms of these clauses, in order."""
        return tuple(form for clause in self.matched for form in self.forms[clause])


def settle(
    query: Query, vocabulary: Vocabulary, model: int | None = None, sources: tuple[str, ...] = ()
) -> Settled:
    """Bind a query: put every clause in normal form, looking up all literals at once.

    Raises QueryError if a clause or WHERE is too large, or a regular expression is invalid.
    """
    if (conditions := _count(query.where)) > MOST_CONDITIONS:
        raise QueryError(f"WHERE holds {conditions} conditions: write at most {MOST_CONDITIONS}")
    clauses = [each for each in clauses_of(query.clauses) if names_tokens(each)]
    vocabulary.learn([test for clause in clauses for test in tests_of(clause)])
    forms: dict[PatternClause, tuple[Lowered, ...]] = {}
    written: dict[Writing, TokenSet] = {}
    influences: dict[Influenced, TokenSet] = {}
    for clause in clauses:
        with placed(clause.at):
            if isinstance(clause, Writing):
                written[clause] = named_tokens(clause, vocabulary)
            elif isinstance(clause, Influenced):
                influences[clause] = named_tokens(clause, vocabulary)
            else:
                forms[clause] = lower(clause, vocabulary)
    return Settled(query, forms, model, written, sources, influences)


def clauses_of(clauses: Formula[Clause] | None) -> tuple[Clause, ...]:
    """Return every clause of a formula, in written order."""
    every: Iterator[tuple[Clause, bool]] = signed(clauses)
    return tuple(clause for clause, _ in every)


def positive_clauses(clauses: Formula[Clause] | None) -> tuple[Clause, ...]:
    """Return the clauses that are not negated: under no NOT, or under an even number."""
    every: Iterator[tuple[Clause, bool]] = signed(clauses)
    return tuple(clause for clause, positive in every if positive)


def conjuncts(clauses: Formula[Clause] | None) -> list[Formula[Clause]]:
    """Return the formulas that AND joins at the top."""
    if isinstance(clauses, And):
        return [each for operand in clauses.operands for each in conjuncts(operand)]
    return [] if clauses is None else [clauses]


def fold(
    formula: Formula[Clause],
    leaf: Callable[[Clause], Value],
    both: Callable[[Sequence[Value]], Value],
    either: Callable[[Sequence[Value]], Value],
    opposite: Callable[[Value], Value],
) -> Value:
    """Return the value of a formula, computed from the values of its leaves."""
    match formula:
        case And(operands):
            return both([fold(each, leaf, both, either, opposite) for each in operands])
        case Or(operands):
            return either([fold(each, leaf, both, either, opposite) for each in operands])
        case Not(operand):
            return opposite(fold(operand, leaf, both, either, opposite))
        case _:
            return leaf(formula)


def _count(where: Formula[Condition] | None) -> int:
    match where:
        case And(operands) | Or(operands):
            return sum(map(_count, operands))
        case Not(operand):
            return _count(operand)
        case _:
            return 0 if where is None else 1
