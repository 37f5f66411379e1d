"""Finds dictionaries in any known format: in a folder, a file, or on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from n2gdb.errors import ModelError
from n2gdb.ingest.homes import at_home
from n2gdb.ingest.sources.circuit_tracer import LAYER_FILE, read_circuit_tracer, read_layer_file
from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.gemma_scope import (
    GEMMA_SCOPE_2_FILES,
    GEMMA_SCOPE_FILES,
    read_gemma_scope,
    read_gemma_scope_2,
)
from n2gdb.ingest.sources.hub import ADDRESS, fetch
from n2gdb.ingest.sources.releases import Released, near_release, released
from n2gdb.ingest.sources.saelens import SAELENS_FILES, read_saelens
from n2gdb.ingest.sources.sparsify import SPARSIFY_FILES, read_sparsify

__all__ = ["FORMATS", "DictionaryFormat", "read_dictionaries"]

Reader = Callable[[Path, str, str], list[Dictionary]]

#: ``NAME=`` before the place.
_SPEC = re.compile(r"(?:([A-Za-z0-9][\w.-]*)=)?(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DictionaryFormat:
    """How dictionaries are written in a folder, and what reads them."""

    name: str
    holds: Callable[[frozenset[str]], bool]
    """Whether a folder with files of these names is one."""
    read: Reader
    """Takes the folder, where it came from, and its revision."""


def _all_of(*names: str) -> Callable[[frozenset[str]], bool]:
    return lambda files: files.issuperset(names)


#: Every format, in the order in which a folder is tried. Another is one entry here and its reader.
FORMATS = (
    DictionaryFormat("SAELens", _all_of(*SAELENS_FILES), read_saelens),
    DictionaryFormat("sparsify", _all_of(*SPARSIFY_FILES), read_sparsify),
    DictionaryFormat("Gemma Scope", _all_of(*GEMMA_SCOPE_FILES), read_gemma_scope),
    DictionaryFormat("Gemma Scope 2", _all_of(*GEMMA_SCOPE_2_FILES), read_gemma_scope_2),
    DictionaryFormat(
        "circuit-tracer", lambda files: any(map(LAYER_FILE.fullmatch, files)), read_circuit_tracer
    ),
)


def read_dictionaries(spec: str) -> list[Dictionary]:
    """Read the dictionaries that a place holds, in the order of layers; raise ModelError in one line.

    ``spec`` is a folder (of one dictionary, or of folders of them), a circuit-tracer layer's file, or a
    repository on the Hugging Face hub with a folder in it, ``owner/repository/folder@revision``, or a release
    as SAELens calls it, with an id: ``gpt2-small-res-jb/blocks.6.hook_resid_pre``.
    ``NAME=`` before it names the source, as in ``res-jb=./gpt2-res``.
    """
    name, place = _parted(spec)
    path = at_home(place)
    if path.is_file():
        found = read_layer_file(path, str(path.resolve()))
    elif path.is_dir():
        found = _read_below(path, str(path.resolve()))
    elif place.startswith((".", "/", "~")):
        raise ModelError(f"{place}: there is no such folder")
    elif (release := released(place)) is not None:
        found = [_as_released(one, release) for one in _fetched(release.repository, release.folder, None)]
    elif (address := ADDRESS.fullmatch(place)) and near_release(place) is None:
        found = _fetched(address[1], (address[2] or "").strip("/"), address[3])
    else:
        near = near_release(place)
        hint = f"; did you mean SAELens' release {near}?" if near else ""
        raise ModelError(f"{place}: there is no such folder{hint}")
    named = [replace(one, name=name) for one in found] if name else found
    return sorted(named, key=lambda one: (one.layer, one.name))


def _fetched(repository: str, folder: str, revision: str | None) -> list[Dictionary]:
    top, commit = fetch(repository, folder, revision, holds_dictionary)
    return _read_below(top / folder, f"{repository}/{folder}".rstrip("/"), commit)


def _as_released(found: Dictionary, release: Released) -> Dictionary:
    """A dictionary with what its release knows of it and its files do not say."""
    name = release.name or found.name
    if release.factor is None or found.normalisation != "factor" or found.factor != 1:
        return replace(found, name=name)
    return replace(found, name=name, factor=release.factor, fingerprint="")


def holds_dictionary(files: frozenset[str]) -> bool:
    """Whether a folder with files of these names is a dictionary's."""
    return any(form.holds(files) for form in FORMATS)


def _parted(spec: str) -> tuple[str | None, str]:
    """Part ``NAME=PLACE``; a place alone may hold an equals sign behind a slash."""
    found = _SPEC.fullmatch(spec.strip())
    if found is None:
        raise ModelError("--sae names no dictionary: give a folder, or owner/repository/folder on the hub")
    return found[1], found[2]


def _read_below(folder: Path, origin: str, revision: str = "") -> list[Dictionary]:
    """Read a folder, or the folders below it where it is none of a dictionary itself."""
    found = list(_read_each(folder, origin, revision))
    if not found:
        names = ", ".join(form.name for form in FORMATS)
        raise ModelError(f"{origin} holds no dictionary that can be read: formats are {names}")
    return found


def _read_each(folder: Path, origin: str, revision: str) -> Iterator[Dictionary]:
    entries = sorted(folder.iterdir())
    files = frozenset(path.name for path in entries if path.is_file())
    form = next((form for form in FORMATS if form.holds(files)), None)
    if form is not None:
        yield from form.read(folder, origin, revision)
        return
    for path in entries:
        if path.is_dir() and not path.name.startswith("."):
            yield from _read_each(path, f"{origin}/{path.name}", revision)
