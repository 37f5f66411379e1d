"""The name of a neuron: a layer and an index in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import overload

from n2gdb.errors import UnknownNameError

__all__ = ["NeuronName", "OfNeuron", "token_key"]

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


def token_key(model: int, token: int) -> int:
    """Number a token of a model in a database."""
    return model << 32 | token
