"""Figures: what an SVG says, that the same figure is the same file, and that no token's text breaks one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest

from n2gdb.core.trajectories import ExampleTrajectory, LayerTrajectory, NeuronTrajectories
from n2gdb.core.units import NeuronName
from n2gdb.errors import FigureError, MissingDependencyError
from n2gdb.plotting import check_figure, draw_neuron_trajectories, draw_report, draw_trajectories
from n2gdb.plotting.axes import top_of

EXAMPLE = ExampleTrajectory(
    rank=0,
    split="test",
    tokens=(5, 6, 7, 8),
    texts=("ship", " on", " the", " other"),
    activation=(0.9, 0.7, 0.25, 0.0),
    importance=(None, 0.8, 0.6, None),
    whole=1.0,
)
NEURON = NeuronTrajectories(
    model="demo",
    neuron=NeuronName(4, 358),
    max_activation=2.0,
    fire_threshold=0.5,
    importance_threshold=0.75,
    examples=(EXAMPLE, replace(EXAMPLE, rank=1, split="train")),
)


def layer(number: int, whole: float = 0.9) -> LayerTrajectory:
    return LayerTrajectory(
        "demo", number, 40, 120, (1, 2, 3), (0.1, 0.4, 0.6), (0.0, 0.3, 0.5), (0.2, 0.6, 0.7), whole
    )


@dataclass(frozen=True)
class Scores:
    """A row of a report."""

    layer: int
    predictor: str
    text: str = "test examples"
    precision: float | None = 0.5
    recall: float | None = 0.75
    f1: float | None = 0.6
    base_rate: float | None = 0.004
    neurons: int = 700
    model: str = "demo"


REPORT = [
    Scores(number, predictor, text, neurons=700 + number)
    for text in ("test examples", "held-out text")
    for number in (0, 3)
    for predictor in ("N2G", "token look-up")
]

#: Every kind of figure.
FIGURES: dict[str, Callable[[Path], None]] = {
    "layers": lambda path: draw_trajectories([layer(0), layer(1)], path),
    "neuron": lambda path: draw_neuron_trajectories(NEURON, path),
    "report": lambda path: draw_report(REPORT, path),
}


def elements(path: Path) -> list[ElementTree.Element]:
    """The text elements of an SVG, in order."""
    return list(ElementTree.parse(path).getroot().iter("{http://www.w3.org/2000/svg}text"))


def texts(path: Path) -> list[str]:
    return ["".join(each.itertext()) for each in elements(path)]


def test_layers_are_named_with_lengths_and_the_whole_window(tmp_path: Path) -> None:
    draw_trajectories([layer(0), layer(1, whole=0.7)], tmp_path / "x.svg")
    found = texts(tmp_path / "x.svg")
    assert found.count("layer 0") == found.count("layer 1") == 2, "beside its line, and over its panel"
    assert {"demo: mean trajectory by layer", "1", "2", "3", "whole", "window"} <= set(found)
    assert "mean and middle half of 40 neurons a layer" in found
    assert found.count("tokens of the prompt, the activating token included") == 2


def test_of_many_layers_twelve_are_named(tmp_path: Path) -> None:
    draw_trajectories([layer(number) for number in range(36)], tmp_path / "x.svg")
    named = {text for text in texts(tmp_path / "x.svg") if text.startswith("layer ")}
    assert len(named) == 12
    assert {"layer 0", "layer 35"} <= named


def test_names_of_layers_do_not_overlap(tmp_path: Path) -> None:
    draw_trajectories([layer(number, whole=0.9) for number in range(8)], tmp_path / "x.svg")
    width = 72 * 7.2
    heights = sorted(
        float(each.attrib["y"])
        for each in elements(tmp_path / "x.svg")
        if (each.text or "").startswith("layer ") and float(each.attrib["x"]) < width / 2
    )
    assert len(heights) == 8
    assert all(below - above > 8 for above, below in pairwise(heights)), "8 points is the size of the text"


def test_a_neurons_tokens_are_readable_and_the_important_marked(tmp_path: Path) -> None:
    draw_neuron_trajectories(NEURON, tmp_path / "x.svg")
    found = texts(tmp_path / "x.svg")
    assert {"L4N358 of demo", "example 1", "example 2", "test", "train"} <= set(found)
    assert {"each of 2 examples", "important: above 0.75", "grey text: pruned away"} <= set(found)
    for label in ("ship", "·on", "·the", "·other"):
        assert found.count(label) == 2
    bold = [
        "".join(each.itertext())
        for each in elements(tmp_path / "x.svg")
        if "Mono" in each.attrib["style"] and "font-weight: 700" in each.attrib["style"]
    ]
    assert bold == ["·other", "·on"] * 2


def test_only_so_many_examples_are_drawn_token_by_token(tmp_path: Path) -> None:
    draw_neuron_trajectories(NEURON, tmp_path / "x.svg", examples=1)
    found = texts(tmp_path / "x.svg")
    assert "example 2" not in found
    assert "each of 2 examples" in found


def test_an_activation_above_the_corpus_largest_stays_on_the_axis() -> None:
    assert top_of([0.2, 0.9]) == pytest.approx(1.05)
    assert top_of(iter([3.0, 0.9])) == pytest.approx(3.15)


def test_a_long_example_is_cut_at_its_left(tmp_path: Path) -> None:
    n = 30
    long = ExampleTrajectory(
        0, "train", tuple(range(n)), tuple(f" word{i:02}" for i in range(n)), (0.5,) * n, (None,) * n, 1.0
    )
    draw_neuron_trajectories(replace(NEURON, examples=(long,)), tmp_path / "x.svg")
    found = texts(tmp_path / "x.svg")
    assert "…" in found
    assert "·word29" in found
    assert "·word00" not in found


HOSTILE = (
    "<script>alert(1)</script>",
    "$x^2$ & $",
    "]]>",
    "\n\t\r",
    "\u202eright to left",
    "שלום",
    "\x00",
    "\ud800",
    "日本",
    "\\x{",
    "#" * 300,
    "",
)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_no_text_of_a_token_breaks_a_figure(tmp_path: Path, suffix: str) -> None:
    examples = tuple(replace(EXAMPLE, texts=(text, text, text, text)) for text in HOSTILE)
    found = replace(NEURON, examples=examples, model="<b>&$_$")
    draw_neuron_trajectories(found, tmp_path / f"x{suffix}", examples=len(examples))
    assert (tmp_path / f"x{suffix}").stat().st_size > 1000
    if suffix == ".svg":
        labels = texts(tmp_path / "x.svg")
        assert {"<script>alert(1…", "$x^2$·&·$", "]]>", "⏎⇥␍", "\\u202eright·to·…", "日本", "\\u0000"} <= set(
            labels
        )
        assert "L4N358 of <b>&$_$" in labels
        assert b"<script" not in (tmp_path / "x.svg").read_bytes()


@pytest.mark.filterwarnings("error")
def test_what_a_font_lacks_is_written_in_hex_where_no_reader_brings_another(tmp_path: Path) -> None:
    from n2gdb.plotting.files import token_label

    assert token_label(" 日本", Path("x.png")) == "·\\u65e5\\u672c"
    assert token_label(" 日本", Path("x.svg")) == "·日本"
    assert token_label("\n\tthe\r", Path("x.png")) == "⏎⇥the\\u000d"
    draw_neuron_trajectories(replace(NEURON, examples=(EXAMPLE,)), tmp_path / "x.png")


def test_a_report_has_a_panel_for_each_measure_and_text(tmp_path: Path) -> None:
    draw_report(REPORT, tmp_path / "x.svg")
    found = texts(tmp_path / "x.svg")
    for label in ("F1", "precision", "recall", "N2G", "token look-up", "base rate of firing", "demo"):
        assert found.count(label) == 1
    for label in ("test examples", "held-out text"):
        assert found.count(label) == 1
    assert found.count("700 to 703 neurons a layer") == 2
    assert found.count("firing on 0.4 % of tokens") == 2
    assert found.count("layer") == 3


def test_a_report_of_one_text_has_one_row(tmp_path: Path) -> None:
    draw_report([row for row in REPORT if row.text == "test examples"], tmp_path / "x.svg")
    assert "held-out text" not in texts(tmp_path / "x.svg")


def test_a_layer_without_a_score_leaves_a_gap(tmp_path: Path) -> None:
    nothing = Scores(1, "N2G", precision=None, recall=None, f1=float("nan"), base_rate=None, neurons=0)
    draw_report([*REPORT, nothing], tmp_path / "x.svg")
    assert "0 to 703 neurons a layer" in texts(tmp_path / "x.svg")
    draw_report([nothing], tmp_path / "y.svg")
    assert "0 neurons a layer" in texts(tmp_path / "y.svg")


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("layers", ".svg"), ("neuron", ".svg"), ("report", ".svg"), ("layers", ".png"), ("layers", ".pdf")],
)
def test_the_same_figure_is_the_same_file(tmp_path: Path, name: str, suffix: str) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    FIGURES[name](first)
    FIGURES[name](second)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[:5] in (b"<?xml", b"\x89PNG\r", b"%PDF-")
    assert not any(word in first.read_bytes() for word in (b"dc:date", b"CreationDate", b"Creation Time"))


def test_nothing_of_matplotlibs_is_changed(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    for draw in FIGURES.values():
        draw(tmp_path / "x.svg")
    assert dict(matplotlib.rcParams) == before


def test_a_users_settings_change_nothing(tmp_path: Path) -> None:
    FIGURES["layers"](tmp_path / "plain.svg")
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "axes.facecolor": "black"}):
        FIGURES["layers"](tmp_path / "own.svg")
    assert (tmp_path / "own.svg").read_bytes() == (tmp_path / "plain.svg").read_bytes()


@pytest.mark.parametrize("name", ["x.gif", "x", "x.svgz"])
def test_another_file_type_is_said(name: str) -> None:
    with pytest.raises(
        FigureError, match=rf"{name} is not a known type of figure: end its name in \.svg, \.png, \.pdf"
    ):
        check_figure(Path(name))


@pytest.mark.parametrize("name", FIGURES)
def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(FigureError, match=r"x\.svg cannot be written \(there is no folder"):
        FIGURES[name](tmp_path / "missing" / "x.svg")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda path: draw_trajectories([], path), "there is no layer to draw"),
        (
            lambda path: draw_trajectories([layer(0), replace(layer(1), model="gpt2")], path),
            "one model, not demo, gpt2",
        ),
        (lambda path: draw_neuron_trajectories(replace(NEURON, examples=()), path), "L4N358 has no example"),
        (lambda path: draw_report([], path), "there is no row of a report to draw"),
        (
            lambda path: draw_report([Scores(0, "N2G"), Scores(0, "N2G", model="gpt2")], path),
            "one model, not demo, gpt2",
        ),
        (
            lambda path: draw_report([Scores(0, str(number)) for number in range(9)], path),
            "9 predictors cannot be told apart: draw at most 7",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(tmp_path: Path, draw: Callable[[Path], None], message: str) -> None:
    with pytest.raises(FigureError, match=message):
        draw(tmp_path / "x.svg")
    assert not list(tmp_path.iterdir())


def test_a_missing_matplotlib_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"^figures need matplotlib: install n2gdb\[figures\]$"):
        check_figure(Path("x.svg"))


def test_matplotlib_is_loaded_where_a_figure_is_drawn() -> None:
    code = (
        "import sys, n2gdb, n2gdb.plotting, n2gdb.core.trajectories, n2gdb.cli.commands.trajectories\n"
        "print('matplotlib' in sys.modules, 'numpy' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False"]


def test_pyplot_is_never_loaded(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.drawing.test_figures import FIGURES\n"
        f"for name, draw in FIGURES.items(): draw(Path({str(tmp_path)!r}) / f'{{name}}.png')\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
