"""Mistakes in comparisons with a neuron: each message says what to write, its caret where."""

from __future__ import annotations

import pytest

from n2gdb.errors import QuerySyntaxError
from n2gdb.query.parse import read_query

#: A query with ^ where the caret belongs, and the message.
CASES = [
    (
        "neurons SIMILAR TO L4N1 USING^",
        "the query ends too early: expected a metric (cofiring, graph, tokens, subset)",
    ),
    ("neurons SIMILAR TO L4N1 USING co^-firing", "the metric is one word: write USING cofiring"),
    ("neurons SIMILAR TO L4N1 USING ^taste", "no metric taste: there are cofiring, graph, tokens, subset"),
    (
        "neurons SIMILAR TO L4N1 SHARING ^many",
        "SHARING takes how much two neurons share at the least, as in SHARING 3",
    ),
    (
        "neurons SUBSET OF L4N1 SHARING ^0",
        "SHARING takes how much two neurons share at the least: a whole number from 1 on, not 0",
    ),
    ("neurons SIMILAR TO L4N1 ^3", "SHARING is missing: write SHARING 3"),
    ("neurons SIMILAR TO L4N1 SHARING 3 ^SHARING 4", "SHARING stands here twice: once is enough"),
    (
        "neurons SIMILAR TO L4N1 SHARING 3 ^USING graph",
        "USING stands before SHARING, as in USING tokens ABOVE 0.9 SHARING 3",
    ),
    (
        "neurons RANK BY SIMILARITY TO L4N1 USING graph ^SHARING 3",
        "RANK BY keeps every row: bound the similarity with SIMILAR TO L3N45 SHARING 3",
    ),
]


@pytest.mark.parametrize(("marked", "message"), CASES, ids=[marked for marked, _ in CASES])
def test_a_mistake_is_answered_with_what_to_write(marked: str, message: str) -> None:
    before, _, after = marked.partition("^")
    with pytest.raises(QuerySyntaxError) as caught:
        read_query(before + after)
    assert caught.value.message == message
    assert (caught.value.line, caught.value.column) == (1, len(before) + 1)
