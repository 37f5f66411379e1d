"""Report figure: every predictor's scores by layer, one row of panels per text."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeGuard

from n2gdb.errors import FigureError
from n2gdb.plotting.files import GREY, figure_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ScoredLayer", "draw_report"]

_MEASURES = {"f1": "F1", "precision": "precision", "recall": "recall"}

#: Of Okabe and Ito, with a shape each: told apart by the colour-blind, and in grey.
_LOOKS = (
    ("#d55e00", "o"),
    ("#0072b2", "s"),
    ("#009e73", "^"),
    ("#cc79a7", "v"),
    ("#e69f00", "D"),
    ("#56b4e9", "P"),
    ("#595959", "X"),
)
_ROOMY = 16  # layers beside each other; of more only some are named
_SPAN = 0.56  # of a layer's place that its predictors share


class ScoredLayer(Protocol):
    """A row of a report, as ``LayerScores`` is: means over ``neurons`` neurons, None if there is none."""

    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def layer(self) -> int | None: ...  # noqa: D102
    @property
    def predictor(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def neurons(self) -> int: ...  # noqa: D102
    @property
    def precision(self) -> float | None: ...  # noqa: D102
    @property
    def recall(self) -> float | None: ...  # noqa: D102
    @property
    def f1(self) -> float | None: ...  # noqa: D102
    @property
    def base_rate(self) -> float | None: ...  # noqa: D102


def draw_report(rows: Sequence[ScoredLayer], path: Path, *, force: bool = True) -> None:
    """Draw F1, precision and recall of every predictor by layer; each text has a row of panels.

    Predictors and texts stand in the order of ``rows``. Raises FigureError as ``check_figure`` does, where
    there is no row, rows are of two models or there are more predictors than can be told apart.

    Source: N2G, arXiv 2305.19911, table 1.
    """
    predictors, texts = _distinct(rows, "predictor"), _distinct(rows, "text")
    _check(rows, predictors)
    layers = sorted({row.layer for row in rows if row.layer is not None})
    width, height = min(12, max(7.2, 1.4 + 0.95 * len(layers))), 0.75 + 1.95 * len(texts)
    with figure_file(path, width, height, force=force) as figure:
        panels = figure.subplots(len(texts), len(_MEASURES), sharex=True, sharey=True, squeeze=False)
        for line, text in zip(panels, texts, strict=True):
            here = [row for row in rows if row.text == text]
            for axes, measure in zip(line, _MEASURES, strict=True):
                _draw_panel(axes, here, predictors, layers, measure)
            line[0].set_ylabel(f"{text}\n{_counted(here)}", fontsize=7.5)
        for axes, name in zip(panels[0], _MEASURES.values(), strict=True):
            axes.set_title(name)
        for axes in panels[-1]:
            axes.set_xlabel("layer")
        _explain(figure, panels[0, 0], rows[0].model)


def _distinct(rows: Sequence[ScoredLayer], name: str) -> list[str]:
    """Return the values of a field, in the order in which they first stand."""
    return list(dict.fromkeys(getattr(row, name) for row in rows))


def _check(rows: Sequence[ScoredLayer], predictors: Sequence[str]) -> None:
    if not rows:
        raise FigureError("there is no row of a report to draw")
    if len(models := _distinct(rows, "model")) > 1:
        raise FigureError(f"a figure shows one model, not {', '.join(models)}")
    if len(predictors) > len(_LOOKS):
        raise FigureError(f"{len(predictors)} predictors cannot be told apart: draw at most {len(_LOOKS)}")


def _draw_panel(
    axes: Axes, rows: Sequence[ScoredLayer], predictors: Sequence[str], layers: Sequence[int], measure: str
) -> None:
    """Draw one measure on one text: predictors side by side within each layer's place."""
    size = 4.5 if len(layers) <= _ROOMY else 3
    for number, (predictor, (colour, shape)) in enumerate(zip(predictors, _LOOKS, strict=False)):
        shift = _SPAN * ((number + 0.5) / len(predictors) - 0.5)
        points = [
            (layers.index(row.layer) + shift, value)
            for row in rows
            if row.predictor == predictor and _is_known(value := getattr(row, measure))
        ]
        places, values = zip(*sorted(points), strict=True) if points else ((), ())
        axes.plot(places, values, color=colour, linewidth=0.8, alpha=0.35)
        axes.plot(places, values, shape, color=colour, markersize=size, markeredgewidth=0, label=predictor)
    if measure == "precision":
        _draw_base_rates(axes, rows, layers)
    for edge in range(1, len(layers)):
        axes.axvline(edge - 0.5, color="#eeeeee", linewidth=0.6, zorder=0)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    named = range(0, len(layers), ceil(len(layers) / _ROOMY))
    axes.set_xticks(named, [str(layers[place]) for place in named])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.set_ylim(0, 1.03)


def _draw_base_rates(axes: Axes, rows: Sequence[ScoredLayer], layers: Sequence[int]) -> None:
    """Mark the precision of firing everywhere."""
    rates = {row.layer: row.base_rate for row in rows if _is_known(row.base_rate)}
    for layer, rate in rates.items():
        place = layers.index(layer)
        axes.hlines(rate, place - 0.4, place + 0.4, color=GREY, linewidth=1.2, linestyle=(0, (2, 1)))


def _is_known(value: float | None) -> TypeGuard[float]:
    return value is not None and not isnan(value)


def _counted(rows: Sequence[ScoredLayer]) -> str:
    """Say how many neurons a layer's means are of, and how often one fires."""
    neurons = _range([f"{count:,}" for count in sorted({row.neurons for row in rows})])
    rates = sorted({row.base_rate for row in rows if _is_known(row.base_rate)})
    lines = [f"{neurons} neurons a layer"]
    if rates:
        lines.append(f"firing on {_range([f'{100 * rate:.2g}' for rate in rates])} % of tokens")
    return "\n".join(lines)


def _range(values: Sequence[str]) -> str:
    """Write the first and the last of values in order; one where they read alike."""
    return values[0] if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def _explain(figure: Figure, axes: Axes, model: str) -> None:
    """Name the model and the predictors above all panels."""
    from matplotlib.lines import Line2D

    handles, labels = axes.get_legend_handles_labels()
    base = Line2D([], [], color=GREY, linewidth=1.2, linestyle=(0, (2, 1)))
    figure.legend(
        [*handles, base],
        [*labels, "base rate of firing"],
        loc="outside upper center",
        ncols=len(handles) + 1,
        columnspacing=1.2,
        handletextpad=0.4,
        title=model,
        title_fontproperties={"weight": "bold", "size": 9},
    )
