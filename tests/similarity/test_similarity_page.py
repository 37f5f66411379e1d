"""The page on similarity says of the demo what a database of the whole demo model says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import n2gdb

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "similarity.md").read_text(encoding="utf-8")
LISTS = (DOCS / "similarity-lists.md").read_text(encoding="utf-8").partition("## SmolLM2")
#: A database of the whole demo model, whose figures the pages show.
DEMO = os.environ.get("N2GDB_DEMO_DB")
#: A neuron, and the score, the size and the name of the first of its list by graph.
FIRST = re.compile(
    r"^(L\d+N\d+) .*\n  cofiring\n(?:    .*\n)*  graph\n    ([\d.]+) of +(\d+)  (\S+)", re.MULTILINE
)


def test_the_lists_are_of_forty_neurons_or_nearly() -> None:
    units = [re.findall(r"^L\d+N\d+ ", part, re.MULTILINE) for part in (LISTS[0], LISTS[2])]
    assert list(map(len, units)) == [36, 40]
    assert len(FIRST.findall(LISTS[0])) >= 35


@pytest.mark.skipif(not DEMO, reason="N2GDB_DEMO_DB names no database of the demo model")
def test_the_figures_are_those_of_the_demo() -> None:
    with n2gdb.open(DEMO) as demo:
        said = re.search(r"default bounds there are (\d+),\s+(\d+),\s+(\d+) and (\d+) pairs", PAGE)
        assert said is not None
        metrics = ("graph", "cofiring", "tokens", "subset")
        assert [len(demo.pairs(metric)) for metric in metrics] == list(map(int, said.groups()))
        for name, score, size, first in FIRST.findall(LISTS[0]):
            like = demo.similar(name, k=1)[0]
            assert (f"{like.similarity:.2f}", like.size, like.neuron) == (score, int(size), first)
