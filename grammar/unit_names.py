"""Names of units: the only module that reads and writes them."""

from __future__ import annotations

import re

from n2gdb.grammar.records import dataclass

__all__ = ["MOST_DIGITS", "UnitText", "read_unit", "write_unit"]

#: Name of a layer's MLP among its sources.
_MLP = "mlp"

_SOURCE = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"

#: Digits of a layer or an index, zeros before them aside. No model has nearly so many; more are no name.
MOST_DIGITS = 40

_NUMBER = rf"0*(\d{{1,{MOST_DIGITS}}})"

_SHORT = re.compile(rf"L{_NUMBER}([NF]){_NUMBER}([+-]?)(?:@({_SOURCE}))?", re.IGNORECASE)
_PLAIN = re.compile(rf"(?:blocks\.{_NUMBER}\.mlp|{_NUMBER})/{_NUMBER}([+-]?)", re.IGNORECASE)
_NEURONPEDIA = re.compile(
    rf"(?:(?:https?://)?(?:www\.)?neuronpedia\.org/)?(?:[\w.-]+/)?{_NUMBER}-({_SOURCE})/{_NUMBER}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class UnitText:
    """What a name says: ``latent`` where the unit is none of the MLP's, whose ``source`` is empty."""

    layer: int
    index: int
    side: str
    latent: bool
    source: str


def read_unit(text: str) -> UnitText | None:
    """Read ``L3N45``, ``L3N45-``, ``L6F650@res-jb``, ``3/45``, ``blocks.3.mlp/45`` or ``6-res-jb/650``.

    None for anything else. A Neuronpedia address may name its model, which is not looked at.
    """
    if found := _SHORT.fullmatch(text):
        layer, letter, index, side, source = found.groups()
        latent = letter.upper() == "F"
        if not latent and source not in (None, _MLP):
            return None
        return UnitText(int(layer), int(index), side or "+", latent, source or "" if latent else "")
    if found := _PLAIN.fullmatch(text):
        return UnitText(int(found[1] or found[2]), int(found[3]), found[4] or "+", False, "")
    if found := _NEURONPEDIA.fullmatch(text):
        latent = found[2] != _MLP
        return UnitText(int(found[1]), int(found[3]), "+", latent, found[2] if latent else "")
    return None


def write_unit(unit: UnitText) -> str:
    """Write a name as it is printed everywhere; the inverse of ``read_unit``."""
    side = "-" if unit.side == "-" else ""
    source = f"@{unit.source}" if unit.source else ""
    return f"L{unit.layer}{'F' if unit.latent else 'N'}{unit.index}{side}{source}"
