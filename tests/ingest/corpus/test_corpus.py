"""Corpora: every form is read, every fault is placed, and windows are cut as models are trained."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from n2gdb.errors import CorpusError, ModelError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.corpus.documents import PassedOver, is_data_set, read_documents
from n2gdb.ingest.corpus.windows import Windows
from n2gdb.ingest.models.subject import load_model
from n2gdb.ingest.sources.formats import read_dictionaries

TEXTS = ["the first\ndocument", "Zweites Dokument – über Bäume", "3"]


def encode(texts: Sequence[str]) -> list[list[int]]:
    """One token a character, far from the special ones."""
    return [[ord(char) for char in text] for text in texts]


def cut(
    documents: Iterable[str],
    *,
    length: int,
    bos: int | None,
    separator: int | None,
    max_tokens: int | None = None,
    batch: int = 64,
) -> tuple[list[list[int]], Windows]:
    """Windows as lists without their padding, and what they were read from."""
    windows = Windows(
        documents,
        encode,
        length=length,
        bos=bos,
        separator=separator,
        max_tokens=max_tokens,
        batch=batch,
    )
    rows = [row for rows in windows for row in rows]
    assert all(len(row) == length for row in rows)
    return [row[row != PAD].tolist() for row in rows], windows


def write_lines(path: Path, lines: Iterable[object]) -> Path:
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def fault(source: str | Path, field: str = "text") -> str:
    with pytest.raises(CorpusError) as caught:
        list(read_documents(source, field))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
def test_json_lines_are_documents(tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / name, [{"id": 1, "text": text} for text in TEXTS])
    assert list(read_documents(path)) == TEXTS


@pytest.mark.parametrize("name", ["book.txt", "book.txt.gz"])
def test_a_text_file_is_one_document(tmp_path: Path, name: str) -> None:
    raw = "\n".join(TEXTS).encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    assert list(read_documents(tmp_path / name)) == ["\n".join(TEXTS)]


def test_a_directory_is_its_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text(TEXTS[1], encoding="utf-8")
    (tmp_path / "a.txt").write_text(TEXTS[0], encoding="utf-8")
    (tmp_path / "c").mkdir()
    write_lines(tmp_path / "c" / "d.jsonl", [{"text": TEXTS[2]}])
    (tmp_path / "notes.md").write_text("not a corpus")
    assert list(read_documents(tmp_path)) == TEXTS


def test_parquet_rows_are_documents(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2, 3], "body": TEXTS}), tmp_path / "corpus.parquet")
    assert list(read_documents(tmp_path / "corpus.parquet", "body")) == TEXTS


def test_the_demo_has_its_corpus() -> None:
    assert sum(1 for _ in read_documents("demo")) == 908


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "no.jsonl") in fault(tmp_path / "no.jsonl")
    assert "no.txt: there is no such file" in fault("no.txt")


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "loop.txt"
    path.symlink_to(path)
    assert "there is no such file" in fault(path)
    (tmp_path / "folder.jsonl").mkdir()
    assert "holds no .txt, .jsonl" in fault(tmp_path / "folder.jsonl")


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_lines(tmp_path / "secret.jsonl", [{"text": "x"}])

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert fault(path) == f"{path} cannot be read: Permission denied"


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "corpus.csv").write_text("text\nhello\n")
    assert "unknown kind of file" in fault(tmp_path / "corpus.csv")


def test_bad_json_is_placed(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "fine"}\n\n{"text": "cut\n')
    assert f"{tmp_path / 'bad.jsonl'}, line 3: not JSON" in fault(tmp_path / "bad.jsonl")
    (tmp_path / "list.jsonl").write_text('["text"]\n')
    assert "line 1: a JSON object was expected" in fault(tmp_path / "list.jsonl")


def test_a_missing_field_is_named_with_those_there(tmp_path: Path) -> None:
    write_lines(tmp_path / "other.jsonl", [{"id": 1, "body": "hello"}])
    message = fault(tmp_path / "other.jsonl")
    assert "line 1: there is no field 'text'; choose with --field among: id, body" in message
    pq.write_table(pa.table({"id": [1], "body": ["x"]}), tmp_path / "other.parquet")
    assert "no field 'text'; choose with --field among: id, body" in fault(tmp_path / "other.parquet")


def test_other_encodings_are_placed(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("one\ntwo\nüber".encode("latin-1"))
    assert "line 3: not UTF-8, at byte 8" in fault(tmp_path / "latin.txt")
    (tmp_path / "latin.jsonl").write_bytes('{"text": "x"}\n{"text": "ü"}\n'.encode("latin-1"))
    assert "line 2: not UTF-8" in fault(tmp_path / "latin.jsonl")


@pytest.mark.parametrize("keep", [5, -9])
def test_damaged_archives_are_named(tmp_path: Path, keep: int) -> None:
    path = write_lines(tmp_path / "cut.jsonl.gz", [{"text": text * 99} for text in TEXTS])
    path.write_bytes(path.read_bytes()[:keep])
    assert "cut.jsonl.gz is damaged" in fault(path)
    path.write_bytes(b"this is not gzip")
    assert "cut.jsonl.gz is damaged" in fault(path)
    (tmp_path / "bad.parquet").write_bytes(b"this is not parquet")
    assert "bad.parquet is not a parquet file" in fault(tmp_path / "bad.parquet")


def test_a_data_set_out_of_reach_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    def out_of_reach(*_: object, **__: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(HfApi, "dataset_info", out_of_reach)
    message = fault("someone/some-texts")
    assert "someone/some-texts" in message
    assert "hub cannot be reached; a local file works too" in message


@pytest.mark.parametrize(
    ("name", "asked", "revision"),
    [
        ("someone/some-texts", ("someone/some-texts",), None),
        ("wikitext:wikitext-103-raw-v1", ("wikitext", "wikitext-103-raw-v1"), None),
        ("wikitext:wikitext-103-raw-v1@v1.0", ("wikitext", "wikitext-103-raw-v1"), "v1.0"),
        ("allenai/c4@refs/pr/1", ("allenai/c4",), "refs/pr/1"),
    ],
)
def test_a_data_set_is_streamed(
    monkeypatch: pytest.MonkeyPatch, name: str, asked: tuple[str, ...], revision: str | None
) -> None:
    import datasets
    from huggingface_hub import HfApi

    def load(*names: str, split: str, streaming: bool, revision: str | None = None) -> Iterator[object]:
        loaded.append((names, split, streaming, revision))
        return iter([{"body": text} for text in TEXTS] + [{"body": None}])

    loaded: list[object] = []
    monkeypatch.setattr(HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", load)
    passed = PassedOver()
    assert list(read_documents(name, "body", passed)) == TEXTS
    assert loaded == [(asked, "train", True, revision)] and passed.empty == 1
    assert "row 0: there is no field 'text'" in fault(name)


def test_the_files_of_a_data_set_come_in_a_seeded_order(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    from huggingface_hub import HfApi

    def rows(parts: list[int]) -> Iterator[dict[str, str]]:
        return ({"text": f"part {part}, row {row}"} for part in parts for row in range(20))

    stream = datasets.IterableDataset.from_generator(rows, gen_kwargs={"parts": list(range(30))})
    monkeypatch.setattr(HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: stream)
    first = [next(read_documents("some/texts", shuffle=seed)) for seed in range(6)]
    assert len(set(first)) > 2 and next(read_documents("some/texts", shuffle=0)) == first[0]
    assert sorted(read_documents("some/texts", shuffle=1)) == sorted(read_documents("some/texts"))


def test_a_data_set_badly_named_is_said(tmp_path: Path) -> None:
    assert "is written NAME" in fault("wikitext:")
    assert "no such file" in fault("some/where/else.txt:x") and "no such file" in fault(tmp_path / "x@y")


def test_an_empty_corpus_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    windows = Windows(
        read_documents(tmp_path / "empty.jsonl"), encode, length=4, bos=0, separator=1, source="empty.jsonl"
    )
    with pytest.raises(CorpusError, match=r"empty\.jsonl has no text"):
        list(windows)
    with pytest.raises(CorpusError, match="the corpus has no text"):
        cut(["", ""], length=4, bos=None, separator=None)


def test_documents_join_by_the_separator_behind_a_bos() -> None:
    rows, windows = cut(["abcd", "", "ef", "g"], length=4, bos=0, separator=1)
    text = [ord("a"), ord("b"), ord("c"), ord("d"), 1, ord("e"), ord("f"), 1, ord("g")]
    assert rows == [[0, *text[:3]], [0, *text[3:6]], [0, *text[6:]]]
    assert (windows.n_tokens, windows.n_documents) == (9, 3)


def test_without_a_separator_no_window_spans_documents() -> None:
    rows, _ = cut(["abcde", "fg"], length=3, bos=None, separator=None)
    assert ["".join(map(chr, row)) for row in rows] == ["abc", "de", "fg"]


def test_windows_that_hold_no_text_are_refused() -> None:
    with pytest.raises(ValueError, match="holds no text"):
        Windows(["abc"], encode, length=1, bos=0, separator=None)


def test_windows_are_read_once() -> None:
    windows = Windows(["abc"], encode, length=4, bos=None, separator=None)
    list(windows)
    with pytest.raises(RuntimeError, match="read once"):
        list(windows)


@given(
    documents=st.lists(st.text(st.characters(min_codepoint=97, max_codepoint=122)), min_size=1, max_size=9),
    length=st.integers(2, 9),
    bos=st.sampled_from([None, 0]),
    separator=st.sampled_from([None, 1]),
    bound=st.none() | st.integers(1, 40),
)
def test_windows_hold_the_corpus_and_nothing_else(
    documents: list[str], length: int, bos: int | None, separator: int | None, bound: int | None
) -> None:
    if not any(documents):
        documents.append("x")
    joined = chr(1).join(filter(None, documents)) if separator == 1 else "".join(documents)
    rows, windows = cut(documents, length=length, bos=bos, separator=separator, max_tokens=bound, batch=3)
    bodies = [row[1:] if bos == 0 else row for row in rows]
    assert all(row[0] == 0 for row in rows if bos == 0)
    assert [token for body in bodies for token in body] == [ord(char) for char in joined][:bound]
    assert windows.n_tokens == len(joined[:bound])
    if separator == 1:
        assert all(len(row) == length for row in rows[:-1])


def test_the_fingerprint_is_the_corpus_not_the_batch() -> None:
    _, one = cut(TEXTS * 9, length=8, bos=0, separator=1, batch=2)
    _, same = cut(TEXTS * 9, length=8, bos=0, separator=1, batch=64)
    _, other = cut(TEXTS * 8, length=8, bos=0, separator=1)
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_windows_come_while_documents_are_still_read() -> None:
    read = 0

    def documents() -> Iterator[str]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield "x" * (1 << 18)

    windows = iter(
        Windows(documents(), lambda texts: [[1] * 500 for _ in texts], length=128, bos=0, separator=2)
    )
    first = next(windows)
    assert first.shape == (64, 128)
    assert first.dtype == np.int32
    assert read < 50


def test_a_bound_stops_the_reading() -> None:
    def documents() -> Iterator[str]:
        while True:
            yield "x" * (1 << 19)

    rows, windows = cut(documents(), length=1025, bos=0, separator=1, max_tokens=10_000)
    assert windows.n_tokens == 10_000
    assert len(rows) == 10


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x.txt", "~nobody-of-this-name"])
def test_a_home_that_is_none_is_a_folder_that_is_not_there(name: str) -> None:
    assert not is_data_set(name)
    with pytest.raises(CorpusError, match="there is no such file"):
        list(read_documents(name))
    with pytest.raises(ModelError, match="there is no such directory"):
        load_model(name)
    with pytest.raises(ModelError, match="there is no such folder"):
        read_dictionaries(name)
