"""What excites and inhibits a unit, in readable form: tokens with their texts and weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from n2gdb.core.tokens import display

__all__ = ["WeighedToken", "written_influences"]


@dataclass(frozen=True, slots=True)
class WeighedToken:
    """A token, or a class of tokens, that makes a unit likelier to fire; less likely for a negative weight.

    It counts ``depth`` positions before the activating token, or anywhere in the ``-depth`` positions before
    where ``depth`` is below 0; the weight is added to the log odds of firing. ``token`` is the token's id, or
    the number of a class; ``text`` is the token's text, or the class's name.

    >>> first = neuron.excited_by[0]
    >>> first.depth, first.text, first.weight > 0
    (4, ' an', True)
    """

    depth: int
    token: int
    text: str
    weight: float
    is_class: bool = False

    def __repr__(self) -> str:
        return f"<WeighedToken {self} {self.place} {self.weight:+.2f}>"

    def __str__(self) -> str:
        if self.is_class:  # a name in words, some of them tokens
            return f"<{' '.join(map(display, self.text.split(' ')))}>"
        return display(self.text)

    @property
    def place(self) -> str:
        """Where it stands, as a query says it: ``AT 2``, ``WITHIN 64``.

        >>> [each.place for each in neuron.excited_by]
        ['AT 4', 'WITHIN 3', 'AT 3']
        """
        return f"WITHIN {-self.depth}" if self.depth < 0 else f"AT {self.depth}"

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold.

        >>> neuron.excited_by[0].as_dict()["token"]
        371
        """
        return asdict(self)


def written_influences(weighed: Iterable[WeighedToken], most: int) -> str:
    """Write the first ``most`` of them on a line: ``·the AT 1 (+2.1), ·on WITHIN 64 (+0.8)``."""
    return ", ".join(f"{each} {each.place} ({each.weight:+.1f})" for each in islice(weighed, most))
