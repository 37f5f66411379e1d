"""Axes of trajectories: context length on a doubling scale, and activation."""

from __future__ import annotations

from collections.abc import Iterable
from math import log2
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PROMPT", "lay_out_lengths", "place_of", "top_of", "whole_place"]

#: What the axis counts.
PROMPT = "tokens of the prompt, the activating token included"

_AFTER = 0.8  # how far right of the longest prompt the whole window stands, in doublings


def place_of(length: int) -> float:
    """Return where a prompt of so many tokens stands."""
    return log2(length)


def whole_place(longest: int) -> float:
    """Return where the whole window stands, right of the longest prompt."""
    return place_of(longest) + _AFTER


def lay_out_lengths(axes: Axes, longest: int, *, whole: bool = False, room: float = 0.15) -> None:
    """Label the axis from one token to the longest prompt, with the whole window behind it if ``whole``.

    ``room`` doublings are left free at the right.
    """
    ticks = _ticks(longest)
    places, labels = [place_of(tick) for tick in ticks], [str(tick) for tick in ticks]
    if whole:
        places.append(whole_place(longest))
        labels.append("whole\nwindow")
    axes.set_xticks(places, labels)
    axes.set_xlim(-0.15, places[-1] + room)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def top_of(activations: Iterable[float]) -> float:
    """Return where the axis of normalised activations ends: short prompts may exceed the corpus' largest."""
    return 1.05 * max(1.0, *activations)


def _ticks(longest: int) -> list[int]:
    """Return the powers of two, and the longest where it crowds none."""
    powers = [1 << power for power in range(longest.bit_length()) if 1 << power <= longest]
    if longest == powers[-1]:
        return powers
    return [power for power in powers if power < 0.7 * longest] + [longest]
