"""Rows of a corpus: each has text, or is skipped, or is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from n2gdb.errors import CorpusError
from n2gdb.ingest.corpus.cutting import cut_text

__all__ = ["LONGEST_DOCUMENT", "PassedOver", "documents_of", "missing_field"]

#: Characters of a document; a longer one is taken as several.
LONGEST_DOCUMENT = 1 << 20


@dataclass(slots=True)
class PassedOver:
    """How many rows gave no document: counted while a corpus is read."""

    empty: int = 0
    """Rows that are null, or hold null, nothing, or nothing but space."""
    long: int = 0
    """Lines too long to be held in memory."""


def documents_of(row: object, field: str, place: str, passed: PassedOver) -> Iterator[str]:
    """Yield the text of a row, as one document or, if it is very long, as several.

    Raises CorpusError, which names the place, for a row that holds something else than text.
    """
    if row is None or row == {}:
        passed.empty += 1
        return
    if not isinstance(row, Mapping):
        raise CorpusError(f"{place}: a JSON object was expected, as {{{json.dumps(field)}: …}}")
    if field not in row:
        raise missing_field(field, [str(name) for name in row], place)
    text = _text(row[field], field, place)
    if not text.strip():
        passed.empty += 1
        return
    yield from cut_text([text], LONGEST_DOCUMENT)


def missing_field(field: str, fields: list[str], place: str) -> CorpusError:
    """Say which fields there are instead."""
    there = ", ".join(fields) or "none"
    return CorpusError(f"{place}: there is no field {field!r}; choose with --field among: {there}")


def _text(value: Any, field: str, place: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CorpusError(f"{place}: field {field!r} holds {type(value).__name__}, not text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(value[error.start]):04x}"
        raise CorpusError(
            f"{place}: field {field!r} holds half a character, {half}, no text: mend or remove the row"
        ) from error
    return value
