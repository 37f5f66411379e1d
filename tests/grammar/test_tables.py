"""What is read by the parser's tables is what Lark reads, to the places of errors."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from random import Random

import pytest
from lark.exceptions import UnexpectedInput

from n2gdb.grammar.parsing.build import Builder
from n2gdb.grammar.parsing.machine import read
from n2gdb.grammar.parsing.parser import lark_parser, parse
from n2gdb.grammar.parsing.tables import Tables, read_tables, tables_of, write_tables
from n2gdb.grammar.values import MeaningError
from tests.generators.fuzz_text import fuzz_text
from tests.oracle.random.known import Known

#: What random statements seldom hold.
TEXTS = [
    "",
    " ",
    ";",
    "neurons;",
    "neurons -- LIMIT 3\n  MATCHING 'the'\n\n THEN 'end' -- last",
    "neurons MATCHING 'a\nb'",
    'NEURONS matching "the" before/2..5 /st|nd/i then <start of text>',
    "neurons MATCHING ~ $x THEN !$x BEFORE $y",
    "neuronſ LIMIT 1",
    "neurons MATCHıNG 'the'",
    "neurons RANK BY ſIMILARITY TO L0N1",
    "neurons LIMIT 1 \u212a",
    "orders",
    "neurons WHERE orders = 1",
    "neurons ORDER BY f1 LIMIT 1é",
    "neurons MATCHING 'é·日' THEN /ü+/",
    "tokens ACTIVATING L0N1 AND NOT  IN\nCONTEXT OF L1N2- AND activating 3/45",
    "neurons ACTIVATING ON 'the' AND ACTIVATING ONLY ON 'end'",
    "neurons MATCHING _ BEFORE/2 _THEN",
    "neurons WHERE f1 > -.5",
    "neurons WHERE f1 - -1 > 1e3",
    "neurons WHERE layer IN 0..2 AND index IN [1, 2] OR NOT state = 'dead'",
    "COUNT neurons BY activation / 0.5, layer",
    "AVG f1 OF neurons BY layer ORDER BY f1",
    "neurons LIMIT 99999999999999999999",
    r"neurons MATCHING '\x'",
    "neurons LIMIT 1 LIMIT 2 ???",
]


@cache
def tables() -> Tables:
    return tables_of(lark_parser())


def by_tables(text: str) -> object:
    return read(tables(), text, Builder())


def by_tables_if_long(text: str) -> object:
    """Read a text as one that is longer than most."""
    return read(tables(), text + " " * 1_000, Builder())


def by_lark(text: str) -> object:
    try:
        return lark_parser().parse(text)
    except UnexpectedInput:
        return None


def told(way: object, text: str) -> object:
    """Return what a text is read as, places and all, or what is wrong with it."""
    assert callable(way)
    try:
        tree = way(text)
    except MeaningError as fault:
        return fault.message, fault.at
    return None if tree is None else (repr(tree), asdict(tree))


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_as_lark_reads_it(text: str) -> None:
    found = told(by_tables, text)
    if not {*text} & {*"ſKİı\u212a"}:  # left to Lark
        assert found == told(by_tables_if_long, text) == told(by_lark, text)
    else:
        assert found is None


def test_random_texts_are_read_as_lark_reads_them() -> None:
    random, came_to = Random(1), Counter[str]()
    for _ in range(600):
        _, text = fuzz_text(random, Known())
        if len(text) > 2_000:
            continue
        found, expected = told(by_tables, text), told(by_lark, text)
        assert found == told(by_tables_if_long, text) == expected, text
        came_to["none" if found is None else "tree" if isinstance(found[1], dict) else "fault"] += 1  # type: ignore[index]
    assert min(came_to[each] for each in ("none", "tree", "fault")) > 10, came_to


@pytest.mark.parametrize(
    "text",
    [
        f"neurons WHERE layer IN [{'1, ' * 20_000}1]",
        f"neurons MATCHING ({'/ab/ | ' * 8_000} 'c')",
        f"neurons WHERE {'f1 > 0.5 OR ' * 5_000} f1 > 1",
    ],
    ids=lambda text: text[:23],
)
def test_long_texts_are_read_in_no_more_time_than_lark_takes(text: str) -> None:
    def seconds(way: Callable[[str], object]) -> float:
        started = time.process_time()
        assert way(text) is not None
        return time.process_time() - started

    by_lark("neurons")
    gc.collect()
    gc.disable()  # what other tests have left would be looked through in the midst of one of them
    try:
        best = {way: min(seconds(way) for _ in range(3)) for way in (by_tables, by_lark)}
    finally:
        gc.enable()
    assert best[by_tables] < 3 * best[by_lark]


def test_lark_is_loaded_once(tmp_path: Path) -> None:
    code = (
        "import sys; from n2gdb.grammar.parsing.parser import parse; parse('neurons LIMIT 3')\n"
        "print('lark' in sys.modules)"
    )
    run = [sys.executable, "-c", code]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    said = [
        subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout for _ in "ab"
    ]
    assert said == ["True\n", "False\n"]


def test_every_rule_has_its_method() -> None:
    called = {callback for name, _, callback, *_ in tables().rules if not name.startswith("_")}
    single = {callback for _, _, callback, is_single, *_ in tables().rules if is_single}
    assert {each for each in called - single if not hasattr(Builder, each)} == set()


def test_tables_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "tables.json"
    assert read_tables(path, "grammar") is None
    write_tables(path, "grammar", tables())
    found = read_tables(path, "grammar")
    assert found is not None
    assert read(found, "neurons LIMIT 3", Builder()) == parse("neurons LIMIT 3")
    assert read_tables(path, "another grammar") is None
    assert [each.name for each in tmp_path.iterdir()] == ["tables.json"]


@pytest.mark.parametrize(
    "held", ["", "[]", "{}", '{"of": [1, "grammar"], "tables": {"states": []}}', "\0\xff"]
)
def test_damaged_tables_are_none(tmp_path: Path, held: str) -> None:
    path = tmp_path / "tables.json"
    path.write_text(held, "latin-1")
    assert read_tables(path, "grammar") is None


def test_tables_that_cannot_be_written_are_made_again(tmp_path: Path) -> None:
    write_tables(tmp_path / "none" / "tables.json", "grammar", tables())
    assert not (tmp_path / "none").exists()
