"""Pictures of graphs: what is merged, where it stands, and that every form of it is whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.core.behaviours import behaviours
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.drawing import beside, draw, draw_dot, draw_graph, sheet, thumbnail
from n2gdb.drawing.diagram import Diagram, read_diagram
from n2gdb.drawing.dot import diagram_dot
from n2gdb.drawing.labels import label_of
from n2gdb.drawing.layout import Layout, lay_out
from n2gdb.drawing.svg import diagram_panel, document
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.shards import RunFolder
from tests.core.test_graph import patterns
from tests.support.browser_world import HOSTILE, build_browser_world

TEXTS = {token: f"t{token}" for token in range(200)}
GRAPHS = st.lists(patterns(), min_size=1, max_size=14).map(NeuronGraph.from_patterns)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_browser_world(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def database(path: Path) -> Iterator[n2gdb.Database]:
    with n2gdb.open(path) as opened:
        yield opened


def pattern(activation: float, *steps: tuple[int, int, float]) -> Pattern:
    return Pattern(tuple(Step(*step) for step in steps), activation)


#: A pattern as it is traced: (depth, token) of what it names, from the activating token back.
Traced = tuple[tuple[int, int], ...]


def traced(diagram: Diagram) -> list[Traced]:
    """Follow every path of a picture, from each bold rim to an activating token, by every alternative."""
    following: dict[int, list[int]] = {}
    for link in diagram.links:
        marks = diagram.marks[link.earlier], diagram.marks[link.later]
        assert link.between == marks[0].depth - marks[1].depth - 1 >= 0
        following.setdefault(link.earlier, []).append(link.later)

    def onwards(place: int) -> Iterator[Traced]:
        mark = diagram.marks[place]
        before = [trace for later in following.get(place, ()) for trace in onwards(later)]
        assert bool(before) == bool(mark.depth), "a path ends short of an activating token, or behind it"
        for trace in before or [()]:
            yield from ((*trace, (mark.depth, token.token)) for token in mark.tokens)

    begins = (place for place, mark in enumerate(diagram.marks) if mark.begins is not None)
    return [trace for place in begins for trace in onwards(place)]


def strongest(graph: NeuronGraph, most: int | None = None) -> list[Traced]:
    """The patterns that a picture should show."""
    found = sorted(graph.patterns(), key=lambda each: -each.activation)[:most]
    return sorted(tuple((step.depth, step.token) for step in each.steps) for each in found)


def assert_true(graph: NeuronGraph, texts: Mapping[int, str] = TEXTS, most: int | None = None) -> Diagram:
    diagram = read_diagram(graph, texts, most)
    assert sorted(traced(diagram)) == strongest(graph, most)
    return diagram


@st.composite
def crossing(draw: st.DrawFn) -> NeuronGraph:
    """Draw graphs of few tokens and depths, whose patterns share much."""
    depths = st.lists(st.integers(1, 5), max_size=4, unique=True).map(sorted)
    found = []
    for number in range(draw(st.integers(1, 25))):
        at = [0, *draw(depths)]
        steps = [(depth, draw(st.integers(0, 3)), 0.8) for depth in at]
        found.append(pattern(0.5 + number / 64, *steps))
    return NeuronGraph.from_patterns(found)


@given(crossing(), st.sampled_from([None, 1, 3, 8]))
def test_a_drawn_path_is_a_pattern_and_a_pattern_a_drawn_path(graph: NeuronGraph, most: int | None) -> None:
    assert_true(graph, most=most)


@given(GRAPHS)
def test_so_it_is_on_sparse_graphs(graph: NeuronGraph) -> None:
    assert_true(graph)


def test_so_it_is_on_every_neuron_of_a_real_model() -> None:
    places = (folder / "shared" / "smollm2-l10" for folder in Path(__file__).parents)
    shards = next((place for place in places if place.is_dir()), None)
    if shards is None:
        pytest.skip("the shards of a real model are not here")
    (run,) = (folder for folder in shards.iterdir() if folder.is_dir())
    graphs = graphs_from(RunFolder(run).nodes())
    assert len(graphs) > 40
    for graph in graphs.values():
        texts = {token: str(token) for token in graph.token.tolist()}
        for most in (None, 40, 12, 2):
            assert_true(graph, texts, most)


def test_what_goes_on_alike_is_drawn_once() -> None:
    """``gave my``, ``gave her``, ``took my``, ``took her``, ``gave his``: two marks on either side."""
    words = {"my": 1, "her": 2, "his": 3, "gave": 11, "took": 12}
    pairs = [("gave", "my"), ("gave", "her"), ("took", "my"), ("took", "her"), ("gave", "his")]
    graph = NeuronGraph.from_patterns(
        pattern(0.9 - n / 50, (0, words[last], 1.0), (1, words[first], 0.8))
        for n, (first, last) in enumerate(pairs)
    )
    found = assert_true(graph, {token: word for word, token in words.items()})
    assert [[token.text for token in mark.tokens] for mark in found.marks] == [
        ["my", "her"],
        ["his"],
        ["gave"],
        ["took"],
    ]
    assert [(link.earlier, link.later) for link in found.links] == [(2, 0), (2, 1), (3, 0)]


def test_the_same_token_is_drawn_twice_where_patterns_would_cross() -> None:
    graph = NeuronGraph.from_patterns(
        [
            pattern(0.6, (0, 1, 1.0), (1, 9, 0.8)),
            pattern(0.9, (0, 2, 1.0), (1, 9, 0.9), (4, 7, 0.7)),
            pattern(0.7, (0, 3, 1.0), (2, 9, 0.8)),  # the same token, further back: a behaviour of its own
        ]
    )
    found = assert_true(graph)
    assert (found.patterns, found.left_out, found.behaviours) == (3, 0, 2)
    marks = [
        (token.token, mark.depth, token.importance, token.activation, mark.begins)
        for mark in found.marks
        for token in mark.tokens
    ]
    assert [tuple(round(v, 2) if v else v for v in mark) for mark in marks] == [
        (2, 0, None, 0.9, None),
        (1, 0, None, 0.6, None),
        (9, 1, 0.9, 0.9, None),  # after 7 alone
        (9, 1, 0.8, 0.6, 0.6),
        (7, 4, 0.7, 0.9, 0.9),
        (3, 0, None, 0.7, None),
        (9, 2, 0.8, 0.7, 0.7),
    ]
    assert [(link.earlier, link.later, link.between) for link in found.links] == [
        (2, 0, 0),
        (3, 1, 0),
        (4, 2, 2),
        (6, 5, 1),
    ]


def test_a_large_graph_keeps_its_strongest_patterns() -> None:
    graph = NeuronGraph.from_patterns([pattern(0.5 + n / 400, (0, n, 1.0)) for n in range(150)])
    found = read_diagram(graph, TEXTS, 40)
    assert (len(found.marks), found.left_out, found.behaviours) == (40, 110, 150)
    assert min(token.token for mark in found.marks for token in mark.tokens) == 110
    assert "the 40 strongest patterns, and 110 more" in draw_graph(graph).svg()


@given(GRAPHS)
def test_boxes_do_not_overlap_and_run_left_with_depth(graph: NeuronGraph) -> None:
    diagram = read_diagram(graph, TEXTS)
    layout = lay_out(diagram, 500)
    boxes = {box.mark: box for cluster in layout.clusters for box in cluster.boxes}
    assert sorted(boxes) == list(range(len(diagram.marks)))
    for one, other in combinations(boxes.values(), 2):
        apart = (
            one.x + one.width <= other.x
            or other.x + other.width <= one.x
            or one.y + one.height <= other.y
            or other.y + other.height <= one.y
        )
        assert apart, "two boxes overlap"
    for link in diagram.links:
        assert boxes[link.earlier].x + boxes[link.earlier].width < boxes[link.later].x
    assert {cluster.behaviour for cluster in layout.clusters} == set(behaviours(graph).tolist())
    assert_inside(layout)


def assert_inside(layout: Layout) -> None:
    for cluster in layout.clusters:
        assert cluster.x >= 0
        assert cluster.x + cluster.width <= layout.width + 1e-6
        assert cluster.y + cluster.height <= layout.height + 1e-6
        for box in cluster.boxes:
            assert cluster.x <= box.x
            assert box.x + box.width <= cluster.x + cluster.width
            cells = [cell for row in box.cells.rows for cell in row]
            assert all(cell.x >= 0 and cell.x + cell.width <= box.width for cell in cells)
            assert all(cell.y >= 0 and cell.y + cell.height <= box.height for cell in cells)
            assert cluster.y <= box.y
            assert box.y + box.height <= cluster.y + cluster.height


@given(GRAPHS)
def test_links_lead_from_box_to_box(graph: NeuronGraph) -> None:
    diagram = read_diagram(graph, TEXTS)
    for cluster in lay_out(diagram, 500).clusters:
        boxes = {box.mark: box for box in cluster.boxes}
        for route in cluster.routes:
            first, last = boxes[route.link.earlier], boxes[route.link.later]
            assert route.points[0] == pytest.approx((first.x + first.width, first.y + first.height / 2))
            assert route.points[-1] == pytest.approx((last.x, last.y + last.height / 2))
            assert [x for x, _ in route.points] == sorted(x for x, _ in route.points)


@given(st.lists(st.text(max_size=30), min_size=4, max_size=4))
def test_an_svg_is_well_formed_whatever_the_tokens_say(texts: list[str]) -> None:
    graph = NeuronGraph.from_patterns([pattern(0.9, (0, 0, 1.0), (1, 1, 0.9)), pattern(0.6, (0, 2, 1.0))])
    named = dict(enumerate(texts))
    diagram = read_diagram(graph, named)
    svg = document(diagram_panel(diagram, lay_out(diagram, 500)), texts[3])
    root = ElementTree.fromstring(svg)
    written = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {label_of(texts[token]) for token in (0, 1, 2)} <= set(written)
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def parsed_dot(text: str) -> tuple[set[int], set[tuple[int, int]]]:
    """Read nodes and edges of a DOT text whose labels hold anything."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text, flags=re.DOTALL)
    assert bare.count("{") == bare.count("}")
    nodes = {int(number) for number in re.findall(r"^\s*(\d+) \[", bare, re.MULTILINE)}
    edges = {(int(a), int(b)) for a, b in re.findall(r"^\s*(\d+) -> (\d+)", bare, re.MULTILINE)}
    return nodes, edges


@given(GRAPHS, st.text(max_size=12))
def test_dot_says_what_the_picture_shows(graph: NeuronGraph, text: str) -> None:
    diagram: Diagram = read_diagram(graph, dict.fromkeys(range(200), text))
    nodes, edges = parsed_dot(diagram_dot(diagram, text))
    assert nodes == set(range(len(diagram.marks)))
    assert edges == {(link.earlier, link.later) for link in diagram.links}


def test_a_neuron_is_drawn_in_every_form(database: n2gdb.Database) -> None:
    neuron = database.neuron("L1N2")
    picture = draw(neuron)
    assert ElementTree.fromstring(picture.svg()).attrib["role"] == "img"
    assert picture.html().startswith("<!doctype html>")
    assert picture.svg() in picture.html()
    assert picture.png()[:8] == b"\x89PNG\r\n\x1a\n"
    assert neuron._repr_svg_() == neuron.picture().svg() == picture.svg()
    assert "·other" in neuron.graph._repr_svg_()
    assert "#7" in draw_graph(NeuronGraph.from_patterns([pattern(1.0, (0, 7, 1.0))])).svg()
    assert neuron.to_dot() == draw_dot(neuron)
    assert "2 behaviours" in picture.svg()


def test_a_png_has_the_size_that_was_asked_for(database: n2gdb.Database) -> None:
    picture = draw(database.neuron("L1N0"))
    one, three = (int.from_bytes(picture.png(scale)[16:20], "big") for scale in (1.0, 3.0))
    assert three == pytest.approx(3 * one, abs=3)


def test_what_two_neurons_share_has_a_ring(database: n2gdb.Database) -> None:
    drawn = beside(database.neuron("L1N0"), database.neuron("L1N1")).svg()
    assert drawn.count('class="o"') == 5  # both tokens of both, and the legend's
    apart = beside(database.neuron("L1N0"), database.neuron("L1N2")).svg()
    assert apart.count('class="o"') == 3  # ·the before both


def test_a_sheet_holds_every_neuron(database: n2gdb.Database) -> None:
    names = ["L0N0", "L1N0", "L1N1", "L2N2"]
    drawn = sheet([database.neuron(name) for name in names]).svg()
    assert all(f">{name}<" in drawn for name in names)
    assert "it never fires" in drawn


def test_hostile_tokens_are_text_in_every_form(database: n2gdb.Database) -> None:
    neuron = database.neuron("L2N0")
    for written in (draw(neuron).svg(), draw(neuron).html(), thumbnail(neuron), neuron.to_dot()):
        assert "<script" not in written or "digraph" in written
    root = ElementTree.fromstring(draw(neuron).svg())
    said = "".join(root.itertext())
    for text in HOSTILE:
        assert label_of(text) in said
    parsed_dot(neuron.to_dot())


def test_show_writes_pictures_whole_or_not_at_all(path: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["show", *arguments, "--db", str(path)])
        return result.exit_code, result.output

    files = {kind: tmp_path / f"x.{kind}" for kind in ("svg", "png", "html", "dot")}
    options = [part for kind, file in files.items() for part in (f"--{kind}", str(file))]
    assert run("L1N2", *options) == (0, "")
    assert all(file.stat().st_size > 300 for file in files.values())
    assert run("L1N0", "L1N1", "--beside", "--svg", str(files["svg"]), "--force")[0] == 0
    assert "shared" in files["svg"].read_text(encoding="utf-8")
    assert run("L1N0", "L1N1", "L2N1", "--svg", str(files["svg"]), "--force")[0] == 0
    before = files["svg"].read_bytes()
    assert run("L1N0", "L9N9", "--svg", str(files["svg"]), "--force")[0] == 2
    assert files["svg"].read_bytes() == before
    assert run("L1N0", "--svg", str(tmp_path / "no" / "x.svg"))[0] == 1
    for wrong in (
        ("L1N0", "--beside", "--svg", "x"),
        ("L1N0", "L1N1", "--beside"),
        ("L1N0", "L1N1", "--dot", "x"),
    ):
        code, said = run(*wrong)
        assert code == 2
        assert "name" in said or "say where to" in said
    code, said = run("L1N0", "--svg", "-")
    assert code == 0
    assert said.startswith("<svg")
