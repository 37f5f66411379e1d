"""What a statement means: a plain evaluator over neuron graphs in memory. The compiler must agree with it.

It shares the AST and the graphs with the compiler and nothing else. What holds where is decided in the
modules beside it; here it becomes an answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from hashlib import blake2b
from statistics import median
from typing import Any, TypeAlias, TypeVar

from n2gdb.grammar.ast import (
    Clause,
    ContainedIn,
    Contains,
    FiringOn,
    GroupBy,
    Grouping,
    Influenced,
    Key,
    Listed,
    Metric,
    Query,
    Role,
    Showing,
    SimilarTo,
    Statement,
    Subject,
    TokenLiteral,
    TokenQuery,
    TokenSetQuery,
    Writing,
)
from tests.oracle.clauses import (
    best,
    conjuncts,
    every_clause,
    extent,
    influenced_by,
    is_pattern_clause,
    matches,
    numbers_of,
    shows,
    strongest,
    written_by,
)
from tests.oracle.match import cuts_of, negated_literals, takes
from tests.oracle.numbers import number
from tests.oracle.patterns import Row, Token, every_row, matching_rows, patterns_of, tokens
from tests.oracle.similarity import Score, containment, similarity
from tests.oracle.where import OF_EFFECTS, OF_MATCH, about_neuron, named_words, truth
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


def answer(statement: Statement, world: World) -> list[Any]:
    """Return the rows of a statement in order, LIMIT and OFFSET aside; raise RefusedError for none."""
    if isinstance(statement, TokenQuery):
        return tokens(statement, world)
    if isinstance(statement, TokenSetQuery):
        return tokens_of_sets(statement, world)
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
    held = drawn(query, _holding(query, world), _lot_of)
    found = [_scored(query, neuron, world) for neuron in held]
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
    if query.owners is not None:
        rows = [row for neuron in _holding(query, world) for row in every_row(neuron)]
    else:
        rows = patterns_of(query, _meeting(query, world), world, lambda each: _holders(each, query, world))
    rows = drawn(query, rows, lambda row: f"{_lot_of(row.neuron)} {row.end}")
    for key in reversed(query.order or (Key("activation", descending=True),)):
        rows.sort(key=lambda row: _rank(key, _value_of(row, key.field, query, world)))
    return rows


def counts(query: Query, world: World) -> list[Group]:
    """Return how many rows a query has, in all or by group."""
    if query.count is not None and (query.count.groups or query.count.measure is not None):
        return figures(query, world)
    if query.count is None or query.count.by is None:
        return [(None, len(_subjects(query, world)))]
    by = query.count.by
    if by in (Grouping.ACTIVATING, Grouping.CONTEXT):
        return _by_token(query, by is Grouping.CONTEXT, world)
    groups: Counter[Any] = Counter()
    for row in _subjects(query, world):
        groups[row.neuron.model.name if by is Grouping.MODEL else row.neuron.statistics[by.value]] += 1
    return sorted(groups.items())


def _lot_of(neuron: Neuron) -> str:
    name = neuron.name
    return f"{neuron.model.number} {name.layer} {neuron.statistics['source']} {name.index} {name.side}"


def drawn(query: Query, rows: Sequence[RowType], name: Callable[[RowType], str]) -> list[RowType]:
    """Return the rows that SAMPLE draws: those whose names have the least hashes."""
    if query.sample is None:
        return list(rows)

    def lot(row: RowType) -> tuple[bytes, str]:
        named = name(row)
        return blake2b(f"{query.seed} {named}".encode(), digest_size=8).digest(), named

    chosen = {name(row) for row in sorted(rows, key=lot)[: query.sample]}
    return [row for row in rows if name(row) in chosen]


def figures(query: Query, world: World) -> list[Any]:
    """Return what a query counts or measures, by its groups."""
    count = query.count
    assert count is not None
    groups: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    if not count.groups:
        groups[()] = []
    for row in _subjects(query, world):
        key = tuple(_part(each, row, query, world) for each in count.groups)
        value = None
        if count.measure is not None:
            value = number(_value_of(row, count.measure.field, query, world))
        groups[key].append(value)
    rows = []
    for key, values in groups.items():
        known = [value for value in values if value is not None]
        figure: tuple[Any, ...] = ()
        if count.measure is not None:
            statistic = _STATISTICS[count.measure.statistic.value]
            figure = (round(statistic(known), 9) if known else None,)
        rows.append((*(key or (None,)), *figure, len(values)))
    width = max(len(count.groups), 1)
    return sorted(
        rows, key=lambda row: [(each is None, "" if each is None else each) for each in row[:width]]
    )


_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "AVG": lambda values: float(sum(map(Fraction, values)) / len(values)),
    "SUM": lambda values: float(sum(map(Fraction, values))),
    "MIN": min,
    "MAX": max,
    "MEDIAN": median,
}


def _value_of(row: Any, field: str, query: Query, world: World) -> Any:
    of_row = field in OF_MATCH and isinstance(row, Row)
    return getattr(row, field) if of_row else _field(field, query, row.neuron, world)


def _of_neuron(field: str, query: Query, neuron: Neuron, world: World) -> Any:
    return strongest(field, query, neuron, world) if field in OF_EFFECTS else neuron.statistics[field]


def _part(group: GroupBy, row: Any, query: Query, world: World) -> object:
    if group.name == "model":
        return row.neuron.model.name
    value = number(_value_of(row, group.name, query, world))
    if group.width is None or value is None:
        return value
    width = Decimal(repr(group.width))
    return float((Decimal(repr(value)) / width).to_integral_value(ROUND_FLOOR) * width)


def tokens_of_sets(query: TokenSetQuery, world: World) -> list[Token]:
    """Return the tokens that meet every term, with the figures of the first."""
    found = []
    for term in query.terms:
        _check(term.units, world)
        with_text: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for neuron in _holding(term.units, world):
            for end, pattern in neuron.patterns.items():
                for step in pattern.steps:
                    if (step.depth > 0) == (term.role is Role.CONTEXT):
                        place = (pattern.activation, step.importance, neuron, end)
                        with_text[neuron.model.texts[step.token]].append(place)
        found.append(with_text)
    in_context = query.terms[0].role is Role.CONTEXT
    rows = [
        Token(
            text,
            max(place[0] for place in places),
            max(place[1] for place in places) if in_context else None,
            len({(place[2], place[3]) for place in places}),
        )
        for text, places in found[0].items()
        if all((text in other) is not term.negated for term, other in zip(query.terms, found, strict=True))
    ]
    return sorted(rows, key=lambda row: (-row.activation, row.text))


def _check(query: Query, world: World) -> None:
    """Refuse names that are not there, and texts that no model can cut or that are too short."""
    among = [model for model in world.models if query.model in (None, model.name)]
    world.called(query.owners or query.subject, query.model)
    if not set(named_words(query.where, "source")) <= {each.statistics["source"] for each in world.neurons}:
        raise RefusedError("no such source")
    for clause in every_clause(query.clauses):
        if any(_is_several(literal, world) for literal in negated_literals(clause)):
            raise RefusedError("! before several tokens")
        match clause:
            case Listed(refs):
                for each in refs:
                    world.neuron(each, query.model)
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
        for neuron in world.called(query.owners or query.subject, query.model)
        if all(truth(each, numbers_of(query, neuron, world)) is True for each in conditions)
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
    if isinstance(clause, Listed):
        return frozenset(world.neuron(each, query.model) for each in clause.neurons)
    if isinstance(clause, Showing):
        return frozenset(each for each in world.neurons if each.has_examples and shows(clause, each.model))
    assert isinstance(clause, SimilarTo | ContainedIn | Contains)
    named = world.neuron(clause.neuron, query.model)
    by_firing = isinstance(clause, SimilarTo) and clause.metric is Metric.COFIRING
    others = world.neurons if by_firing else world.sharing(named)
    scores = {each: _score(clause, each, named, world) for each in others if each is not named}
    least = clause.least if isinstance(clause, SimilarTo) else clause.above
    return frozenset(
        each for each, score in scores.items() if 0 < score.value >= least and score.size >= clause.sharing
    )


def _score(clause: Clause, neuron: Neuron, named: Neuron, world: World) -> Score:
    match clause:
        case SimilarTo(_, metric):
            return similarity(metric, neuron, named, world)
        case ContainedIn():
            return containment(neuron, named)
        case Contains():
            return containment(named, neuron)
    raise AssertionError(clause)


def _scored(query: Query, neuron: Neuron, world: World) -> Found:
    leading = _leading(query)
    if query.rank is not None:
        named = world.neuron(query.rank.neuron, query.model)
        return Found(neuron, *similarity(query.rank.metric, neuron, named, world))
    if leading is None:
        return Found(neuron)
    return Found(neuron, *_score(leading, neuron, world.neuron(leading.neuron, query.model), world))


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
    held = drawn(query, _holding(query, world), _lot_of)
    return [row for neuron in held for row in matching_rows(query, neuron, world)]


def _field(name: str, query: Query, neuron: Neuron, world: World) -> object:
    return best(name, query, neuron, world) if name in OF_MATCH else _of_neuron(name, query, neuron, world)


def _is_certain(neuron: Neuron) -> bool:
    firings = neuron.statistics["heldout_firings"]
    return isinstance(firings, int) and firings >= 10


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
