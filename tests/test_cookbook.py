"""The cookbook: every question of it is a query that is answered, and finds what the page says it finds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.core.units import NeuronName
from n2gdb.storage.build.database import build_database
from tests.support.small_run import random_graph, random_graphs, write_effects, write_run

PAGE = (Path(__file__).parent.parent / "docs" / "cookbook.md").read_text(encoding="utf-8")
ROWS = [
    (query.replace(r"\|", "|"), int(rows.replace(",", "")))
    for query, rows in re.findall(r"^\|.*?\| `(.+?)` \| ([\d,]+) \|", PAGE, re.MULTILINE)
]
#: A database of the whole demo model, whose figures the page shows.
DEMO = os.environ.get("N2GDB_DEMO_DB")
NAMED = (NeuronName(1, 453), NeuronName(5, 311), NeuronName(4, 358), NeuronName(4, 137))


def _graph(random: Random) -> NeuronGraph:
    while not len(graph := random_graph(random)):
        pass
    return graph


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    """A database of six layers with the neurons that the page names."""
    folder, random = tmp_path_factory.mktemp("cookbook"), Random(5)
    graphs = random_graphs(seed=4, layers=6, neurons=20) | {name: _graph(random) for name in NAMED}
    run = write_run(folder / "demo", graphs)
    write_effects(run)
    build_database(folder / "demo.n2gdb", [run])
    with n2gdb.open(folder / "demo.n2gdb") as opened:
        yield opened


def test_there_are_enough_questions() -> None:
    assert len(ROWS) >= 24


@pytest.mark.parametrize("query", [query for query, _ in ROWS])
def test_a_question_is_answered(query: str, database: n2gdb.Database) -> None:
    answer = database.query(query)
    assert len(answer.to_dicts()) == len(answer) == answer.total


def test_most_questions_find_something(database: n2gdb.Database) -> None:
    assert sum(len(database.query(query)) > 0 for query, _ in ROWS) > 15


@pytest.mark.skipif(not DEMO, reason="N2GDB_DEMO_DB names no database of the whole demo model")
def test_the_demo_gives_what_the_page_says() -> None:
    with n2gdb.open(DEMO) as demo:
        assert [(query, demo.query(query).total) for query, _ in ROWS] == ROWS
