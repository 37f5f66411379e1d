"""The corpus: documents out of files or a data set, one after the other, never all at once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from n2gdb.errors import CorpusError, one_line
from n2gdb.ingest.corpus.windows import Windows
from n2gdb.ingest.models.native import demo_directory

__all__ = ["Windows", "read_documents"]

_KINDS = (".txt", ".jsonl", ".parquet")
_FORMS = ".txt, .jsonl (each also .gz) or .parquet"

#: Seconds that the hub has to answer before it counts as out of reach.
_PATIENCE = 4.0

#: Rows of a parquet file that are in memory at a time.
_ROWS = 1024


def read_documents(source: str | Path, field: str = "text") -> Iterator[str]:
    """Yield the documents of a corpus.

    ``source`` is ``demo``; a .txt file, which is one document; a .jsonl or .parquet file, one document a
    row, under ``field``; a directory of such files; or the name of a Hugging Face data set. Text and
    JSON may be gzipped. Raises CorpusError, which names the place, when it cannot be read.
    """
    text, path = str(source), Path(source).expanduser()
    if text == "demo":
        yield from _read_file(demo_directory() / "corpus.jsonl.gz", field)
    elif path.is_dir():
        yield from _read_directory(path, field)
    elif path.exists():
        yield from _read_file(path, field)
    elif _kind(path) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise CorpusError(f"{text}: there is no such file or directory")
    else:
        yield from _read_data_set(text, field)


def _kind(path: Path) -> str:
    """Suffix that says how to read a file, without .gz; empty for any other."""
    name = path.name.lower()
    return next((kind for kind in _KINDS if name.removesuffix(".gz").endswith(kind)), "")


def _read_directory(directory: Path, field: str) -> Iterator[str]:
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and _kind(path))
    if not paths:
        raise CorpusError(f"{directory} holds no {_FORMS} files")
    for path in paths:
        yield from _read_file(path, field)


def _read_file(path: Path, field: str) -> Iterator[str]:
    kind = _kind(path)
    try:
        if kind == ".parquet":
            yield from _read_parquet(path, field)
        elif kind:
            with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
                yield from _read_lines(file, path, field) if kind == ".jsonl" else _read_text(file, path)
        else:
            raise CorpusError(f"{path}: unknown kind of file; a corpus is {_FORMS}")
    except (gzip.BadGzipFile, EOFError) as error:
        raise CorpusError(f"{path} is damaged: {one_line(error)}") from error
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or one_line(error)}") from error


def _read_text(file: BufferedIOBase, path: Path) -> Iterator[str]:
    raw = file.read()
    try:
        yield raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CorpusError(f"{path}, line {line}: not UTF-8, at byte {error.start}") from error


def _read_lines(file: BufferedIOBase, path: Path, field: str) -> Iterator[str]:
    for number, raw in enumerate(file, 1):
        if not raw.strip():
            continue
        place = f"{path}, line {number}"
        try:
            row = json.loads(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise CorpusError(f"{place}: not UTF-8, at byte {error.start} of the line") from error
        except ValueError as error:
            raise CorpusError(f"{place}: no JSON: {one_line(error)}") from error
        if not isinstance(row, dict):
            raise CorpusError(f"{place}: a JSON object was expected, as {{{json.dumps(field)}: …}}")
        yield _text_of(row, field, place)


def _read_parquet(path: Path, field: str) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise CorpusError(f"{path} is no parquet file: {one_line(error)}") from error
    with file:
        if field not in file.schema_arrow.names:
            raise _missing(field, file.schema_arrow.names, str(path))
        first = 0
        for batch in file.iter_batches(_ROWS, columns=[field]):
            for place, value in enumerate(batch.column(0).to_pylist()):
                yield _text_of({field: value}, field, f"{path}, row {first + place}")
            first += len(batch)


def _read_data_set(name: str, field: str) -> Iterator[str]:
    _require_data_set(name)
    import datasets

    try:
        rows = iter(datasets.load_dataset(name, split="train", streaming=True))
        for number, row in enumerate(rows):
            yield _text_of(row, field, f"{name}, row {number}")
    except CorpusError:
        raise
    except Exception as error:  # network and format errors of several libraries
        raise CorpusError(f"{name} cannot be read from the Hugging Face hub: {one_line(error)}") from error


def _require_data_set(name: str) -> None:
    """Ask the hub once for the data set, so that a missing one costs seconds and not a chain of retries."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    hint = "a local file works too: --corpus FILE"
    try:
        HfApi().dataset_info(name, timeout=_PATIENCE)
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise CorpusError(
            f"{name}: no such file, and the Hugging Face hub has no such data set; {hint}"
        ) from error
    except Exception as error:  # whatever the transport raises, the hub is out of reach
        raise CorpusError(
            f"{name}: no such file, and the Hugging Face hub cannot be reached; {hint}"
        ) from error


def _text_of(row: dict[str, Any], field: str, place: str) -> str:
    if field not in row:
        raise _missing(field, list(row), place)
    text = row[field]
    if not isinstance(text, str):
        raise CorpusError(f"{place}: field {field!r} holds {type(text).__name__}, not text")
    return text


def _missing(field: str, fields: list[str], place: str) -> CorpusError:
    there = ", ".join(fields) or "none"
    return CorpusError(f"{place}: there is no field {field!r}; choose with --field among: {there}")
