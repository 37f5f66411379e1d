"""Corpus files: text, JSON lines or parquet, compressed or not, read a little at a time."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from n2gdb.errors import CorpusError, one_line
from n2gdb.ingest.corpus.cutting import cut_text
from n2gdb.ingest.corpus.rows import LONGEST_DOCUMENT, PassedOver, documents_of, missing_field

__all__ = ["FORMS", "kind_of", "read_file", "read_stream"]

#: What a corpus may be, for messages.
FORMS = ".txt, .jsonl, .ndjson, .json (each also .gz, .zst, .bz2, .xz) or .parquet"

_LINES = (".jsonl", ".ndjson", ".json")
_KINDS = (".txt", *_LINES, ".parquet")

#: Bytes read at a time, and bytes of a line that is still held.
_CHUNK, _LONGEST_LINE = 1 << 16, 1 << 25

#: Rows of a parquet file that are in memory at a time, and bytes of what it is read by.
_ROWS, _BUFFER = 64, 1 << 20


def _open_zst(path: Path, mode: str) -> io.BufferedReader:
    import pyarrow as pa

    return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path), mode), "zstd"))


_OPENERS: dict[str, Callable[[Path, Any], Any]] = {
    ".gz": gzip.open,
    ".zst": _open_zst,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}

#: What a damaged archive raises, beside OSError.
_DAMAGE = (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)


def kind_of(path: Path) -> str:
    """Suffix that says how to read a file, without that of its compression; empty for any other."""
    name = path.name.lower()
    packed = next((suffix for suffix in _OPENERS if name.endswith(suffix)), "")
    kind = next((kind for kind in _KINDS if name.removesuffix(packed).endswith(kind)), "")
    return "" if packed and kind == ".parquet" else kind


def read_file(path: Path, field: str, passed: PassedOver) -> Iterator[str]:
    """Yield the documents of a file; raises CorpusError, which names the place, when it cannot be read."""
    kind = kind_of(path)
    if not kind:
        raise CorpusError(f"{path}: unknown kind of file; a corpus is {FORMS}")
    try:
        if kind == ".parquet":
            yield from _read_parquet(path, field, passed)
        else:
            opener = _OPENERS.get(path.suffix.lower(), Path.open)
            with opener(path, "rb") as file:
                yield from _read_open(file, kind in _LINES, str(path), field, passed)
    except _DAMAGE as error:
        raise CorpusError(f"{path} is damaged: {one_line(error)}") from error
    except OSError as error:
        if error.errno is None:  # a decompressor's
            raise CorpusError(f"{path} is damaged: {one_line(error)}") from error
        raise CorpusError(f"{path} cannot be read: {error.strerror or one_line(error)}") from error


def read_stream(file: io.BufferedReader, name: str, field: str, passed: PassedOver) -> Iterator[str]:
    """Yield the documents of an open stream: JSON lines where it begins with {, else one text."""
    try:
        begin = file.peek(_CHUNK).removeprefix(codecs.BOM_UTF8).lstrip()
        yield from _read_open(file, begin.startswith(b"{"), name, field, passed)
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror or one_line(error)}") from error


def _read_open(file: IO[bytes], lines: bool, name: str, field: str, passed: PassedOver) -> Iterator[str]:
    if lines:
        yield from _read_lines(file, name, field, passed)
    else:
        yield from cut_text(_decoded(file, name), LONGEST_DOCUMENT)


def _decoded(file: IO[bytes], name: str) -> Iterator[str]:
    """Decode a text as it is read; a mark of byte order at its beginning is left out."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, place = 1, 0
    while True:
        raw = file.read(_CHUNK)
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            line += raw.count(b"\n", 0, max(error.start - held, 0))
            at = place - held + error.start
            raise CorpusError(f"{name}, line {line}: not UTF-8, at byte {at}") from error
        yield text.removeprefix("\ufeff") if not place else text
        if not raw:
            return
        line, place = line + raw.count(b"\n"), place + len(raw)


def _read_lines(file: IO[bytes], name: str, field: str, passed: PassedOver) -> Iterator[str]:
    number = 0
    while raw := file.readline(_LONGEST_LINE):
        number += 1
        if len(raw) == _LONGEST_LINE and not raw.endswith(b"\n"):
            passed.long += 1
            while (rest := file.readline(_CHUNK)) and not rest.endswith(b"\n"):
                pass
            continue
        if not raw.removeprefix(codecs.BOM_UTF8).strip():
            continue
        place = f"{name}, line {number}"
        try:
            row: Any = json.loads(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise CorpusError(f"{place}: not UTF-8, at byte {error.start} of the line") from error
        except (ValueError, RecursionError) as error:
            raise CorpusError(
                f"{place}: not JSON: {one_line(error)}; each line is to hold an object"
            ) from error
        yield from documents_of(row, field, place, passed)


def _read_parquet(path: Path, field: str, passed: PassedOver) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, buffer_size=_BUFFER, page_checksum_verification=True)
    except pa.ArrowException as error:
        raise CorpusError(f"{path} is not a parquet file: {one_line(error)}") from error
    with file:
        if field not in file.schema_arrow.names:
            raise missing_field(field, file.schema_arrow.names, str(path))
        number = 0
        try:
            for batch in file.iter_batches(_ROWS, columns=[field]):
                for value in batch.column(0):
                    place = f"{path}, row {number}"
                    try:
                        row = {field: value.as_py()}
                    except UnicodeDecodeError as error:
                        raise CorpusError(f"{place}: not UTF-8, at byte {error.start} of the text") from error
                    yield from documents_of(row, field, place, passed)
                    number += 1
        except pa.ArrowException as error:
            raise CorpusError(f"{path} is damaged after row {number}: {one_line(error)}") from error
