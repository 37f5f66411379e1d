"""Notes: what a researcher keeps of neurons, in a JSON file beside the database, which stays as it is.

{"version": 1,
 "neurons": {"demo/L4N358": {"note": "an idiom", "labels": ["idiom"], "changed": "2026-01-31T12:00:00"}},
 "lists": {"to check": ["demo/L4N358", "demo/L4N12"]}}
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from n2gdb.errors import N2gdbError, QueryError
from n2gdb.storage.kept_file import KeptFile

__all__ = ["Notes"]

_VERSION = 1

#: Characters of a note and of a name; labels of a neuron; neurons of a list; lists.
_LONGEST, _NAME, _LABELS, _LISTED, _LISTS = 10_000, 100, 20, 2_000, 200


class Notes:
    """The file of notes, read anew each time, so that servers and editors may share it."""

    def __init__(self, path: Path) -> None:
        """Take the file's path; it need not be there."""
        self.path = path
        self._file = KeptFile(path, "notes of n2gdb")
        self._guard = threading.Lock()

    @property
    def is_writable(self) -> bool:
        """Whether a change could be kept."""
        return os.access(self.path if self.path.exists() else self.path.parent, os.W_OK) and os.access(
            self.path.parent, os.W_OK
        )

    def read(self) -> dict[str, Any]:
        """Return what is kept; raise StorageError for a file that is not of notes."""
        kept = self._file.read()
        if kept is None:
            return {"version": _VERSION, "neurons": {}, "lists": {}}
        if not _are_notes(kept):
            raise self._file.unsound("it says something else")
        return dict(kept)

    def change(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Make one change and return what is kept then.

        ``{"neuron": "demo/L4N358", "note": "...", "labels": [...]}`` notes a neuron, an empty note without
        labels forgets it; ``{"list": "to check", "neurons": [...]}`` keeps a list, an empty one forgets it.
        """
        if not self.is_writable:
            raise N2gdbError(f"the notes cannot be written to {self.path.name}: its folder is read-only")
        with self._guard, self._file.changing():
            kept = self.read()
            if "neuron" in asked:
                _note(kept["neurons"], asked)
            elif "list" in asked:
                _keep_list(kept["lists"], asked)
            else:
                raise QueryError("a change must name a neuron or a list")
            self._file.write(kept)
        return kept


def _are_notes(kept: Any) -> bool:
    return (
        isinstance(kept, dict)
        and kept.get("version") == _VERSION
        and isinstance(kept.get("neurons"), dict)
        and isinstance(kept.get("lists"), dict)
    )


def _note(neurons: dict[str, Any], asked: Mapping[str, Any]) -> None:
    name = _text("neuron", asked["neuron"], _NAME * 2)
    note = _text("note", asked.get("note", ""), _LONGEST, empty=True)
    labels = _texts("labels", asked.get("labels", []), _LABELS, _NAME)
    if note or labels:
        changed = datetime.now(UTC).isoformat(timespec="seconds")
        neurons[name] = {"note": note, "labels": labels, "changed": changed}
    else:
        neurons.pop(name, None)


def _keep_list(lists: dict[str, Any], asked: Mapping[str, Any]) -> None:
    name = _text("list", asked["list"], _NAME)
    listed = _texts("neurons", asked.get("neurons", []), _LISTED, _NAME * 2)
    if not listed:
        lists.pop(name, None)
    elif name not in lists and len(lists) >= _LISTS:
        raise QueryError(f"there are {_LISTS} lists, and no more fit: delete one first")
    else:
        lists[name] = listed


def _text(what: str, value: Any, most: int, *, empty: bool = False) -> str:
    if not isinstance(value, str) or len(value) > most or not (empty or value.strip()):
        raise QueryError(f"{what} must be text of up to {most:,} characters")
    return value.strip()


def _texts(what: str, values: Any, most: int, longest: int) -> list[str]:
    if not isinstance(values, list) or len(values) > most:
        raise QueryError(f"{what} must be a list of up to {most:,} texts")
    return list(dict.fromkeys(_text(what, value, longest) for value in values))
