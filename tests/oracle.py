"""What a statement means: a plain evaluator over neuron graphs in memory. The compiler must agree with it.

It shares the AST and the graphs with the compiler and nothing else. What holds where is decided in
``oracle_match``, ``oracle_similarity`` and ``oracle_where``; here it becomes an answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeGuard, TypeVar

from n2gdb.grammar.ast import (
    And,
    Clause,
    ContainedIn,
    Contains,
    FiringOn,
    Formula,
    Grouping,
    Key,
    Matching,
    Mentioning,
    Not,
    Or,
    Query,
    Role,
    SimilarTo,
    Statement,
    Subject,
    TokenLiteral,
    TokenQuery,
)
from tests.oracle_match import Match, all_matches, cuts_of, least, negated_literals, takes
from tests.oracle_similarity import Score, containment, own_size, similarity
from tests.oracle_where import about_match, about_neuron, truth
from tests.oracle_world import Neuron, RefusedError, World

__all__ = ["Found", "Group", "Row", "Token", "answer", "best", "is_pattern_clause", "matches", "positive"]

PatternClause: TypeAlias = Matching | Mentioning | FiringOn
Group: TypeAlias = tuple[int | str | None, int]
RowType = TypeVar("RowType")


@dataclass(frozen=True)
class Found:
    """A neuron, with what it scores against the one that the statement compares with."""

    neuron: Neuron
    similarity: float | None = None
    size: int | None = None


@dataclass(frozen=True)
class Row:
    """A pattern of a neuron."""

    neuron: Neuron
    end: int
    activation: float
    importance: float | None


@dataclass(frozen=True)
class Token:
    """A token's part in a neuron's patterns."""

    text: str
    activation: float
    importance: float | None
    n_patterns: int


def answer(statement: Statement, world: World) -> list[Found] | list[Row] | list[Group] | list[Token]:
    """Return the rows of a statement in order, LIMIT and OFFSET aside; raise RefusedError for none."""
    if isinstance(statement, TokenQuery):
        return tokens(statement, world)
    _check(statement, world)
    if statement.count is not None:
        return counts(statement, world)
    if statement.subject is Subject.PATTERNS:
        return patterns(statement, world)
    return neurons(statement, world)


def limited(rows: Sequence[RowType], statement: Statement) -> list[RowType]:
    """Apply LIMIT and OFFSET."""
    behind = list(rows)[statement.offset or 0 :]
    return behind if statement.limit is None else behind[: statement.limit]


def neurons(query: Query, world: World) -> list[Found]:
    """Return the neurons of a query in order."""
    found = [_scored(query, neuron, world) for neuron in _holding(query, world)]
    found.sort(key=lambda each: (each.neuron.name, each.neuron.model.number))
    if query.order or not (query.rank or _leading(query)):
        for key in reversed(query.order or (Key("f1", descending=True),)):
            found.sort(key=lambda each: _rank(key, _field(key.field, query, each.neuron)))
    else:
        found.sort(key=lambda each: (-(each.similarity or 0), -(each.size or 0)))
    return found


def patterns(query: Query, world: World) -> list[Row]:
    """Return the patterns of a query in order."""
    rows = _pattern_rows(query, world)
    rows.sort(key=lambda row: (row.neuron.name, row.neuron.model.number, row.end))
    for key in reversed(query.order or (Key("activation", descending=True),)):
        rows.sort(key=lambda row: _rank(key, _row_field(key.field, row)))
    return rows


def counts(query: Query, world: World) -> list[Group]:
    """Return how many rows a query has, in all or by group."""
    if query.count is None or query.count.by is None:
        return [(None, len(_subjects(query, world)))]
    by = query.count.by
    if by in (Grouping.ACTIVATING, Grouping.CONTEXT):
        return _by_token(query, by is Grouping.CONTEXT, world)
    groups: Counter[Any] = Counter()
    for row in _subjects(query, world):
        groups[row.neuron.model.name if by is Grouping.MODEL else row.neuron.statistics[by.value]] += 1
    return sorted(groups.items())


def tokens(query: TokenQuery, world: World) -> list[Token]:
    """Return the tokens of a neuron in a role, the most activating first."""
    neuron = world.neuron(query.neuron, None)
    with_text: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for end, pattern in neuron.patterns.items():
        for step in pattern.steps:
            if (step.depth > 0) == (query.role is Role.CONTEXT):
                text = neuron.model.texts[step.token]
                with_text[text].append((pattern.activation, step.importance, end))
    rows = [
        Token(
            text,
            max(activation for activation, _, _ in places),
            max(importance for _, importance, _ in places) if query.role is Role.CONTEXT else None,
            len({end for _, _, end in places}),
        )
        for text, places in with_text.items()
    ]
    return sorted(rows, key=lambda row: (-row.activation, row.text))


def matches(clause: PatternClause, query: Query, neuron: Neuron) -> list[Match]:
    """Return all matches of a clause that WHERE lets count."""
    restrictions = about_match(query.where)
    return [
        match
        for match in all_matches(clause, neuron)
        if all(truth(each, {**neuron.statistics, **match.fields}) is True for each in restrictions)
    ]


def best(field: str, query: Query, neuron: Neuron) -> float | None:
    """Return the largest activation or importance over the matches of clauses that are not negated."""
    found = [
        match.fields[field]
        for clause in positive(query.clauses)
        if is_pattern_clause(clause)
        for match in matches(clause, query, neuron)
    ]
    return max((float(str(value)) for value in found if value is not None), default=None)


def positive(clauses: Formula[Clause] | None, sign: bool = True) -> Iterator[Clause]:
    """Yield the clauses that are not negated, or twice, as they are written."""
    match clauses:
        case And(operands) | Or(operands):
            for each in operands:
                yield from positive(each, sign)
        case Not(each):
            yield from positive(each, not sign)
        case None:
            return
        case _ if sign:
            yield clauses


def is_pattern_clause(clause: Clause) -> TypeGuard[PatternClause]:
    """Tell whether a clause holds of single patterns, not of the whole graph."""
    return isinstance(clause, Matching | Mentioning | FiringOn)


def _check(query: Query, world: World) -> None:
    """Refuse names that are not there, and texts that no model can cut or that are too short."""
    among = [model for model in world.models if query.model in (None, model.name)]
    for clause in _leaves(query.clauses):
        if any(_is_several(literal, world) for literal in negated_literals(clause)):
            raise RefusedError("! before several tokens")
        match clause:
            case SimilarTo(ref) | ContainedIn(ref) | Contains(ref):
                world.neuron(ref, query.model)
            case FiringOn(text, token):
                cuts = [cut for model in among if (cut := model.cut(text)) is not None]
                if not cuts:
                    raise RefusedError("no tokenizer")
                if token is not None and not any(-len(cut) <= token < len(cut) for cut in cuts):
                    raise RefusedError("outside the text")
    if query.rank is not None:
        world.neuron(query.rank.neuron, query.model)


def _is_several(literal: TokenLiteral, world: World) -> bool:
    """Tell whether every model that can cut a text cuts it in pieces."""
    cuts = [cut for model in world.models for cut in cuts_of(literal, model)]
    read = any(takes(literal, model) for model in world.models)
    return bool(cuts) and not read and all(len(cut) > 1 for cut in cuts)


def _holding(query: Query, world: World) -> list[Neuron]:
    conditions = about_neuron(query.where)
    return [
        neuron
        for neuron in world.among(query.model)
        if all(truth(each, neuron.statistics) is True for each in conditions)
        and (query.clauses is None or _holds(query.clauses, query, neuron, world))
    ]


def _holds(clauses: Formula[Clause], query: Query, neuron: Neuron, world: World) -> bool:
    match clauses:
        case And(operands):
            return all(_holds(each, query, neuron, world) for each in operands)
        case Or(operands):
            return any(_holds(each, query, neuron, world) for each in operands)
        case Not(each):
            return not _holds(each, query, neuron, world)
        case SimilarTo(ref, _, above) | ContainedIn(ref, above) | Contains(ref, above):
            is_other = neuron is not world.neuron(ref, query.model)
            score = _score(clauses, query, neuron, world).value
            return is_other and score > 0 and score >= above
        case _:
            return bool(matches(clauses, query, neuron))


def _score(clause: Clause, query: Query, neuron: Neuron, world: World) -> Score:
    match clause:
        case SimilarTo(ref, metric):
            return similarity(metric, neuron, world.neuron(ref, query.model))
        case ContainedIn(ref):
            return containment(neuron, world.neuron(ref, query.model))
        case Contains(ref):
            return containment(world.neuron(ref, query.model), neuron)
    raise AssertionError(clause)


def _scored(query: Query, neuron: Neuron, world: World) -> Found:
    leading = _leading(query)
    if query.rank is not None:
        named = world.neuron(query.rank.neuron, query.model)
        score = similarity(query.rank.metric, neuron, named)
        return Found(neuron, *(Score(1.0, own_size(query.rank.metric, neuron)) if neuron is named else score))
    return Found(neuron, *_score(leading, query, neuron, world)) if leading else Found(neuron)


def _leading(query: Query) -> Clause | None:
    """Return the first clause on similarity that every answer has to pass."""
    every = _conjuncts(query.clauses)
    return next((each for each in every if isinstance(each, SimilarTo | ContainedIn | Contains)), None)


def _conjuncts(clauses: Formula[Clause] | None) -> list[Formula[Clause]]:
    if isinstance(clauses, And):
        return [conjunct for each in clauses.operands for conjunct in _conjuncts(each)]
    return [] if clauses is None else [clauses]


def _leaves(clauses: Formula[Clause] | None) -> list[Clause]:
    return [*positive(clauses), *positive(clauses, False)]


def _pattern_rows(query: Query, world: World) -> list[Row]:
    """Return the patterns that clauses and WHERE hold of; all those of the neurons found with OF neurons."""
    if query.of_neurons:
        return [_own_row(neuron, end) for neuron in _holding(query, world) for end in neuron.patterns]
    conditions = [*about_neuron(query.where), *about_match(query.where)]
    bare = replace(query, where=None)
    rows = []
    for neuron in world.among(query.model):
        for end in neuron.patterns:
            if query.clauses is None or _holds_of(query.clauses, bare, neuron, end, world):
                row = _row(bare, neuron, end)
                fields = {**neuron.statistics, "activation": row.activation, "importance": row.importance}
                if all(truth(each, fields) is True for each in conditions):
                    rows.append(row)
    return rows


def _holds_of(clauses: Formula[Clause], query: Query, neuron: Neuron, end: int, world: World) -> bool:
    match clauses:
        case And(operands):
            return all(_holds_of(each, query, neuron, end, world) for each in operands)
        case Or(operands):
            return any(_holds_of(each, query, neuron, end, world) for each in operands)
        case Not(each):
            return not _holds_of(each, query, neuron, end, world)
        case Matching() | Mentioning() | FiringOn():
            return any(match.end == end for match in matches(clauses, query, neuron))
        case _:
            return _holds(clauses, query, neuron, world)


def _row(query: Query, neuron: Neuron, end: int) -> Row:
    """Return a pattern with the largest importance of the matches of clauses that are not negated."""
    found = [
        match.importance
        for clause in positive(query.clauses)
        if is_pattern_clause(clause)
        for match in matches(clause, query, neuron)
        if match.end == end
    ]
    own = _own_row(neuron, end)
    return replace(own, importance=_largest(found)) if found else own


def _own_row(neuron: Neuron, end: int) -> Row:
    pattern = neuron.patterns[end]
    return Row(neuron, end, pattern.activation, least(pattern))


def _matching_rows(query: Query, world: World) -> list[Row]:
    """Return the patterns that match a positive clause of a query for neurons; all where none can."""
    clauses = [clause for clause in positive(query.clauses) if is_pattern_clause(clause)]
    rows = []
    for neuron in _holding(query, world):
        ends = {match.end for clause in clauses for match in matches(clause, query, neuron)}
        rows += [_own_row(neuron, end) for end in (ends if clauses else neuron.patterns)]
    return rows


def _subjects(query: Query, world: World) -> Sequence[Found] | Sequence[Row]:
    return patterns(query, world) if query.subject is Subject.PATTERNS else neurons(query, world)


def _by_token(query: Query, in_context: bool, world: World) -> list[Group]:
    """Count neurons, or patterns, by the texts of the tokens that their matching patterns have in a role."""
    holders: dict[str, set[Any]] = defaultdict(set)
    of_patterns = query.subject is Subject.PATTERNS
    rows = _pattern_rows(query, world) if of_patterns else _matching_rows(query, world)
    for row in rows:
        for step in row.neuron.patterns[row.end].steps:
            if (step.depth > 0) == in_context:
                holder = (row.neuron, row.end) if of_patterns else row.neuron
                holders[row.neuron.model.texts[step.token]].add(holder)
    return sorted(((text, len(found)) for text, found in holders.items()), key=lambda row: (-row[1], row[0]))


def _field(name: str, query: Query, neuron: Neuron) -> object:
    return best(name, query, neuron) if name in ("activation", "importance") else neuron.statistics[name]


def _row_field(name: str, row: Row) -> object:
    of_row = {"activation": row.activation, "importance": row.importance}
    return of_row[name] if name in of_row else row.neuron.statistics[name]


def _rank(key: Key, value: object) -> tuple[bool, object]:
    """Sort nulls last either way."""
    if value is None or isinstance(value, str):
        return value is None, _Reversed(value or "") if key.descending else value or ""
    return False, -float(str(value)) if key.descending else float(str(value))


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


class _Reversed(str):
    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)
