"""The page on what neurons write: its queries are answered, and count what it says on its databases."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import n2gdb
from tests.support.cli_world import build_cli_world

PAGE = (Path(__file__).parents[1] / "docs" / "effects.md").read_text(encoding="utf-8")
DEMO, SMOLLM2 = PAGE.split("## Three findings on the demo model")[1].split("## Three findings on SmolLM2")

#: The databases whose figures the page shows, by the variable that names each.
PARTS = {"N2GDB_DEMO_DB": DEMO, "N2GDB_SMOLLM2_DB": SMOLLM2}


def rows_of(part: str) -> list[tuple[str, list[int]]]:
    """The queries of a part, and the counts that it says they print."""
    found = re.findall(r"^\| `(.+?)` \| ([\d, ]+) \|", part, re.MULTILINE)
    return [(query.replace(r"\|", "|"), [*map(int, rows.split(", "))]) for query, rows in found]


QUERIES = [query for part in PARTS.values() for query, _ in rows_of(part)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    """A small database with effects."""
    with n2gdb.open(build_cli_world(tmp_path_factory.mktemp("effects"))) as opened:
        yield opened


@pytest.mark.parametrize("part", PARTS)
def test_there_are_three_findings(part: str) -> None:
    assert len(re.findall(r"^\*\*[A-Z]", PARTS[part], re.MULTILINE)) == 3
    assert len(rows_of(PARTS[part])) >= 6


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_answered(query: str, database: n2gdb.Database) -> None:
    answer = database.query(query)
    assert len(answer.to_dicts()) == answer.total


@pytest.mark.parametrize("part", PARTS)
def test_the_queries_count_what_the_page_says(part: str) -> None:
    if not os.environ.get(part):
        pytest.skip(f"{part} names no database that the page is about")
    with n2gdb.open(os.environ[part]) as asked:
        for query, rows in rows_of(PARTS[part]):
            answer = asked.query(query)
            of_groups = query.startswith("COUNT")
            assert ([each.count for each in answer] if of_groups else [answer.total]) == rows, query


@pytest.mark.parametrize("part", PARTS)
def test_the_examples_of_the_page_are_among_what_is_found(part: str) -> None:
    if not os.environ.get(part):
        pytest.skip(f"{part} names no database that the page is about")
    with n2gdb.open(os.environ[part]) as asked:
        rows = re.findall(r"^\| `(neurons .+?)` \| \d+ \| (L\d+N\d+-?)", PARTS[part], re.MULTILINE)
        assert rows
        for query, name in rows:
            assert name in asked.query(query.replace(r"\|", "|"))["neuron"], query
