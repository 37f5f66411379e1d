"""Parameters of a query's text, and saved sets: what they are written as, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import n2gdb
from n2gdb.core.units import NeuronName
from n2gdb.errors import ArgumentError, UnknownNameError
from n2gdb.query.builder.queries import neurons
from n2gdb.query.parameters import filled_in
from tests.grammar.test_language_reference import database

__all__ = ["database"]  # the fixture

WRITTEN: list[tuple[str, dict[str, Any], str]] = [
    ("neurons MATCHING :word", {"word": "the"}, "neurons MATCHING 'the'"),
    ("neurons MATCHING :word", {"word": "it's \\ \n"}, r"neurons MATCHING 'it\'s \\ \n'"),
    ("neurons MATCHING ( :a | :b )", {"a": "x", "b": "y"}, "neurons MATCHING ( 'x' | 'y' )"),
    ("neurons WHERE layer IN :layers", {"layers": range(3)}, "neurons WHERE layer IN (0, 1, 2)"),
    ("neurons WHERE f1>=:least", {"least": 0.5}, "neurons WHERE f1>=0.5"),
    ("neurons WHERE state = :state", {"state": "dead"}, "neurons WHERE state = 'dead'"),
    ("neurons IN :mine", {"mine": ["L3N4", NeuronName(2, 1)]}, "neurons IN (L3N4, L2N1)"),
    ("neurons IN $mine", {"mine": ["L3N4", "L3N4"]}, "neurons IN (L3N4)"),
    ("neurons SIMILAR TO :other", {"other": "L3N4"}, "neurons SIMILAR TO L3N4"),
    ("tokens ACTIVATING :n", {"n": NeuronName(2, 1)}, "tokens ACTIVATING L2N1"),
    ("neurons SIMILAR TO :n", {"n": (2, 1)}, "neurons SIMILAR TO L2N1"),
    ("neurons IN :mine", {"mine": [(3, 4), "L2N1", (3, 4)]}, "neurons IN (L3N4, L2N1)"),
    (
        "neurons MATCHING :w BEFORE ...",
        {"w": ["he", "it's"]},
        r"neurons MATCHING ('he' | 'it\'s') BEFORE ...",
    ),
    ("neurons MATCHING 'a' BEFORE/2..5 :w", {"w": ("b",)}, "neurons MATCHING 'a' BEFORE/2..5 ('b')"),
    ("neurons MATCHING (<title> & !:w)", {"w": ["a", "b"]}, "neurons MATCHING (<title> & !('a' | 'b'))"),
    ("neurons ACTIVATING ONLY ON :w", {"w": ["a", "b"]}, "neurons ACTIVATING ONLY ON ('a' | 'b')"),
    (
        "neurons PROMOTING :w WHERE layer IN :l",
        {"w": ["a", "b"], "l": [1]},
        "neurons PROMOTING ('a' | 'b') WHERE layer IN (1)",
    ),
    ("neurons MATCHING <:n> BEFORE ...", {"n": "3/4"}, "neurons MATCHING <L3N4> BEFORE ..."),
    ("neurons MATCHING <context :n>", {"n": NeuronName(3, 4)}, "neurons MATCHING <context L3N4>"),
    ("neurons WHERE f1 <:least", {"least": 0.5}, "neurons WHERE f1 <0.5"),
    ("neurons WHERE layer IN :layers", {"layers": (3, 4)}, "neurons WHERE layer IN (3, 4)"),
    ("neurons MATCHING ':a' BEFORE :a -- :a", {"a": "b"}, "neurons MATCHING ':a' BEFORE 'b' -- :a"),
    ("neurons MATCHING 'L3N4' OR MATCHING :n", {"n": "L3N4"}, "neurons MATCHING 'L3N4' OR MATCHING 'L3N4'"),
    ("neurons MATCHING /(?:a|b)/ THEN :x", {"x": "c"}, "neurons MATCHING /(?:a|b)/ THEN 'c'"),
]


@pytest.mark.parametrize(("text", "values", "written"), WRITTEN)
def test_a_value_is_written_as_the_language_writes_it(
    text: str, values: dict[str, Any], written: str
) -> None:
    assert filled_in(text, values) == written


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("neurons MATCHING :a", {}, "no value for :a"),
        ("neurons MATCHING 'a'", {"a": "b"}, "the query has no :a"),
        ("neurons WHERE f1 > :a", {"a": None}, ":a is None"),
        ("neurons WHERE f1 > :a", {"a": True}, ":a is True"),
        ("neurons WHERE f1 > :a", {"a": float("nan")}, "which is not a number"),
        ("neurons WHERE layer IN :a", {"a": []}, ":a is empty"),
        ("neurons MATCHING :a", {"a": {"b": 1}}, "a value must be a text"),
    ],
)
def test_what_cannot_be_written_is_refused(text: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        filled_in(text, values)


@pytest.mark.parametrize(
    "text", ["neurons WHERE f1 >= :least", "neurons MATCHING :least", "neurons IN :least"]
)
def test_a_value_that_is_not_given_is_asked_for(text: str, database: n2gdb.Database) -> None:
    with pytest.raises(ArgumentError, match="no value for :least: give one"):
        database.query(text)
    with pytest.raises(n2gdb.QuerySyntaxError, match="never closed"):
        database.query("neurons MATCHING ':least")
    for mistaken in ("", "\n", "neurons WHERE", "neurons\nWHERE f1 >\n", "neurons :"):
        with pytest.raises(n2gdb.QuerySyntaxError):
            database.query(mistaken)


def test_a_value_never_becomes_part_of_the_query(database: n2gdb.Database) -> None:
    hostile = "x' OR MATCHING 'the"
    assert database.count("neurons MATCHING :word", {"word": hostile}) == 0


def test_a_list_of_words_is_of_alternatives(database: n2gdb.Database) -> None:
    for clause in (
        "MATCHING",
        "MATCHING ONLY",
        "MENTIONING",
        "ACTIVATING ON",
        "ACTIVATING ONLY ON",
        "PROMOTING",
    ):
        asked = database.query(f"neurons {clause} :words", {"words": ["the", "dog"]})
        assert asked["neuron"] == database.query(f"neurons {clause} ('the' | 'dog')")["neuron"]
    assert len(database.query("neurons MATCHING :words BEFORE :words", {"words": ["the", "dog"]}))


def test_an_answer_is_a_list_of_its_neurons(database: n2gdb.Database) -> None:
    found = database.query("neurons MATCHING 'the'")
    again = database.query("neurons IN :mine", {"mine": found})
    assert sorted(again["neuron"]) == sorted(found["neuron"])


def test_a_builder_takes_no_parameters(database: n2gdb.Database) -> None:
    with pytest.raises(ArgumentError, match="belong to a query given as text"):
        database.query(neurons(), {"a": 1})


@pytest.fixture
def copied(database: n2gdb.Database, tmp_path: Path) -> Path:
    return Path(shutil.copy(database.path, tmp_path / "copied.n2gdb"))


def test_a_saved_set_is_asked_for_by_its_name(copied: Path) -> None:
    with n2gdb.open(copied) as opened:
        found = opened.query("neurons MATCHING 'the' LIMIT 5")
        opened.save_set("Mine", found)
    with n2gdb.open(copied) as opened:
        assert list(opened.sets()) == ["mine"]
        assert sorted(opened.query("neurons IN $mine")["neuron"]) == sorted(found["neuron"])
        assert opened.count("neurons IN $MINE MATCHING 'the'") == 5
        assert opened.count("patterns OF neurons IN $mine") >= 5
        opened.save_set("mine", [])
        with pytest.raises(UnknownNameError, match=r"no saved set \$mine: none was saved yet"):
            opened.query("neurons IN $mine")


def test_a_set_has_a_name_and_holds_neurons(copied: Path) -> None:
    with n2gdb.open(copied) as opened:
        with pytest.raises(ArgumentError, match="cannot name a set"):
            opened.save_set("my set", ["L0N1"])
        with pytest.raises(ArgumentError, match="a set holds neurons"):
            opened.save_set("mine", ["the"])
