"""Pictures of graphs: what is merged, where it stands, and that every form of it is whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import n2gdb
from n2gdb.behaviours import behaviours
from n2gdb.cli.main import app
from n2gdb.graph import NeuronGraph, Pattern, Step
from n2gdb.pictures import beside, draw, draw_dot, draw_graph, sheet, thumbnail
from n2gdb.pictures.diagram import Diagram, read_diagram
from n2gdb.pictures.dot import diagram_dot
from n2gdb.pictures.labels import HEIGHT, label_of
from n2gdb.pictures.layout import Layout, lay_out
from n2gdb.pictures.svg import diagram_panel, document
from tests.browser_world import HOSTILE, build_browser_world
from tests.test_graph import patterns

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


def test_the_same_token_at_the_same_depth_is_drawn_once() -> None:
    graph = NeuronGraph.from_patterns(
        [
            pattern(0.6, (0, 1, 1.0), (1, 9, 0.8)),
            pattern(0.9, (0, 2, 1.0), (1, 9, 0.9), (4, 7, 0.7)),
            pattern(0.7, (0, 3, 1.0), (2, 9, 0.8)),  # the same token, further back: a behaviour of its own
        ]
    )
    found = read_diagram(graph, TEXTS)
    assert (found.patterns, found.left_out, found.behaviours) == (3, 0, 2)
    marks = [(mark.token, mark.depth, mark.importance, mark.activation, mark.begins) for mark in found.marks]
    assert [tuple(round(v, 2) if v else v for v in mark) for mark in marks] == [
        (2, 0, None, 0.9, None),
        (1, 0, None, 0.6, None),
        (9, 1, 0.9, 0.9, 0.6),
        (7, 4, 0.7, 0.9, 0.9),
        (3, 0, None, 0.7, None),
        (9, 2, 0.8, 0.7, 0.7),
    ]
    assert [(link.earlier, link.later, link.between) for link in found.links] == [
        (2, 0, 0),
        (2, 1, 0),
        (3, 2, 2),
        (5, 4, 1),
    ]


def test_a_large_graph_keeps_its_strongest_patterns() -> None:
    graph = NeuronGraph.from_patterns([pattern(0.5 + n / 400, (0, n, 1.0)) for n in range(150)])
    found = read_diagram(graph, TEXTS, 40)
    assert (len(found.marks), found.left_out, found.behaviours) == (40, 110, 150)
    assert min(mark.token for mark in found.marks) == 110
    assert "the 40 strongest patterns, and 110 more" in draw_graph(graph).svg()


@given(GRAPHS)
def test_boxes_do_not_overlap_and_run_left_with_depth(graph: NeuronGraph) -> None:
    diagram = read_diagram(graph, TEXTS)
    layout = lay_out(diagram, 500)
    boxes = {box.mark: box for cluster in layout.clusters for box in cluster.boxes}
    assert sorted(boxes) == list(range(len(diagram.marks)))
    for one, other in combinations(boxes.values(), 2):
        apart = (
            one.x + one.width <= other.x or other.x + other.width <= one.x or abs(one.y - other.y) >= HEIGHT
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
            assert cluster.y <= box.y
            assert box.y + HEIGHT <= cluster.y + cluster.height


@given(GRAPHS)
def test_links_lead_from_box_to_box(graph: NeuronGraph) -> None:
    diagram = read_diagram(graph, TEXTS)
    for cluster in lay_out(diagram, 500).clusters:
        boxes = {box.mark: box for box in cluster.boxes}
        for route in cluster.routes:
            first, last = boxes[route.link.earlier], boxes[route.link.later]
            assert route.points[0] == pytest.approx((first.x + first.width, first.y + HEIGHT / 2))
            assert route.points[-1] == pytest.approx((last.x, last.y + HEIGHT / 2))
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
    assert "#7" in NeuronGraph.from_patterns([pattern(1.0, (0, 7, 1.0))])._repr_svg_()
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
    assert "in both" in files["svg"].read_text(encoding="utf-8")
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
