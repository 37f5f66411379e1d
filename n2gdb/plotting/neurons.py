"""Trajectories of one neuron: how its examples come to fire, and which tokens are important."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from n2gdb.core.trajectories import ExampleTrajectory, NeuronTrajectories
from n2gdb.errors import FigureError
from n2gdb.plotting.axes import PROMPT, lay_out_lengths, place_of, top_of, whole_place
from n2gdb.plotting.files import GREY, INK, figure_file, label_width, token_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_neuron_trajectories"]

#: Okabe and Ito's vermilion and blue: told apart by the colour-blind, and in grey.
_ACTIVATION, _IMPORTANCE = "#d55e00", "#0072b2"
_UNIMPORTANT = 0.4  # opacity

_COLUMNS = 104.0  # of a token's character, across an example
_GAP = 1.2  # columns between two tokens
_LETTERS = 6.5  # size of the tokens' text, in points
_LOWEST = -0.3  # an importance below is cut there: without a token an activation may double
_TOP, _ROW = 2.3, 0.95  # heights in inches


def draw_neuron_trajectories(
    found: NeuronTrajectories, path: Path, examples: int = 5, *, force: bool = True
) -> None:
    """Draw the trajectories of all of a neuron's examples, and below the strongest token by token.

    There a bar is a token's importance, a dot the activation when the prompt begins at the token. Raises
    FigureError as ``check_figure`` does, and where there is no example.

    Source: N2G, arXiv 2305.19911, figure 2.
    """
    if not found.examples:
        raise FigureError(f"{found.neuron} has no example to draw")
    shown = found.examples[: max(1, examples)]
    with figure_file(path, 7.2, _TOP + _ROW * len(shown), force=force) as figure:
        top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=[_TOP, _ROW * len(shown)])[:, 0]
        overview, legend = top.subplots(1, 2, width_ratios=[2.6, 1])
        _draw_overview(overview, found)
        _explain(legend, found)
        rows = bottom.subplots(len(shown), 1, squeeze=False)[:, 0]
        for axes, example in zip(rows, shown, strict=True):
            _draw_example(axes, found, example, path)


def _draw_overview(axes: Axes, found: NeuronTrajectories) -> None:
    """Draw every example's trajectory, their mean, and where the whole windows get to."""
    longest = max(len(each.tokens) for each in found.examples)
    end = whole_place(longest)
    for example in found.examples:
        values = example.activation[::-1]
        axes.plot(_places(len(values)), values, color=_ACTIVATION, linewidth=0.6, alpha=0.4)
        axes.plot(end, example.whole, "o", color=_ACTIVATION, markersize=3, alpha=0.4, markeredgewidth=0)
    axes.plot(_places(longest), found.mean(), color=_ACTIVATION, linewidth=2.2)
    axes.axhline(found.fire_threshold, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
    axes.text(-0.1, found.fire_threshold + 0.02, "fires from here", color=GREY, fontsize=7, va="bottom")
    lay_out_lengths(axes, longest, whole=True, room=0.3)
    lowest = min(0.0, *(min(each.activation) for each in found.examples))
    highest = top_of(value for each in found.examples for value in (*each.activation, each.whole))
    axes.set_ylim(max(lowest, _LOWEST), highest)
    axes.set_xlabel(PROMPT)
    axes.set_ylabel("normalised activation")
    axes.set_title(f"{found.neuron} of {found.model}")


def _places(count: int) -> list[float]:
    return [place_of(length) for length in range(1, count + 1)]


def _explain(axes: Axes, found: NeuronTrajectories) -> None:
    """Say what the marks mean, of both parts of the figure."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    axes.axis("off")
    legend = axes.legend(
        handles=[
            Line2D(
                [],
                [],
                color=_ACTIVATION,
                linewidth=0.6,
                alpha=0.6,
                label=f"each of {len(found.examples)} examples",
            ),
            Line2D([], [], color=_ACTIVATION, linewidth=2.2, label="their mean"),
            Line2D(
                [],
                [],
                color=_ACTIVATION,
                marker="o",
                markersize=2.4,
                linewidth=1,
                label="activation when the\nprompt begins here",
            ),
            Patch(color=_IMPORTANCE, alpha=_UNIMPORTANT, linewidth=0, label="importance of a token"),
            Patch(color=_IMPORTANCE, linewidth=0, label=f"important: above {found.importance_threshold:g}"),
            Patch(color=_ACTIVATION, linewidth=0, label="the activating token"),
            Line2D([], [], linestyle="", label="grey text: pruned away"),
        ],
        loc="center left",
        handlelength=1.6,
        labelspacing=0.55,
        borderpad=0,
    )
    legend.get_texts()[-1].set_color(GREY)


@dataclass(frozen=True, slots=True)
class _Cell:
    """A token's place in its line, in columns; the line ends at 0."""

    position: int
    label: str
    middle: float
    width: float


def _cells(texts: Sequence[str], path: Path) -> list[_Cell]:
    """Place tokens from the right as far as there is room."""
    cells: list[_Cell] = []
    right = 0.0
    for position in reversed(range(len(texts))):
        label = token_label(texts[position], path)
        width = label_width(label) + _GAP
        if right - width < -_COLUMNS:
            break
        cells.append(_Cell(position, label, right - width / 2, width))
        right -= width
    return cells


def _draw_example(axes: Axes, found: NeuronTrajectories, example: ExampleTrajectory, path: Path) -> None:
    cells = _cells(example.texts, path)
    important = found.important(example)
    for cell in cells:
        weight = example.importance[cell.position]
        if weight is not None:
            opacity = 1 if important[cell.position] else _UNIMPORTANT
            height = max(weight, _LOWEST)
            axes.bar(cell.middle, height, cell.width - 0.3, color=_IMPORTANCE, alpha=opacity, linewidth=0)
        is_pivot = cell.position == len(example.tokens) - 1
        paper = _ACTIVATION if is_pivot else _IMPORTANCE if important[cell.position] else None
        _write(axes, cell.label, cell.middle, INK if weight is not None else GREY, paper)
    axes.plot(
        [cell.middle for cell in cells],
        [example.activation[cell.position] for cell in cells],
        color=_ACTIVATION,
        linewidth=1,
        marker="o",
        markersize=2.4,
    )
    if len(cells) < len(example.tokens):
        _write(axes, "…", cells[-1].middle - cells[-1].width / 2 - _GAP / 2, GREY)
    axes.axhline(0, color=INK, linewidth=0.5, zorder=1)
    axes.set_xlim(-_COLUMNS, 0.5)
    axes.set_ylim(_LOWEST, top_of(example.activation))
    axes.set_xticks([])
    axes.set_yticks([0, 0.5, 1])
    axes.tick_params(labelsize=6.5)
    axes.spines["bottom"].set_visible(False)
    axes.set_ylabel(
        f"example {example.rank + 1}\n{example.split}", rotation=0, ha="right", va="center", fontsize=7
    )


def _write(axes: Axes, label: str, place: float, ink: str, paper: str | None = None) -> None:
    """Write a token under its place; with ``paper`` behind it, in bold white."""
    marked: dict[str, Any] = {"color": ink}
    if paper is not None:
        box = {"boxstyle": "round,pad=0.15", "facecolor": paper, "linewidth": 0}
        marked = {"color": "white", "fontweight": "bold", "bbox": box}
    place_of_text = (place, _LOWEST - 0.08)
    axes.text(*place_of_text, label, family="monospace", fontsize=_LETTERS, ha="center", va="top", **marked)
