"""Identity: how a neuron is named, and how neurons, tokens and the like are numbered in a database.

Keys are put together and taken apart in the functions below alone: no other file shifts their bits. The bits
of a neuron's key, from the highest: model, then layer 16, then index 24; so keys rise with the three.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, overload

from n2gdb.errors import UnknownNameError

if TYPE_CHECKING:
    from n2gdb.core.arrays import Int64Array

    Keys = TypeVar("Keys", int, Int64Array)
else:
    Keys = TypeVar("Keys")

__all__ = [
    "MOST_TOKENS",
    "WITHIN_MODEL",
    "NeuronName",
    "OfNeuron",
    "UnitPlace",
    "item_key",
    "layer_of",
    "model_of",
    "place_of",
    "token_key",
    "token_of",
    "unit_key",
]

_MODEL, _LAYER, _TOKEN = 40, 24, 32
_MOST_LAYERS, _MOST_INDICES = 1 << (_MODEL - _LAYER), 1 << _LAYER

#: What a neuron's key leaves when it is divided by this does not say its model.
WITHIN_MODEL = 1 << _MODEL

#: How many tokens of a model a key has room for.
MOST_TOKENS = 1 << _TOKEN

_FORMS = re.compile(r"(?:L(\d+)N(\d+)|(\d+)/(\d+)|blocks\.(\d+)\.mlp/(\d+))", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True, init=False)
class NeuronName:
    """One unit of one model's MLPs, written ``L3N45``.

    A name equals the text that it is written as, and hashes like it: a name finds what a dict holds by text,
    and the other way round. It equals no other spelling, as two texts are equal only if they are the same.

    >>> NeuronName.parse("L3N45")
    NeuronName(layer=3, index=45)
    >>> print(NeuronName(3, 45))
    L3N45
    >>> NeuronName(3, 45) == NeuronName("3/45") == "L3N45"
    True
    """

    layer: int
    index: int

    @overload
    def __init__(self, layer: int, index: int) -> None: ...
    @overload
    def __init__(self, layer: str) -> None: ...
    def __init__(self, layer: int | str, index: int | None = None) -> None:
        """Take a layer and an index, or any text that ``parse`` reads."""
        if index is None:
            if not isinstance(layer, str):
                raise UnknownNameError(f"layer {layer!r} alone names no neuron: give its index too")
            read = NeuronName.parse(layer)
            layer, index = read.layer, read.index
        object.__setattr__(self, "layer", layer)
        object.__setattr__(self, "index", index)

    @classmethod
    def of(cls, name: str | NeuronName) -> NeuronName:
        """Return a name that may be written; raise UnknownNameError for what is none."""
        if isinstance(name, str):
            return cls.parse(name)
        if isinstance(name, NeuronName) and all(
            isinstance(part, int) and 0 <= part < 1 << 62 for part in (name.layer, name.index)
        ):
            return name
        raise UnknownNameError(f"{name!r} is not a neuron's name: write L3N45, 3/45 or blocks.3.mlp/45")

    @classmethod
    def parse(cls, text: str) -> NeuronName:
        """Read ``L3N45``, ``3/45`` or ``blocks.3.mlp/45``; raise UnknownNameError for anything else."""
        found = _FORMS.fullmatch(text.strip())
        if found is None:
            raise UnknownNameError(f"{text!r} is not a neuron's name: write L3N45, 3/45 or blocks.3.mlp/45")
        layer, index = (int(part) for part in found.groups() if part is not None)
        return cls(layer, index)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, NeuronName):
            return (self.layer, self.index) == (other.layer, other.index)
        return str(self) == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"L{self.layer}N{self.index}"


class OfNeuron:
    """A record of one neuron, which it names; layer and index are those of the name."""

    __slots__ = ()

    neuron: NeuronName

    @property
    def layer(self) -> int:
        """Layer of the neuron."""
        return self.neuron.layer

    @property
    def index(self) -> int:
        """Index of the neuron in its layer."""
        return self.neuron.index


@dataclass(frozen=True, slots=True, order=True)
class UnitPlace:
    """Where a neuron is in a database: the numbers that its key is made of."""

    model: int
    layer: int
    index: int


def unit_key(model: int, layer: Keys, index: Keys) -> Keys:
    """Number a neuron in a database, or many at once in arrays.

    >>> place_of(unit_key(1, 3, 45))
    UnitPlace(model=1, layer=3, index=45)
    """
    return model << _MODEL | layer << _LAYER | index


def place_of(key: int) -> UnitPlace:
    """Take a neuron's key apart."""
    return UnitPlace(key >> _MODEL, key >> _LAYER & _MOST_LAYERS - 1, key & _MOST_INDICES - 1)


def layer_of(keys: Keys) -> Keys:
    """Return what neurons of one layer of one model have alike in their keys."""
    return keys >> _LAYER


def item_key(model: int, number: Keys) -> Keys:
    """Number a window or a row of scores of a model in a database."""
    return model << _MODEL | number


def model_of(key: int) -> int:
    """Number of the model that a neuron, window or row of scores belongs to."""
    return key >> _MODEL


def token_key(model: int, token: Keys) -> Keys:
    """Number a token of a model in a database."""
    return model << _TOKEN | token


def token_of(key: int) -> tuple[int, int]:
    """Take a token's key apart: the model's number and the token's id."""
    return key >> _TOKEN, key & MOST_TOKENS - 1
