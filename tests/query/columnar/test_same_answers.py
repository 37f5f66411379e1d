"""Columns give the answers that statements give: rows, order, evidence and counts."""

from __future__ import annotations

from typing import Any

import pytest

import n2gdb
from n2gdb.query.columnar import firing, walk
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


ON_TEXT = 'FIRING ON "on the other"'


@pytest.mark.parametrize(
    "text",
    [
        f"neurons {ON_TEXT}",
        f"neurons {ON_TEXT} USING graph",
        f"neurons {ON_TEXT} WHERE activation < 0.9 ORDER BY activation DESC, support",
        f"neurons {ON_TEXT} WHERE support >= 1",
        f"neurons {ON_TEXT} WHERE confidence IS MISSING ORDER BY index",
        f"neurons {ON_TEXT} OR MATCHING 'the' ORDER BY activation DESC LIMIT 3",
        f"neurons NOT {ON_TEXT}",
        f"patterns {ON_TEXT}",
        f"patterns OF neurons {ON_TEXT}",
        f"COUNT neurons {ON_TEXT} BY activating",
        f"COUNT neurons {ON_TEXT} BY context",
        f"COUNT patterns {ON_TEXT} BY activating",
        "COUNT neurons MENTIONING 'the' AND NOT MATCHING 'on' BEFORE ... BY activating",
        "COUNT neurons MATCHING <word> AND MENTIONING 'the' BY context",
        "neurons MENTIONING 'the' WHERE support >= 5 ORDER BY confidence DESC, support",
        "patterns MENTIONING 'the' WHERE confidence > 0.2 ORDER BY support DESC",
        "neurons EXCITED BY 'the' OR INHIBITED BY <word>",
        "neurons WHERE heldout_firings >= 10",
    ],
)
def test_evidence_and_occurrences_are_the_same_by_columns(text: str, database: n2gdb.Database) -> None:
    rows, total = _answered(database, text, 0)
    assert (rows, total) == _answered(database, text, None)
    assert rows


@pytest.mark.parametrize("by", ["context", "activating", "layer", "model"])
def test_a_sample_of_patterns_is_drawn_before_it_is_counted(by: str, database: n2gdb.Database) -> None:
    drawn = database.query("patterns MENTIONING 'the' SAMPLE 3 SEED 2")
    counted = database.query(f"COUNT patterns MENTIONING 'the' BY {by} SAMPLE 3 SEED 2")
    if by in ("layer", "model"):
        assert sum(each.count for each in counted) == len(drawn) == 3
        return
    in_role = [step for hit in drawn for step in hit.steps if step.token is not None]
    texts = {step.text for step in in_role if (step.depth > 0) == (by == "context")}
    assert {each.group for each in counted} == texts
    assert not database.query(f"COUNT patterns MENTIONING 'the' BY {by} SAMPLE 0")


def test_the_first_question_reads_no_columns(database: n2gdb.Database) -> None:
    with n2gdb.open(database.path) as fresh:
        fresh.query("neurons MATCHING 'the'")
        assert "_columns" not in vars(fresh)
        fresh.query("neurons MATCHING 'the'")
        assert "_columns" in vars(fresh)


BROAD = (
    "<word> BEFORE <word>",
    "<word> THEN <word>",
    "<word> BEFORE/2 <word>",
    "!'of' BEFORE <word> BEFORE !'the'",
    "<word> THEN <word> BEFORE ...",
    "<lower> THEN _ THEN <word>",
    "<word> BEFORE <lower> THEN _",
    "... THEN _ BEFORE <word> BEFORE <word>",
    "<upper> BEFORE <digit>",
    "<word>",
    "<word> BEFORE ...",
    "... BEFORE <word>",
    "<word> BEFORE/2..3 <word>",
    "_ THEN _ THEN <word> BEFORE <word>",
    "('on' | <word>) BEFORE 'other'",
)


@pytest.mark.parametrize("dense", [0, 1_000_000])  # ways of nodes are put together, or all nodes asked
@pytest.mark.parametrize("pattern", BROAD)
def test_broad_patterns_hold_of_the_same_neurons_however_they_are_walked(
    pattern: str, dense: int, database: n2gdb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"neurons MATCHING {pattern} ORDER BY layer, index"]
    texts += [f"neurons MATCHING {pattern} WHERE layer > 3 ORDER BY activation DESC, share LIMIT 3"]
    texts += [f"patterns MATCHING {pattern} LIMIT 3 OFFSET 1", f"patterns OF neurons MATCHING {pattern}"]
    texts += [
        f"COUNT {rows} MATCHING {pattern} BY {role}"
        for role in ("activating", "context")
        for rows in ("neurons", "patterns")
    ]
    each_way = [_answered(database, text, 0) for text in texts]
    monkeypatch.setattr(walk, "_DENSE", dense)
    monkeypatch.setattr(walk, "_TOGETHER", 3)  # nodes of a unit or two
    monkeypatch.setattr(walk, "_FEW", 0)
    for text, found in zip(texts, each_way, strict=True):
        assert _answered(database, text, 0) == found == _answered(database, text, None)


def test_a_text_is_run_once_for_the_neurons_and_their_hits(
    database: n2gdb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[object] = []

    def counting(*given: Any, **named: Any) -> firing.Fired:
        run.append(given)
        return fired_on(*given, **named)

    fired_on = firing.fired_on
    monkeypatch.setattr(firing, "fired_on", counting)
    monkeypatch.setattr(database, "_by_statements", 0)
    assert [hit.path for hit in database.query(f"neurons {ON_TEXT} USING graph")]
    assert len(run) == 1
