"""Pictures of a model that was ingested with a threshold of its own: its colours begin there, and say so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape

import numpy as np
import pytest

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.neuron_view import WrittenView
from n2gdb.core.units import NeuronName
from n2gdb.drawing import beside, draw, draw_dot, draw_graph, sheet
from n2gdb.evidence.influences import WeighedToken

NAME = NeuronName(0, 1)


@dataclass(frozen=True)
class View:
    """A neuron whose patterns have activations from 0.3 to 1, one a token."""

    fire_threshold: float
    promotes: Sequence[WrittenView] = ()
    suppresses: Sequence[WrittenView] = ()
    name: NeuronName = NAME
    model: str = "demo"
    state: str = "live"
    f1: float | None = 0.5
    heldout_f1: float | None = None
    heldout_firings: int | None = None
    inhibited_by: tuple[WeighedToken, ...] = ()

    @property
    def graph(self) -> NeuronGraph:
        return NeuronGraph.from_patterns(
            Pattern((Step(0, at, 1.0),), activation) for at, activation in enumerate((0.3, 0.45, 0.65, 1.0))
        )

    def texts(self, tokens: Iterable[int]) -> dict[int, str]:
        return {token: f"t{token}" for token in tokens}

    def tokenize(self, text: str) -> tuple[int, ...]:
        raise NotImplementedError


def shades(svg: str) -> list[float]:
    """How opaque each token is, t0 to t3."""
    cells = re.findall(r'fill-opacity="([\d.]+)"/><text[^>]*>t(\d)<', svg)
    return [float(shade) for shade, _ in sorted(cells, key=lambda cell: cell[1])]


@pytest.mark.parametrize(("threshold", "distinct"), [(0.3, 4), (0.45, 3), (0.5, 3), (0.65, 2), (1.0, 1)])
def test_colours_begin_at_the_threshold(threshold: float, distinct: int) -> None:
    drawn = draw(View(threshold)).svg()
    assert f"activation {threshold:g} to 1<" in drawn
    found = shades(drawn)
    assert found == sorted(found)
    assert len(found) == 4 and len(set(found)) == distinct
    assert found[-1] == 0.9
    dot = re.findall(r'fillcolor="0\.01 ([\d.]+) 1\.0"', draw_dot(View(threshold)))
    assert len(set(dot)) == distinct


def test_neurons_of_several_thresholds_share_a_legend_that_names_none() -> None:
    low, high = View(0.3), replace(View(0.6), name=NeuronName(0, 2))
    for picture in (beside(low, high), sheet([low, high])):
        assert "activation from each threshold to 1<" in picture.svg()
    assert "activation 0.6 to 1<" in sheet([high, high]).svg()


def test_a_graph_by_itself_has_the_usual_threshold() -> None:
    assert "activation 0.5 to 1<" in draw_graph(View(0.3).graph).svg()


@dataclass(frozen=True)
class Written:
    """A token that a neuron writes."""

    text: str
    logit: float


def test_what_a_neuron_writes_stands_beside_its_graph_in_every_form() -> None:
    view = View(0.5)
    writing = replace(view, promotes=[Written("</g>", 2.0)] * 9, suppresses=[Written("down", -1.0)])
    for drawn in (draw(writing).svg(), draw(writing, bare=True).svg(), draw(writing).html()):
        assert drawn.count("&lt;/g&gt;</text>") == 5  # the strongest
        assert 'class="u z"' in drawn and ">down</text>" in drawn
        assert "promoted by 2 at its largest activation" in drawn
    assert 'label="promotes"' in draw_dot(writing) and 'suppresses_0 [label="down"' in draw_dot(writing)
    assert "promotes" not in draw(view).svg() + draw_dot(view)


@pytest.mark.parametrize("text", ["<b>", "never"])
def test_what_keeps_a_neuron_silent_is_drawn_in_every_form(text: str) -> None:
    view = View(0.5)
    silent = replace(view, inhibited_by=tuple(WeighedToken(2, 7, text, -1.0 - at) for at in range(9)))
    other = replace(view, name=NeuronName(0, 2))
    drawn = {
        6: (draw(silent).svg(), draw(silent, bare=True).svg(), draw(silent).html()),
        3: (sheet([other, silent]).svg(), beside(other, silent).svg()),
    }
    for count, pictures in drawn.items():
        for picture in pictures:
            assert picture.count('<rect class="i"') - picture.count("keeps it silent") == count
            assert f">{escape(text)}</text>" in picture
    assert draw_dot(silent).count("silencing_") == 6 and 'label="less after"' in draw_dot(silent)
    for picture in (draw(view).svg(), sheet([view, other]).svg(), beside(view, other).svg(), draw_dot(view)):
        assert "less after" not in picture and "keeps it silent" not in picture


@dataclass(frozen=True)
class Seldom(View):
    """A neuron of three patterns of two tokens, of which the one that ends in t0 is often right."""

    @property
    def graph(self) -> NeuronGraph:
        graph = NeuronGraph.from_patterns(
            Pattern((Step(0, at, 1.0), Step(1, before, 1.0)), 1.0) for at, before in ((0, 3), (1, 3), (2, 4))
        )
        often = np.isin(graph.token[graph.parent], (0,)) & (graph.parent >= 0)
        confidence = np.where(often, 0.9, 0.01).astype(np.float32)
        return replace(graph, support=np.full(len(graph), 40), confidence=confidence)


def test_what_is_seldom_right_is_pale_but_its_text_is_not() -> None:
    drawn = draw(Seldom(0.5)).svg()
    cells = {
        text: (look.split(), float(shade), "w" in (classes or "").split())
        for look, shade, classes, text in re.findall(
            r'<rect class="([^"]*)"[^>]*fill-opacity="([\d.]+)"/><text(?: class="([^"]*)")?[^>]*>(t\d)<',
            drawn,
        )
    }
    assert cells["t0"][1:] == (0.9, True) and "z" not in cells["t0"][0]
    for seldom in ("t1", "t2", "t4"):
        look, shade, white = cells[seldom]
        assert "z" in look and shade < 0.4 and not white, seldom
    assert "seldom right" in drawn
    assert '<g class="x">' not in drawn  # which would take the text along
    assert draw_dot(Seldom(0.5)).count("dashed") == 2 + ("t0 | t1" not in draw_dot(Seldom(0.5)))
