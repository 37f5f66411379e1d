"""What a statement means: a plain evaluator over neuron graphs in memory. The compiler must agree with it.

It shares the AST and the graphs with the compiler and nothing else. What holds where is decided in
``oracle_match``, ``oracle_similarity`` and ``oracle_where``; here it becomes an answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
    TokenQuery,
)
from tests.oracle.match import Match, all_matches
from tests.oracle.similarity import Score, containment, similarity
from tests.oracle.where import about_match, about_neuron, truth
from tests.oracle.world import Neuron, RefusedError, World

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
    rows = [row for neuron in _holding(query, world) for row in _rows(query, neuron)]
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


def _holding(query: Query, world: World) -> list[Neuron]:
    conditions = about_neuron(query.where)
    left_out = world.neuron(query.rank.neuron, query.model) if query.rank else None
    return [
        neuron
        for neuron in world.among(query.model)
        if neuron is not left_out
        and all(truth(each, neuron.statistics) is True for each in conditions)
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
        score = similarity(query.rank.metric, neuron, world.neuron(query.rank.neuron, query.model))
        return Found(neuron, *score)
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


def _rows(query: Query, neuron: Neuron) -> list[Row]:
    """Return the patterns that match a positive clause; all of them where none is on patterns."""
    clauses = [clause for clause in positive(query.clauses) if is_pattern_clause(clause)]
    if not clauses:
        every = [Row(neuron, end, pattern.activation, None) for end, pattern in neuron.patterns.items()]
        return [row for row in every if _counts(query, row)]
    matched: dict[int, list[Match]] = defaultdict(list)
    for clause in clauses:
        for match in matches(clause, query, neuron):
            matched[match.end].append(match)
    return [
        Row(neuron, end, neuron.patterns[end].activation, _largest(match.importance for match in found))
        for end, found in matched.items()
    ]


def _counts(query: Query, row: Row) -> bool:
    fields = {**row.neuron.statistics, "activation": row.activation, "importance": None}
    return all(truth(each, fields) is True for each in about_match(query.where))


def _subjects(query: Query, world: World) -> Sequence[Found] | Sequence[Row]:
    return patterns(query, world) if query.subject is Subject.PATTERNS else neurons(query, world)


def _by_token(query: Query, in_context: bool, world: World) -> list[Group]:
    """Count neurons, or patterns, by the texts of the tokens that their matching patterns have in a role."""
    holders: dict[str, set[Any]] = defaultdict(set)
    for neuron in _holding(query, world):
        for row in _rows(query, neuron):
            for step in neuron.patterns[row.end].steps:
                if (step.depth > 0) == in_context:
                    holder = (neuron, row.end) if query.subject is Subject.PATTERNS else neuron
                    holders[neuron.model.texts[step.token]].add(holder)
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
