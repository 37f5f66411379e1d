"""Saved sets: named lists of units, in a JSON file beside the database, which itself is only read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from n2gdb.errors import ArgumentError, UnknownNameError
from n2gdb.storage.kept_file import KeptFile

__all__ = ["read_sets", "saved_set", "sets_file", "write_set"]


def sets_file(database: Path) -> KeptFile:
    """Return where the saved sets of a database lie."""
    return KeptFile(database.with_name(f"{database.name}.sets.json"), "saved sets")


def read_sets(database: Path) -> dict[str, tuple[str, ...]]:
    """Return the saved sets of a database: units as queries write them, by the name of the set."""
    file = sets_file(database)
    kept = file.read()
    if kept is None:
        return {}
    if not isinstance(kept, dict):
        raise file.unsound("it is not an object")
    for name, units in kept.items():
        if not isinstance(units, list) or not units or not all(isinstance(unit, str) for unit in units):
            raise file.unsound(f"{name[:60]!r} is not a list of neurons")
    return {name: tuple(units) for name, units in kept.items()}


def write_set(database: Path, name: str, units: Sequence[str]) -> None:
    """Save units under a name, in place of what that held; no units remove the name.

    Raises ArgumentError for a name that no query could write, StorageError where the file cannot be written.
    """
    if re.fullmatch(r"[A-Za-z_]\w*", name) is None:
        raise ArgumentError(f"{name!r} cannot name a set: write letters, digits and _, as in mine")
    file = sets_file(database)
    with file.changing():
        sets = read_sets(database)
        sets.pop(name.lower(), None)
        if units:
            sets[name.lower()] = tuple(dict.fromkeys(units))
        file.write(sets)


def saved_set(database: Path, name: str) -> tuple[str, ...]:
    """Return the units of a saved set; raise UnknownNameError where there is none of the name."""
    sets = read_sets(database)
    if name.lower() not in sets:
        there = (
            f"there are {', '.join(f'${each}' for each in sorted(sets))}" if sets else "none was saved yet"
        )
        raise UnknownNameError(f"no saved set ${name}: {there}", tuple(sorted(sets)))
    return sets[name.lower()]
