"""An outline of all tries: what a very large database is answered by gives the answers of statements."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import n2gdb
from n2gdb import remembering
from n2gdb.errors import DatabaseFormatError
from n2gdb.query.columnar import tries
from n2gdb.query.columnar.tries import read_tries
from n2gdb.query.execution.planner import plan_statement, read_columns
from n2gdb.query.parse import read_query
from n2gdb.storage.read.mapped_arrays import read_arrays
from n2gdb.storage.read.outline import Outline
from tests.grammar.test_language_reference import EXAMPLES, database

__all__ = ["database"]  # the fixture


@pytest.fixture
def outlined(database: n2gdb.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[n2gdb.Database]:
    """The database as a very large one is read."""
    with n2gdb.open(database.path) as opened:
        monkeypatch.setattr(remembering, "_MOST_NODES", 0)
        monkeypatch.setattr(tries, "_MOST_SORTED", 0)
        yield opened


ASKED = [each for each in EXAMPLES if not each.startswith(("EXPLAIN", "PROFILE"))]


def _same(one: n2gdb.Database, other: n2gdb.Database, text: str) -> None:
    found, expected = one.query(text), other.query(text)
    assert found.to_dicts() == expected.to_dicts()
    assert found.total == expected.total


@pytest.mark.parametrize("text", ASKED)
def test_an_outlined_database_answers_as_others_do(
    text: str, database: n2gdb.Database, outlined: n2gdb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _same(outlined, database, text)  # by what is faster
    outlined.read_ahead()
    _same(outlined, database, text)
    monkeypatch.setattr(n2gdb.Database, "_is_warm", lambda opened: opened is outlined)
    _same(outlined, database, text)  # all of it by columns


@pytest.mark.parametrize(
    ("text", "walked"),
    [
        ("neurons MATCHING <word> THEN <word>", True),
        ("neurons MATCHING $x BEFORE $x", True),
        ("neurons MATCHING <word> AND NOT MATCHING 'the' BEFORE ...", True),
        ('neurons FIRING ON "on the other"', True),
        ("COUNT neurons MATCHING 'the' BEFORE ... BY activating", True),
        ("neurons MATCHING 'the' BEFORE <word>", False),
        ("neurons MATCHING <word> THEN <word> ORDER BY activation", False),
        ("patterns MATCHING <word> THEN <word>", False),
    ],
)
def test_broad_questions_walk_the_outline(text: str, walked: bool, outlined: n2gdb.Database) -> None:
    answered = outlined.query(text)
    assert ("tries" in vars(outlined._columns)) == walked
    assert len(answered)


@pytest.mark.parametrize(
    ("text", "walked"),
    [
        ("neurons MATCHING 'the' BEFORE <word>", True),
        ("neurons MATCHING <word> THEN <word> WHERE activation > 0.3 ORDER BY activation DESC, f1", True),
        ('neurons FIRING ON "on the other" ORDER BY activation', True),
        ("neurons MATCHING <word> ORDER BY support DESC", False),
        ("neurons MATCHING <word> WHERE importance > 0.1", False),
        ("patterns MATCHING <word> THEN <word> LIMIT 3 OFFSET 1", True),
        ("patterns MATCHING 'the' BEFORE ... AND NOT MATCHING 'on' ORDER BY layer, activation LIMIT 4", True),
        ("patterns MATCHING ('the' | 'on') WHERE activation < 0.9 LIMIT 5", True),
        ("patterns OF neurons MATCHING 'the' LIMIT 5", True),
        ('patterns FIRING ON "on the other" LIMIT 2', True),
        ("patterns LIMIT 3", True),
        ("patterns LIMIT 0", True),
        ("patterns MATCHING <word> THEN <word>", False),
        ("patterns MATCHING <word> ORDER BY importance LIMIT 3", False),
        ("patterns MATCHING 'the' BEFORE ... ORDER BY importance LIMIT 2", False),
        ("COUNT patterns MATCHING <word> THEN <word> BY layer", True),
        ("COUNT patterns MATCHING <word> BEFORE ... BY context", True),
        ("neurons SIMILAR TO L4N35", False),
    ],
)
def test_what_was_read_ahead_is_walked_wherever_it_tells_enough(
    text: str, walked: bool, database: n2gdb.Database, outlined: n2gdb.Database
) -> None:
    outlined.read_ahead()
    session = outlined.session()
    read_columns(session, plan_statement(session, read_query(text)))
    assert (session.columns is not None) == walked
    _same(outlined, database, text)
    assert outlined.count(text) == database.count(text)


@pytest.mark.parametrize("name", ["owner", "token", "depth", "parent", "last", "repeats", "ends", "counts"])
def test_an_outline_has_the_shape_that_the_engine_knows(name: str, outlined: n2gdb.Database) -> None:
    columns = outlined._columns
    assert columns.is_outlined
    expected = read_tries(outlined.connection.table, columns.vocabulary.table, columns.units.ids)
    np.testing.assert_array_equal(getattr(columns.tries, name), getattr(expected, name))


@pytest.mark.parametrize("left", [0, -1, -40])
def test_a_file_that_was_cut_short_is_read_by_the_engine(
    left: int, database: n2gdb.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "older.n2gdb"
    shutil.copyfile(database.path, path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size // 4096 * 4096 if not left else size + left)
    assert read_arrays(database.path, Outline) is not None
    assert read_arrays(path, Outline) is None
    monkeypatch.setattr(remembering, "_MOST_NODES", 0)
    with n2gdb.open(path) as opened:
        _same(opened, database, "neurons MATCHING <word> THEN <word>")
        with pytest.raises(DatabaseFormatError, match="build it again"):
            opened.similar("L4N0")
