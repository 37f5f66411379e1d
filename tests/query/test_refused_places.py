"""A query that reads well and cannot be answered: a caret stands under what it cannot be answered for."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.errors import QueryError, UnknownNameError
from n2gdb.explorer.plain import plain_error
from n2gdb.query.parse import read_query
from tests.support.cli_world import build_cli_world

# A query with a ^ before what it is refused for, and the beginning of what is said.
CASES = [
    ("neurons MATCHING ^/(/", "/(/ is not a regular expression"),
    (
        "neurons MATCHING 'the' BEFORE ('end' | ^/[z/) AND MENTIONING 'the'",
        "/[z/ is not a regular expression",
    ),
    ("neurons NOT MENTIONING !^/a{2,1}/ WHERE f1 > 0", "/a{2,1}/ is not a regular expression"),
    ("COUNT neurons MATCHING ^/*/ BY layer", "/*/ is not a regular expression"),
    ("patterns MATCHING ^/(?<x>/", "/(?<x>/ is not a regular expression"),
    ("EXPLAIN neurons MATCHING ^/(/", "/(/ is not a regular expression"),
    ('neurons FIRING ON "the end" AT ^99 LIMIT 3', "AT 99 is outside the text"),
    ('neurons FIRING ON "the end" AND NOT FIRING ON "the" AT ^-7', "AT -7 is outside the text"),
    ("neurons SIMILAR TO ^L9N0", "{model} has no layer 9"),
    ("neurons SUBSET OF ^L0N99999 ABOVE 0.5", "{model} has no neuron L0N99999"),
    ("neurons WHERE layer = 0 RANK BY SIMILARITY TO ^L9N0", "{model} has no layer 9"),
    ("tokens ACTIVATING ^L9N0", "{model} has no layer 9"),
    ("tokens IN CONTEXT OF L0N0 OF ^'none'", "the database holds no model 'none'"),
    ("neurons IN MODEL ^'none' MATCHING 'the'", "the database holds no model 'none'"),
    ("COUNT neurons IN MODEL ^'none' BY layer", "the database holds no model 'none'"),
    ("patterns SUPERSET OF L0N0 OF ^'none'", "the database holds no model 'none'"),
    ("neurons\n  MATCHING 'the'\n  AND SIMILAR TO ^L9N0", "{model} has no layer 9"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("places"))


@pytest.fixture(scope="module")
def database(path: Path) -> Iterator[n2gdb.Database]:
    with n2gdb.open(path) as opened:
        yield opened


@pytest.mark.parametrize(("marked", "said"), CASES, ids=[marked for marked, _ in CASES])
def test_a_refusal_points(database: n2gdb.Database, marked: str, said: str) -> None:
    before, _, after = marked.partition("^")
    query = before + after
    for ask in (database.query, database.count, lambda each: database.query(read_query(each))):
        with pytest.raises(QueryError) as caught:
            ask(query)
        assert caught.value.message.startswith(said.replace("{model}", "world"))
        line = before.count("\n") + 1
        assert (caught.value.line, caught.value.column) == (line, len(before.rpartition("\n")[2]) + 1)
        shown = str(caught.value).split("\n")
        assert shown[1:] == [f"  {query.split(chr(10))[line - 1]}", " " * (caught.value.column + 1) + "^"]


def test_a_page_and_a_terminal_are_told_the_place(database: n2gdb.Database, path: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        database.query("neurons SIMILAR TO L9N0")
    assert plain_error(caught.value) == {"message": caught.value.message, "line": 1, "column": 20}
    result = CliRunner().invoke(app, ["query", "neurons SIMILAR TO L9N0", "--db", str(path)])
    assert result.exit_code == 2
    assert result.output.splitlines()[1:] == ["  neurons SIMILAR TO L9N0", " " * 21 + "^"]
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


def test_a_caret_stands_under_wide_and_combined_characters() -> None:
    for text, columns in (("天地", 4), ("ｅ", 2), ("e\u0301", 1), ("é", 1), ("🙂", 2)):
        error = QueryError("wrong", text=f"{text}x", line=1, column=len(text) + 1)
        assert str(error).split("\n")[2] == " " * (2 + columns) + "^"


def test_without_a_text_there_is_no_caret(database: n2gdb.Database) -> None:
    with pytest.raises(UnknownNameError) as caught:
        database.neuron("L9N0")
    assert "\n" not in str(caught.value)
    with pytest.raises(UnknownNameError) as caught:
        database.query(n2gdb.neurons().similar_to("L9N0"))  # its text is written for it
    assert str(caught.value).split("\n")[1:] == ["  neurons SIMILAR TO L9N0", " " * 21 + "^"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["neurons", "WHERE", "layer", "=", "0", "LIMIT", "2"], 0, "neuron"),
        (["neurons", "MATCHING 'the'"], 0, "neuron"),
        (
            ["neurons", "MATCHING", "the"],
            2,
            "the token the needs quotes: write 'the'; the shell reads quotes",
        ),
        (["neurons", "MATCHING", "", "BEFORE", ""], 2, "put the whole query in double quotes"),
        (["neurons", "WHERE", "f1"], 2, "put the whole query in double quotes"),
    ],
)
def test_a_query_without_quotes_is_read_whole(path: Path, words: list[str], code: int, said: str) -> None:
    result = CliRunner().invoke(app, ["query", *words, "--db", str(path)])
    assert result.exit_code == code, result.output
    assert said in result.output
    assert (
        "double quotes"
        not in CliRunner().invoke(app, ["query", "neurons WHERE f1", "--db", str(path)]).output
    )
