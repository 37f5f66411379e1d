"""The weights of a unit's evidence with the texts of their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from n2gdb.core.reals import as_decimal
from n2gdb.evidence.influences import WeighedToken

if TYPE_CHECKING:
    from n2gdb.evidence.weights import UnitEvidence

__all__ = ["weighed_tokens"]


def weighed_tokens(
    evidence: UnitEvidence, texts: Mapping[int, str], classes: Mapping[int, str]
) -> tuple[WeighedToken, ...]:
    """Return all that a unit's evidence weighs, by depth, then the strongest first.

    ``texts`` are of tokens by their ids, ``classes`` the names of classes by their numbers.
    """
    columns = (evidence.depth.tolist(), evidence.token.tolist(), evidence.weight.tolist())
    found = [
        WeighedToken(depth, token, classes.get(token) or texts[token], as_decimal(weight), token in classes)
        for depth, token, weight in zip(*columns, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (each.depth, -abs(each.weight), each.token)))
