"""Answers as files: JSON, JSON lines, CSV or Parquet, chosen by the ending of the name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from n2gdb.cli.output.written_file import check_written, write_text_file, written_file
from n2gdb.errors import UsageError

if TYPE_CHECKING:
    from n2gdb.query.answer import Answer

__all__ = ["check_answer_file", "write_answer"]

_ENDINGS = (".json", ".jsonl", ".csv", ".parquet")


def check_answer_file(path: Path, *, force: bool, reads: Iterable[Path | None]) -> None:
    """See that an answer can be written to a file, before it is asked for."""
    if path.suffix.lower() not in _ENDINGS:
        raise UsageError(f"{path}: the name must end in {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}")
    check_written(path, force=force, reads=reads)


def write_answer(path: Path, answer: Answer[Any], *, force: bool, reads: Iterable[Path | None]) -> None:
    """Write an answer to a file, which takes its name only when it is whole."""
    if path.suffix.lower() == ".parquet":
        with written_file(path, force=force, reads=reads) as partial:
            answer.to_parquet(partial, overwrite=True)
        return
    write_text_file(path, _text(path.suffix.lower(), answer), force=force, reads=reads)


def _text(ending: str, answer: Answer[Any]) -> str:
    if ending == ".csv":
        return answer.to_csv()
    if ending == ".json":
        return json.dumps(answer.to_dicts(), ensure_ascii=False, indent=2) + "\n"
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in answer.to_dicts())
