"""Unparser: syntax tree to text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, assert_never

from n2gdb.grammar.ast import (
    DEFAULT_METRIC,
    Absolute,
    AllOf,
    And,
    AnyToken,
    Arithmetic,
    Between,
    Clause,
    Comparison,
    Computed,
    Condition,
    ContainedIn,
    Contains,
    Count,
    Expression,
    FieldValue,
    FiringOn,
    Formula,
    GroupBy,
    Influenced,
    InList,
    Key,
    LikeVariable,
    Link,
    Listed,
    Matching,
    Mentioning,
    Metric,
    Missing,
    Mode,
    Negated,
    NeuronRef,
    Not,
    Number,
    OneOf,
    Or,
    OtherVariable,
    Predictor,
    Query,
    RankBy,
    Run,
    Showing,
    SimilarTo,
    Statement,
    Step,
    Subject,
    TokenClass,
    TokenExpression,
    TokenLiteral,
    TokenPattern,
    TokenQuery,
    TokenSetQuery,
    TokensOf,
    TokenTerm,
    Variable,
    Writing,
)

__all__ = ["quoted", "written", "written_formula", "written_step"]

#: A longer statement is broken into lines.
_WIDTH = 100
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: What ABOVE is of SUBSET OF and SUPERSET OF where a query does not say it.
_ABOVE = 0.9


def written(statement: Statement) -> str:
    """Return the text of a statement: parsed again, it is an equal statement.

    Only a line break or an escaped slash in a regular expression is rewritten, as what means the same.
    Raises ValueError for a tree that no text gives.
    """
    match statement:
        case TokenQuery():
            parts = list(_token_query(statement))
        case TokenSetQuery():
            parts = list(_token_sets(statement))
        case _:
            parts = list(_query(statement))
    line = " ".join(parts)
    return line if len(line) <= _WIDTH else "\n  ".join(parts)


def written_formula(formula: Formula[Clause] | Formula[Condition]) -> str:
    """Return the text of clauses or conditions, with no more parentheses than it takes."""
    match formula:
        case And(operands):
            return " AND ".join(_within(each, And | Or) for each in operands)
        case Or(operands):
            return " OR ".join(_within(each, Or) for each in operands)
        case Not(Between() | InList() as listed):
            return _listed(listed, "NOT IN")
        case Not(Missing(field)):
            return f"{field} IS NOT MISSING"
        case Not(operand):
            return f"NOT {_within(operand, And | Or)}"
        case _ if type(formula) in _CLAUSES:
            return _CLAUSES[type(formula)](formula)
        case _:
            return _condition(formula)  # type: ignore[arg-type]


def written_step(step: Step) -> str:
    """Return the text of one step of a pattern."""
    match step:
        case TokenLiteral(text, exact):
            return quoted(text, '"' if exact else "'")
        case TokenExpression(source, ignore_case):
            return f"/{_slashed(source)}/{'i' if ignore_case else ''}"
        case TokenClass(kind):
            return f"<{kind.value}>"
        case TokensOf(neuron, in_context):
            if neuron.model is not None:
                raise ValueError(f"a token class cannot name a model: write IN MODEL {quoted(neuron.model)}")
            return f"<{'context ' if in_context else ''}{neuron}>"
        case AllOf(tests):
            return f"({' & '.join(written_step(each) for each in tests)})"
        case OneOf(alternatives):
            return f"({' | '.join(written_step(each) for each in alternatives)})"
        case Negated(test):
            return f"!{written_step(test)}"
        case Variable(name):
            return f"${name}"
        case LikeVariable(name):
            return f"~${name}"
        case OtherVariable(name):
            return f"!${name}"
        case AnyToken():
            return "_"
        case Run():
            return "..."
        case _:
            assert_never(step)


def quoted(text: str, quote: str = "'") -> str:
    """Return ``text`` between quotes of either kind, as a query has it."""
    return (
        quote + "".join(f"\\{each}" if each == quote else _ESCAPES.get(each, each) for each in text) + quote
    )


def _query(query: Query) -> Iterator[str]:
    yield from _found(query, _head(query))
    if query.count is not None and (groups := _groups(query.count)):
        yield f"BY {groups}"
    if query.rank is not None:
        yield _rank(query.rank)
    if query.order:
        yield f"ORDER BY {', '.join(map(_key, query.order))}"
    if query.sample is not None:
        yield f"SAMPLE {query.sample}{f' SEED {query.seed}' if query.seed else ''}"
    yield from _slice(query)
    if query.returns:
        yield f"RETURN {', '.join(query.returns)}"


def _found(query: Query, head: str) -> Iterator[str]:
    """Write what comes before BY and its like; the units that a query lists stand in its head."""
    among, clauses = _listed_first(query.clauses)
    yield f"{head} IN {_among(among)}" if among is not None else head
    if clauses is not None:
        yield written_formula(clauses)
    if query.where is not None:
        yield f"WHERE {written_formula(query.where)}"


def _among(among: Listed) -> str:
    return f"${among.saved}" if among.saved else f"({', '.join(map(_neuron, among.neurons))})"


def _misplaced(among: Listed) -> str:
    raise ValueError(f"a list of units is only allowed at the start of a query: move {_among(among)} there")


def _listed_first(clauses: Formula[Clause] | None) -> tuple[Listed | None, Formula[Clause] | None]:
    match clauses:
        case Listed():
            return clauses, None
        case And((Listed() as among, *rest)):
            return among, And(tuple(rest)) if len(rest) > 1 else rest[0]
        case _:
            return None, clauses


def _groups(count: Count) -> str:
    named = [count.by.value] if count.by is not None else [_group(each) for each in count.groups]
    return ", ".join(named)


def _group(group: GroupBy) -> str:
    return group.name if group.width is None else f"{group.name} / {_number(group.width)}"


def _head(query: Query) -> str:
    owners = "" if query.owners is None else f" OF {query.owners.value}"
    words = [f"{query.subject.value}{owners}"]
    if query.count is not None:
        measure = query.count.measure
        words.insert(0, "COUNT" if measure is None else f"{measure.statistic.value} {measure.field} OF")
    if query.mode is not Mode.ANSWER:
        words.insert(0, query.mode.value)
    if query.model is not None:
        words.append(f"IN MODEL {quoted(query.model)}")
    return " ".join(words)


def _token_query(query: TokenQuery) -> Iterator[str]:
    mode = "" if query.mode is Mode.ANSWER else f"{query.mode.value} "
    yield f"{mode}tokens {query.role.value} {_neuron(query.neuron)}"
    yield from _slice(query)


def _token_sets(query: TokenSetQuery) -> Iterator[str]:
    mode = "" if query.mode is Mode.ANSWER else f"{query.mode.value} "
    for place, term in enumerate(query.terms):
        # No text begins with what is left out: the parser says so.
        joined = f"{'AND' if place else f'{mode}tokens'}{' NOT' if term.negated else ''}"
        yield f"{joined} {' '.join(_term(term))}"
    yield from _slice(query)


def _term(term: TokenTerm) -> Iterator[str]:
    match term.units:
        case Query(clauses=Listed((neuron,)), where=None, subject=Subject.UNITS, model=None):
            yield f"{term.role.value} {_neuron(neuron)}"
        case units:
            yield from _found(units, f"{term.role.value} {_head(units)}")


def _slice(query: Query | TokenQuery | TokenSetQuery) -> Iterator[str]:
    if query.limit is not None:
        yield f"LIMIT {query.limit}"
    if query.offset is not None:
        yield f"OFFSET {query.offset}"


def _key(key: Key) -> str:
    return f"{key.field} DESC" if key.descending else key.field


def _rank(rank: RankBy) -> str:
    return f"RANK BY SIMILARITY TO {_neuron(rank.neuron)}{_using(rank.metric)}"


def _neuron(neuron: NeuronRef) -> str:
    return str(neuron) if neuron.model is None else f"{neuron} OF {quoted(neuron.model)}"


def _using(metric: Metric) -> str:
    return "" if metric is DEFAULT_METRIC else f" USING {metric.value}"


def _bounds(clause: SimilarTo | ContainedIn | Contains) -> str:
    usual = None if isinstance(clause, SimilarTo) else _ABOVE
    above = "" if clause.above is None or clause.above == usual else f" ABOVE {_number(clause.above)}"
    return above if clause.sharing == 1 else f"{above} SHARING {clause.sharing}"


def _within(operand: Formula[Clause] | Formula[Condition], looser: type | object) -> str:
    text = written_formula(operand)
    return f"({text})" if isinstance(operand, looser) else text  # type: ignore[arg-type]


def _matching(clause: Matching) -> str:
    joined = (f"{each.effect.value} {written_step(each.variable)}" for each in clause.written)
    return " ".join((f"MATCHING {'ONLY ' if clause.only else ''}{_pattern(clause.pattern)}", *joined))


def _firing_on(clause: FiringOn) -> str:
    at = "" if clause.token is None else f" AT {clause.token}"
    by = "" if clause.by is Predictor.EVIDENCE else f" USING {clause.by.value}"
    return f"FIRING ON {quoted(clause.text, chr(34))}{at}{by}"


def _influenced(clause: Influenced) -> str:
    place = ""
    if clause.farthest is not None:
        word = "AT" if clause.nearest == clause.farthest else "WITHIN"
        place = f" {word} {clause.farthest}"
    return f"{clause.influence.value} {written_step(clause.test)}{place}"


def _similar_to(clause: SimilarTo) -> str:
    return f"SIMILAR TO {_neuron(clause.neuron)}{_using(clause.metric)}{_bounds(clause)}"


#: How a clause of each class is written.
_CLAUSES: Mapping[type, Callable[[Any], str]] = {
    Matching: _matching,
    Mentioning: lambda clause: f"MENTIONING {written_step(clause.test)}",
    Writing: lambda clause: f"{clause.effect.value} {written_step(clause.test)}",
    Influenced: _influenced,
    Listed: _misplaced,
    FiringOn: _firing_on,
    Showing: lambda clause: f"SHOWING {quoted(clause.text, chr(34) if clause.exact else chr(39))}",
    SimilarTo: _similar_to,
    ContainedIn: lambda clause: f"SUBSET OF {_neuron(clause.neuron)}{_bounds(clause)}",
    Contains: lambda clause: f"SUPERSET OF {_neuron(clause.neuron)}{_bounds(clause)}",
}


def _pattern(pattern: TokenPattern) -> str:
    words = [written_step(pattern.steps[0])]
    for link, step in zip(pattern.links, pattern.steps[1:], strict=True):
        words += [_connector(link), written_step(step)]
    return " ".join(words)


def _connector(link: Link) -> str:
    if link == Link(1, 1):
        return "THEN"
    word = "NEAR" if link.either else "BEFORE"
    if link.least == 1:
        return word if link.most is None else f"{word}/{link.most}"
    return f"{word}/{link.least}..{'' if link.most is None else link.most}"


def _condition(condition: Condition) -> str:
    match condition:
        case Comparison(field, operator, value):
            return f"{field} {operator.value} {_value(value)}"
        case Between() | InList():
            return _listed(condition, "IN")
        case Missing(field):
            return f"{field} IS MISSING"
        case Computed(left, operator, right):
            return f"{_expression(left)} {operator.value} {_expression(right)}"
        case _:
            assert_never(condition)


def _listed(condition: Between | InList, word: str) -> str:
    if isinstance(condition, Between):
        return f"{condition.field} {word} {_number(condition.least)}..{_number(condition.most)}"
    return f"{condition.field} {word} ({', '.join(map(_value, condition.values))})"


def _expression(expression: Expression) -> str:
    match expression:
        case Number(value):
            return _number(value)
        case FieldValue(field):
            return field
        case Arithmetic(sign, left, right):
            own = _binding(expression)
            before = _grouped(left, _binding(left) < own)
            after = _grouped(right, _binding(right) <= own)
            return f"{before} {sign} {after}"
        case Absolute(operand):
            return f"abs({_expression(operand)})"
        case _:
            assert_never(expression)


def _grouped(expression: Expression, apart: bool) -> str:
    return f"({_expression(expression)})" if apart else _expression(expression)


def _binding(expression: Expression) -> int:
    """Return how tightly an expression holds together: sums, products, single values."""
    if not isinstance(expression, Arithmetic):
        return 3
    return 1 if expression.sign in "+-" else 2


def _value(value: int | float | str) -> str:
    return quoted(value) if isinstance(value, str) else _number(value)


def _number(value: int | float) -> str:
    if math.isnan(value):
        raise ValueError("NaN cannot be written in a query")
    if math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return repr(value)


def _slashed(source: str) -> str:
    """Escape the slashes of a regular expression that are not escaped already."""
    if re.fullmatch(r"(?:[^\\]|\\.)+", source, re.DOTALL) is None:
        raise ValueError(f"a regular expression cannot be empty or end in a backslash: {source!r}")
    return re.sub(r"\\?.", _slashed_piece, source, flags=re.DOTALL)


def _slashed_piece(piece: re.Match[str]) -> str:
    return {"/": "\\/", "\n": "\\n", "\\\n": "\\n"}.get(piece[0], piece[0])
