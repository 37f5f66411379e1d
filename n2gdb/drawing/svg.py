"""SVG: clusters, headings and legends as elements, and the style that they share.

Everything is drawn with attributes and a plain style sheet, so that browsers, notebooks and rasterisers
agree; dark colours are an addition for who knows media queries. All text is escaped here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from n2gdb.core.tokens import display
from n2gdb.drawing.diagram import Diagram, Mark
from n2gdb.drawing.labels import HEIGHT, label_of, text_width
from n2gdb.drawing.layout import Box, Cluster, Layout, Route

__all__ = ["Panel", "diagram_panel", "document", "heading_panel", "legend_panel", "stacked"]

_SANS = 6.6  # a character of 12 px, on average

_STYLE = """
.n2gdb-graph text{font-family:"DejaVu Sans Mono",ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px;fill:#1f2328;white-space:pre}
.n2gdb-graph text.s{font-family:"DejaVu Sans",system-ui,"Segoe UI","Helvetica Neue",Arial,sans-serif;font-size:12px;fill:#5d6670}
.n2gdb-graph text.h{font-size:16px;font-weight:bold;fill:#1f2328}
.n2gdb-graph text.n{font-size:10px;fill:#7a838d}
.n2gdb-graph text.w{fill:#fff}
.n2gdb-graph .a{fill:#d1372f;stroke:#d1372f}
.n2gdb-graph .c{fill:#2565c7;stroke:#2565c7}
.n2gdb-graph rect{stroke-width:1;stroke-opacity:.45}
.n2gdb-graph rect.b{stroke:#1f2328;stroke-width:2.2;stroke-opacity:1}
.n2gdb-graph rect.f{fill:none;stroke:#d5dae0;stroke-width:1;stroke-opacity:1}
.n2gdb-graph rect.q{stroke:none}
.n2gdb-graph rect.o{fill:none;stroke:#1a8f5a;stroke-width:2;stroke-opacity:1}
.n2gdb-graph path{fill:none;stroke:#98a2ad;stroke-width:1.4}
.n2gdb-graph path.d{stroke-dasharray:3 4}
@media (prefers-color-scheme:dark){
.n2gdb-graph text,.n2gdb-graph text.h{fill:#e6e8eb}.n2gdb-graph text.s{fill:#9aa4af}.n2gdb-graph text.n{fill:#8b949e}
.n2gdb-graph text.w{fill:#fff}.n2gdb-graph .a{fill:#e5534b;stroke:#e5534b}.n2gdb-graph .c{fill:#4184e4;stroke:#4184e4}
.n2gdb-graph rect.b{stroke:#e6e8eb}.n2gdb-graph rect.f{stroke:#3a424c}.n2gdb-graph rect.o{stroke:#3fb37f}
.n2gdb-graph path{stroke:#68727d}}
"""  # noqa: E501 (a rule is a line)


@dataclass(frozen=True, slots=True)
class Panel:
    """Part of a picture: elements whose corner is at (0, 0), and the room that they take, in pixels."""

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


def diagram_panel(diagram: Diagram, layout: Layout, shared: Collection[int] = ()) -> Panel:
    """The marks and links of a diagram as they are laid out; marks in ``shared`` get a ring."""
    several = len(layout.clusters) > 1
    elements = "".join(_cluster(diagram, cluster, shared, framed=several) for cluster in layout.clusters)
    return Panel(elements, layout.width, layout.height)


def legend_panel(width: float, *, dashed: bool, shared: bool, context: bool) -> Panel:
    """What colours, rims and dashes mean, in lines no wider than ``width``."""
    items = [(_scale("a", 0.5), "activation 0.5 to 1"), (_swatch("a b"), "a pattern may begin here")]
    if context:
        items.insert(1, (_scale("c", 0.0), "importance 0 to 1"))
    if dashed:
        items.append(('<path class="d" d="M0 9H30"/>', "any tokens between, and how many"))
    if shared:
        items.append(('<rect class="o" x="3" y="1" width="24" height="16" rx="5"/>', "in both"))
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


def _cluster(diagram: Diagram, cluster: Cluster, shared: Collection[int], *, framed: bool) -> str:
    parts = []
    if framed:
        parts.append(
            f'<rect class="f" x="{cluster.x:.1f}" y="{cluster.y:.1f}" width="{cluster.width:.1f}"'
            f' height="{cluster.height:.1f}" rx="9"/>'
        )
    parts += [_route(route) for route in cluster.routes]
    parts += _betweens(cluster.routes)
    parts += [_box(diagram.marks[box.mark], box, box.mark in shared) for box in cluster.boxes]
    return "".join(parts)


def _box(mark: Mark, box: Box, is_shared: bool) -> str:
    strength = _red(mark.activation) if mark.importance is None else _blue(mark.importance)
    kind = ("a" if mark.importance is None else "c") + (" b" if mark.begins is not None else "")
    place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{HEIGHT:g}" rx="7"'
    ring = (
        f'<rect class="o" x="{box.x - 4:.1f}" y="{box.y - 4:.1f}" width="{box.width + 8:.1f}"'
        f' height="{HEIGHT + 8:g}" rx="10"/>'
        if is_shared
        else ""
    )
    white = ' class="w"' if strength > 0.75 else ""
    return (
        f'<g><title>{_text(_tooltip(mark))}</title>{ring}<rect class="{kind}" {place}'
        f' fill-opacity="{strength:.2f}"/><text{white} x="{box.x + box.width / 2:.1f}"'
        f' y="{box.y + HEIGHT / 2 + 4.5:.1f}" text-anchor="middle">{_text(label_of(mark.text))}</text></g>'
    )


def _tooltip(mark: Mark) -> str:
    said = [display(mark.text)]
    if mark.importance is None:
        said.append(f"it fires here, activation up to {mark.activation:.2f}")
    else:
        before = "token" if mark.depth == 1 else "tokens"
        said.append(f"{mark.depth} {before} before, importance {mark.importance:.2f}")
    if mark.begins is not None:
        said.append(f"a pattern begins here, activation {mark.begins:.2f}")
    return "\n".join(said)


def _route(route: Route) -> str:
    (x, y), *rest = route.points
    line = [f"M{x:.1f} {y:.1f}"]
    for number, (right, height) in enumerate(rest):
        if number % 2:  # through a passage
            line.append(f"H{right:.1f}")
        else:
            bend = (right - x) / 2
            line.append(f"C{x + bend:.1f} {y:.1f} {right - bend:.1f} {height:.1f} {right:.1f} {height:.1f}")
        x, y = right, height
    if not route.link.between:
        return f'<path d="{"".join(line)}"/>'
    return f'<path class="d" d="{"".join(line)}"/>'


def _betweens(routes: Iterable[Route]) -> Iterator[str]:
    """Say beside a mark how many any-tokens its links run over."""
    counts: dict[tuple[float, float], set[int]] = {}
    for route in routes:
        if route.link.between:
            counts.setdefault(route.points[0], set()).add(route.link.between)
    for (x, y), several in counts.items():
        said = ", ".join(map(str, sorted(several)))
        yield f'<text class="s n" x="{x + 5:.1f}" y="{y - 5:.1f}">{said}</text>'


def _scale(kind: str, low: float) -> str:
    strengths: Iterable[float] = (low + (1 - low) * step / 5 for step in range(6))
    shade = _red if kind == "a" else _blue
    return "".join(
        f'<rect class="{kind} q" x="{5 * step}" y="2" width="5" height="14"'
        f' fill-opacity="{shade(strength):.2f}"/>'
        for step, strength in enumerate(strengths)
    )


def _swatch(kind: str) -> str:
    return f'<rect class="{kind}" x="3" y="2" width="24" height="14" rx="4" fill-opacity="0.15"/>'


def _red(activation: float) -> float:
    """How opaque an activating token is: what fires has an activation of 0.5 or more."""
    return 0.12 + 0.78 * min(max((activation - 0.5) / 0.5, 0.0), 1.0)


def _blue(importance: float) -> float:
    return 0.06 + 0.84 * min(max(importance, 0.0), 1.0)


def _text(text: str) -> str:
    """Escape a text; XML has no place for control characters, and ``display`` leaves none of them."""
    return escape("".join(char if char.isprintable() or char == "\n" else "�" for char in text))
