"""What a statement means: a plain evaluator over neuron graphs in memory. The compiler must agree with it.

It shares the AST and the graphs with the compiler and nothing else. What holds where is decided in
``oracle_match``, ``oracle_predict``, ``oracle_similarity`` and ``oracle_where``; here it becomes an answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from n2gdb.grammar.ast import (
    Clause,
    ContainedIn,
    Contains,
    FiringOn,
    Grouping,
    Influenced,
    Key,
    Query,
    Role,
    SimilarTo,
    Statement,
    Subject,
    TokenLiteral,
    TokenQuery,
    Writing,
)
from tests.oracle.clauses import best, conjuncts, every_clause, extent, is_pattern_clause, matches
from tests.oracle.match import cuts_of, influenced_by, negated_literals, takes, written_by
from tests.oracle.patterns import Row, every_row, matching_rows, patterns_of
from tests.oracle.similarity import Score, containment, similarity
from tests.oracle.where import OF_MATCH, about_neuron, truth
from tests.oracle.world import Neuron, RefusedError, World

__all__ = ["Found", "Group", "Token", "answer", "limited"]

Group: TypeAlias = tuple[int | str | None, int]
RowType = TypeVar("RowType")

#: What neurons are ordered by where a query does not say it, those judged on ten firings or more first.
_BEST = (Key("heldout_f1", descending=True), Key("f1", descending=True))


@dataclass(frozen=True)
class Found:
    """A neuron, with what it scores against the one that the statement compares with."""

    neuron: Neuron
    similarity: float | None = None
    size: int | None = None


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
    if query.rank is not None and not query.order:
        itself = world.neuron(query.rank.neuron, query.model)
        found.sort(key=lambda each: (each.neuron is not itself, *_unlikeness(each)))
    elif query.order or not _leading(query):
        for key in reversed(query.order or _BEST):
            found.sort(key=lambda each: _rank(key, _field(key.field, query, each.neuron, world)))
        if not query.order:
            found.sort(key=lambda each: not _is_certain(each.neuron))
    else:
        found.sort(key=_unlikeness)
    return found


def patterns(query: Query, world: World) -> list[Row]:
    """Return the patterns of a query in order."""
    if query.of_neurons:
        rows = [row for neuron in _holding(query, world) for row in every_row(neuron)]
    else:
        rows = patterns_of(query, _meeting(query, world), world, lambda each: _holders(each, query, world))
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


def _check(query: Query, world: World) -> None:
    """Refuse names that are not there, and texts that no model can cut or that are too short."""
    among = [model for model in world.models if query.model in (None, model.name)]
    for clause in every_clause(query.clauses):
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
    """Tell whether no model has a token that reads so, and every one that cuts the text cuts it in pieces."""
    cuts = [cut for model in world.models for cut in cuts_of(literal, model)]
    read = any(takes(literal, model) for model in world.models)
    return bool(cuts) and not read and all(len(cut) > 1 for cut in cuts)


def _meeting(query: Query, world: World) -> list[Neuron]:
    """Return the neurons of the model that meet WHERE, as far as that is about the neuron."""
    conditions = about_neuron(query.where)
    return [
        neuron
        for neuron in world.among(query.model)
        if all(truth(each, neuron.numbers) is True for each in conditions)
    ]


def _holding(query: Query, world: World) -> list[Neuron]:
    """Return the neurons of a query, by name and model."""
    met = _meeting(query, world)
    if query.clauses is None:
        return met
    holding = extent(query.clauses, lambda clause: _holders(clause, query, world), frozenset(world.neurons))
    return [neuron for neuron in met if neuron in holding]


def _holders(clause: Clause, query: Query, world: World) -> frozenset[Neuron]:
    """Return the neurons of any model that a clause holds of."""
    if is_pattern_clause(clause):
        return frozenset(matches(clause, query, world))
    if isinstance(clause, Writing):
        return written_by(clause, world)
    if isinstance(clause, Influenced):
        return influenced_by(clause, world)
    assert isinstance(clause, SimilarTo | ContainedIn | Contains)
    named = world.neuron(clause.neuron, query.model)
    scores = {each: _score(clause, each, named) for each in world.sharing(named) if each is not named}
    return frozenset(each for each, score in scores.items() if 0 < score.value >= clause.above)


def _score(clause: Clause, neuron: Neuron, named: Neuron) -> Score:
    match clause:
        case SimilarTo(_, metric):
            return similarity(metric, neuron, named)
        case ContainedIn():
            return containment(neuron, named)
        case Contains():
            return containment(named, neuron)
    raise AssertionError(clause)


def _scored(query: Query, neuron: Neuron, world: World) -> Found:
    leading = _leading(query)
    if query.rank is not None:
        named = world.neuron(query.rank.neuron, query.model)
        return Found(neuron, *similarity(query.rank.metric, neuron, named))
    if leading is None:
        return Found(neuron)
    return Found(neuron, *_score(leading, neuron, world.neuron(leading.neuron, query.model)))


def _leading(query: Query) -> SimilarTo | ContainedIn | Contains | None:
    """Return the first clause on similarity that every answer has to pass."""
    return next(
        (each for each in conjuncts(query.clauses) if isinstance(each, SimilarTo | ContainedIn | Contains)),
        None,
    )


def _subjects(query: Query, world: World) -> Sequence[Found] | Sequence[Row]:
    return patterns(query, world) if query.subject is Subject.PATTERNS else neurons(query, world)


def _by_token(query: Query, in_context: bool, world: World) -> list[Group]:
    """Count neurons, or patterns, by the texts of the tokens that their matching patterns have in a role."""
    holders: dict[str, set[Any]] = defaultdict(set)
    for row in _rows_counted(query, world):
        for depth, token in row.steps:
            if (depth > 0) == in_context:
                holder = (row.neuron, row.end) if query.subject is Subject.PATTERNS else row.neuron
                holders[row.neuron.model.texts[token]].add(holder)
    return sorted(((text, len(found)) for text, found in holders.items()), key=lambda row: (-row[1], row[0]))


def _rows_counted(query: Query, world: World) -> list[Row]:
    """Return the patterns of a query; for neurons, those by which its clauses on patterns hold."""
    if query.subject is Subject.PATTERNS:
        return patterns(query, world)
    return [row for neuron in _holding(query, world) for row in matching_rows(query, neuron, world)]


def _field(name: str, query: Query, neuron: Neuron, world: World) -> object:
    return best(name, query, neuron, world) if name in OF_MATCH else neuron.statistics[name]


def _is_certain(neuron: Neuron) -> bool:
    firings = neuron.statistics["heldout_firings"]
    return isinstance(firings, int) and firings >= 10


def _row_field(name: str, row: Row) -> object:
    return getattr(row, name) if name in OF_MATCH else row.neuron.statistics[name]


def _unlikeness(found: Found) -> tuple[float, int]:
    return -(found.similarity or 0), -(found.size or 0)


def _rank(key: Key, value: object) -> tuple[bool, object]:
    """Sort nulls last either way."""
    if value is None or isinstance(value, str):
        return value is None, _Reversed(value or "") if key.descending else value or ""
    assert isinstance(value, int | float)
    return False, -value if key.descending else value


class _Reversed(str):
    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)
