"""The fields that WHERE and ORDER BY know: a neuron's statistics, and two of a match."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum

__all__ = ["FIELDS", "Field", "Kind", "nearest"]


class Kind(Enum):
    """What values a field takes."""

    WHOLE = "whole number"
    REAL = "number"
    CHOICE = "word"


@dataclass(frozen=True, slots=True)
class Field:
    """A name, what values it takes, and whether it belongs to a match rather than to the neuron."""

    name: str
    kind: Kind
    of_match: bool = False
    choices: tuple[str, ...] = ()


#: By name, in the order that a person is told of them.
FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("layer", Kind.WHOLE),
        Field("index", Kind.WHOLE),
        Field("f1", Kind.REAL),
        Field("precision", Kind.REAL),
        Field("recall", Kind.REAL),
        Field("activation", Kind.REAL, of_match=True),
        Field("importance", Kind.REAL, of_match=True),
        Field("max_activation", Kind.REAL),
        Field("true_firings", Kind.WHOLE),
        Field("predicted_firings", Kind.WHOLE),
        Field("n_patterns", Kind.WHOLE),
        Field("n_nodes", Kind.WHOLE),
        Field("n_activating", Kind.WHOLE),
        Field("n_context", Kind.WHOLE),
        Field("state", Kind.CHOICE, choices=("live", "unpredicted", "dead")),
    )
}


def nearest(word: str, names: tuple[str, ...]) -> str | None:
    """Return the name most like ``word``, case aside, or None when none is like it."""
    found = difflib.get_close_matches(word.lower(), [name.lower() for name in names], n=1, cutoff=0.5)
    return next((name for name in names if found and name.lower() == found[0]), None)
