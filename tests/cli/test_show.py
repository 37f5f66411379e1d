"""`n2gdb show` and `n2gdb info`: what a person reads, and what a program reads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.cli.output.graph_tree import draw_graph
from n2gdb.cli.output.terminal import heat_style
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.units import NeuronName
from n2gdb.storage.build.database import build_database
from n2gdb.version import SCHEMA_VERSION
from tests.support.small_run import WORDS, write_run

THE, END, OF, EXCEPT = (WORDS.index(word) for word in (" the", " end", " of", " except"))

GRAPH = NeuronGraph.from_patterns(
    [
        Pattern((Step(0, END, 1.0), Step(1, THE, 0.9)), 0.75),
        Pattern((Step(0, END, 1.0), Step(1, THE, 0.9), Step(4, EXCEPT, 0.8)), 1.0),
        Pattern((Step(0, OF, 1.0),), 0.5),
    ]
)

TREE = """\
·end
└── ·the  importance 0.90  activation 0.75
    └── _ _ ·except  importance 0.80  activation 1.00

·of  activation 0.50
"""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of two neurons: L0N0 with GRAPH, L0N1 dead."""
    folder = tmp_path_factory.mktemp("known")
    graphs = {NeuronName(0, 0): GRAPH, NeuronName(0, 1): NeuronGraph.empty()}
    build_database(folder / "known.n2gdb", [write_run(folder / "known", graphs)])
    return folder / "known.n2gdb"


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def test_show_draws_the_graph_back_from_the_activating_token(known: Path) -> None:
    shown = said("show", "L0N0", "--db", str(known))
    assert TREE in bare(shown)
    assert "in the corpus, right on" in shown
    lines = shown.splitlines()
    assert re.fullmatch(
        r"held-out text: F1 0\.\d\d\?? · precision .* by its evidence on \d+ firings", lines[1]
    )
    assert any(line.startswith("top examples: F1 0.") for line in lines)
    assert "3 patterns, 4 nodes, 2 activating and 2 context tokens" in shown


def bare(shown: str) -> str:
    """Leave out how often patterns occur."""
    return re.sub(r"  [\d,]+ in the corpus(?:, right on \d+%)?", "", shown)


def test_show_says_what_excites_and_inhibits_and_how_active_it_is(known: Path) -> None:
    shown = said("show", "L0N0", "--db", str(known))
    with n2gdb.open(known) as database:
        neuron = database.neuron("L0N0")
        assert f"fires on    {' '.join(map(str, neuron.activating_tokens))}" in shown
        assert ("more after" in shown, "less after" in shown) == (
            bool(neuron.excited_by),
            bool(neuron.inhibited_by),
        )
        assert neuron.histogram is not None
        assert f"of {neuron.histogram.positions:,} tokens; by strength" in shown
    assert "near miss · activation 1.75" in shown
    assert "from 0.5 of the largest on · activation 2.5" in shown


def test_show_marks_the_activating_token_of_examples(known: Path) -> None:
    shown = said("show", "L0N0", "--examples", "1", "--db", str(known))
    assert "1. activation 4 · train\n<eos>·the·dog·of·The·cat·except·the[·end]end\n" in shown
    assert "2. activation" not in shown


def test_show_draws_the_strongest_patterns_alone_when_asked(known: Path) -> None:
    shown = said("show", "0/0", "--patterns", "1", "--db", str(known))
    assert "·except" in shown
    assert "·of  activation" not in shown
    assert "… 2 weaker patterns: --patterns 0 draws all" in shown
    assert TREE in bare(said("show", "0/0", "--patterns", "0", "--db", str(known)))


def test_show_of_a_dead_neuron(known: Path) -> None:
    shown = said("show", "L0N1", "--db", str(known))
    assert shown.startswith(
        "L0N1 of known · dead: it never fires on the corpus\nheld-out text: it never fires"
    )
    assert "top examples: not judged" in shown


def test_show_as_json_holds_the_whole_graph(known: Path) -> None:
    value = json.loads(said("show", "L0N0", "--json", "--db", str(known)))
    assert (value["neuron"], value["model"], value["state"]) == ("L0N0", "known", "live")
    patterns = [
        Pattern(
            tuple(Step(step["depth"], step["token"], step["importance"]) for step in pattern["steps"]),
            pattern["activation"],
        )
        for pattern in value["patterns"]
    ]
    assert NeuronGraph.from_patterns(patterns) == GRAPH
    assert value["patterns"][0]["steps"][1]["text"] == " the"
    assert value["examples"][0]["texts"][8] == " end"
    assert value["examples"][0]["trace"] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_an_empty_graph_draws_nothing() -> None:
    assert draw_graph(NeuronGraph.empty(), {}) == []


def test_the_strongest_activating_token_comes_first() -> None:
    texts = dict(enumerate(WORDS))
    assert [str(tree.label).split()[0] for tree in draw_graph(GRAPH, texts)] == ["·end", "·of"]


def test_heat_runs_from_cool_to_hot() -> None:
    assert heat_style(-1) == heat_style(0) == "rgb(70,70,90)"
    assert heat_style(2, background=True) == "white on rgb(255,120,30)"
    assert heat_style(0, context=True) == "rgb(70,70,90)" and heat_style(1, context=True) == "rgb(70,135,225)"


def test_info_says_what_is_in_the_database(known: Path) -> None:
    said_of = said("info", "--verify", "--db", str(known))
    assert (
        f"{known}: {known.stat().st_size / 1e6:.1f} MB, schema version {SCHEMA_VERSION}\nverified" in said_of
    )
    assert "known: 2 of 2 neurons, 1 dead, 3 patterns" in said_of
    assert "corpus        ten words, 10 tokens scanned" in said_of
    assert "fingerprints  model 0123456789ab, tokenizer 123456789abc, corpus 23456789abcd" in said_of
    assert (
        "layer\tneurons\tdead\tunpredicted\tpatterns\theld-out judged\theld-out F1\tjudged\tprecision\t"
        "recall\tF1\n0\t2\t1\t0\t3\t1\t" in said_of
    )


def test_info_as_json(known: Path) -> None:
    value = json.loads(said("info", "--json", "--verify", "--db", str(known)))
    assert value["verified"] is True
    assert value["models"][0]["configuration"] == {"top_k": 2}
    assert value["layers"][0]["dead"] == 1
    assert value["path"] == str(known)


def test_version() -> None:
    assert said("--version") == f"n2gdb {n2gdb.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["info"], ["show", "L0N0", "--json"], ["query", "neurons MATCHING 'the'"]]
)
def test_a_command_that_reads_loads_neither_torch_nor_pyarrow(known: Path, arguments: list[str]) -> None:
    code = "import sys; from n2gdb.cli.main import app; app(standalone_mode=False);"
    code += (
        "print([name for name in ('torch', 'transformer_lens', 'pyarrow', 'pandas') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--db", str(known)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines()[-1] == "[]"
