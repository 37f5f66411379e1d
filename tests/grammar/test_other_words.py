"""Mistakes of people who know other languages: each is answered with what to write here, and a caret."""

from __future__ import annotations

from pathlib import Path

import pytest

from n2gdb.errors import QuerySyntaxError
from n2gdb.query.parse import read_query

#: Pairs of lines: a query, and below its fault a caret with what is said.
FILE = next(
    file for folder in Path(__file__).parents if (file := folder / "fixtures" / "mistakes.txt").is_file()
)
LINES = FILE.read_text("utf-8").splitlines()
CASES = list(zip(LINES[::2], LINES[1::2], strict=True))


@pytest.mark.parametrize(("query", "said"), CASES, ids=[query for query, _ in CASES])
def test_a_mistake_is_answered_with_what_to_write(query: str, said: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        read_query(query)
    before, _, message = said.partition("^ ")
    assert caught.value.message == message
    assert (caught.value.line, caught.value.column) == (1, len(before) + 1)


@pytest.mark.parametrize("end", [";", " ;", ";\n", "; -- all of them", " ; \n-- all\n"])
def test_a_semicolon_ends_a_query(end: str) -> None:
    for query in ("neurons", "tokens ACTIVATING L3N45", "COUNT neurons MATCHING 'a;b' BY layer"):
        assert read_query(query + end) == read_query(query)


@pytest.mark.parametrize("marked", ["f1 = ^null", "f1 <> ^NaN", "^None = f1", "recall + ^NULL > 1"])
def test_a_missing_value_is_no_word_of_a_comparison(marked: str) -> None:
    before, _, after = f"neurons WHERE {marked}".partition("^")
    with pytest.raises(QuerySyntaxError, match="asked for by IS MISSING, as in f1 IS MISSING") as caught:
        read_query(before + after)
    assert caught.value.column == len(before) + 1
