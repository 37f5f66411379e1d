"""Quality: how well a neuron is predicted, on which text, and from how many firings this is known.

On held-out text, which is as the corpus is, where the database has such figures; else on the test half of the
neuron's top examples, where firings are many and false alarms few.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from n2gdb.grammar.records import dataclass

__all__ = [
    "FEW_FIRINGS",
    "HELDOUT",
    "LEGEND",
    "TOP_EXAMPLES",
    "Quality",
    "is_uncertain",
    "quality_of",
    "written_share",
]

#: Figures that rest on fewer firings say little: they are marked.
FEW_FIRINGS = 10

#: What the mark means, in a table's legend.
LEGEND = f"?: judged on fewer than {FEW_FIRINGS} firings of held-out text"

HELDOUT, TOP_EXAMPLES = "on held-out text", "on top examples"


@dataclass(frozen=True, slots=True)
class Quality:
    """An F1, and the text that it was measured on: ``on held-out text`` or ``on top examples``.

    >>> print(neuron.quality, neuron.quality.firings)
    F1 0.81 on held-out text 34
    """

    f1: float
    precision: float
    recall: float
    firings: int
    text: str

    @property
    def is_uncertain(self) -> bool:
        """Whether it rests on few firings.

        >>> neuron.quality.is_uncertain
        False
        """
        return self.firings < FEW_FIRINGS

    def __str__(self) -> str:
        return f"F1 {self.written} {self.text}"

    @property
    def written(self) -> str:
        """The F1 with two digits, and a question mark if it rests on few firings, as in ``0.31?``.

        >>> neuron.quality.written, neuron.quality.is_uncertain
        ('0.81', False)
        """
        return written_share(self.f1, self.firings)


def quality_of(figures: Mapping[str, Any]) -> Quality | None:
    """Return the quality of a neuron by its statistics; None where it was judged nowhere."""
    for prefix, firings, text in (
        ("heldout_", "heldout_firings", HELDOUT),
        ("", "true_firings", TOP_EXAMPLES),
    ):
        f1 = figures.get(f"{prefix}f1")
        if f1 is not None:
            precision, recall = figures[f"{prefix}precision"], figures[f"{prefix}recall"]
            return Quality(f1, precision, recall, figures[firings] or 0, text)
    return None


def is_uncertain(figures: Mapping[str, Any]) -> bool:
    """Tell whether the held-out figures of a neuron rest on few firings."""
    firings = figures.get("heldout_firings")
    return firings is not None and firings < FEW_FIRINGS


def written_share(value: float, firings: int | None, digits: int = 2) -> str:
    """Write a figure of held-out text, marked where it rests on few firings."""
    return f"{value:.{digits}f}{'?' if firings is not None and firings < FEW_FIRINGS else ''}"
