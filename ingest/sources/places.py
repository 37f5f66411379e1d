"""Sets of units that an ingest reads: a model's MLPs, other sites of its layers, and latents of dictionaries.

What goes through the pipeline is a place: a part of a source that is small enough to be scanned as a whole.
An MLP is one place, whose number is its layer's; another source is as many as it has parts. The units of a
place are numbered from 0: first those of the positive side, then those of the negative one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from n2gdb.core.arrays import IndexArray, Int64Array
from n2gdb.core.units import (
    MLP,
    MOST_INDICES,
    MOST_LAYERS,
    MOST_SOURCES,
    NEGATIVE,
    POSITIVE,
    SIDES,
    UnitName,
    place_of,
    unit_key,
)
from n2gdb.errors import ModelError, SelectionError
from n2gdb.ingest.sources.dictionary import Dictionary

__all__ = [
    "NEURONS",
    "PART",
    "SIDE_CHOICES",
    "SITES_BY_NAME",
    "SiteOfLayer",
    "UnitPlaceOf",
    "dictionary_places",
    "mlp_place",
    "sides_of",
    "site_name",
    "site_of",
    "unit_number",
]


#: The site of an MLP's neurons in its layer.
NEURONS = "mlp.hook_post"

#: What may be asked for: what fits the activation, one side, or both.
SIDE_CHOICES = ("auto", POSITIVE, NEGATIVE, "both")

#: Other sites by their names: the hook point in its layer, and the kind of source.
SITES_BY_NAME = {
    "resid_pre": ("hook_resid_pre", "residual"),
    "resid_mid": ("hook_resid_mid", "residual"),
    "resid_post": ("hook_resid_post", "residual"),
    "attn_z": ("attn.hook_z", "attention"),
    "attn_out": ("hook_attn_out", "attention"),
    "mlp_in": ("mlp.hook_in", "residual"),
    "mlp_out": ("hook_mlp_out", "residual"),
}

#: Latents of a part of a dictionary: what a scan holds of them is a few hundred megabytes.
PART = 2048

_SOURCE, _PART = 9, 16


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class UnitPlaceOf:
    """Some or all units of one source of one layer."""

    layer: int
    number: int = 0
    """The source's number among those of its layer; 0 is the MLP."""
    name: str = MLP
    kind: str = MLP
    hook: str
    width: int
    """Units of the whole source, on one side."""
    sides: str = POSITIVE
    first: int = 0
    """Index of the first unit that is here."""
    count: int
    """Indices that are here."""
    dictionary: Dictionary | None = None

    @property
    def place(self) -> int:
        """Number of the place in its run."""
        return self.layer | self.number << _SOURCE | (self.first // PART if self.number else 0) << _PART

    @property
    def n_units(self) -> int:
        """How many units are here, on all sides."""
        return self.count * len(self.sides)

    def index(self, unit: IndexArray) -> IndexArray:
        """Index in the source of units of this place: (unit,) -> (unit,)."""
        found: IndexArray = unit % self.count + self.first
        return found

    def side(self, unit: IndexArray) -> IndexArray:
        """Number in SIDES of units of this place: (unit,) -> (unit,)."""
        found: IndexArray = unit // self.count
        return found

    def keys(self, unit: IndexArray) -> Int64Array:
        """Number units of this place among all of the model: (unit,) -> (unit,), as ``units.unit_key``."""
        index, side = self.index(unit).astype(np.int64), self.side(unit).astype(np.int64)
        found: Int64Array = unit_key(0, np.full_like(index, self.layer), index, self.number, side)
        return found

    @property
    def is_mlp(self) -> bool:
        """Whether its units are the neurons of a layer's MLP."""
        return self.number == 0

    def unit_name(self, unit: int) -> UnitName:
        """Name one unit of this place."""
        side = SIDES[unit // self.count]
        latent = not self.is_mlp
        return UnitName(self.layer, unit % self.count + self.first, side, latent, self.name if latent else "")

    def unit(self, index: IndexArray, side: int) -> IndexArray:
        """Number indices of the source on one side among the units of this place: (unit,) -> (unit,)."""
        found: IndexArray = index - self.first + side * self.count
        return found

    def of_hook(self, hook: torch.Tensor) -> torch.Tensor:
        """Activations of every unit here, by what the model computes at the hook: (..., d) -> (..., unit)."""
        if self.dictionary is not None:
            columns = torch.arange(self.first, self.first + self.count, device=hook.device)
            return self.dictionary.encode_columns(hook.flatten(0, 1), columns).view(*hook.shape[:2], -1)
        here = hook[..., self.first : self.first + self.count]
        return torch.cat([here, -here], dim=-1) if NEGATIVE in self.sides else here

    def of_units(self, hook: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
        """Activation of one unit at each position: (position, d), (position,) -> (position,)."""
        if self.dictionary is not None:
            return self.dictionary.gathered(hook, unit + self.first)
        found = hook.gather(1, (unit % self.count + self.first)[:, None])[:, 0]
        return torch.where(unit < self.count, found, -found)

    def row(self, architecture: str, fingerprint: str) -> dict[str, object]:
        """The row of its source: ``schema.SOURCES``; an MLP's architecture and weights are the model's."""
        read = self.dictionary
        return {
            "layer": self.layer,
            "number": self.number,
            "name": self.name,
            "kind": self.kind,
            "site": self.hook,
            "width": self.width,
            "sides": self.sides,
            "architecture": architecture if read is None else read.architecture,
            "origin": "" if read is None else read.origin,
            "revision": "" if read is None else read.revision,
            "fingerprint": fingerprint if read is None else read.fingerprint,
        }


def mlp_place(layer: int, site: str, d_mlp: int, sides: str) -> UnitPlaceOf:
    """The MLP of a layer."""
    return UnitPlaceOf(layer=layer, hook=site.format(layer=layer), width=d_mlp, sides=sides, count=d_mlp)


def unit_number(key: int, d_mlp: int) -> int:
    """Number a neuron among the units of its MLP, by its key in a database."""
    place = place_of(key)
    return place.index + SIDES.index(place.side) * d_mlp


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOfLayer:
    """The basis directions of what a model computes at one more site of a layer."""

    layer: int
    name: str
    """As ``--site`` calls it: resid_post."""
    d_sae: int
    """Numbers of a position there."""
    sides: str
    fingerprint: str
    """Of the model."""

    @property
    def hook(self) -> str:
        """Hook point."""
        return f"blocks.{self.layer}.{SITES_BY_NAME[self.name][0]}"

    @property
    def kind(self) -> str:
        """What kind of source it is, of ``units.KINDS``."""
        return SITES_BY_NAME[self.name][1]

    @property
    def origin(self) -> str:
        """None of its own: it is the model's."""
        return ""


def site_name(text: str) -> str:
    """Read a site's name as people write it: ``resid_post``, ``hook_resid_post``; raise SelectionError."""
    name = text.strip().lower().removeprefix("hook_").replace("-", "_")
    if name not in SITES_BY_NAME:
        raise SelectionError(f"no site is called {text!r}: choose {', '.join(SITES_BY_NAME)}")
    return name


def dictionary_places(
    dictionaries: Sequence[Dictionary | SiteOfLayer], known: Sequence[dict[str, object]] = ()
) -> tuple[UnitPlaceOf, ...]:
    """Number dictionaries, and sites, among the sources of their layers, and part them.

    ``known`` are rows of ``schema.SOURCES`` that a run has already: those keep their numbers. Raises
    SelectionError for two of one name in a layer, or one whose weights are not those that the run knows.
    """
    return tuple(place for number, one in _numbered(dictionaries, known) for place in _parts(one, number))


def _numbered(
    dictionaries: Sequence[Dictionary | SiteOfLayer], known: Sequence[dict[str, object]]
) -> Iterator[tuple[int, Dictionary | SiteOfLayer]]:
    taken = {(row["layer"], row["name"]): row for row in known}
    given: set[tuple[int, str]] = set()
    last: dict[object, int] = {}
    for row in known:
        last[row["layer"]] = max(last.get(row["layer"], 0), int(str(row["number"])))
    for one in dictionaries:
        place = (one.layer, one.name)
        if place in given or one.name == MLP:
            raise SelectionError(
                f"two sources of layer {one.layer} are called {one.name}: "
                f"name one, as in --sae mine={one.origin}"
            )
        given.add(place)
        row = taken.get(place, {})
        if row and row["fingerprint"] != one.fingerprint:
            raise SelectionError(
                f"{one.name} of layer {one.layer} has other weights than the one that was ingested: "
                f"give this one another name, as in --sae mine={one.origin}"
            )
        number = int(str(row["number"])) if row else last.get(one.layer, 0) + 1
        last[one.layer] = max(last.get(one.layer, 0), number)
        if one.layer >= MOST_LAYERS or number >= MOST_SOURCES or one.d_sae > MOST_INDICES:
            raise ModelError(
                f"{one.origin}: a database holds {MOST_LAYERS} layers, {MOST_SOURCES - 1} sets of latents a "
                f"layer and {MOST_INDICES:,} latents a set"
            )
        yield number, one


def _parts(source: Dictionary | SiteOfLayer, number: int) -> Iterator[UnitPlaceOf]:
    for first in range(0, source.d_sae, PART):
        yield UnitPlaceOf(
            layer=source.layer,
            number=number,
            name=source.name,
            kind=source.kind,
            hook=source.hook,
            width=source.d_sae,
            sides=source.sides,
            first=first,
            count=min(PART, source.d_sae - first),
            dictionary=source if isinstance(source, Dictionary) else None,
        )


def site_of(place: UnitPlaceOf) -> str:
    """Name of a place's hook point within its layer, as trunks know it."""
    return NEURONS if place.is_mlp else place.hook.split(".", 2)[2]


def sides_of(choice: str, *, gated: bool) -> str:
    """Which sides ``--sides`` asks to learn: both where an MLP is gated and nothing else is said."""
    if choice not in SIDE_CHOICES:
        raise SelectionError(f"no sides are called {choice!r}: choose {', '.join(SIDE_CHOICES)}")
    if choice == "auto":
        return POSITIVE + NEGATIVE if gated else POSITIVE
    return POSITIVE + NEGATIVE if choice == "both" else choice
