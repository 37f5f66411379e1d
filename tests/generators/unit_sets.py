"""Sets of units of a made-up model: the MLP of each layer, dictionaries, directions of other sites."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random

import pyarrow as pa

from n2gdb.core.units import MLP, MOST_INDICES, SIDES, NeuronName, place_of, unit_key
from n2gdb.storage import schema

__all__ = ["UnitSet", "UnitSets", "mlp_name", "mlp_unit"]

#: What may stand beside the MLP of a layer: name, kind and sides. Two names differ in case alone.
_OTHERS = (
    *(("res-jb", "sae", "+"), ("Res-JB", "sae", "+"), ("16k.l0_71", "sae", "+"), ("tc", "transcoder", "+")),
    *(("resid_post", "residual", "+-"), ("attn_z", "attention", "+-"), ("N2", "residual", "+")),
)


def mlp_unit(name: NeuronName) -> int:
    """Number a neuron of an MLP among its model's units, as shards do."""
    assert not name.latent
    return unit_key(0, name.layer, name.index, 0, SIDES.index(name.side))


def mlp_name(unit: int) -> NeuronName:
    """Name a neuron of an MLP by its number; the inverse of ``mlp_unit``."""
    place = place_of(unit)
    assert place.source == 0
    return NeuronName(place.layer, place.index, place.side)


@dataclass(frozen=True)
class UnitSet:
    """One set of units of a layer; ``number`` is its own among those of the layer, 0 the MLP's."""

    layer: int
    number: int
    name: str
    kind: str
    width: int
    sides: str = "+"

    @property
    def is_mlp(self) -> bool:
        return self.number == 0

    def row(self) -> dict[str, object]:
        """Return its row in ``schema.SOURCES``."""
        unknown = dict.fromkeys(("architecture", "origin", "revision", "fingerprint"), "")
        site = f"blocks.{self.layer}.mlp.hook_post" if self.is_mlp else f"blocks.{self.layer}.{self.name}"
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"site": site} | unknown


@dataclass(frozen=True)
class UnitSets:
    """All sets of units of a model, which name its units and number them."""

    sets: tuple[UnitSet, ...]

    @classmethod
    def of_mlps(cls, names: Iterable[NeuronName]) -> UnitSets:
        """Return the MLPs that some neurons are of, however wide."""
        layers = sorted({name.layer for name in names})
        return cls(tuple(UnitSet(layer, 0, MLP, MLP, MOST_INDICES, "+-") for layer in layers))

    @classmethod
    def read(cls, table: pa.Table) -> UnitSets:
        """Return the sets of a run: ``schema.SOURCES``."""
        fields = UnitSet.__dataclass_fields__
        return cls(tuple(UnitSet(**{name: row[name] for name in fields}) for row in table.to_pylist()))

    @classmethod
    def drawn(cls, random: Random, layers: int, width: int) -> UnitSets:
        """Draw sets: MLPs alone, or up to three others beside that of a layer, or in its place."""
        sides = "+-" if random.random() < 0.4 else "+"
        mlps = [UnitSet(layer, 0, MLP, MLP, width, sides) for layer in range(layers)]
        if random.random() < 0.35:
            return cls(tuple(mlps))
        named = random.sample(_OTHERS, 4)
        sets: list[UnitSet] = []
        for mlp in mlps:
            others = random.sample(named, random.choice((0, 1, 1, 2, 3)))
            here = [
                UnitSet(mlp.layer, at, name, kind, 4, of) for at, (name, kind, of) in enumerate(others, 1)
            ]
            sets += here if here and random.random() < 0.15 else [mlp, *here]
        return cls(tuple(sets))

    def table(self) -> pa.Table:
        """Return the rows of ``schema.SOURCES``."""
        return pa.Table.from_pylist([each.row() for each in self.sets], schema=schema.SOURCES)

    def beside(self, layer: int) -> list[UnitSet]:
        """Return the sets of a layer that are not its MLP, whose units are written with an F."""
        return [each for each in self.sets if each.layer == layer and not each.is_mlp]

    def names(self) -> Iterator[tuple[UnitSet, NeuronName]]:
        """Yield every unit with its set, in the order of their numbers."""
        for each in self.sets:
            for index in range(each.width):
                yield from ((each, self._named(each, index, side)) for side in each.sides)

    def set_of(self, name: NeuronName) -> UnitSet:
        """Return the set that a unit is of; only where it is the only one need its name not say which."""
        here = self.beside(name.layer) if name.latent else self._mlps[name.layer]
        (found,) = (each for each in here if name.source in ("", each.name))
        return found

    def number_of(self, name: NeuronName) -> int:
        """Number a unit among those of its model, as shards do."""
        return unit_key(0, name.layer, name.index, self.set_of(name).number, SIDES.index(name.side))

    def name_of(self, number: int) -> NeuronName:
        """Name a unit by its number, as the product prints it."""
        place = place_of(number)
        (found,) = (each for each in self.sets if (each.layer, each.number) == (place.layer, place.source))
        return self._named(found, place.index, place.side)

    def _named(self, of: UnitSet, index: int, side: str) -> NeuronName:
        source = of.name if not of.is_mlp and len(self.beside(of.layer)) > 1 else ""
        return NeuronName(of.layer, index, side, latent=not of.is_mlp, source=source)

    @cached_property
    def _mlps(self) -> dict[int, list[UnitSet]]:
        return {each.layer: [each] for each in self.sets if each.is_mlp}
