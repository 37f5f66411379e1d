"""Identity of units: how they are named in text and numbered in a database.

A unit is one number that a model computes at every token, on one side of zero: a neuron of an MLP, or one
number of another source of the layer (a latent of a sparse autoencoder or transcoder, a direction of the
residual stream). Names are read and written in `UnitName` alone, and keys are put together and taken apart
in the functions below alone: no other file shifts bits.

The 63 bits of a unit's key, from the highest::

    model 23 | layer 9 | source 7 | index 23 | side 1

``source`` numbers the sets of units of one layer: 0 is its MLP. ``side`` is 0 for ``+`` and 1 for ``-``. So
keys rise with model, layer, source, index and side, in this order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, overload

from n2gdb.core.arguments import shown, wholes
from n2gdb.errors import UnknownNameError
from n2gdb.grammar.fields import FIELDS
from n2gdb.grammar.records import dataclass
from n2gdb.grammar.unit_names import MOST_DIGITS, UnitText, read_unit, write_unit

if TYPE_CHECKING:
    from n2gdb.core.arrays import Int64Array

    Keys = TypeVar("Keys", int, Int64Array)
else:
    Keys = TypeVar("Keys")

__all__ = [
    "KINDS",
    "MLP",
    "MOST_INDICES",
    "MOST_LAYERS",
    "MOST_SOURCES",
    "MOST_TOKENS",
    "NEGATIVE",
    "POSITIVE",
    "SIDES",
    "WITHIN_MODEL",
    "HeldUnits",
    "NeuronName",
    "OfNeuron",
    "UnitName",
    "UnitPlace",
    "item_key",
    "layer_of",
    "model_of",
    "place_of",
    "token_key",
    "token_of",
    "unit_key",
    "unit_of",
    "without_index",
]

POSITIVE: Final = "+"
NEGATIVE: Final = "-"

#: In the order of their numbers.
SIDES = FIELDS["side"].choices

#: What a set of units can be.
KINDS = FIELDS["kind"].choices

#: Name of a layer's MLP among its sources, whose number is 0.
MLP: Final = "mlp"

_SIDE, _INDEX, _SOURCE, _LAYER = 0, 1, 24, 31
_MODEL, _TOKEN = 40, 32

#: What a unit's key leaves when it is divided by this does not say its model.
WITHIN_MODEL = 1 << _MODEL

#: How many tokens of a model a key has room for.
MOST_TOKENS = 1 << _TOKEN

#: What a unit's key has room for.
MOST_INDICES, MOST_SOURCES, MOST_LAYERS = (
    1 << (_SOURCE - _INDEX),
    1 << (_LAYER - _SOURCE),
    1 << (_MODEL - _LAYER),
)


_WRITE = (
    "write L3N45, L3N45- for its negative side, 3/45 or blocks.3.mlp/45; "
    "a latent's is L6F650, L6F650@res-jb or 6-res-jb/650"
)


@dataclass(frozen=True, slots=True, order=True, init=False)
class UnitName:
    """A unit of one model, as people write it: ``L3N45``, ``L3N45-``, ``L6F650``, ``L6F650@res-jb``.

    ``N`` is a neuron of the layer's MLP, ``F`` a unit of another source. ``source`` names that one where it
    is written; empty, it is the layer's only one.

    A name equals the text that it is written as, and hashes like it: a name finds what a dict holds by text,
    and the other way round. It equals no other spelling, as two texts are equal only if they are the same.

    >>> UnitName(3, 45) == UnitName("3/45") == "L3N45"
    True
    """

    layer: int
    index: int
    side: str = POSITIVE
    latent: bool = False
    source: str = ""

    @overload
    def __init__(
        self, layer: int, index: int, side: str = POSITIVE, latent: bool = False, source: str = ""
    ) -> None: ...
    @overload
    def __init__(self, layer: str) -> None: ...
    def __init__(
        self,
        layer: int | str,
        index: int | None = None,
        side: str = POSITIVE,
        latent: bool = False,
        source: str = "",
    ) -> None:
        """Take the parts of a name, or any text that ``parse`` reads."""
        if index is None:
            if not isinstance(layer, str):
                raise UnknownNameError(f"layer {layer!r} alone is not a neuron: give its index too")
            read = UnitName.parse(layer)
            layer, index, side, latent, source = read.layer, read.index, read.side, read.latent, read.source
        for name, value in zip(self.__slots__, (layer, index, side, latent, source), strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, unit: object) -> UnitName:
        """Return the name of a unit, however it is given; raise UnknownNameError for what is none.

        >>> UnitName.of("3/45") == UnitName.of((3, 45)) == "L3N45"
        True
        >>> UnitName.of(neuron) == UnitName.of(db.query("neurons IN (L4N358)")[0])
        True
        """
        if isinstance(unit, str):
            return cls.parse(unit)
        name: object = unit
        if isinstance(unit, tuple) and len(unit) == 2:
            layer, index = wholes("a neuron's layer and index", unit)
            name = cls(layer, index)
        elif not isinstance(unit, UnitName):
            name = getattr(unit, "neuron", None) or getattr(unit, "name", None)
        if isinstance(name, UnitName) and name._is_written():
            return name
        raise UnknownNameError(f"{shown(unit)} is not a neuron's name: {_WRITE}")

    @classmethod
    def parse(cls, text: str) -> UnitName:
        """Read a name; raise UnknownNameError for anything else.

        Beside the forms above: ``3/45``, ``blocks.3.mlp/45``, and Neuronpedia's ``6-res-jb/650``,
        ``gpt2-small/6-res-jb/650`` and its addresses, whose model is not looked at.

        >>> UnitName.parse("gpt2-small/6-res-jb/650")
        NeuronName('L6F650@res-jb')
        >>> str(UnitName.parse("3/45-"))
        'L3N45-'
        """
        found = read_unit(text.strip())
        if found is None:
            raise UnknownNameError(f"{shown(text)} is not a neuron's name: {_WRITE}")
        return cls(found.layer, found.index, found.side, found.latent, found.source)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, UnitName):
            return self._parts() == other._parts()
        return str(self) == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def _parts(self) -> tuple[object, ...]:
        return self.layer, self.index, self.side, self.latent, self.source

    def _is_written(self) -> bool:
        """Whether it is made of what names are made of."""
        return (
            all(isinstance(part, int) and 0 <= part < 10**MOST_DIGITS for part in (self.layer, self.index))
            and self.side in SIDES
            and isinstance(self.source, str)
        )

    def __repr__(self) -> str:
        return f"NeuronName({str(self)!r})"

    def __str__(self) -> str:
        return write_unit(UnitText(self.layer, self.index, self.side, self.latent, self.source))

    def __format__(self, form: str) -> str:
        return format(str(self), form)


class OfNeuron:
    """A record of one neuron, which it names; layer and index are those of the name."""

    __slots__ = ()

    neuron: UnitName

    @property
    def layer(self) -> int:
        """Layer of the neuron.

        >>> db.query("neurons MATCHING 'an' BEFORE ...")[0].layer
        4
        """
        return self.neuron.layer

    @property
    def index(self) -> int:
        """Index of the neuron in its layer.

        >>> db.query("neurons MATCHING 'an' BEFORE ...")[0].index
        358
        """
        return self.neuron.index


#: What units were called while neurons were all there was, and still are where most are neurons.
NeuronName = UnitName


@dataclass(frozen=True, slots=True)
class HeldUnits:
    """A source of which a database holds units, and the number of its model."""

    model: int
    kind: str  # one of KINDS
    source: str


@dataclass(frozen=True, slots=True, order=True)
class UnitPlace:
    """Where a unit is in a database: the numbers that its key is made of."""

    model: int
    layer: int
    source: int
    index: int
    side: str = POSITIVE


def unit_key(
    model: int, layer: Keys | int, index: Keys, source: Keys | int = 0, side: Keys | int = 0
) -> Keys:
    """Number a unit in a database, or many at once in arrays; ``side`` is its number in SIDES.

    >>> place_of(unit_key(1, 3, 45, side=1))
    UnitPlace(model=1, layer=3, source=0, index=45, side='-')
    """
    return model << _MODEL | layer << _LAYER | source << _SOURCE | index << _INDEX | side << _SIDE


def place_of(key: int) -> UnitPlace:
    """Take a unit's key apart."""
    return UnitPlace(
        key >> _MODEL,
        key >> _LAYER & MOST_LAYERS - 1,
        key >> _SOURCE & MOST_SOURCES - 1,
        key >> _INDEX & MOST_INDICES - 1,
        SIDES[key & 1],
    )


def layer_of(keys: Keys) -> Keys:
    """Return what units of one layer of one model have alike in their keys."""
    return keys >> _LAYER


def without_index(key: int) -> int:
    """Return what units of one source of a layer, and of one side, have alike in their keys.

    >>> without_index(unit_key(1, 3, 45, side=1)) == unit_key(1, 3, 0, side=1)
    True
    """
    return key & ~(MOST_INDICES - 1 << _INDEX)


def item_key(model: int, number: Keys) -> Keys:
    """Number a window or a row of scores of a model in a database."""
    return model << _MODEL | number


def model_of(key: Keys) -> Keys:
    """Number of the model that a unit, window or row of scores belongs to."""
    return key >> _MODEL


def unit_of(key: int) -> int:
    """Number of a unit among those of its model, as shards hold it, by its key in a database."""
    return key % WITHIN_MODEL


def token_of(key: int) -> tuple[int, int]:
    """Take a token's key apart: the model's number and the token's id."""
    return key >> _TOKEN, key & MOST_TOKENS - 1


def token_key(model: int, token: Keys) -> Keys:
    """Number a token of a model in a database."""
    return model << _TOKEN | token
