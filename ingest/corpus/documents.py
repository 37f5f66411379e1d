"""Documents of a corpus: read one by one from files, standard input or a data set."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Self, cast

from n2gdb.errors import CorpusError, MissingDependencyError, one_line
from n2gdb.ingest.corpus.files import FORMS, kind_of, read_file, read_stream
from n2gdb.ingest.corpus.rows import PassedOver, documents_of
from n2gdb.ingest.corpus.windows import Windows
from n2gdb.ingest.homes import at_home
from n2gdb.ingest.models.native import demo_directory

__all__ = ["PassedOver", "Windows", "is_data_set", "read_documents"]

#: Names standard input.
_STANDARD_INPUT = "-"

#: Seconds that the hub has to answer before it counts as out of reach.
_PATIENCE = 4.0

_DATA_SET = re.compile(r"(?P<name>[^:@]+)(:(?P<configuration>[^@]+))?(@(?P<revision>.+))?")


def read_documents(
    source: str | Path, field: str = "text", passed: PassedOver | None = None, shuffle: int | None = None
) -> Iterator[str]:
    """Yield the documents of a corpus; one of more than a million characters comes as several.

    ``source`` is ``demo``; a .txt file, which is one document; a .jsonl, .ndjson, .json or .parquet file, one
    document a row, under ``field``; a directory of such files; ``-``, standard input; or a data set of the
    Hugging Face hub, ``NAME[:CONFIGURATION][@REVISION]``. Text and JSON may be compressed: .gz, .zst, .bz2,
    .xz. Rows without text are passed over, and counted in ``passed``. ``shuffle`` seeds the order of a data
    set's files. Raises CorpusError, which names the place, when it cannot be read.
    """
    text, path = str(source), at_home(source)
    passed = PassedOver() if passed is None else passed
    if text == "demo":
        yield from read_file(demo_directory() / "corpus.jsonl.gz", field, passed)
    elif text == _STANDARD_INPUT:
        yield from read_stream(_standard_input(), "standard input", field, passed)
    elif path.is_dir():
        yield from _read_directory(path, field, passed)
    elif path.exists():
        yield from read_file(path, field, passed)
    elif not is_data_set(text):
        raise CorpusError(f"{text}: there is no such file or directory")
    else:
        yield from _read_data_set(_DataSet.named(text), field, passed, shuffle)


def is_data_set(source: str) -> bool:
    """Whether a corpus can only be a data set of the hub: neither here, nor written like a file's path."""
    path = at_home(source)
    if source in ("demo", _STANDARD_INPUT) or path.exists() or path.is_symlink():
        return False
    name = re.split("[:@]", source, maxsplit=1)[0]
    return not (kind_of(path) or source.startswith((".", "/", "~")) or name.count("/") > 1)


def _standard_input() -> BufferedReader:
    if sys.stdin is None or sys.stdin.isatty():
        raise CorpusError("--corpus - reads standard input: pipe a text or JSON lines into it")
    return cast(BufferedReader, sys.stdin.buffer)


def _read_directory(directory: Path, field: str, passed: PassedOver) -> Iterator[str]:
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and kind_of(path))
    if not paths:
        raise CorpusError(f"{directory} holds no {FORMS} files")
    for path in paths:
        yield from read_file(path, field, passed)


@dataclass(frozen=True, slots=True)
class _DataSet:
    """A data set of the hub; None if the hub's own choice is taken."""

    name: str
    configuration: str | None
    revision: str | None

    @classmethod
    def named(cls, text: str) -> Self:
        found = _DATA_SET.fullmatch(text)
        if found is None:
            raise CorpusError(f"{text}: a data set is written NAME, NAME:CONFIGURATION or NAME@REVISION")
        return cls(found["name"], found["configuration"], found["revision"])


def _read_data_set(of: _DataSet, field: str, passed: PassedOver, shuffle: int | None) -> Iterator[str]:
    _require_data_set(of)
    try:
        import datasets
    except ImportError as error:
        raise MissingDependencyError(
            f"{of.name}: reading from the hub needs another package: run pip install datasets"
        ) from error
    try:
        named = (of.name,) if of.configuration is None else (of.name, of.configuration)
        at = {} if of.revision is None else {"revision": of.revision}
        rows: Any = datasets.load_dataset(*named, split="train", streaming=True, **at)
        if shuffle is not None:
            rows = rows.shuffle(seed=shuffle, buffer_size=1)  # the order of its files; the rest is the draw's
        for number, row in enumerate(rows):
            yield from documents_of(row, field, f"{of.name}, row {number}", passed)
    except CorpusError:
        raise
    except Exception as error:  # network and format errors of several libraries
        hint = "; name a configuration as NAME:CONFIGURATION" if "onfig" in str(error) else ""
        reason = one_line(error)
        raise CorpusError(f"{of.name} cannot be read from the Hugging Face hub: {reason}{hint}") from error


def _require_data_set(of: _DataSet) -> None:
    """Ask the hub once for the data set, so that a missing one costs seconds and not a chain of retries."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    hint = "a local file works too: --corpus FILE"
    try:
        HfApi().dataset_info(of.name, revision=of.revision, timeout=_PATIENCE)
    except RevisionNotFoundError as error:
        raise CorpusError(f"{of.name}: the hub has this data set, but no revision {of.revision}") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise CorpusError(
            f"{of.name}: no such file, and the Hugging Face hub has no such data set; {hint}"
        ) from error
    except Exception as error:  # whatever the transport raises, the hub is out of reach
        raise CorpusError(
            f"{of.name}: no such file, and the Hugging Face hub cannot be reached; {hint}"
        ) from error
