"""Plain values for JSON: every token text together with its display form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from n2gdb.core.paths import PathStep, readable, written
from n2gdb.core.tokens import display
from n2gdb.errors import N2gdbError, QueryError, UnknownNameError

__all__ = ["exact", "plain_error", "plain_path", "plain_record"]


def plain_path(steps: Iterable[PathStep]) -> dict[str, Any]:
    """Return a path, in text order."""
    listed = readable(list(steps))
    return {"text": written(listed), "steps": [_shown(step.as_dict()) for step in listed]}


def plain_record(record: Any) -> dict[str, Any]:
    """Return a record of an answer: a Hit, PatternHit, GroupCount, TokenHit or Stage."""
    plain: dict[str, Any] = record.as_dict()
    if "evidence" in plain:
        plain["evidence"] = [
            {"clause": found.clause, "activation": found.activation, "path": plain_path(found.path)}
            for found in record.evidence
        ]
    if "steps" in plain:
        plain["path"] = plain_path(record.steps)
        del plain["steps"]
    for name in ("token", "group"):
        if isinstance(plain.get(name), str):
            plain["shown"] = display(plain[name])
    return plain


#: The largest whole number up to which a browser tells each from the next.
_EXACT = 2**53 - 1


def exact(value: Any) -> Any:
    """Return a value of JSON with its largest whole numbers as ``{"integer": "9007199254740993"}``.

    A browser reads every number as a double, which rounds the 64 bits of a key.
    """
    match value:
        case bool() | str() | float() | None:
            return value
        case int():
            return value if abs(value) <= _EXACT else {"integer": str(value)}
        case dict():
            return {name: exact(each) for name, each in value.items()}
        case list() | tuple():
            return [exact(each) for each in value]
        case _:
            return value


def plain_error(error: N2gdbError) -> dict[str, Any]:
    """Return what an error says, and where in a query it stands."""
    plain: dict[str, Any] = {"message": str(error)}
    if isinstance(error, QueryError):
        plain["message"] = error.message
        if error.is_placed:
            plain |= {"line": error.line, "column": error.column}
    if isinstance(error, UnknownNameError) and error.near:
        plain["hint"] = f"there is {', '.join(error.near)}"
    return plain


def _shown(step: Mapping[str, Any]) -> dict[str, Any]:
    return {**step, "shown": "_" if step["text"] is None else display(step["text"])}
