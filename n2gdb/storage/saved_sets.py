"""Saved sets: named lists of units, in a JSON file beside the database, which itself is only read."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from n2gdb.errors import ArgumentError, StorageError, UnknownNameError

__all__ = ["read_sets", "saved_set", "sets_file", "write_set"]


def sets_file(database: Path) -> Path:
    """Return where the saved sets of a database lie."""
    return database.with_name(f"{database.name}.sets.json")


def read_sets(database: Path) -> dict[str, tuple[str, ...]]:
    """Return the saved sets of a database: units as queries write them, by the name of the set."""
    path = sets_file(database)
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
        return {str(name): tuple(map(str, units)) for name, units in found.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise StorageError(f"{path} does not hold saved sets ({error}): mend or remove it") from error


def write_set(database: Path, name: str, units: Sequence[str]) -> None:
    """Save units under a name, in place of what that held; no units remove the name.

    Raises ArgumentError for a name that no query could write, StorageError where the file cannot be written.
    """
    if re.fullmatch(r"[A-Za-z_]\w*", name) is None:
        raise ArgumentError(f"{name!r} cannot name a set: write letters, digits and _, as in mine")
    sets = read_sets(database)
    sets.pop(name.lower(), None)
    if units:
        sets[name.lower()] = tuple(dict.fromkeys(units))
    path = sets_file(database)
    beside = path.with_suffix(".writing")
    try:
        beside.write_text(json.dumps(sets, indent=1, ensure_ascii=False), "utf-8")
        beside.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written ({error.strerror})") from error


def saved_set(database: Path, name: str) -> tuple[str, ...]:
    """Return the units of a saved set; raise UnknownNameError where there is none of the name."""
    sets = read_sets(database)
    if name.lower() not in sets:
        there = (
            f"there are {', '.join(f'${each}' for each in sorted(sets))}" if sets else "none was saved yet"
        )
        raise UnknownNameError(f"no saved set ${name}: {there}", tuple(sorted(sets)))
    return sets[name.lower()]
