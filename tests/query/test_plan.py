"""Plans: made without running the answer, run as they were made, by an evaluator for each kind of clause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest

import n2gdb
from n2gdb.grammar.ast import Clause, Mode, Query
from n2gdb.grammar.parsing.parser import parse
from n2gdb.grammar.unparse import written_formula
from n2gdb.query.execution.context import FIRING, Session, Stage
from n2gdb.query.execution.evaluators import EVALUATORS, evaluator_of
from n2gdb.query.execution.executor import answer, execute
from n2gdb.query.execution.plan import NeuronPlan
from n2gdb.query.execution.planner import plan_statement
from tests.support.cli_world import build_cli_world

BROAD = "MATCHING <word> BEFORE <word> BEFORE ..."

QUERIES = [
    "neurons",
    "neurons MATCHING 'dog' LIMIT 3",
    f"neurons {BROAD} ORDER BY activation DESC",
    f"neurons MATCHING 'dog' OR {BROAD}",
    "neurons MATCHING 'dog' WHERE activation > f1",
    "neurons SIMILAR TO L0N1 ABOVE 0.1 AND NOT MATCHING 'dog'",
    "neurons RANK BY SIMILARITY TO L0N1 LIMIT 3",
    "neurons SUBSET OF L0N1 ABOVE 0.1 OR SUPERSET OF L0N1 ABOVE 0.1",
    "COUNT neurons MATCHING 'dog'",
    "COUNT neurons SIMILAR TO L0N1 ABOVE 0.1",
    "COUNT neurons MATCHING 'dog' BY layer",
    "COUNT neurons MATCHING 'dog' BY context",
    "COUNT patterns MATCHING 'dog' BY activating",
    "patterns MATCHING 'dog'",
    "patterns MATCHING 'dog' LIMIT 3",
    "patterns MATCHING 'dog' AND NOT MENTIONING 'cat' WHERE importance > 0.2",
    "patterns NOT MATCHING 'dog'",
    "patterns SIMILAR TO L0N1 ABOVE 0.1",
    "patterns OF neurons MATCHING 'dog'",
    "tokens ACTIVATING L0N1",
]


#: Those whose first step is known to the row without running it.
EXACT = [
    "neurons",
    "neurons WHERE layer IN 1..2",
    "neurons WHERE layer = 1 OR NOT kind = 'mlp' LIMIT 7 OFFSET 5",
    "neurons WHERE side = '-'",
    'neurons MATCHING "dog"',
    'neurons NOT MATCHING " dog"',
    'neurons MATCHING "dog" LIMIT 1',
    "COUNT neurons MATCHING 'dog'",
    "patterns",
    "patterns LIMIT 3 OFFSET 2",
    "patterns WHERE layer = 1",
    "tokens ACTIVATING L0N1",
    "tokens IN CONTEXT OF L0N1",
]


class Watched:
    """A session's ways to run statements, which keep what was run."""

    def __init__(self, session: Session) -> None:
        self.run: list[str] = []
        self._rows, self._table = session.rows, session.table
        session.rows, session.table = self.rows, self.table

    def rows(self, cypher: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        self.run.append(cypher)
        return self._rows(cypher, parameters)

    def table(self, cypher: str, parameters: Mapping[str, object]) -> Any:
        self.run.append(cypher)
        return self._table(cypher, parameters)


def explained(database: n2gdb.Database, text: str) -> tuple[list[Stage], list[str]]:
    session = database.session()
    watched = Watched(session)
    return list(answer(session, parse(f"EXPLAIN {text}"))), watched.run


@pytest.mark.parametrize("text", QUERIES)
def test_explain_runs_no_statement_of_the_answer(small: n2gdb.Database, text: str) -> None:
    stages, run = explained(small, text)
    planned = {stage.cypher for stage in stages if stage.cypher}
    assert stages and all(stage.rows is None and stage.milliseconds is None for stage in stages)
    assert not planned & set(run)
    # Names are looked up one by one, and what estimates need is counted; nothing else is run.
    assert all("WHERE n.id = $key RETURN n." in cypher or "count(*)" in cypher for cypher in run)


@pytest.mark.parametrize("text", QUERIES)
def test_profile_takes_the_planned_steps(small: n2gdb.Database, text: str) -> None:
    planned, _ = explained(small, text)
    taken = list(small.query(f"PROFILE {text}"))
    assert all(stage.rows is not None and stage.milliseconds is not None for stage in taken)
    run = {stage.cypher for stage in taken}
    listed = "the statement lists them"
    if not any(listed in stage.step for stage in planned) and "OF neurons" not in text:
        assert {stage.cypher for stage in planned if stage.cypher} <= run


@pytest.mark.parametrize(
    "text",
    [
        "COUNT neurons BY layer",
        "COUNT neurons MATCHING 'dog' BY model",
        "COUNT neurons BY state",
        "COUNT neurons MATCHING 'dog' BY activating",
        "COUNT neurons WHERE f1 > 0.5 BY context",
        "COUNT neurons BY layer, state",
        "AVG f1 OF neurons MATCHING 'dog' BY layer",
        "COUNT patterns MATCHING 'dog' BY layer",
        "COUNT patterns MATCHING 'dog' BY state",
        "COUNT patterns MATCHING 'dog' BY activating",
    ],
)
def test_profile_counts_in_the_planned_steps_and_orders_nothing(small: n2gdb.Database, text: str) -> None:
    planned = [stage.step for stage in small.query(f"EXPLAIN {text}") if " reads " not in stage.step]
    taken = list(small.query(f"PROFILE {text}"))
    assert [stage.step for stage in taken] == planned
    assert not any("ORDER BY" in (stage.cypher or "") or "order" in stage.step for stage in taken)
    assert taken[-1].rows == len(small.query(text))


@pytest.mark.parametrize(
    "text",
    [
        *QUERIES,
        *EXACT,
        "neurons MATCHING 'dog' BEFORE 'cat' OR MATCHING <word>",
        "neurons MATCHING $x BEFORE $x",
        "neurons MATCHING 'dog' WHERE activation > 0.5 AND layer = 1",
        "neurons MATCHING 'dog' AND NOT MATCHING 'cat' BEFORE ...",
        "neurons IN MODEL 'small' MATCHING /[a-m].*/ ORDER BY importance LIMIT 4",
        "COUNT neurons WHERE f1 > 0.5 BY context",
        "COUNT neurons BY layer",
        "COUNT patterns MATCHING 'dog' OR MATCHING 'cat' BY context",
        "patterns SAMPLE 8 SEED 3 OFFSET 5",
        "patterns ORDER BY depth LIMIT 3",
    ],
)
def test_estimates_hold_of_the_rows_that_profile_counts(small: n2gdb.Database, text: str) -> None:
    stages = list(small.query(f"PROFILE {text}"))
    expected = [stage for stage in stages if stage.estimate is not None and stage.rows is not None]
    assert expected
    for stage in expected:
        assert stage.estimate is not None and stage.rows is not None
        assert stage.estimate.least <= stage.rows <= stage.estimate.most, stage


@pytest.mark.parametrize("text", EXACT)
def test_estimates_are_exact_where_counts_tell(small: n2gdb.Database, text: str) -> None:
    stages, _ = explained(small, text)
    (estimate,) = {each.estimate for each in stages if each.cypher and each.step != "read where patterns end"}
    assert estimate is not None and estimate.least == estimate.most
    profiled = small.query(f"PROFILE {text}")[0]
    assert profiled.rows == estimate.most and str(estimate) in (f"{profiled.rows} rows", "1 row")


@pytest.mark.parametrize(
    "text",
    [
        'neurons MATCHING ONLY "dog"',
        "neurons NOT MATCHING ONLY 'dog'",
        "neurons MATCHING $x BEFORE !$x",
        "neurons MATCHING 'dog' WHERE share > 0.5",
        "neurons SAMPLE 3",
        "neurons MATCHING 'dog' SAMPLE 2 SEED 1",
    ],
)
def test_estimates_bound_what_columns_alone_answer(small: n2gdb.Database, text: str) -> None:
    estimate = [each.estimate for each in explained(small, text)[0] if each.estimate is not None][-1]
    assert estimate.least <= len(small.query(text)) <= estimate.most


def test_estimates_count_what_the_graphs_hold(small: n2gdb.Database) -> None:
    graphs = [neuron.graph for neuron in small.neurons()]
    nodes = sum(len(graph) for graph in graphs)
    (stage, *_), _ = explained(small, "patterns")
    assert stage.estimate is not None
    assert stage.estimate.reads == nodes
    assert small.query("PROFILE patterns LIMIT 100000")[0].rows == sum(graph.n_patterns for graph in graphs)
    stages, _ = explained(small, "neurons MATCHING 'cat' BEFORE 'dog'")
    found = next(each.estimate for each in stages if each.cypher)
    nodes_on: dict[tuple[str, bool], set[object]] = {}
    for neuron in small.neurons():
        for pattern in neuron.patterns():
            named = [step for step in pattern.path if step.text is not None]
            for place, step in enumerate(named):  # a node is its path to the activating token
                key = (str(step.text).strip().lower(), step.depth > 0)
                nodes_on.setdefault(key, set()).add(
                    (neuron.name, *((each.depth, each.text) for each in named[place:]))
                )
    rarest = min(len(nodes_on["cat", True]), len(nodes_on["dog", False]))
    assert found is not None and found.reads == found.most == rarest


def test_estimates_are_in_the_text_and_in_json(small: n2gdb.Database) -> None:
    plain = small.query("EXPLAIN neurons MATCHING 'dog'").to_dicts()
    asked = next(each for each in plain if each["cypher"])
    assert asked["least_rows"] <= asked["most_rows"] <= asked["reads"]
    assert asked["rows"] is None
    assert small.query("EXPLAIN neurons MATCHING 'dog'").to_arrow()["most_rows"].to_pylist()[-1] is None


@pytest.mark.parametrize("text", [text for text in QUERIES if not text.startswith("tokens")])
def test_a_plan_answers_as_often_as_it_is_run(small: n2gdb.Database, text: str) -> None:
    session = small.session()
    plan = plan_statement(session, parse(text))
    first, second = (execute(session, plan).to_dicts() for _ in range(2))
    assert first == second == small.query(text).to_dicts()


def test_a_clause_is_asked_in_the_statement_or_worked_out_before(small: n2gdb.Database) -> None:
    text = f"neurons MATCHING 'dog' AND ({BROAD} OR MENTIONING 'cat') AND SIMILAR TO L0N1 ABOVE 0.1"
    session = small.session()
    plan = plan_statement(session, parse(text))
    assert isinstance(plan, NeuronPlan)
    assert plan.stated is not None and written_formula(plan.stated) == "MATCHING 'dog'"
    assert [written_formula(each) for each in plan.worked] == [
        BROAD,
        "MENTIONING 'cat'",
        "SIMILAR TO L0N1 ABOVE 0.1",
    ]
    assert [evaluator_of(each).steps(session, plan.settled, each)[0].step for each in plan.worked] == [
        "read the nodes that may match",
        "find the neurons of one clause",
        "compare with L0N1",
    ]
    assert not plan.is_whole and plan.is_ordered_by_score


#: Questions that are answered by walking all tries: with what is drawn, and how often it says so.
DRAWN = [
    ("patterns SAMPLE 3", "draw 3 of the patterns by the seed 0"),
    ("patterns MATCHING 'dog' SAMPLE 2 SEED 5", "draw 2 of the patterns by the seed 5"),
    ("patterns MATCHING 'dog' OR MATCHING 'cat' SAMPLE 2 LIMIT 1", "draw 2 of the patterns by the seed 0"),
    ("patterns OF neurons WHERE layer = 1 SAMPLE 4", "draw 4 of the patterns by the seed 0"),
    ("patterns SIMILAR TO L0N1 ABOVE 0.1 SAMPLE 2", "draw 2 of the patterns by the seed 0"),
    ("COUNT patterns SAMPLE 3", "draw 3 of the patterns by the seed 0"),
    ("COUNT patterns SAMPLE 3 BY layer", "draw 3 of the patterns by the seed 0"),
    ("neurons SAMPLE 3", "draw 3 of the neurons by the seed 0"),
    ("neurons MATCHING 'dog' SAMPLE 1", "draw 1 of the neurons by the seed 0"),
    ("neurons SIMILAR TO L0N1 ABOVE 0.1 SAMPLE 2", "draw 2 of the neurons by the seed 0"),
    ("COUNT neurons SAMPLE 3 BY layer", "draw 3 of the neurons by the seed 0"),
    ("COUNT neurons SAMPLE 3 BY context", "draw 3 of the neurons by the seed 0"),
    ("COUNT neurons MATCHING 'dog' SAMPLE 2 BY activating", "draw 2 of the neurons by the seed 0"),
]


@pytest.mark.parametrize(("text", "step"), DRAWN)
def test_a_sample_is_drawn_after_the_tries_are_walked(small: n2gdb.Database, text: str, step: str) -> None:
    planned, _ = explained(small, text)
    taken = list(small.query(f"PROFILE {text}"))
    size = int(step.split()[1])
    for stages in (planned, taken):
        steps = [each.step for each in stages if not each.step.startswith("'")]
        assert steps.count("walk the paths of all tries") == steps.count(step) == 1
        assert steps.index("walk the paths of all tries") < steps.index(step)
        ordered = [place for place, each in enumerate(steps) if each.startswith("order the")]
        assert not ordered or ordered == [steps.index(step) + 1]
    drawn = next(each for each in taken if each.step == step)
    walked = next(each for each in taken if each.step == "walk the paths of all tries")
    assert drawn.rows is not None and walked.rows is not None
    assert drawn.rows == min(size, walked.rows)
    for each in (drawn, walked):
        assert each.estimate is not None and each.rows is not None
        assert each.estimate.least <= each.rows <= each.estimate.most
    assert drawn.estimate is not None and drawn.estimate.most <= size


def test_patterns_that_are_finished_in_python_are_ordered_there(small: n2gdb.Database) -> None:
    text = "patterns MATCHING 'dog' AND NOT MENTIONING 'cat'"
    planned, _ = explained(small, text)
    assert planned[-2].step == "order the patterns"
    ordered = next(each for each in small.query(f"PROFILE {text}") if each.step == "order the patterns")
    assert ordered.estimate is not None and ordered.rows is not None
    assert ordered.estimate.least <= ordered.rows <= ordered.estimate.most


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    """A database whose neurons have evidence."""
    with n2gdb.open(build_cli_world(tmp_path_factory.mktemp("weighed"))) as database:
        yield database


#: Steps that read weights: how many there are.
WEIGHED = [
    ("neurons EXCITED BY 'on'", 2),
    ("neurons EXCITED BY 'on' AT 1", 2),
    ("neurons INHIBITED BY 'on' WITHIN 4", 2),
    ("neurons EXCITED BY <word> WITHIN 3", 2),
    ("neurons INHIBITED BY /.*/", 2),
    ("neurons EXCITED BY 'on' AND MATCHING 'other'", 2),
    ("neurons EXCITED BY 'on' OR INHIBITED BY 'an'", 4),
    ("neurons NOT EXCITED BY 'on' WHERE layer = 4", 2),
    ("patterns EXCITED BY 'on'", 2),
    ("COUNT neurons EXCITED BY 'on' BY layer", 2),
    ("neurons FIRING ON 'on the other'", 5),
    ("neurons FIRING ON 'on the other' AT 1", 5),
    ("neurons FIRING ON 'other'", 2),
    ("neurons FIRING ON 'on the other' USING graph", 2),
]


@pytest.mark.parametrize(("text", "reads"), WEIGHED)
def test_steps_of_evidence_are_estimated_exactly_or_bounded(
    weighed: n2gdb.Database, text: str, reads: int
) -> None:
    planned, run = explained(weighed, text)
    of_weights = [
        each for each in planned if (each.cypher and "such tokens" in each.step) or each.step == FIRING
    ]
    estimated = [each for each in of_weights if each.estimate is not None]
    assert len(estimated) == reads
    assert not {each.cypher for each in planned} & set(run)
    taken = list(weighed.query(f"PROFILE {text}"))
    statements = [(each.cypher, repr(each.parameters)) for each in taken]
    for each in estimated:
        assert each.estimate is not None
        rows = taken[statements.index((each.cypher, repr(each.parameters)))].rows
        assert rows is not None and each.estimate.least <= rows <= each.estimate.most
        if "EVIDENCE" in str(each.cypher):
            assert each.estimate.least == each.estimate.most
    for each in taken:
        if each.estimate is not None and each.rows is not None:
            assert each.estimate.least <= each.rows <= each.estimate.most


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("neurons EXCITED BY 'on'", 4),
        ("neurons INHIBITED BY 'on' AT 1", 1),
        ("neurons FIRING ON 'on the other' USING graph", 5),
        ("neurons IN (L4N12, L4N358)", 2),
        ("neurons IN (L4N12, L4N12)", 1),
    ],
)
def test_bounds_of_evidence_decide_the_answer(weighed: n2gdb.Database, text: str, most: int) -> None:
    every, found = len(weighed), weighed.query(text).total
    estimate = [each.estimate for each in explained(weighed, text)[0] if each.estimate is not None][-1]
    assert estimate.least <= found <= estimate.most == most < every


def test_every_kind_of_clause_has_an_evaluator_and_a_text() -> None:
    kinds = set(get_args(Clause))
    assert set(EVALUATORS) == kinds
    for kind in kinds:
        assert kind.has_matches in (True, False)
    assert Query(mode=Mode.EXPLAIN) == parse("EXPLAIN neurons")
