"""One statement, asked of a database and of the evaluator: the same rows, in order, on sound evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from n2gdb.core.graph import Pattern
from n2gdb.core.paths import PathStep
from n2gdb.database import Database
from n2gdb.errors import QueryError, UnknownNameError
from n2gdb.grammar.ast import Query, Statement
from n2gdb.grammar.unparse import written
from n2gdb.query.execution.hits import Evidence, Hit
from n2gdb.query.execution.patterns import PatternHit
from n2gdb.query.parse import read_query
from tests.oracle import evaluator as oracle
from tests.oracle.clauses import best, is_pattern_clause, matches, positive, strongest
from tests.oracle.evaluator import Found
from tests.oracle.match import Match, resolved
from tests.oracle.numbers import alike, number
from tests.oracle.patterns import Row
from tests.oracle.where import OF_EFFECTS, OF_MATCH, OF_PATTERN, STORED
from tests.oracle.world import Neuron, RefusedError, World

__all__ = ["check"]

#: What the language allows no more of, as its refusal says it.
BOUNDS = ("name at most", "more than 64 ways", "more than 64 subqueries", "more than 256 context tokens")


def check(statement: Statement, database: Database, world: World) -> int | None:
    """Hold the database to the evaluator; return the number of rows, None where both refuse the statement."""
    parsed = read_query(written(statement))
    assert parsed == statement
    try:
        meant = resolved(statement, world)
        expected = oracle.answer(meant, world)
    except RefusedError:
        with pytest.raises((QueryError, UnknownNameError)):
            list(database.query(parsed))
        return None
    kept = database._by_statements
    try:
        for statements in (None, 0):  # all by statements, and all by columns
            database._by_statements = statements
            found = _answered(parsed, meant, expected, database, world)
    finally:
        database._by_statements = kept
    return found


def _answered(
    parsed: Statement, statement: Statement, expected: Sequence[Any], database: Database, world: World
) -> int | None:
    try:
        answer = database.query(parsed)
    except QueryError as error:
        assert any(bound in str(error) for bound in BOUNDS), f"refused: {error}"
        return None
    rows = list(answer)
    page = oracle.limited(expected, statement)
    _same(rows, page, statement, world)
    assert answer.total == len(expected), f"total {answer.total}, expected {len(expected)}"
    if isinstance(statement, Query) and statement.returns:
        assert answer.columns == statement.returns
        for plain, each in zip(answer.to_dicts(), page, strict=True):
            _check_columns(plain, statement, each, world)
    return len(expected)


def _same(rows: Sequence[Any], expected: Sequence[Any], statement: Statement, world: World) -> None:
    said, wanted = [_said(row) for row in rows], [_said(row) for row in expected]
    assert said == wanted, "\n".join(["other rows", *_side_by_side(said, wanted)])
    for row, each in zip(rows, expected, strict=True):
        if isinstance(row, Hit):
            assert isinstance(statement, Query)
            _check_hit(row, statement, each, world)
        elif isinstance(row, PatternHit):
            _check_pattern(row, each)


def _check_columns(plain: Mapping[str, Any], query: Query, row: Any, world: World) -> None:
    """The columns that RETURN names, and no other, hold what the row is known by; paths are checked apart."""
    assert tuple(plain) == query.returns or query.count is not None
    if not isinstance(row, Found | Row):
        return
    if isinstance(row, Found):
        of_match = {field: best(field, query, row.neuron, world) for field in OF_MATCH}
        of_match |= {"similarity": row.similarity, "size": row.size}
    else:
        of_match = {field: getattr(row, field) for field in OF_PATTERN}
    known = {
        **row.neuron.statistics,
        **of_match,
        **{name: strongest(name, query, row.neuron, world) for name in OF_EFFECTS if name in plain},
        "neuron": str(row.neuron.name),
        "model": row.neuron.model.name,
    }
    for name, value in plain.items():
        assert name not in known or alike(value, known[name]), (
            f"{row.neuron}: {name} {value}, not {known[name]}"
        )


def _said(row: Any) -> tuple[Any, ...]:
    """Return what names a row, alike on both sides."""
    match row:
        case Hit():
            return str(row.neuron), row.model
        case Found(neuron):
            return str(neuron.name), neuron.model.name
        case PatternHit():
            steps = [(step.depth, step.token) for step in row.steps[::-1] if step.token is not None]
            return str(row.neuron), row.model, steps
        case Row(neuron):
            return str(neuron.name), neuron.model.name, list(row.steps)
        case tuple():
            return tuple(number(value) for value in row)
        case oracle.Token():
            return row.text, number(row.activation), number(row.importance), row.n_patterns
        case _:
            return tuple(number(value) for value in row.as_dict().values())


def _side_by_side(said: Sequence[Any], wanted: Sequence[Any]) -> list[str]:
    most = max(len(said), len(wanted))
    pairs = zip([*said, *["-"] * most], [*wanted, *["-"] * most], strict=False)
    return [f"  {one}   expected {other}" for one, other in list(pairs)[:most] if one != other][:8]


def _check_hit(hit: Hit, query: Query, found: Found, world: World) -> None:
    neuron = found.neuron
    _check_statistics(hit.statistics, neuron)
    assert hit.similarity == pytest.approx(found.similarity, abs=1e-6)
    assert hit.size == found.size, f"{neuron}: size {hit.size}, expected {found.size}"
    holding = {
        place: matches(clause, query, world)[neuron]
        for place, clause in enumerate(positive(query.clauses))
        if is_pattern_clause(clause) and neuron in matches(clause, query, world)
    }
    assert [evidence.clause for evidence in hit.evidence] == list(holding), f"{neuron}: other clauses hold"
    for field in STORED:
        value = getattr(hit, field)
        wanted = best(field, query, neuron, world)
        assert alike(value, wanted), f"{neuron}: {field} {value}, expected {wanted}"
    for evidence in hit.evidence:
        _check_evidence(evidence, holding[evidence.clause], neuron)


def _check_statistics(statistics: Mapping[str, object], neuron: Neuron) -> None:
    assert statistics.keys() >= neuron.statistics.keys()
    for name, value in neuron.statistics.items():
        assert alike(statistics[name], value), f"{neuron}: {name} {statistics[name]}, expected {value}"


def _check_evidence(evidence: Evidence, matches: Sequence[Match], neuron: Neuron) -> None:
    """The pattern shown is one that matches, there, and none that matches activates more."""
    assert alike(evidence.activation, max(match.activation for match in matches))
    if matches[0].end is None:
        _check_weighed(evidence, matches, neuron)
        return
    end = _shown(evidence.path, neuron)
    depths = tuple(step.depth for step in evidence.path if step.matched)
    shown = [match for match in matches if (match.end, match.depths) == (end, depths)]
    assert shown, f"{neuron}: {end} at {depths} is shown, matches are {matches}"
    assert alike(evidence.activation, shown[0].activation)
    for field in STORED:
        said, wanted = getattr(evidence, field), getattr(shown[0], field)
        assert alike(said, wanted), f"{neuron}: {field} {said}, not {wanted}"


def _check_weighed(evidence: Evidence, matches: Sequence[Match], neuron: Neuron) -> None:
    """What excites the neuron is shown, where it fires as strongly."""
    named = [step for step in evidence.path[::-1] if step.token is not None]
    assert [step.text for step in named] == [neuron.model.texts[step.token or 0] for step in named]
    steps = tuple((step.depth, step.token) for step in named)
    shown = [each for each in matches if each.steps == steps]
    assert shown, f"{neuron}: {steps} is shown, firings are {matches}"
    assert any(alike(evidence.activation, each.activation) for each in shown)
    assert (evidence.importance, evidence.support, evidence.confidence) == (None, None, None)


def _check_pattern(hit: PatternHit, row: Row) -> None:
    _check_statistics(hit.statistics, row.neuron)
    for field in OF_PATTERN:
        said, wanted = getattr(hit, field), getattr(row, field)
        assert alike(said, wanted), f"{field} {said}, expected {wanted}"
    assert _shown(hit.steps, row.neuron) == row.end


def _shown(path: Sequence[PathStep], neuron: Neuron) -> int:
    """Return the end of the pattern that a path in text order shows; gaps are any-tokens."""
    assert [step.depth for step in path] == list(range(len(path) - 1, -1, -1))
    named = [step for step in path[::-1] if step.token is not None]
    (end,) = (end for end, pattern in neuron.patterns.items() if _reads(named, pattern, neuron))
    return end


def _reads(named: Sequence[PathStep], pattern: Pattern, neuron: Neuron) -> bool:
    if [(step.depth, step.token) for step in named] != [(step.depth, step.token) for step in pattern.steps]:
        return False
    for shown, step in zip(named, pattern.steps, strict=True):
        assert shown.text == neuron.model.texts[step.token]
        assert alike(shown.importance, step.importance if step.depth else None)
    return True
