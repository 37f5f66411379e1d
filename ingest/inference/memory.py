"""Memory budget: what an ingest may take beside the model, whatever the size of corpus and model.

The scan keeps the strongest windows of every neuron: as many layers at once as fit, each group of them in a
pass over the corpus of its own. Prompts are run in batches that fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import psutil
import torch

from n2gdb.errors import IngestError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.models.subject import SubjectModel

__all__ = [
    "PARTS_TOGETHER",
    "bytes_for",
    "layer_groups",
    "place_groups",
    "prompt_bytes",
    "prompt_tokens",
    "record_bytes",
    "text_bytes",
    "window_batch",
]

#: Share of what is free on a device that is taken unless said otherwise.
_SHARE = 0.5

#: Batches under way at once: what cores work on, and what waits to be taken up.
_UNDER_WAY = 4

#: Tokens of a batch of prompts: on a CPU as many as its caches hold, else as many as keep it busy.
_PROMPT_TOKENS = {"cpu": 1 << 10, "mps": 1 << 14, "cuda": 1 << 16}

#: Tokens of a batch of windows, which share nothing.
_WINDOW_TOKENS = {"cpu": 1 << 11, "mps": 1 << 13, "cuda": 1 << 14}

#: Parts of a dictionary that are scanned in one pass: more of them take more memory and no less time.
PARTS_TOGETHER = 2

#: Entries of a unit's record, at most; bytes of one while it is sorted in; and on one in how many positions
#: a unit is reckoned to have one.
_RECORD_ENTRIES, _RECORD_ENTRY, _RARELY = 5 * 1024 + 8 * 256, 40, 32

#: Bytes of a position of a corpus that units are measured on: see ``text_bytes``.
_COUNTS, _PLACE, _AHEAD = 1, 4, 4

_SMALLEST = 64
_FLOAT = 4


def bytes_for(device: torch.device, most: int | None = None) -> int:
    """Bytes that an ingest may take on a device: ``most``, or half of what is free there."""
    if most is not None:
        return most
    if device.type == "cuda":
        return int(_SHARE * torch.cuda.mem_get_info(device)[0])
    return int(_SHARE * psutil.virtual_memory().available)


def window_batch(device: str, width: int) -> int:
    """Windows of ``width`` tokens that a pass over text runs at once on a kind of device."""
    return max(1, _WINDOW_TOKENS[device] // width)


def record_bytes(positions: int) -> int:
    """Bytes that the record of one unit takes, of so many positions of a corpus: at last 287 kB, no more.

    Before its bins are full it is reckoned that the unit reaches an eighth of its maximum on one in 32.
    """
    return _RECORD_ENTRY * min(_RECORD_ENTRIES, positions // _RARELY)


def text_bytes(positions: int) -> int:
    """Bytes that a corpus of so many positions takes while units are measured on it, its windows aside.

    Of each position: whether it counts, its place among those of its token, and how far ahead this stands
    next. The windows themselves are read from disk as they are needed.
    """
    return (_COUNTS + (_PLACE if positions < 1 << 32 else 2 * _PLACE) + _AHEAD) * positions


def prompt_bytes(most: int, positions: int, device: str) -> int:
    """Bytes that batches of prompts may take, of ``most``, while units are learned from a corpus.

    The corpus lies beside them on a CPU; it never lies on another device. Raises IngestError where it does
    not fit.
    """
    left = most - text_bytes(positions) if device == "cpu" else most
    if left <= 0:
        raise IngestError(
            f"{positions:,} positions of a corpus take {_megabytes(text_bytes(positions))} while units are "
            f"learned from them, but may take {_megabytes(most)}: allow twice as much as they take with "
            "--max-memory, or learn from less text with --tokens"
        )
    return left


def layer_groups(
    layers: Sequence[int],
    d_mlp: int,
    width: int,
    config: N2GConfig,
    device: str,
    most: int,
    positions: int = 0,
) -> list[tuple[int, ...]]:
    """Part layers into groups whose scan takes no more than ``most`` bytes on a kind of device.

    Records of ``positions`` of the corpus are among these bytes on a CPU; they never lie on another device.
    Raises IngestError where one layer takes more.
    """
    kept = config.top_k * config.candidates * (width + 3)
    under_way = _UNDER_WAY * window_batch(device, width) * width
    layer = d_mlp * ((kept + under_way) * _FLOAT + (record_bytes(positions) if device == "cpu" else 0))
    if layer > most:
        raise IngestError(
            f"the scan of one layer takes {_megabytes(layer)}, but may take {_megabytes(most)}: "
            f"allow it with --max-memory {_megabytes(layer)} or more"
        )
    size = most // layer
    return [tuple(layers[start : start + size]) for start in range(0, len(layers), size)]


def place_groups(
    model: SubjectModel,
    places: Sequence[int],
    width: int,
    config: N2GConfig,
    device: str,
    most: int,
    positions: int = 0,
) -> list[tuple[int, ...]]:
    """Part places of a model's units as ``layer_groups`` does: those of as many units together.

    Of a dictionary few parts are scanned in one pass, whatever the memory: their activations are dense.
    """
    groups = []
    for (units, of_latents), alike in groupby(sorted(places, key=lambda place: _like(model, place)),
                                              key=lambda place: _like(model, place)):  # fmt: skip
        for group in layer_groups(list(alike), units, width, config, device, most, positions):
            size = PARTS_TOGETHER if of_latents else len(group)
            groups += [group[start : start + size] for start in range(0, len(group), size)]
    return groups


def _like(model: SubjectModel, place: int) -> tuple[int, bool]:
    """How many units a place has, and whether it is a part of a source: (units, part)."""
    found = model.at(place)
    return found.n_units, not found.is_mlp


def prompt_tokens(model: SubjectModel, most: int) -> int:
    """Tokens of a batch of prompts of which so many bytes hold all that are under way."""
    a_token = (5 * model.d_mlp + 10 * model.d_model) * _FLOAT
    return max(_SMALLEST, min(_PROMPT_TOKENS[model.device.type], most // _UNDER_WAY // a_token))


def _megabytes(size: int) -> str:
    return f"{-(-size // 10**6)}MB"
