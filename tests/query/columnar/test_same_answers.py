"""Columns give the answers that statements give: rows, order, evidence and counts."""

from __future__ import annotations

from typing import Any

import pytest

import n2gdb
from n2gdb.query.cypher.breadth import needs_columns
from n2gdb.query.execution.plan import TokenPlan, TokenSetPlan
from n2gdb.query.execution.planner import plan_statement
from n2gdb.query.parse import read_query
from tests.grammar.test_language_reference import EXAMPLES, database

__all__ = ["database"]  # the fixture


def _answered(opened: n2gdb.Database, text: str, by_statements: int | None) -> tuple[list[Any], int]:
    opened._by_statements = by_statements
    try:
        answer = opened.query(text)
        return answer.to_dicts(), answer.total
    finally:
        del opened._by_statements


@pytest.mark.parametrize("text", [each for each in EXAMPLES if not each.startswith(("EXPLAIN", "PROFILE"))])
def test_both_ways_answer_alike(text: str, database: n2gdb.Database) -> None:
    plan = plan_statement(database.session(), read_query(text))
    if isinstance(plan, TokenSetPlan) or (not isinstance(plan, TokenPlan) and needs_columns(plan.settled)):
        with_columns = _answered(database, text, 0)
        assert with_columns == _answered(database, text, None)  # read when a question needs them
        return
    assert _answered(database, text, 0) == _answered(database, text, None)


def test_the_first_question_reads_no_columns(database: n2gdb.Database) -> None:
    with n2gdb.open(database.path) as fresh:
        fresh.query("neurons MATCHING 'the'")
        assert "_columns" not in vars(fresh)
        fresh.query("neurons MATCHING 'the'")
        assert "_columns" in vars(fresh)
