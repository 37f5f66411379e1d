"""SAELens' names of releases: where on the hub the dictionary lies that ``gpt2-small-res-jb/ID`` means.

The names are in ``releases.tsv``, a table of those that SAELens knows (tests/fixtures/make_releases.py).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from n2gdb.errors import ModelError

__all__ = ["Released", "near_release", "release_names", "released"]

#: Stands before the name of a format that n2gdb does not read.
_UNREAD = "!"


@dataclass(frozen=True, slots=True)
class Released:
    """A dictionary, or all of a release."""

    repository: str
    folder: str
    """In the repository; empty for all of it."""
    name: str
    """What its source is called; empty where the release does not say."""
    factor: float | None
    """What activations are multiplied by, where the file does not say and the release does."""


@dataclass(frozen=True, slots=True)
class _Release:
    repository: str
    name: str
    prefix: str
    others: dict[str, tuple[str, float | None]] = field(default_factory=dict)


def released(place: str) -> Released | None:
    """Find what a release's name, or ``RELEASE/ID``, stands for; None where it begins with no such name.

    Raises ModelError for a release in a format that cannot be read.
    """
    release, _, wanted = place.partition("/")
    found = _releases().get(release)
    if found is None:
        return None
    if found.prefix.startswith(_UNREAD):
        raise ModelError(f"{release} is in the format {found.prefix[1:]}, which n2gdb does not read")
    folder, factor = found.others.get(wanted, (f"{found.prefix}{wanted}", None))
    return Released(found.repository, folder.rstrip("/"), found.name, factor)


def release_names() -> list[str]:
    """Return the names of the releases that can be read."""
    return sorted(name for name, each in _releases().items() if not each.prefix.startswith(_UNREAD))


def near_release(place: str) -> str | None:
    """Return the name of a release that is nearest to what was written, if one is."""
    near = difflib.get_close_matches(place.partition("/")[0], _releases(), n=1, cutoff=0.8)
    return near[0] if near else None


@cache
def _releases() -> Mapping[str, _Release]:
    text = (resources.files("n2gdb.ingest.sources") / "releases.tsv").read_text(encoding="utf-8")
    found: dict[str, _Release] = {}
    last = _Release("", "", "")
    for line in text.splitlines():
        first, *rest = line.split("\t")
        if first:
            repository, name, prefix = rest
            last = found[first] = _Release(repository, name, prefix)
        else:
            sae, path, factor = rest
            last.others[sae] = (path, float(factor) if factor else None)
    return found
