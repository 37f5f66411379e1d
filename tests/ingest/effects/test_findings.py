"""What docs/effects.md says of the demo model, on a few of its neurons learned from a slice of its corpus."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import default_corpus
from n2gdb.ingest.pipeline import Source, ingest
from tests.support.demo import demo_model

DOCUMENT = (Path(__file__).parents[3] / "docs" / "effects.md").read_text(encoding="utf-8")
QUERIES = [
    found.replace(r"\|", "|")
    for found in re.findall(r"^\| `((?:COUNT )?neurons .+?)` \|", DOCUMENT, re.MULTILINE)
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    path = tmp_path_factory.mktemp("findings") / "demo.n2gdb"
    config = N2GConfig(tokens=150_000, top_k=8)
    chosen = Selection(layers=(0,), neurons=(262, 285, 360, 419, 608))
    ingest(demo_model(), Source(default_corpus("demo")), path, config, chosen, silent)
    with n2gdb.open(path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("asked", "neuron"),
    [
        ("MATCHING 'I' PROMOTING 'am'", "L0N608"),
        ("MATCHING 'to' PROMOTING ('be' | 'day' | 'morrow')", "L0N262"),
        ("MATCHING 'had' PROMOTING 'been'", "L0N285"),
        ("MATCHING 'Mr' PROMOTING '.'", "L0N360"),
        ("MATCHING $x SUPPRESSING $x", "L0N419"),
    ],
)
def test_a_neuron_of_the_first_layer_is_found_by_both_its_sides(
    asked: str, neuron: str, database: n2gdb.Database
) -> None:
    found = [str(hit.neuron) for hit in database.query(f"neurons {asked}")]
    assert neuron in found
    assert len(found) < 5


def test_the_first_neuron_promotes_what_the_page_says(database: n2gdb.Database) -> None:
    promoted = [token.text for token in database.neuron("L0N608").promotes]
    assert promoted[:5] == [" am", "'m", "II", " suppose", " know"]


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_of_the_page_is_answered(query: str, database: n2gdb.Database) -> None:
    assert database.query(query).total >= 0


def test_the_page_has_queries() -> None:
    assert len(QUERIES) >= 20
