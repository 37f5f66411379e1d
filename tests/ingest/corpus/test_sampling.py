"""A bound on tokens draws passages from all over a corpus, fewer always the beginning of more."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from n2gdb.errors import StorageError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.cutting import cut_text
from n2gdb.ingest.corpus.sampling import Draw
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.corpus.windows import Windows
from tests.ingest.corpus.test_corpus import write_lines
from tests.support.demo import demo_model

BOOKS = [f"{chr(97 + book)} " * 400 for book in range(20)]


class Counted:
    """Encodes a character as a token, and counts those it was given."""

    def __init__(self) -> None:
        self.characters = self.largest = 0

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        size = sum(map(len, texts))
        self.characters, self.largest = self.characters + size, max(self.largest, size)
        return [[ord(char) for char in text] for text in texts]


def draw(tokens: int, folder: Path, seed: int = 0, endless: bool = False) -> list[str]:
    found = Draw(seed, folder, endless).texts(iter(BOOKS), Counted(), tokens)
    return ["".join(map(chr, ids)) for ids in found]


@pytest.mark.parametrize("endless", [False, True])
def test_what_is_drawn_is_spread_over_the_corpus(tmp_path: Path, endless: bool) -> None:
    orders = [draw(800, tmp_path, seed, endless)[0][0] for seed in range(40)]
    assert len(set(orders)) > 10
    assert sorted(draw(10**6, tmp_path, endless=endless)) == sorted(BOOKS)
    assert draw(3_000, tmp_path, 1, endless) == draw(3_000, tmp_path, 1, endless)


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=40), data=st.data())
def test_fewer_tokens_are_the_beginning_of_more(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    texts = [chr(100 + place) * size for place, size in enumerate(sizes)]
    less, more = sorted(data.draw(st.tuples(st.integers(1, 1_000), st.integers(1, 1_000))))

    def drawn(tokens: int) -> list[list[int]]:
        return [ids.tolist() for ids in Draw(3, folder).texts(iter(texts), Counted(), tokens)]

    some, others = drawn(less), drawn(more)
    assert some == others[: len(some)]
    assert sum(map(len, some)) >= min(less, sum(sizes)) > sum(map(len, some[:-1]))


def test_a_text_added_behind_changes_no_number_of_those_before(tmp_path: Path) -> None:
    def order(texts: list[str]) -> list[str]:
        found = Draw(0, tmp_path).texts(iter(texts), Counted(), 10**6)
        return [chr(ids[0]) for ids in found]

    grown = order([*BOOKS, "z" * 9])
    assert [letter for letter in grown if letter != "z"] == order(BOOKS)


def test_only_what_is_needed_is_encoded(tmp_path: Path) -> None:
    encode = Counted()
    list(Draw(0, tmp_path).texts((text for _ in range(100) for text in BOOKS), encode, 500))
    assert encode.characters < 30_000 < sum(map(len, BOOKS)) * 100
    encode = Counted()
    list(Windows(iter(BOOKS * 100), encode, length=32, bos=None, separator=0, max_tokens=500))
    assert encode.characters < 4_000


def test_a_long_text_is_encoded_part_by_part_and_is_one_document() -> None:
    encode = Counted()
    text = "Bäume und Wörter " * 30_000
    windows = Windows([text, "b"], encode, length=128, bos=None, separator=0)
    tokens = np.concatenate([row[row != PAD] for rows in windows for row in rows])
    assert "".join(map(chr, tokens)) == text + "\0b"
    assert windows.n_documents == 2 and encode.largest <= (1 << 17) + (1 << 15)


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    def texts() -> Iterator[str]:
        for number in range(3_000):
            yield f"{number} " * 3_000

    tracemalloc.start()
    drawn = sum(len(ids) for ids in Draw(0, tmp_path).texts(texts(), Counted(), 100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert drawn >= 100_000 and peak < 40 << 20


def test_nothing_stays_behind_and_a_full_disk_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next(iter(Draw(0, tmp_path).texts(iter(BOOKS), Counted(), 500)))
    assert not list(tmp_path.iterdir())

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(StorageError, match="no space left"):
        list(Draw(0, tmp_path).texts(iter(BOOKS), Counted(), 500))


@given(st.lists(st.text("ab \n", max_size=30)), st.integers(1, 9))
def test_cutting_loses_nothing(parts: list[str], most: int) -> None:
    pieces = list(cut_text(parts, most))
    assert "".join(pieces) == "".join(parts)
    assert all(0 < len(piece) <= most for piece in pieces)


def test_text_is_cut_before_a_space(tmp_path: Path) -> None:
    assert list(cut_text(["one two ", "three four"], 10)) == ["one two", " three", " four"]


def test_the_store_draws_and_says_what_it_passed_over(tmp_path: Path) -> None:
    rows: list[object] = [{"text": f"story {number} of the sea. " * 60} for number in range(60)]
    corpus = write_lines(tmp_path / "books.jsonl", [*rows, {"text": None}, {"text": ""}])
    told: dict[str, int] = {}

    def stored(config: N2GConfig) -> list[list[int]]:
        found = CorpusStore.tokenise(
            str(corpus),
            "text",
            demo_model(),
            config,
            tmp_path,
            lambda stage, done, _: told.update({stage: done}),
        )
        return [row for rows in found.batches(0, 64) for row in rows.tolist()]

    config = N2GConfig(tokens=2_000, window=32)
    less, more = stored(config), stored(replace(config, tokens=4_000))
    assert less[:-1] == more[: len(less) - 1]
    assert stored(replace(config, seed=1)) != less
    assert told["rows without text, passed over"] == 2
    texts = [f"story {number} of the sea. " * 60 for number in range(60)]
    read = [row for rows in Windows.of(texts, demo_model(), length=32) for row in rows.tolist()]
    assert stored(replace(config, tokens=None)) == read, "without a bound the order is the corpus's"
