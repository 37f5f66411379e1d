"""Pictures of neurons: one, a sheet of many, two side by side, or a thumbnail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from n2gdb.drawing.diagram import Diagram, read_diagram
from n2gdb.drawing.effects import with_effects, written_tokens
from n2gdb.drawing.layout import lay_out
from n2gdb.drawing.svg import (
    Panel,
    diagram_panel,
    document,
    heading_panel,
    inhibitors_panel,
    legend_panel,
    stacked,
)
from n2gdb.evidence.quality import HELDOUT, TOP_EXAMPLES, written_share

if TYPE_CHECKING:
    from n2gdb.core.graph import NeuronGraph
    from n2gdb.core.neuron_view import NeuronView
    from n2gdb.core.paths import PathStep

__all__ = [
    "Picture",
    "beside",
    "draw",
    "draw_dot",
    "draw_graph",
    "sheet",
    "sketch",
    "thumbnail",
    "thumbnail_of",
]

_WIDTH = 860.0
_CELL, _GAP = 380.0, 28.0
_THUMBNAIL = (168, 46)
#: Tokens that keep a neuron silent, which are drawn; of one among several.
_INHIBITORS, _INHIBITORS_OF_MANY = 6, 3


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, shown by a notebook as it is."""

    title: str
    panel: Panel

    def __repr__(self) -> str:
        return f"<Picture {self.title}>"

    def svg(self) -> str:
        """Return it as a standalone SVG: light or dark with its reader's system, fonts aside."""
        return document(self.panel, self.title)

    def png(self, scale: float = 2.0) -> bytes:
        """Return it as PNG on white, ``scale`` pixels a unit.

        Raises MissingDependencyError if n2gdb[figures] is not installed.
        """
        from n2gdb.drawing.png import rasterised

        return rasterised(self.svg(), scale)

    def html(self) -> str:
        """Return a page of its own, nothing fetched."""
        from n2gdb.drawing.page import page_of

        return page_of(self.title, self.svg())

    def _repr_svg_(self) -> str:
        return self.svg()


def draw(neuron: NeuronView, *, most: int | None = 40, bare: bool = False) -> Picture:
    """Draw a neuron's graph: its ``most`` strongest patterns, all of them if None.

    A heading and a legend stand around it unless it is to be ``bare``.
    Activating tokens on the right in red, context to their left in blue, a bold rim where a pattern may
    begin, disconnected behaviours in frames of their own. Patterns that are seldom right are faint, their
    rims dashed; below stand the tokens that keep the neuron silent, beside it those that the neuron writes:
    what it promotes in green, what it suppresses with dashed rims.

    Source: N2G, arXiv 2305.19911, section 3.
    """
    diagram = _diagram(neuron, most)
    drawn = with_effects(_panel(diagram, _WIDTH), neuron)
    inhibitors = _inhibitors(neuron, _INHIBITORS, _WIDTH)
    if bare:
        panel = stacked([drawn, *inhibitors])
    else:
        panels = [_heading(neuron, diagram), drawn, *inhibitors]
        panel = _explained(panels, [diagram], silenced=bool(inhibitors))
    return Picture(f"{neuron.name} of {neuron.model}", panel)


def draw_graph(
    graph: NeuronGraph, texts: Mapping[int, str] | None = None, *, most: int | None = 40
) -> Picture:
    """Draw a graph by itself, as ``draw`` does; token ids stand for texts that are not given."""
    if texts is None:
        texts = {token: f"#{token}" for token in graph.token.tolist()}
    diagram = read_diagram(graph, texts, most)
    panels = [heading_panel("Neuron graph", _said(diagram, [])), _panel(diagram, _WIDTH)]
    return Picture("Neuron graph", _explained(panels, [diagram]))


def sheet(neurons: Sequence[NeuronView], *, most: int | None = 12, columns: int = 2) -> Picture:
    """Draw many neurons on one sheet, row by row, ``most`` patterns of each."""
    diagrams = [_diagram(neuron, most) for neuron in neurons]
    cells = [
        stacked([_heading(neuron, diagram), _panel(diagram, _CELL), *_silencing(neuron)], 8.0)
        for neuron, diagram in zip(neurons, diagrams, strict=True)
    ]
    grid = _grid(cells, columns)
    title = ", ".join(str(neuron.name) for neuron in neurons)
    return Picture(title, _explained([grid], diagrams, silenced=any(map(_silencing, neurons))))


def beside(first: NeuronView, second: NeuronView, *others: NeuronView, most: int | None = 40) -> Picture:
    """Draw neurons side by side, a ring around what all have: a token at a depth, in the same role."""
    neurons = (first, second, *others)
    diagrams = [_diagram(neuron, most) for neuron in neurons]
    names = [
        {(token.text, mark.depth) for mark in diagram.marks for token in mark.tokens} for diagram in diagrams
    ]
    shared = set.intersection(*names)
    cells = []
    for neuron, diagram in zip(neurons, diagrams, strict=True):
        drawn = diagram_panel(diagram, lay_out(diagram, _CELL), shared)
        cells.append(stacked([_heading(neuron, diagram), drawn, *_silencing(neuron)], 10.0))
    title = " and ".join(str(neuron.name) for neuron in neurons)
    silenced = any(map(_silencing, neurons))
    return Picture(title, _explained([_grid(cells, 2)], diagrams, shared=True, silenced=silenced))


def thumbnail(neuron: NeuronView) -> str:
    """Return a small SVG of a neuron's two strongest patterns."""
    texts = neuron.texts(neuron.graph.token.tolist())
    return thumbnail_of(neuron.graph, texts, str(neuron.name), neuron.fire_threshold)


def thumbnail_of(graph: NeuronGraph, texts: Mapping[int, str], title: str, threshold: float = 0.5) -> str:
    """Return the same of a graph by itself, with the texts of its tokens."""
    diagram = read_diagram(graph, texts, 2, threshold=threshold)
    return document(_panel(diagram, 300.0), title, margin=2.0, size=_THUMBNAIL)


def sketch(patterns: Iterable[tuple[float, Sequence[PathStep]]], title: str, threshold: float = 0.5) -> str:
    """Return a small SVG of patterns, each an activation and a path; a ring marks the steps that matched."""
    from n2gdb.core.graph import NeuronGraph, Pattern, Step

    texts: dict[int, str] = {}
    drawn, ringed = [], set()
    for activation, path in patterns:
        steps = []
        for step in sorted(path, key=lambda each: each.depth):
            if step.token is None or step.text is None:
                continue
            texts[step.token] = step.text
            steps.append(Step(step.depth, step.token, step.importance or 0.0))
            if step.matched:
                ringed.add((step.text, step.depth))
        drawn.append(Pattern(tuple(steps), activation))
    diagram = read_diagram(NeuronGraph.from_patterns(drawn), texts, None, threshold=threshold)
    panel = diagram_panel(diagram, lay_out(diagram, 300.0), ringed)
    return document(panel, title, margin=5.0, size=_THUMBNAIL)


def draw_dot(neuron: NeuronView, *, most: int | None = None) -> str:
    """Return what ``draw`` shows in plain DOT, for Graphviz."""
    from n2gdb.drawing.dot import diagram_dot

    silencing = [(str(each), each.place) for each in neuron.inhibited_by[:_INHIBITORS]]
    return diagram_dot(_diagram(neuron, most), str(neuron.name), *written_tokens(neuron), silencing)


def _diagram(neuron: NeuronView, most: int | None) -> Diagram:
    graph = neuron.graph
    texts = neuron.texts(graph.token.tolist())
    return read_diagram(graph, texts, most, threshold=neuron.fire_threshold)


def _heading(neuron: NeuronView, diagram: Diagram) -> Panel:
    score = "not judged" if neuron.f1 is None else f"F1 {neuron.f1:.2f} {TOP_EXAMPLES}"
    if neuron.heldout_f1 is not None:
        score = f"F1 {written_share(neuron.heldout_f1, neuron.heldout_firings)} {HELDOUT}"
    lines = _said(diagram, [neuron.model, score])
    if not diagram.patterns:
        lines.append("it never fires" if neuron.state == "dead" else "no pattern was found")
    return heading_panel(str(neuron.name), lines)


def _said(diagram: Diagram, before: Sequence[str]) -> list[str]:
    """What a heading says of a graph, and of what is left out of it."""
    said = [*before, _counted(diagram.patterns, "pattern")]
    if diagram.behaviours > 1:
        said.append(f"{diagram.behaviours} behaviours")
    lines = [" · ".join(said)]
    if diagram.left_out:
        shown = diagram.patterns - diagram.left_out
        lines.append(f"the {_counted(shown, 'strongest pattern')}, and {diagram.left_out:,} more")
    return lines


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _panel(diagram: Diagram, width: float) -> Panel:
    return diagram_panel(diagram, lay_out(diagram, width))


def _inhibitors(neuron: NeuronView, most: int, width: float) -> list[Panel]:
    """The strongest of what keeps a neuron silent, where its evidence says so."""
    shown = [(str(each), each.place) for each in neuron.inhibited_by[:most]]
    return [inhibitors_panel(shown, width)] if shown else []


def _silencing(neuron: NeuronView) -> list[Panel]:
    """The same of one neuron among several."""
    return _inhibitors(neuron, _INHIBITORS_OF_MANY, _CELL)


def _explained(
    panels: Sequence[Panel], diagrams: Sequence[Diagram], *, shared: bool = False, silenced: bool = False
) -> Panel:
    """Set a legend below panels: of what is drawn, and no wider unless they are narrow."""
    legend = legend_panel(
        max(_CELL, *(panel.width for panel in panels)),
        {diagram.threshold for diagram in diagrams},
        dashed=any(link.between for diagram in diagrams for link in diagram.links),
        context=any(mark.depth for diagram in diagrams for mark in diagram.marks),
        several=any(len(mark.tokens) > 1 for diagram in diagrams for mark in diagram.marks),
        shared=shared,
        seldom=any(
            diagram.is_seldom_right(token.patterns)
            for diagram in diagrams
            for mark in diagram.marks
            for token in mark.tokens
        ),
        silenced=silenced,
    )
    return stacked([*panels, legend], 16.0)


def _grid(cells: Sequence[Panel], columns: int) -> Panel:
    """Set panels in rows, every column as wide as its widest."""
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    widths = [max(cell.width for cell in cells[place::columns]) for place in range(min(columns, len(cells)))]
    elements, y = [], 0.0
    for row in rows:
        x = 0.0
        for cell, width in zip(row, widths, strict=False):
            elements.append(f'<g transform="translate({x:.1f} {y:.1f})">{cell.elements}</g>')
            x += width + _GAP
        y += max(cell.height for cell in row) + _GAP
    return Panel("".join(elements), sum(widths) + _GAP * (len(widths) - 1), y - _GAP)
