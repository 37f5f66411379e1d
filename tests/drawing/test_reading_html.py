"""A reading as HTML: what is marked, what lights up on hover, and that text stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

import n2gdb
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.tokens import display
from n2gdb.core.units import NeuronName
from n2gdb.storage.build.database import build_database
from tests.support.small_run import write_run

HOSTILE = "<script>alert(1)</script>"
WORDS = (
    "<eos>",
    " the",
    " end",
    HOSTILE,
    "\"'&amp;",
    "\u202eright to left",
    "\n\n    ",
    "\n",
    "\x00",
    "كلمة",
)


class Seen(HTMLParser):
    """The elements of a page, and the text of its tokens; what a token says on hover apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tokens: list[str] = []
        self.glosses: list[str] = []
        self._into: list[list[str] | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag in ("meta",):
            return
        into = self._into[-1] if self._into else None
        classes = (attributes.get("class") or "").split()
        if "t" in classes or "gloss" in classes:
            into = self.tokens if "t" in classes else self.glosses
            into.append("")
        self._into.append(into)

    def handle_endtag(self, tag: str) -> None:
        self._into.pop()

    def handle_data(self, data: str) -> None:
        if self._into and (into := self._into[-1]) is not None:
            into[-1] += data


@pytest.fixture(scope="module")
def neuron(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Neuron]:
    """A neuron that fires on the hostile word behind *the*, five positions back or one."""
    folder = tmp_path_factory.mktemp("html")
    near = Pattern((Step(0, 3, 1.0), Step(1, 1, 0.9)), 0.75)
    far = Pattern((Step(0, 3, 1.0), Step(1, 2, 0.9), Step(6, 1, 0.8)), 0.25)
    graphs = {NeuronName(0, 0): NeuronGraph.from_patterns([near, far])}
    build_database(folder / "n.n2gdb", [write_run(folder / "<b>model", graphs, WORDS)])
    with n2gdb.open(folder / "n.n2gdb") as database:
        yield database.neuron("L0N0")


def marked(page: str) -> list[tuple[str, str]]:
    """The tokens that fire, in either row, as tag and style."""
    return re.findall(r'<(b|s) class="on" style="(--v:[\d.]+)"', page.split('<div class="text')[1])


def test_text_stays_text(neuron: n2gdb.Neuron) -> None:
    page = neuron.read(range(len(WORDS)), by="graph").html()
    seen = Seen(page)
    assert seen.tokens == [display(word) for word in WORDS]
    assert {tag for tag, _ in seen.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "div", "p", "span", "b", "i", "em")
    }
    names = {name for _, attributes in seen.tags for name in attributes}
    assert names <= {"lang", "charset", "name", "content", "class", "style", "tabindex"}
    assert "\u202e" not in page and "\x00" not in page and "<b>model" not in page


def test_nothing_is_fetched(neuron: n2gdb.Neuron) -> None:
    assert not re.search(
        r"https?:|url\(|@import|<script|<link", neuron.read(range(4), by="graph").html().lower()
    )


def test_a_page_is_whole_and_a_fragment_is_its_inside(neuron: n2gdb.Neuron) -> None:
    reading = neuron.read([1, 3], by="graph")
    page, fragment = reading.html(), reading._repr_html_()
    assert page.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
    assert fragment in page
    assert fragment.startswith('<div class="n2gdb-reading"><style>')
    rules = fragment.split("<style>")[1].split("</style>")[0]
    assert ".R" not in rules
    selectors = [part for part in re.findall(r"([^{}]+)\{", rules) if not part.strip().startswith("@")]
    assert all(".n2gdb-reading" in selector for selector in selectors)


def test_one_row_without_the_truth_two_with_it(neuron: n2gdb.Neuron) -> None:
    one, two = (
        neuron.read([1, 3, 2], by="graph").html(),
        neuron.read([1, 3, 2], [0.0, 0.25, 1.5], by="graph").html(),
    )
    assert (one.count("<s"), marked(one)) == (one.count("<span") + one.count("<style"), [("b", "--v:0.75")])
    assert marked(two) == [("s", "--v:0.75"), ("b", "--v:1.00")]
    assert '<b style="--v:0.25">' in two


def test_a_token_without_a_known_truth_is_faint(neuron: n2gdb.Neuron) -> None:
    page = neuron.read([1, 3, 2], [None, 0.5, -0.5], by="graph").html()
    assert [attributes["class"] for tag, attributes in Seen(page).tags if is_token(attributes)] == [
        "t far",
        "t p c1",
        "t",
    ]
    assert "faint text: the truth is not known" in page
    assert "faint text" not in neuron.read([1], [0.0], by="graph").html()


def is_token(attributes: dict[str, str | None]) -> bool:
    return (attributes.get("class") or "").split()[:1] == ["t"]


def test_context_lights_up_by_its_distance(neuron: n2gdb.Neuron) -> None:
    page = neuron.read([1, 4, 4, 4, 4, 2, 3], by="graph").html()
    assert ' class="t p c6 c1" tabindex="0"' in page
    assert ".t:has(+.t.c1:is(:hover,:focus))" in page
    assert ".t:has(+.t+.t+.t+.t+.t+.t.c6:is(:hover,:focus))" in page
    assert ".t.c2:" not in page


@pytest.mark.parametrize(
    ("tokens", "true", "glosses"),
    [
        ((1, 3), None, [f" the · {HOSTILE}predicted 0.75"]),
        ((1, 3, 2), (0, 1, 0.25), [f" the · {HOSTILE}predicted 0.75 · true 1.00"]),
        ((1, 4, 4, 4, 4, 2, 3), None, [f" the · _ × 4 ·  end · {HOSTILE}predicted 0.25"]),
    ],
)
def test_a_hover_says_the_pattern(
    neuron: n2gdb.Neuron, tokens: Sequence[int], true: Sequence[float] | None, glosses: list[str]
) -> None:
    seen = Seen(neuron.read(tokens, true, by="graph").html()).glosses
    shown = [gloss.replace(" the", "·the").replace("  end", " ·end") for gloss in glosses]
    extra = ["no pattern matchestrue 0.25"] if true else []
    assert seen == [*shown, *extra]


def test_lines_break_where_the_text_does(neuron: n2gdb.Neuron) -> None:
    page = neuron.read([1, 6, 2, 7], by="graph").html()
    assert re.findall(r'</span><span class="(nl[a-z ]*)"></span>', page) == ["nl gap", "nl"]
    assert re.search(r'⏎⏎</i></b></span><span class="nl gap"></span><span class="w"><b><i>····</i>', page)


def test_a_notebook_is_given_the_beginning_of_a_long_text(neuron: n2gdb.Neuron) -> None:
    reading = neuron.read([1, 3] * 1700, by="graph")
    shown = reading._repr_html_()
    assert len(Seen(shown).tokens) == 3000
    assert '<span class="more">… 400 more tokens</span></div></div>' in shown
    assert len(Seen(reading.html()).tokens) == 3400


def test_what_lies_far_from_the_known_truth_is_left_out(neuron: n2gdb.Neuron) -> None:
    tokens = [4] * 100
    page = neuron.read(tokens, [None] * 50 + [0.0] * 10 + [None] * 40, by="graph").html()
    assert len(Seen(page).tokens) == 16 + 10 + 16
    assert re.findall("… (.*?)</span>", page) == ["34 more tokens", "24 more tokens"]
    tokens[10], tokens[11] = 1, 3  # a pattern matches, and its context is shown
    page = neuron.read(tokens, [None] * 50 + [0.0] * 10 + [None] * 40, by="graph").html()
    assert len(Seen(page).tokens) == 60 + 16
    assert len(Seen(neuron.read([4] * 100, by="graph").html()).tokens) == 100
    assert Seen(neuron.read([4], [0.0], by="graph").html()).tokens == [WORDS[4]]


def test_an_empty_text_is_shown_as_such(neuron: n2gdb.Neuron) -> None:
    page = neuron.read((), by="graph").html()
    assert "its graph fires on 0 of 0 tokens" in page
    assert Seen(page).tokens == []


def test_the_name_of_a_file_is_escaped(neuron: n2gdb.Neuron, tmp_path: Path) -> None:
    from n2gdb.prediction.reading import read_text

    assert "· &lt;i&gt;.txt</p>" in read_text(neuron, [1], title="<i>.txt").html()
