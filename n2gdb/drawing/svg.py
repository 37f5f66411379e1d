"""SVG output: clusters, headings and legends as elements, and their shared style.

Everything is drawn with attributes and a plain style sheet, so that browsers, notebooks and rasterisers
agree; dark colours are an addition for who knows media queries. All text is escaped here.

What is drawn says which patterns it belongs to: ``data-p="0 3"`` names them from the strongest, 0, on, so
that a page can light one. A token says its text, as JSON, and how far before the activating one it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from json import dumps

from n2gdb.core.tokens import display
from n2gdb.drawing.cells import GAP, Cell
from n2gdb.drawing.diagram import SELDOM, Diagram, Mark, Named
from n2gdb.drawing.labels import label_of, text_width
from n2gdb.drawing.layout import Box, Cluster, Layout, Route

__all__ = [
    "Panel",
    "diagram_panel",
    "document",
    "heading_panel",
    "inhibitors_panel",
    "legend_panel",
    "stacked",
]

_SANS = 6.6  # a character of 12 px, on average
_WHITE_FROM = (
    0.85  # shade from which on white text has more contrast than black: 4.5 : 1 or more on either side
)

#: Of the colour of a token whose patterns are seldom right.
_SELDOM_SHADE = 0.35

_STYLE = """
.n2gdb-graph text{font-family:"DejaVu Sans Mono",ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px;fill:#000;white-space:pre}
.n2gdb-graph text.s{font-family:"DejaVu Sans",system-ui,"Segoe UI","Helvetica Neue",Arial,sans-serif;font-size:12px;fill:#5d6670}
.n2gdb-graph text.h{font-size:16px;font-weight:bold;fill:#1f2328}
.n2gdb-graph text.n{font-size:10px;fill:#5d6670}
.n2gdb-graph text.w{fill:#fff}
.n2gdb-graph text.k{font-weight:bold}
.n2gdb-graph .a{fill:#c42b23;stroke:#c42b23}
.n2gdb-graph .c{fill:#1f5bb5;stroke:#1f5bb5}
.n2gdb-graph .u{fill:#1a8f5a;stroke:#1a8f5a}
.n2gdb-graph rect{stroke-width:1;stroke-opacity:.45}
.n2gdb-graph rect.b{stroke:#1f2328;stroke-width:2.2;stroke-opacity:1}
.n2gdb-graph rect.f{fill:none;stroke:#d5dae0;stroke-width:1;stroke-opacity:1}
.n2gdb-graph rect.q{stroke:none}
.n2gdb-graph rect.m{fill:none}
.n2gdb-graph rect.o{fill:none;stroke:#1a8f5a;stroke-width:2;stroke-opacity:1}
.n2gdb-graph path{fill:none;stroke:#98a2ad;stroke-width:1.4}
.n2gdb-graph path.d{stroke-dasharray:3 4}
.n2gdb-graph path.v{stroke-width:1}
.n2gdb-graph path.x{opacity:.45}
.n2gdb-graph rect.z{stroke-dasharray:4 3;stroke-opacity:1}
.n2gdb-graph rect.i{fill:#6b3fa0;fill-opacity:.1;stroke:#6b3fa0;stroke-opacity:1}
.n2gdb-graph path.t{stroke:#6b3fa0;stroke-width:2.4}
@media (prefers-color-scheme:dark){
.n2gdb-graph text,.n2gdb-graph text.h{fill:#fff}.n2gdb-graph text.s{fill:#9aa4af}.n2gdb-graph text.n{fill:#9aa4af}
.n2gdb-graph text.w{fill:#fff}.n2gdb-graph .a{fill:#d0453d;stroke:#d0453d}.n2gdb-graph .c{fill:#3a76cf;stroke:#3a76cf}
.n2gdb-graph rect.b{stroke:#e6e8eb}.n2gdb-graph rect.f{stroke:#3a424c}.n2gdb-graph rect.o{stroke:#3fb37f}
.n2gdb-graph rect.i{fill:#a681d6;stroke:#a681d6}.n2gdb-graph path.t{stroke:#a681d6}
.n2gdb-graph path{stroke:#68727d}}
"""  # noqa: E501 (a rule is a line)


@dataclass(frozen=True, slots=True)
class Panel:
    """Part of a picture: elements whose corner is at (0, 0), and the space that they take, in pixels."""

    elements: str
    width: float
    height: float


def document(panel: Panel, title: str, *, margin: float = 12.0, size: tuple[int, int] | None = None) -> str:
    """Return a whole SVG of a panel; ``size`` shows it smaller, fitted and flush right."""
    width, height = panel.width + 2 * margin, panel.height + 2 * margin
    shown = size or (round(width), round(height))
    fitted = ' preserveAspectRatio="xMaxYMid meet"' if size else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="n2gdb-graph" role="img" width="{shown[0]}"'
        f' height="{shown[1]}" viewBox="{-margin:g} {-margin:g} {width:.1f} {height:.1f}"{fitted}>'
        f"<title>{_text(title)}</title><style>{_STYLE}</style>{panel.elements}</svg>"
    )


def stacked(panels: Sequence[Panel], gap: float = 14.0) -> Panel:
    """Set panels one below the other."""
    elements, y = [], 0.0
    for panel in panels:
        elements.append(f'<g transform="translate(0 {y:.1f})">{panel.elements}</g>')
        y += panel.height + gap
    return Panel("".join(elements), max(panel.width for panel in panels), y - gap)


def heading_panel(title: str, lines: Sequence[str]) -> Panel:
    """A heading, and faint lines below it."""
    below = "".join(
        f'<text class="s" x="0" y="{33 + 17 * number}">{_text(line)}</text>'
        for number, line in enumerate(lines)
    )
    width = max(text_width(title, 10.0), *(text_width(line, _SANS) for line in lines), 0.0)
    return Panel(f'<text class="s h" x="0" y="14">{_text(title)}</text>{below}', width, 20 + 17 * len(lines))


def diagram_panel(diagram: Diagram, layout: Layout, shared: Collection[tuple[str, int]] = ()) -> Panel:
    """The marks and links of a diagram as they are laid out.

    Tokens get a ring whose text and depth are in ``shared``.
    """
    several = len(layout.clusters) > 1
    elements = "".join(_cluster(diagram, cluster, shared, framed=several) for cluster in layout.clusters)
    return Panel(elements, layout.width, layout.height)


def legend_panel(
    width: float,
    thresholds: Collection[float],
    *,
    dashed: bool,
    shared: bool,
    context: bool,
    several: bool,
    seldom: bool = False,
    silenced: bool = False,
) -> Panel:
    """What colours, rims and dashes mean, in lines no wider than ``width``."""
    least = f"{min(thresholds):g}" if len(thresholds) == 1 else "from each threshold"
    items = [(_scale(_red), f"activation {least} to 1"), (_swatch("a b"), "a pattern may begin here")]
    if context:
        items.insert(1, (_scale(_blue), "importance 0 to 1"))
    if several:
        items.append((_either(), "one of these tokens"))
    if dashed:
        items.append(('<path class="d" d="M0 9H30"/>', "any tokens between, and how many"))
    if seldom:
        items.append((_swatch("a z"), f"seldom right: on fewer than {SELDOM:.0%} of its occurrences"))
    if silenced:
        items.append(
            (f'{_swatch("i")}<path class="t" d="M30 2V16"/>', "keeps it silent where it stands before")
        )
    if shared:
        items.append(('<rect class="o" x="3" y="1" width="24" height="16" rx="5"/>', "shared"))
    elements, x, y = [], 0.0, 0.0
    for drawn, said in items:
        wide = 40 + text_width(said, _SANS)
        if x and x + wide > width:
            x, y = 0.0, y + 22
        elements.append(
            f'<g transform="translate({x:.1f} {y:.1f})">{drawn}'
            f'<text class="s" x="38" y="13">{_text(said)}</text></g>'
        )
        x += wide + 18
    return Panel("".join(elements), width, y + 18)


def inhibitors_panel(inhibitors: Sequence[tuple[str, str]], width: float) -> Panel:
    """Tokens that keep a neuron silent, and where they do, in lines no wider than ``width``."""
    said = "less after"
    x, y = 12 + text_width(said, _SANS), 0.0
    elements = [f'<text class="s" x="0" y="16">{said}</text>']
    for text, place in inhibitors:
        wide, far = 14 + text_width(text), text_width(place, _SANS)
        if x + wide + far + 18 > width and x > 100:
            x, y = 12 + text_width(said, _SANS), y + 30
        elements.append(
            f'<g data-i="{escape(dumps(text))}"><title>{_text(text)}\nless after it, {_text(place)}</title>'
            f'<rect class="i" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}"'
            f' height="24" rx="7"/><path class="t" d="M{x + wide + 4:.1f} {y:.1f}v24"/>'
            f'<text x="{x + wide / 2:.1f}" y="{y + 16.5:.1f}" text-anchor="middle">{_text(text)}</text>'
            f'<text class="s" x="{x + wide + 10:.1f}" y="{y + 16:.1f}">{_text(place)}</text></g>'
        )
        x += wide + far + 26
    return Panel("".join(elements), width, y + 24)


def _cluster(diagram: Diagram, cluster: Cluster, shared: Collection[tuple[str, int]], *, framed: bool) -> str:
    parts = []
    if framed:
        parts.append(
            f'<rect class="f" x="{cluster.x:.1f}" y="{cluster.y:.1f}" width="{cluster.width:.1f}"'
            f' height="{cluster.height:.1f}" rx="9"/>'
        )
    parts += [_route(diagram, route) for route in cluster.routes]
    parts += _betweens(cluster.routes)
    for box in cluster.boxes:
        mark = diagram.marks[box.mark]
        here = {text for text, depth in shared if depth == mark.depth}
        parts.append(_box(diagram, mark, box, here))
    return "".join(parts)


def _box(diagram: Diagram, mark: Mark, box: Box, shared: Collection[str]) -> str:
    """Draw the tokens of a mark; several stand in a common rim, as alternatives."""
    kind = "a" if mark.depth == 0 else "c"
    rim = f"{kind} b" if mark.begins is not None else kind
    if diagram.is_seldom_right(place for token in mark.tokens for place in token.patterns):
        rim = f"{rim} z"
    several = len(mark.tokens) > 1
    tokens = iter(mark.tokens)
    parts = []
    if several:
        parts.append(
            f'<rect class="{rim} m" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}"'
            f' height="{box.height:.1f}" rx="7"/>'
        )
    for row in box.cells.rows:
        for cell in row:
            token, x, y = next(tokens), box.x + cell.x, box.y + cell.y
            style = f"{kind} q" if several else rim
            ring = token.text in shared
            shade = (_red if mark.depth == 0 else _blue)(diagram.strength(token))
            if diagram.is_seldom_right(token.patterns):  # pale, but its text is not
                style, shade = f"{kind} z" if several else rim, _SELDOM_SHADE * shade
            parts.append(_cell(mark, token, replace(cell, x=x, y=y), style, shade, ring=ring))
            if cell is not row[-1]:
                parts.append(_bar(x + cell.width + GAP / 2, y, cell.height))
    return "".join(parts)


def _cell(mark: Mark, token: Named, cell: Cell, style: str, shade: float, *, ring: bool) -> str:
    around = (
        f'<rect class="o" x="{cell.x - 4:.1f}" y="{cell.y - 4:.1f}" width="{cell.width + 8:.1f}"'
        f' height="{cell.height + 8:g}" rx="10"/>'
        if ring
        else ""
    )
    look = " ".join(["k"] * (mark.depth == 0) + ["w"] * (shade > _WHITE_FROM))
    white = f' class="{look}"' if look else ""
    return (
        f'<g data-d="{mark.depth}" data-t="{escape(dumps(token.text))}"{_patterns(token.patterns)}>'
        f'<title>{_text(_tooltip(mark, token))}</title>{around}<rect class="{style}" x="{cell.x:.1f}"'
        f' y="{cell.y:.1f}" width="{cell.width:.1f}" height="{cell.height:g}" rx="7"'
        f' fill-opacity="{shade:.2f}"/><text{white} x="{cell.x + cell.width / 2:.1f}"'
        f' y="{cell.y + cell.height / 2 + 4.5:.1f}" text-anchor="middle">{_text(label_of(token.text))}</text>'
        "</g>"
    )


def _bar(x: float, y: float, height: float) -> str:
    """Part two alternatives."""
    return f'<path class="v" d="M{x:.1f} {y + 3:.1f}V{y + height - 3:.1f}"/>'


def _tooltip(mark: Mark, token: Named) -> str:
    said = [display(token.text)]
    if token.importance is None:
        said.append(f"it fires here, activation up to {token.activation:.2f}")
    else:
        before = "token" if mark.depth == 1 else "tokens"
        said.append(f"{mark.depth} {before} before, importance {token.importance:.2f}")
    if mark.begins is not None:
        said.append(f"a pattern begins here, activation {'up to ' * (len(mark.tokens) > 1)}{mark.begins:.2f}")
    return "\n".join(said)


def _route(diagram: Diagram, route: Route) -> str:
    (x, y), *rest = route.points
    line = [f"M{x:.1f} {y:.1f}"]
    for number, (right, height) in enumerate(rest):
        if number % 2:  # level, through a column
            line.append(f"H{right:.1f}")
        else:
            bend = (right - x) / 2
            line.append(f"C{x + bend:.1f} {y:.1f} {right - bend:.1f} {height:.1f} {right:.1f} {height:.1f}")
        x, y = right, height
    look = ["d"] * (route.link.between > 0) + ["x"] * diagram.is_seldom_right(route.link.patterns)
    dashed = f' class="{" ".join(look)}"' if look else ""
    return f'<path{dashed} d="{"".join(line)}"{_patterns(route.link.patterns)}/>'


def _patterns(places: Iterable[int]) -> str:
    listed = " ".join(map(str, places))
    return f' data-p="{listed}"' if listed else ""


def _betweens(routes: Iterable[Route]) -> Iterator[str]:
    """Say how many any-tokens links run over: beside a mark where all its links agree, else on each link."""
    starts: dict[tuple[float, float], list[Route]] = {}
    for route in routes:
        starts.setdefault(route.points[0], []).append(route)
    for (x, y), several in starts.items():
        counts = {route.link.between for route in several}
        if len(counts) == 1:
            yield from _between(x + 5, y - 5, counts.pop())
        else:
            for route in several:
                (left, above), (right, below) = route.points[-3:-1]
                yield from _between((left + right) / 2 - 3, (above + below) / 2 - 4, route.link.between)


def _between(x: float, y: float, count: int) -> Iterator[str]:
    if count:
        yield f'<text class="s n" x="{x:.1f}" y="{y:.1f}">{count}</text>'


def _scale(shade: Callable[[float], float]) -> str:
    kind = "a" if shade is _red else "c"
    return "".join(
        f'<rect class="{kind} q" x="{5 * step}" y="2" width="5" height="14"'
        f' fill-opacity="{shade(step / 5):.2f}"/>'
        for step in range(6)
    )


def _swatch(kind: str) -> str:
    return f'<rect class="{kind}" x="3" y="2" width="24" height="14" rx="4" fill-opacity="0.15"/>'


def _either() -> str:
    cells = "".join(
        f'<rect class="c q" x="{x}" y="4" width="9" height="10" rx="3" fill-opacity="0.3"/>' for x in (5, 17)
    )
    return f'<rect class="c m" x="2" y="1" width="27" height="16" rx="4"/>{cells}{_bar(15.5, 1.0, 16.0)}'


def _red(strength: float) -> float:
    return 0.12 + 0.78 * strength


def _blue(strength: float) -> float:
    return 0.06 + 0.84 * strength


def _text(text: str) -> str:
    """Escape a text; XML has no place for control characters, and ``display`` leaves none of them."""
    return escape("".join(char if char.isprintable() or char == "\n" else "�" for char in text))
