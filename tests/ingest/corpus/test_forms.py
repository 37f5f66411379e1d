"""What a corpus may be: every form, packed or not; rows without text; text that is not text; long text."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from n2gdb.errors import CorpusError
from n2gdb.ingest.corpus.documents import PassedOver, read_documents
from tests.ingest.corpus.test_corpus import TEXTS, fault, write_lines


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (17, "holds int, not text"),
        (["x"], "holds list, not text"),
        ({"x": "y"}, "holds dict, not text"),
        (True, "holds bool, not text"),
        ("half \ud83d", r"holds half a character, \ud83d, no text"),
        ("\udc80", r"half a character, \udc80"),
    ],
)
def test_what_is_not_text_is_placed(tmp_path: Path, value: object, said: str) -> None:
    path = write_lines(tmp_path / "odd.jsonl", [{"text": "x"}, {"text": value}])
    message = fault(path)
    assert message.startswith(f"{path}, line 2: field 'text' ") and said in message


def test_what_is_not_text_in_parquet_is_placed(tmp_path: Path) -> None:
    for name, column in (
        ("bytes", pa.array([b"x", b"y"])),
        ("numbers", pa.array([None, 1.5])),
        ("lists", pa.array([["x"], ["y"]])),
    ):
        pq.write_table(pa.table({"text": column}), tmp_path / f"{name}.parquet")
        assert f"{name}.parquet, row " in fault(tmp_path / f"{name}.parquet")
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"fine", b"\xff\xfe"]).buffers())
    pq.write_table(pa.table({"text": broken}), tmp_path / "latin.parquet")
    assert "latin.parquet, row 1: not UTF-8" in fault(tmp_path / "latin.parquet")


def test_rows_without_text_are_counted_and_passed_over(tmp_path: Path) -> None:
    rows = [{"text": "a"}, {"text": None}, {"text": ""}, {"text": " \n"}, None, {}, {"text": "b"}]
    passed = PassedOver()
    path = write_lines(tmp_path / "gaps.ndjson", rows)
    assert list(read_documents(path, passed=passed)) == ["a", "b"]
    assert passed == PassedOver(empty=5)
    pq.write_table(pa.table({"text": ["a", None, "", "b"]}), tmp_path / "gaps.parquet")
    assert list(read_documents(tmp_path / "gaps.parquet", passed=passed)) == ["a", "b"]
    assert passed.empty == 7


def test_json_of_any_depth_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "deep.jsonl").write_text('{"text": "x"}\n{"text": ' + "[" * 200_000 + "\n")
    assert "deep.jsonl, line 2: not JSON" in fault(tmp_path / "deep.jsonl")


def test_an_array_of_objects_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "array.json").write_text('[{"text": "x"},\n {"text": "y"}]')
    assert "array.json, line 1: not JSON" in fault(tmp_path / "array.json")


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": lambda raw: raw,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda raw: pa.compress(raw, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("kind", [".jsonl", ".ndjson", ".json", ".txt"])
def test_every_form_is_read_and_its_damage_is_named(tmp_path: Path, kind: str, packing: str) -> None:
    path = tmp_path / f"c4-train.00000-of-01024{kind}{packing}"
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS * 300)
    raw = (lines if kind != ".txt" else "\n".join(TEXTS * 300)).encode()
    path.write_bytes(PACKED[packing](raw))
    assert list(read_documents(path)) == (TEXTS * 300 if kind != ".txt" else ["\n".join(TEXTS * 300)])
    assert list(read_documents(tmp_path)) == list(read_documents(path))
    if packing:
        packed = path.read_bytes()
        path.write_bytes(packed[: len(packed) // 2])
        assert f"{path} is damaged" in fault(path)
        if packing != ".zst":  # which need not hold a checksum
            path.write_bytes(packed[:20] + b"no archive" + packed[30:])
            assert f"{path}" in fault(path)
        path.write_bytes(b"this is not an archive")
        assert f"{path} is damaged" in fault(path)


def test_several_archives_in_one_file_are_one_text(tmp_path: Path) -> None:
    for packing in (".gz", ".zst", ".bz2", ".xz"):
        path = tmp_path / f"joined.txt{packing}"
        path.write_bytes(PACKED[packing](b"one ") + PACKED[packing](b"two"))
        assert list(read_documents(path)) == ["one two"], packing


def test_standard_input_is_lines_or_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def piped(raw: bytes) -> list[str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(raw))))
        return list(read_documents("-"))

    assert piped(b'{"text": "a"}\n{"text": "b"}\n') == ["a", "b"]
    assert piped(b'\xef\xbb\xbf\n {"text": "a"}\n') == ["a"]
    assert piped("Ein Text – lang".encode()) == ["Ein Text – lang"]
    assert piped(b"") == []
    with pytest.raises(CorpusError, match="standard input, line 2: not UTF-8"):
        piped(b"one\ntwo \xff")


def test_long_text_is_cut_as_it_is_read_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    text = "\ufeff" + "Bäume und Wörter " * 200_000 + "x" * 3_000_000
    path.write_text(text, encoding="utf-8")
    documents = list(read_documents(path))
    assert "".join(documents) == text[1:] and max(map(len, documents)) <= 1 << 20 and len(documents) > 5
    assert all(part.startswith(" ") for part in documents[1:4])
    write_lines(tmp_path / "long.jsonl", [{"text": text}, {"text": "short"}])
    assert "".join(read_documents(tmp_path / "long.jsonl")) == text + "short"


def test_the_place_of_a_fault_is_right_wherever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    for before in (0, 1, 65_534, 65_535, 65_536, 65_537, 200_000):
        raw = ("ü\n" * before).encode()[:before]
        raw = raw.decode(errors="ignore").encode()
        path.write_bytes(raw + b"\xff" + b"rest\n" * 9)
        lines = raw.count(b"\n") + 1
        assert f"line {lines}: not UTF-8, at byte {len(raw)}" in fault(path)


@pytest.mark.parametrize("kind", [".txt", ".jsonl"])
def test_a_bomb_takes_no_memory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"bomb{kind}.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"text": "')
        for _ in range(200):
            file.write(b"a" * (1 << 20))
        file.write(b'"}\n{"text": "fine"}\n')
    passed, characters = PassedOver(), 0
    tracemalloc.start()
    for text in read_documents(path, passed=passed):
        characters += len(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20
    assert (passed.long, characters) == ((1, 4) if kind == ".jsonl" else (0, (200 << 20) + 30))
