"""The cookbook: every question of it is a query that is answered, and finds what the page says it finds."""

from __future__ import annotations

import os
import re
import runpy
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
NAMED = (NeuronName(1, 453), NeuronName(3, 406), NeuronName(4, 358), NeuronName(4, 137))


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


def test_a_page_is_refreshed(database: n2gdb.Database, tmp_path: Path) -> None:
    refresh = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "refresh.py"))
    page = (
        "| Who? | `neurons IN (L4N358, L4N137)` | 9 | nobody |\n"
        "| Which layers? | `COUNT neurons BY layer` | 9 | none |\n"
        "| `COUNT neurons IN (L4N358, L4N137, L1N453) BY layer` | 9, 9 | by chance |\n"
        "| `neurons MATCHING ('a' \\| 'b')` | 1,234 | stays |\n"
        "| `neurons` | everything |\n"
    )
    rows = refresh["refreshed_rows"](page, database).splitlines()
    first = database.count("neurons WHERE layer = 0")
    both = database.query("neurons MATCHING ('a' | 'b')").total
    assert rows[0].startswith("| Who? | `neurons IN (L4N358, L4N137)` | 2 | L4N")
    assert rows[1:] == [
        f"| Which layers? | `COUNT neurons BY layer` | 6 | group 0, count {first} |",
        "| `COUNT neurons IN (L4N358, L4N137, L1N453) BY layer` | 1, 2 | by chance |",
        f"| `neurons MATCHING ('a' \\| 'b')` | {both} | stays |",
        "| `neurons` | everything |",
    ]
    text = "```\n$ n2gdb query x\nold\n\n$ n2gdb info\nold\n```\n```\n$ n2gdb alone\n```\n```sh\nn2gdb\n```\n"
    printed = {"n2gdb query x": "neuron\tf1\nL0N1\t1.00\n", "n2gdb info": "error: no\n"}
    assert refresh["refreshed_runs"](text, printed.__getitem__) == text.replace(
        "x\nold", "x\nneuron  f1\nL0N1    1.00"
    ).replace("info\nold", "info\nerror: no")
    assert (
        refresh["run"]('n2gdb query "COUNT neurons"', database.path) == f"group\tcount\n-\t{len(database)}\n"
    )
    assert "error: " in refresh["run"]("n2gdb query 'neurons MATCHNG'", database.path)


@pytest.mark.skipif(not DEMO, reason="N2GDB_DEMO_DB names no database of the whole demo model")
def test_the_demo_gives_what_the_page_says() -> None:
    with n2gdb.open(DEMO) as demo:
        assert [(query, demo.query(query).total) for query, _ in ROWS] == ROWS
