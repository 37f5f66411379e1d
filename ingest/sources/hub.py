"""Dictionaries on the Hugging Face hub: lists a repository and downloads what is needed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from n2gdb.errors import ModelError, one_line

__all__ = ["ADDRESS", "fetch", "wanted_files"]

#: ``owner/repository``, a folder in it, and a revision.
ADDRESS = re.compile(r"([\w.-]+/[\w.-]+)(?:[/:]([^@]+))?(?:@([\w./-]+))?")

#: Seconds that the hub has to answer before it counts as out of reach.
_PATIENCE = 4.0

#: Dictionaries that one address may stand for: a repository of more holds hundreds of gigabytes.
_MOST = 64

#: What a dictionary is made of; a repository holds other things too.
_SUFFIXES = frozenset({".json", ".yaml", ".safetensors", ".npz"})


def fetch(
    repository: str, folder: str, revision: str | None, holds: Callable[[frozenset[str]], bool]
) -> tuple[Path, str]:
    """Download the dictionaries in a folder of a repository; return where its root lies, and the commit.

    ``holds`` tells by the names of its files whether a folder is a dictionary's. What lies in the local
    cache is taken from there where the hub cannot be reached. Raises ModelError in one line.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        listed = HfApi().model_info(repository, revision=revision, timeout=_PATIENCE).siblings or []
        wanted = wanted_files([file.rfilename for file in listed], folder, holds, repository)
        root = snapshot_download(repository, revision=revision, allow_patterns=wanted)
    except GatedRepoError as error:
        raise ModelError(
            f"{repository} is gated on the Hugging Face hub: accept its terms and log in"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelError(
            f"{repository}: the Hugging Face hub has no such repository, and there is no such folder here"
        ) from error
    except ModelError:
        raise
    except Exception as error:  # whatever the transport raises, the hub is out of reach
        root = _cached(repository, revision, error)
    return Path(root), Path(root).name


def wanted_files(
    listed: Iterable[str], folder: str, holds: Callable[[frozenset[str]], bool], repository: str
) -> list[str]:
    """Choose the files of the dictionaries in a folder, and the configurations above them.

    Raises ModelError where there is none, or more than one address may mean.
    """
    by_folder = defaultdict[PurePosixPath, list[PurePosixPath]](list)
    for path in map(PurePosixPath, listed):
        if path.suffix in _SUFFIXES:
            by_folder[path.parent].append(path)
    top = PurePosixPath(folder)
    chosen = {
        place: files
        for place, files in by_folder.items()
        if place.is_relative_to(top) and holds(frozenset(path.name for path in files))
    }
    if not chosen:
        raise ModelError(f"{repository} holds no dictionary that can be read in {folder or 'it'}")
    if len(chosen) > _MOST:
        some = ", ".join(map(str, sorted(chosen)[:3]))
        raise ModelError(
            f"{repository}/{folder} holds {len(chosen)} dictionaries: name a folder of it, such as {some}"
        )
    above = {parent for place in chosen for parent in place.parents}
    beside = [
        path
        for place in above - set(chosen)
        for path in by_folder.get(place, [])
        if path.name in ("config.json", "config.yaml")
    ]
    return sorted(str(path) for path in [*(path for files in chosen.values() for path in files), *beside])


def _cached(repository: str, revision: str | None, failure: Exception) -> str:
    from huggingface_hub import snapshot_download

    try:
        return str(snapshot_download(repository, revision=revision, local_files_only=True))
    except Exception:
        raise ModelError(
            f"{repository}: the Hugging Face hub cannot be reached ({one_line(failure, 80)}); "
            "a local folder works too: --sae ./my-sae"
        ) from failure
