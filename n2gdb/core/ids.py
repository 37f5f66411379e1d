"""The name of a neuron: a layer and an index in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from n2gdb.errors import UnknownNameError

__all__ = ["NeuronName", "token_key"]

_FORMS = re.compile(r"(?:L(\d+)N(\d+)|(\d+)/(\d+)|blocks\.(\d+)\.mlp/(\d+))", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class NeuronName:
    """One unit of one model's MLPs, written ``L3N45``.

    >>> NeuronName.parse("L3N45")
    NeuronName(layer=3, index=45)
    >>> print(NeuronName(3, 45))
    L3N45
    """

    layer: int
    index: int

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

    def __str__(self) -> str:
        return f"L{self.layer}N{self.index}"


def token_key(model: int, token: int) -> int:
    """Number a token of a model in a database."""
    return model << 32 | token
