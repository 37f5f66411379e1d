"""`n2gdb firing`: the neurons that fire on each token of a text."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pytest
import typer
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from typer.testing import CliRunner, Result

import n2gdb
from n2gdb.cli.commands.firing import firing
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.units import NeuronName
from n2gdb.errors import QueryError
from n2gdb.storage import schema
from n2gdb.storage.build.database import build_database
from tests.support.small_run import WORDS, model_table, write_run

THE, END, DOG = WORDS.index(" the"), WORDS.index(" end"), WORDS.index(" dog")

GRAPHS = {
    NeuronName(0, 0): [Pattern((Step(0, END, 1),), 0.75)],
    NeuronName(0, 4): [Pattern((Step(0, END, 1),), 0.5)],  # not judged: test runs leave out every fifth
    NeuronName(1, 1): [Pattern((Step(0, END, 1), Step(1, THE, 0.9)), 0.875)],
    NeuronName(1, 2): [Pattern((Step(0, DOG, 1),), 0.625)],
}

app = typer.Typer()
app.command()(firing)


def word_tokenizer() -> str:
    """A tokenizer that cuts a text into the words of small runs, in the library's JSON."""
    tokenizer = Tokenizer(WordLevel({word: token for token, word in enumerate(WORDS)}, unk_token=WORDS[0]))
    tokenizer.pre_tokenizer = Split(Regex(r" ?\S+"), "isolated")
    return str(tokenizer.to_str())


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("firing")
    graphs = {name: NeuronGraph.from_patterns(patterns) for name, patterns in GRAPHS.items()}
    run = write_run(folder / "run", graphs)
    (row,) = model_table("run", graphs, len(WORDS)).to_pylist()
    run.write_model(pa.Table.from_pylist([{**row, "tokenizer": word_tokenizer()}], schema=schema.MODEL))
    build_database(folder / "x.n2gdb", [run])
    return folder / "x.n2gdb"


def invoke(database: Path, *arguments: str) -> Result:
    """Run the command by graphs; evidence is made up here."""
    return CliRunner().invoke(app, [*arguments, "--db", str(database), "--by", "graph"])


def found(database: Path, *arguments: str) -> dict[int, list[str]]:
    """The neurons of each position, from JSON."""
    result = invoke(database, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return {
        each["position"]: [neuron["neuron"] for neuron in each["neurons"]]
        for each in json.loads(result.stdout)
    }


def test_each_token_has_its_neurons_strongest_first(database: Path) -> None:
    assert found(database, " the end dog end") == {
        0: [],
        1: ["L1N1", "L0N0", "L0N4"],
        2: ["L1N2"],
        3: ["L0N0", "L0N4"],
    }


def test_lines_name_activation_and_score(database: Path) -> None:
    lines = invoke(database, " the end").stdout.splitlines()
    assert lines[0] == "position\ttoken\tneurons"
    assert lines[1] == "0\t·the\t-"
    assert lines[2].startswith("1\t·end\tL1N1 0.88 (F1 ")
    assert lines[2].endswith("L0N4 0.50 (not judged)")


def test_evidence_predicts_unless_the_graph_is_asked_for(database: Path) -> None:
    with n2gdb.open(database) as opened:
        by_evidence = {str(each.neuron) for token in opened.firing(" the end") for each in token.neurons}
    result = CliRunner().invoke(app, [" the end", "--db", str(database), "--json"])
    tokens = json.loads(result.stdout)
    assert {neuron["neuron"] for token in tokens for neuron in token["neurons"]} == by_evidence
    assert by_evidence != {"L0N0", "L0N4", "L1N1"}  # those whose graphs fire
    assert {"f1", "heldout_f1", "heldout_firings"} <= tokens[1]["neurons"][0].keys()


def test_what_the_limit_leaves_out_is_counted(database: Path) -> None:
    assert invoke(database, " the end", "--limit", "1").stdout.splitlines()[2].endswith("), and 2 more")
    (_, last) = json.loads(invoke(database, " the end", "--limit", "1", "--json").stdout)
    assert (last["total"], len(last["neurons"])) == (3, 1)


@pytest.mark.parametrize(("at", "position"), [("-1", 3), ("1", 1)])
def test_one_token_may_be_chosen(database: Path, at: str, position: int) -> None:
    assert list(found(database, " the end dog end", "--at", at)) == [position]


@pytest.mark.parametrize("at", ["2", "-3"])
def test_a_token_outside_the_text_is_an_error(database: Path, at: str) -> None:
    error = invoke(database, " the end", "--at", at).exception
    assert isinstance(error, QueryError)
    assert str(error) == f"position {at} is outside the text: it has 2 tokens"


def test_neurons_may_be_chosen_by_layer_and_score(database: Path) -> None:
    assert found(database, " the end", "--layer", "0")[1] == ["L0N0", "L0N4"]
    assert found(database, " the end", "--layer", "0", "--layer", "1")[1] == ["L1N1", "L0N0", "L0N4"]
    assert found(database, " the end", "--min-f1", "0.01")[1] == ["L1N1", "L0N0"]
    assert found(database, " the end", "--min-f1", "1")[1] == []


def test_csv_has_a_line_a_token_and_neuron(database: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(invoke(database, " the end dog", "--csv").stdout)))
    assert [(row["position"], row["text"], row["neuron"], row["activation"]) for row in rows] == [
        ("1", " end", "L1N1", "0.875"),
        ("1", " end", "L0N0", "0.75"),
        ("1", " end", "L0N4", "0.5"),
        ("2", " dog", "L1N2", "0.625"),
    ]


def test_an_empty_text_has_no_tokens(database: Path) -> None:
    result = invoke(database, "", "--json")
    assert result.exit_code == 0
    assert "the text has no tokens" in result.output
