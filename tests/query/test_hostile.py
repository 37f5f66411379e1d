"""Unusual and malformed input: any text gives a correct answer or one clear error.

Through the engine go: every string as a token that must not stand there, forty to a statement; every 200th as
a single-quoted and as a double-quoted token by itself, which the models' tokenizers then cut; every 40th as
a text to run the graphs on; every 10th as the name of a model; every 16th as a regular expression; and every
3rd in a random place of a valid query. Every string goes through the parser as a query of its own, and as a
token that is written and read again. Besides, a model whose own tokens are hostile is asked random queries.
All that reaches the engine is kept, and none of it holds any of the strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import pytest

import n2gdb
from n2gdb.database import Database
from n2gdb.errors import N2gdbError, QuerySyntaxError, UnknownNameError
from n2gdb.grammar.ast import (
    Count,
    FiringOn,
    Matching,
    Negated,
    NeuronRef,
    OneOf,
    Query,
    RankBy,
    Statement,
    TokenExpression,
    TokenLiteral,
    TokenPattern,
    TokenTest,
)
from n2gdb.grammar.unparse import written
from n2gdb.query.parse import read_query
from n2gdb.storage.connection import Connection
from tests.generators.unit_sets import UnitSets
from tests.oracle.check import check
from tests.oracle.random.known import known_of
from tests.oracle.random.queries import random_statement
from tests.oracle.world import Model, World
from tests.support.worlds import build_models, build_world, unigram

#: In every hostile string, and in no statement that was ever compiled.
MARK = "ẑq"
STRINGS = 10_000
LONG = 100_000

PIECES = (
    *(
        "'",
        '"',
        "\\",
        "`",
        "{",
        "}",
        "{0}",
        "%s",
        "%n",
        "$p0",
        "$p1",
        "$x",
        "\0",
        "\n",
        "\r",
        "\t",
        " ",
        "  ",
    ),
    *(
        "😀",
        "👩‍👩‍👧",
        "e\u0301",
        "\u0301",
        "\u200d",
        "\u202e",
        "שלום",
        "مرحبا",
        "\ufeff",
        "\u2028",
        "\x1b[31m",
        "ß",
    ),
    *(
        "DETACH DELETE n",
        "MATCH (n) RETURN n",
        "})",
        "//",
        "/*",
        "*/",
        "--",
        ";",
        "UNION ALL",
        "COPY",
        "true",
    ),
    *(
        "null",
        "NaN",
        "-1",
        "1e999",
        "0x",
        "<digit>",
        "<script>",
        "...",
        "..",
        "_",
        "!",
        "|",
        "(",
        ")",
        "[",
        "]",
    ),
    *(
        "neurons",
        "MATCHING",
        "WHERE",
        "BEFORE",
        "AND",
        "NOT",
        "L0N0",
        "layer",
        "=",
        "<>",
        "the",
        " the",
        "ẞ",
        "İ",
    ),
)
QUERIES = (
    "neurons MATCHING 'the' BEFORE 'end' WHERE f1 >= 0.5 ORDER BY layer LIMIT 3",
    "patterns MENTIONING <digit> AND NOT MATCHING /a+/i BEFORE $x BEFORE $x",
    "COUNT neurons IN MODEL 'model-0' FIRING ON \" the end\" AT -1 BY layer",
    "tokens IN CONTEXT OF L0N1 OF 'model-0' LIMIT 2",
    "neurons SIMILAR TO L0N1 OF 'model-0' USING tokens ABOVE 0.5 RETURN layer, f1",
)


def hostile_strings(number: int) -> list[str]:
    """Return so many different strings, the first few very long."""
    random = Random(5)
    strings: dict[str, None] = {}
    for piece in (*PIECES[:6], "the ", "("):
        strings[MARK + piece * (LONG // len(piece))] = None
    while len(strings) < number:
        pieces = random.choices(PIECES, k=random.randint(1, 8))
        pieces.insert(random.randint(0, len(pieces)), MARK)
        strings["".join(pieces)] = None
    return list(strings)


@dataclass
class Kept:
    """What reached the engine."""

    statements: set[str] = field(default_factory=set)

    def hold(self, strings: list[str]) -> None:
        """Say that no string, and no part of one that tells, is in what reached the engine."""
        text = "\n".join(self.statements)
        assert self.statements
        assert MARK not in text
        assert not [each for each in strings if len(each) > 12 and each in text]


@pytest.fixture(scope="module")
def strings() -> list[str]:
    return hostile_strings(STRINGS)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, World]]:
    path, world = build_world(tmp_path_factory.mktemp("hostile"), seed=5)
    with n2gdb.open(path) as database:
        database._by_statements = None
        yield database, world


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """Keep every statement on its way to the engine, and see that exactly its parameters are bound."""
    kept = Kept()

    def keeping(method: Any) -> Any:
        def kept_first(self: Connection, cypher: str, parameters: Any = None, timeout: Any = None) -> Any:
            assert set(re.findall(r"\$(\w+)", cypher)) == set(parameters or {})
            kept.statements.add(cypher)
            return method(self, cypher, parameters, timeout)

        return kept_first

    for name in ("rows", "table"):
        monkeypatch.setattr(Connection, name, keeping(getattr(Connection, name)))
    return kept


def ask(statement: Statement, database: Database, world: World) -> None:
    """Ask a statement that may be refused, never for a reason that is not said."""
    try:
        list(database.query(statement))
    except N2gdbError as error:
        assert str(error).strip()
        return
    check(statement, database, world)


def test_as_tokens_that_must_not_stand_there(
    strings: list[str], world: tuple[Database, World], kept: Kept
) -> None:
    short = [each for each in strings if len(each) < LONG]
    for start in range(0, len(short), 40):
        literals: tuple[TokenTest, ...] = tuple(
            TokenLiteral(each, exact=bool(at % 2)) for at, each in enumerate(short[start : start + 40])
        )
        check(Query(Matching(TokenPattern((Negated(OneOf(literals)),))), count=Count()), *world)
    kept.hold(strings)


def test_as_tokens_by_themselves(strings: list[str], world: tuple[Database, World], kept: Kept) -> None:
    for text in strings[8::200]:
        for exact in (False, True):
            check(Query(Matching(TokenPattern((TokenLiteral(text, exact),)))), *world)
    kept.hold(strings)


def test_as_texts_to_run_on(strings: list[str], world: tuple[Database, World], kept: Kept) -> None:
    for text in strings[8::40]:
        check(Query(FiringOn(text)), *world)
    kept.hold(strings)


def _is_too_long(query: Query) -> bool:
    """Tell whether a query has no text, as its names are too long for one."""
    return len(written(query)) > 200_000


def test_as_names(strings: list[str], world: tuple[Database, World], kept: Kept) -> None:
    database, _ = world
    for text in strings[::10]:
        for query in (Query(model=text), Query(rank=RankBy(NeuronRef(0, 0, text)))):
            with pytest.raises(QuerySyntaxError if _is_too_long(query) else UnknownNameError):
                database.query(query)
    kept.statements.add("neurons")  # a name that is not there asks the engine nothing
    kept.hold(strings)


def test_as_expressions(strings: list[str], world: tuple[Database, World], kept: Kept) -> None:
    database, _ = world
    for text in strings[::16]:
        query = Query(Matching(TokenPattern((TokenExpression(text, ignore_case=True),))), limit=1)
        try:
            found = database.query(query).total
        except N2gdbError as error:
            assert "regular expression" in str(error)
        else:
            assert found >= 0
    kept.hold(strings)


def test_as_whole_queries(strings: list[str]) -> None:
    """Nothing parses, as no query holds the mark outside quotes; the longest take no more than a moment."""
    for text in strings:
        start = process_time()
        with pytest.raises(N2gdbError):
            read_query(text)
        assert process_time() - start < 5


def test_in_the_middle_of_queries(strings: list[str], world: tuple[Database, World], kept: Kept) -> None:
    database, models = world
    random = Random(6)
    understood = 0
    for text in strings[8::3]:
        query = random.choice(QUERIES)
        place = random.choice(
            [found.start() + random.randint(0, 1) for found in re.finditer(r"['\"/ ]", query)]
        )
        try:
            statement = read_query(query[:place] + text + query[place:])
        except N2gdbError:
            continue
        understood += 1
        if understood % 10 == 0:
            ask(statement, database, models)
    assert understood > 150
    kept.hold(strings)


def test_written_and_read_again(strings: list[str]) -> None:
    for at, text in enumerate(strings):
        literal = TokenLiteral(text, exact=bool(at % 2))
        query = Query(Matching(TokenPattern((literal,))), model=text)
        if not _is_too_long(query):
            assert read_query(written(query)) == query


def test_a_model_whose_own_tokens_are_hostile(strings: list[str], tmp_path: Path, kept: Kept) -> None:
    words = ("<unk>", *strings[8:60], *PIECES)
    sets = UnitSets.drawn(Random(8), 3, 6)
    models = (
        Model(0, strings[70], words, unigram(words), sets=sets),
        Model(1, strings[71], words[::-1], "", sets=sets),
    )
    path, world = build_models(tmp_path, models, Random(8))
    known = known_of(world)
    random = Random(9)
    with n2gdb.open(path) as database:
        kept.statements.clear()
        found = [check(random_statement(random, known), database, world) for _ in range(100)]
    assert sum(bool(rows) for rows in found) >= 40
    kept.hold([*strings, *words])
