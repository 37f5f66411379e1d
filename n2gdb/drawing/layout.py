"""Layout of a diagram: columns by depth, the activating tokens on the right.

The layered way of drawing (Sugiyama et al. 1981): a column for every depth that is named, places kept free
where a link passes a column, an order within each column that crosses few links, and heights that keep links
straight. Every behaviour is laid out by itself; then they are packed into rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from n2gdb.drawing.cells import Cells, cells_of
from n2gdb.drawing.diagram import Diagram, Edge, Mark

__all__ = ["Box", "Cluster", "Layout", "Route", "lay_out"]

_BETWEEN_COLUMNS, _BETWEEN_ROWS, _PASSAGE = 44.0, 9.0, 12.0
_BETWEEN_CLUSTERS, _PADDING = 14.0, 12.0
_SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Box:
    """Where a mark stands: its left upper corner, in pixels, and its tokens in it."""

    mark: int
    x: float
    y: float
    cells: Cells

    @property
    def width(self) -> float:
        """In pixels."""
        return self.cells.width

    @property
    def height(self) -> float:
        """In pixels."""
        return self.cells.height


@dataclass(frozen=True, slots=True)
class Route:
    """The points that a link runs through, from the earlier mark's right edge to the later one's left."""

    link: Edge
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A behaviour, and the frame around it."""

    behaviour: int
    x: float
    y: float
    width: float
    height: float
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]

    def moved(self, right: float, down: float) -> Cluster:
        """Return it at another place."""
        return replace(
            self,
            x=self.x + right,
            y=self.y + down,
            boxes=tuple(replace(box, x=box.x + right, y=box.y + down) for box in self.boxes),
            routes=tuple(
                replace(route, points=tuple((x + right, y + down) for x, y in route.points))
                for route in self.routes
            ),
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """All clusters, and the space that they take, in pixels."""

    clusters: tuple[Cluster, ...]
    width: float
    height: float


def lay_out(diagram: Diagram, width: float) -> Layout:
    """Lay a diagram out, behaviours side by side as long as they fit into ``width``."""
    return _packed([_cluster(diagram, each) for each in _behaviours(diagram)], width)


def _behaviours(diagram: Diagram) -> list[list[int]]:
    """Part the marks by their behaviour, the strongest first."""
    parts: dict[int, list[int]] = {}
    for number, mark in enumerate(diagram.marks):
        parts.setdefault(mark.behaviour, []).append(number)
    return [parts[behaviour] for behaviour in sorted(parts)]


@dataclass(slots=True, eq=False)
class _Place:
    """A place in a column while it is being laid out: a mark's, or one that a link passes through."""

    column: int
    mark: int | None
    cells: Cells | None
    left: list[_Place]
    right: list[_Place]
    y: float = 0.0

    @property
    def height(self) -> float:
        return _PASSAGE if self.cells is None else self.cells.height


def _cluster(diagram: Diagram, marks: Sequence[int]) -> Cluster:
    depths = sorted({diagram.marks[mark].depth for mark in marks})
    column = {depth: number for number, depth in enumerate(depths)}  # 0 is the activating one, on the right
    places = {mark: _place(diagram.marks[mark], mark, column) for mark in marks}
    columns: list[list[_Place]] = [[] for _ in depths]
    for place in places.values():
        columns[place.column].append(place)
    chains = {
        link: _chain(places[link.earlier], places[link.later], columns)
        for link in diagram.links
        if link.later in places
    }
    _order(columns)
    _settle(columns)
    return _drawn(diagram, columns, chains)


def _place(mark: Mark, number: int, column: Mapping[int, int]) -> _Place:
    cells = cells_of([each.text for each in mark.tokens])
    return _Place(column[mark.depth], number, cells, [], [])


def _chain(earlier: _Place, later: _Place, columns: list[list[_Place]]) -> list[_Place]:
    """Join two places, with a passage in every column between them; return them in text order."""
    passages = [_Place(column, None, None, [], []) for column in range(earlier.column - 1, later.column, -1)]
    for passage in passages:
        columns[passage.column].append(passage)
    chain = [earlier, *passages, later]
    for first, second in pairwise(chain):
        first.right.append(second)
        second.left.append(first)
    return chain


def _order(columns: list[list[_Place]]) -> None:
    """Sort each column by where its neighbours stand in the one before, back and forth."""
    for sweep in range(_SWEEPS):
        leftwards = sweep % 2 == 0
        for column in columns[1:] if leftwards else columns[-2::-1]:
            toward = columns[column[0].column - 1 if leftwards else column[0].column + 1]
            rank = {id(place): number for number, place in enumerate(toward)}
            kept = {id(place): float(number) for number, place in enumerate(column)}

            def middle(
                place: _Place,
                rank: dict[int, int] = rank,
                kept: dict[int, float] = kept,
                leftwards: bool = leftwards,
            ) -> float:
                near = place.right if leftwards else place.left
                return sum(rank[id(each)] for each in near) / len(near) if near else kept[id(place)]

            column.sort(key=middle)


def _settle(columns: list[list[_Place]]) -> None:
    """Give every place a height near those of its neighbours, in order and without overlap."""
    for column in columns:
        _stack(column, [0.0] * len(column))
    for _ in range(_SWEEPS):
        for column in [*columns, *columns[::-1]]:
            near = [[*place.left, *place.right] for place in column]
            wanted = [
                sum(each.y for each in some) / len(some) if some else place.y
                for place, some in zip(column, near, strict=True)
            ]
            _stack(column, wanted)


def _stack(column: list[_Place], wanted: Sequence[float]) -> None:
    """Set centres as near to the wanted ones as the order and the heights allow: isotonic regression."""
    offsets = [0.0]
    for above, below in pairwise(column):
        offsets.append(offsets[-1] + (above.height + below.height) / 2 + _BETWEEN_ROWS)
    blocks: list[tuple[float, int]] = []  # (mean of what is wanted less the offset, places)
    for centre, offset in zip(wanted, offsets, strict=True):
        mean, size = centre - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    means = [mean for mean, size in blocks for _ in range(size)]
    for place, mean, offset in zip(column, means, offsets, strict=True):
        place.y = mean + offset


def _drawn(diagram: Diagram, columns: list[list[_Place]], chains: dict[Edge, list[_Place]]) -> Cluster:
    """Turn places into boxes and routes, the frame's corner at (0, 0)."""
    widths = [max(place.cells.width for place in column if place.cells) for column in columns]
    total = sum(widths) + _BETWEEN_COLUMNS * (len(widths) - 1)
    lefts, right = [], total
    for width in widths:
        lefts.append(right - width)
        right -= width + _BETWEEN_COLUMNS
    top = min(place.y - place.height / 2 for column in columns for place in column)
    bottom = max(place.y + place.height / 2 for column in columns for place in column)
    down = _PADDING - top
    boxes: list[Box] = []
    edges: dict[int, tuple[float, float, float]] = {}  # its column's left, a place's left and right
    for column, left, width in zip(columns, lefts, widths, strict=True):
        for place in column:
            x, own = left + _PADDING, width
            if place.mark is not None and place.cells is not None:
                own = place.cells.width
                x += width - own  # flush with the column's right, whence links go on
                boxes.append(Box(place.mark, x, place.y + down - place.height / 2, place.cells))
            edges[id(place)] = (left + _PADDING, x, x + own)
    routes = [Route(link, tuple(_points(chain, edges, down))) for link, chain in chains.items()]
    first = next(place.mark for place in columns[0] if place.mark is not None)
    return Cluster(
        diagram.marks[first].behaviour,
        0.0,
        0.0,
        total + 2 * _PADDING,
        bottom - top + 2 * _PADDING,
        tuple(sorted(boxes, key=lambda box: box.mark)),
        tuple(routes),
    )


def _points(
    chain: Sequence[_Place], edges: dict[int, tuple[float, float, float]], down: float
) -> list[tuple[float, float]]:
    """Return a link's points: within a column it runs level, clear of wider boxes above and below."""
    points = [(edges[id(chain[0])][2], chain[0].y + down)]
    for passage in chain[1:-1]:
        _, left, right = edges[id(passage)]
        points += [(left, passage.y + down), (right, passage.y + down)]
    column, left, _ = edges[id(chain[-1])]
    return [*points, (column, chain[-1].y + down), (left, chain[-1].y + down)]


def _packed(clusters: Sequence[Cluster], width: float) -> Layout:
    """Set clusters side by side, in rows no wider than ``width`` or the widest of them."""
    wide = max([width, *(cluster.width for cluster in clusters)])
    placed: list[Cluster] = []
    x = y = tallest = 0.0
    for cluster in clusters:
        if x and x + cluster.width > wide:
            x, y, tallest = 0.0, y + tallest + _BETWEEN_CLUSTERS, 0.0
        placed.append(cluster.moved(x, y))
        x += cluster.width + _BETWEEN_CLUSTERS
        tallest = max(tallest, cluster.height)
    return Layout(
        tuple(placed),
        max((cluster.x + cluster.width for cluster in placed), default=0.0),
        max((cluster.y + cluster.height for cluster in placed), default=0.0),
    )
