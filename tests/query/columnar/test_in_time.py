"""Columns keep a time limit: every step over many rows looks at the clock, and a late answer is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from n2gdb import remembering
from n2gdb.core.arrays import distinct
from n2gdb.core.deadline import within
from n2gdb.database import Database
from n2gdb.errors import QueryTimeoutError
from n2gdb.grammar.ast import Count, GroupBy, Measure, Statistic
from n2gdb.query.columnar.groups import groups_of
from n2gdb.query.columnar.ordering import in_order, sampled
from n2gdb.query.columnar.role_tokens import on_paths
from n2gdb.query.execution import executor

ROWS = 400_000
VALUES = np.random.default_rng(1).random(ROWS)


def _grouped(rows: int, *names: str) -> object:
    count = Count(None, tuple(map(GroupBy, names)), Measure(Statistic.MEDIAN, "f1"))
    return groups_of(count, lambda name: np.round(VALUES[:rows] * 50), lambda: ["a"] * rows, rows)


def _deep() -> object:
    """Nodes in one path of a hundred levels, from every one of which patterns go up."""
    nodes = ROWS // 4
    row = np.arange(nodes)
    tries: Any = SimpleNamespace(
        is_root=row % 1000 == 0, parent=np.where(row % 1000 == 0, -1, row - 1), root=row - row % 1000
    )
    return on_paths(tries, row, in_context=True)


STEPS: dict[str, Callable[[], object]] = {
    "order": lambda: in_order([(VALUES, False)] * 40, [], ROWS),
    "sample": lambda: sampled([f"L0N{number}" for number in range(ROWS)], 5, 0),
    "model": lambda: _grouped(ROWS, "model"),
    "fields": lambda: _grouped(ROWS, *("layer", "index", "n_nodes", "f1", "precision", "recall")),
    "paths": _deep,
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_over_many_rows_ends_in_time(step: Callable[[], object]) -> None:
    before = time.process_time()
    with pytest.raises(QueryTimeoutError), within(0.02):
        step()
        raise AssertionError("it was not stopped")
    assert time.process_time() - before < 0.5


@pytest.fixture(params=[None, 0], ids=["statements", "columns"])
def database(request: pytest.FixtureRequest, small: Database) -> Iterator[Database]:
    small._by_statements = request.param
    yield small
    del small._by_statements


@pytest.mark.parametrize(
    "text",
    ["neurons", "patterns", "COUNT patterns BY context", "tokens ACTIVATING neurons", "EXPLAIN neurons"],
)
def test_what_comes_late_is_no_answer(database: Database, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    def late(*given: Any) -> Any:
        found = answer(*given)
        time.sleep(0.06)
        return found

    answer = executor.answer
    assert len(database.query(text))
    monkeypatch.setattr(executor, "answer", late)
    with pytest.raises(QueryTimeoutError):
        database.query(text, timeout=0.05)


def test_columns_are_not_read_where_time_lacks(small: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "_READING", 10.0)
    monkeypatch.setattr(small, "_asked", 5)
    for held, seconds, warm in ((False, 1.0, False), (False, None, True), (True, 1.0, True)):
        small.__dict__.pop("_columns", None)
        if held:
            assert small._columns.tries
        with within(seconds):
            assert small._is_warm() is warm


def test_distinct_values_rise() -> None:
    values = np.array([5, 1, 5, -2, 1], np.int32)
    assert distinct(values).tolist() == [-2, 1, 5]
    assert distinct(values[:0]).tolist() == []
    assert distinct(values).dtype == np.int32


def test_groups_of_several_fields_are_those_of_their_values() -> None:
    columns = {"layer": np.array([1.0, 0, 1, np.nan]), "index": np.array([2.0, 2, 3, 2])}
    count = Count(None, (GroupBy("layer"), GroupBy("index")))
    found = groups_of(count, columns.__getitem__, list, 4)
    assert found == [((0, 2), 1, None), ((1, 2), 1, None), ((1, 3), 1, None), ((None, 2), 1, None)]
    assert groups_of(Count(), columns.__getitem__, list, 4) == [((), 4, None)]
