"""Trajectories by layer: all layers together, and each with the spread of its neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from n2gdb.core.trajectories import LayerTrajectory
from n2gdb.errors import FigureError
from n2gdb.plotting.axes import PROMPT, lay_out_lengths, place_of, top_of, whole_place
from n2gdb.plotting.files import FAINT, figure_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Colour = tuple[float, float, float, float]

__all__ = ["draw_trajectories"]

_NAMED = 12  # layers that get a name and a panel of their own, the first and the last among them
_NAME = 0.125  # height of a name with the space above it, in inches
_AROUND = 0.85  # inches above and below the axis of activations
_RATIO = 1.25  # width of the panel of all layers, to that of all others


def draw_trajectories(layers: Sequence[LayerTrajectory], path: Path, *, force: bool = True) -> None:
    """Draw the mean trajectory of every layer, and beside it each layer's with the quartiles of its neurons.

    Raises FigureError as ``check_figure`` does, and where there is no layer or layers are of two models.

    Source: N2G, arXiv 2305.19911, figure 2.
    """
    if not layers:
        raise FigureError("there is no layer to draw")
    if len(models := {each.model for each in layers}) > 1:
        raise FigureError(f"a figure shows one model, not {', '.join(sorted(models))}")
    named = _named(layers)
    columns = min(len(named), 2 if len(named) <= 8 else 3)
    rows = ceil(len(named) / columns)
    height = max(3.4, 0.95 * rows + 0.6)
    with figure_file(path, 7.2, height, force=force) as figure:
        left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[_RATIO, 1])[0]
        colours = dict(zip((each.layer for each in layers), _colours(len(layers)), strict=True))
        together = left.subplots()
        _draw_all(together, layers, colours)
        together.set_ylim(0, top := top_of(value for each in layers for value in (*each.mean, each.whole)))
        _name_layers(together, named, colours, top * _NAME / (height - _AROUND))
        panels = right.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, each in zip(panels, named, strict=False):
            _draw_one(panel, each, layers, colours[each.layer])
        panels[0].set_ylim(0, top_of(value for each in layers for value in each.high))
        for panel in panels[len(named) :]:
            panel.set_visible(False)
        most = max(each.neurons for each in layers)
        right.suptitle(f"mean and middle half of {most} neurons a layer", fontsize=8)
        right.supxlabel(PROMPT, fontsize=8)


def _named(layers: Sequence[LayerTrajectory]) -> list[LayerTrajectory]:
    """Return all layers, or of many some, evenly spaced."""
    count = min(_NAMED, len(layers))
    return [layers[round(step * (len(layers) - 1) / max(1, count - 1))] for step in range(count)]


def _colours(count: int) -> list[Colour]:
    """Return a colour a layer, dark to bright: told apart by the colour-blind, and in grey."""
    from matplotlib import colormaps

    return [colormaps["viridis"](0.78 * step / max(1, count - 1)) for step in range(count)]


def _draw_all(axes: Axes, layers: Sequence[LayerTrajectory], colours: Mapping[int, Colour]) -> None:
    width = 1.8 if len(layers) <= _NAMED else 1.0
    for each in layers:
        place, colour = _places(each), colours[each.layer]
        end = whole_place(each.lengths[-1])
        axes.plot(place, each.mean, color=colour, linewidth=width)
        axes.plot(
            (place[-1], end), (each.mean[-1], each.whole), color=colour, linewidth=1, linestyle=(0, (1, 1.5))
        )
        axes.plot(end, each.whole, "o", color=colour, markersize=4, markerfacecolor="white")
    lay_out_lengths(axes, max(each.lengths[-1] for each in layers), whole=True, room=1.5)
    axes.set_xlabel(PROMPT)
    axes.set_ylabel("normalised activation on the activating token")
    axes.set_title(f"{layers[0].model}: mean trajectory by layer")


def _name_layers(
    axes: Axes, named: Sequence[LayerTrajectory], colours: Mapping[int, Colour], apart: float
) -> None:
    """Write layers' names beside their ends, no two closer than ``apart``."""
    place = whole_place(max(each.lengths[-1] for each in named)) + 0.2
    heights = _spread([each.whole for each in named], apart)
    above = max(0.0, max(heights) - axes.get_ylim()[1])
    for each, height in zip(named, heights, strict=True):
        colour, name = colours[each.layer], f"layer {each.layer}"
        axes.text(place, height - above, name, color=colour, va="center", fontweight="bold")


def _draw_one(axes: Axes, each: LayerTrajectory, layers: Sequence[LayerTrajectory], colour: Colour) -> None:
    """Draw one layer's mean and quartiles before the means of all others."""
    for other in layers:
        axes.plot(_places(other), other.mean, color=FAINT, linewidth=0.8)
    axes.fill_between(_places(each), each.low, each.high, color=colour, alpha=0.25, linewidth=0)
    axes.plot(_places(each), each.mean, color=colour, linewidth=1.6)
    lay_out_lengths(axes, each.lengths[-1])
    axes.set_yticks([0, 0.5, 1])
    axes.set_title(f"layer {each.layer}", color=colour, fontsize=8, pad=2)
    axes.tick_params(labelsize=7)


def _places(each: LayerTrajectory) -> list[float]:
    return [place_of(length) for length in each.lengths]


def _spread(heights: Sequence[float], apart: float) -> list[float]:
    """Push heights apart that are closer than ``apart``, as little as that takes."""
    groups: list[tuple[list[int], float]] = []  # places from low to high, and the middle of their names
    for place in sorted(range(len(heights)), key=lambda place: heights[place]):
        members, middle = [place], heights[place]
        while groups and middle - groups[-1][1] < apart * (len(members) + len(groups[-1][0])) / 2:
            members = groups.pop()[0] + members
            middle = sum(heights[each] for each in members) / len(members)
        groups.append((members, middle))
    found = [0.0] * len(heights)
    for members, middle in groups:
        for step, place in enumerate(members):
            found[place] = middle + apart * (step - (len(members) - 1) / 2)
    return found
