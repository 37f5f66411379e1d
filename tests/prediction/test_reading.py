"""A text read by a neuron: predictions, patterns and where their tokens stand, and the truth beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import n2gdb
from n2gdb.core.readings import Agreement, token_lines
from n2gdb.errors import QueryError
from n2gdb.prediction.reading import read_text
from tests.support.cli_world import build_cli_world, text_of

TEXT = "on the other side of an other end"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    with n2gdb.open(build_cli_world(tmp_path_factory.mktemp("reading"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def neuron(database: n2gdb.Database) -> n2gdb.Neuron:
    return database.neuron("L4N358")


def test_every_token_has_its_prediction_and_its_pattern(neuron: n2gdb.Neuron) -> None:
    reading = neuron.read(TEXT, by="graph")
    assert [token.text for token in reading.tokens] == [text_of(token) for token in neuron.tokenize(TEXT)]
    assert [token.position for token in reading.tokens] == list(range(8))
    assert [token.predicted for token in reading.tokens] == neuron.predict(TEXT, by="graph").tolist()
    assert [token.pattern for token in reading.tokens if token.pattern] == ["·the · ·other", "·an · ·other"]
    assert {token.true for token in reading.tokens} == {None}
    assert (reading.neuron, reading.model, reading.threshold) == ("L4N358", "world", 0.5)


def test_where_the_tokens_of_a_pattern_stand(neuron: n2gdb.Neuron) -> None:
    reading = neuron.read(" on an other", by="graph")  # the longer pattern wins: on, any token, other
    assert [(token.pattern, token.at) for token in reading.tokens] == [
        (None, ()),
        (None, ()),
        ("·on · _ · ·other", (0, 2)),
    ]


def test_a_text_may_be_token_ids(neuron: n2gdb.Neuron) -> None:
    assert neuron.read(neuron.tokenize(TEXT)) == neuron.read(TEXT)
    assert neuron.read("").tokens == neuron.read(()).tokens == ()


def test_the_truth_stands_beside_the_prediction(neuron: n2gdb.Neuron) -> None:
    true = np.array([0, 0, 0.75, 0, 0, 0, 0.25, 0.5], np.float32)
    reading = neuron.read(TEXT, true.tolist(), by="graph")
    assert reading.has_truth and not neuron.read(TEXT).has_truth
    assert [token.true for token in reading.tokens] == true.tolist()
    assert reading.agreement == Agreement(foreseen=1, missed=1, false_alarms=1)
    assert reading.summary == (
        "it fires on 2 of 8 tokens; its graph predicts 1, misses 1, and fires wrongly on 1"
    )
    assert neuron.read(TEXT, by="graph").summary == "its graph fires on 2 of 8 tokens"


def test_a_truth_that_is_not_known_counts_nowhere(neuron: n2gdb.Neuron) -> None:
    reading = neuron.read(TEXT, [None, None, None, float("nan"), 0, 0, 1, 0], by="graph")
    assert [token.true for token in reading.tokens[:4]] == [None] * 4
    assert reading.summary.startswith("it fires on 1 of 4 tokens; its graph predicts 1, misses 0")


def test_the_truth_has_one_number_a_token(neuron: n2gdb.Neuron) -> None:
    with pytest.raises(QueryError, match="2 true activations were given for 8 tokens"):
        neuron.read(TEXT, [0.5, 0.5])


def test_an_example_is_read_with_its_stored_truth(neuron: n2gdb.Neuron) -> None:
    example = neuron.examples[1]
    reading = neuron.read_example(example, by="graph")
    assert [token.token for token in reading.tokens] == list(example.tokens)
    assert [token.true for token in reading.tokens] == [None] * 4 + [0, 0.1875, 0.375, 0.5625, 0.75] + [None]
    assert reading.title == "top example 2, test"
    assert [token.predicted for token in reading.tokens] == neuron.predict(
        example.tokens, by="graph"
    ).tolist()


def test_tokens_as_plain_values(neuron: n2gdb.Neuron) -> None:
    plain = json.loads(json.dumps(neuron.read(TEXT, np.full(8, 0.5).tolist(), by="graph").as_dicts()))
    assert plain[2] == {
        "position": 2,
        "token": neuron.tokenize(TEXT)[2],
        "text": " other",
        "predicted": 1.0,
        "pattern": "·the · ·other",
        "at": [1, 2],
        "true": 0.5,
        "against": [],
    }


def test_a_title_is_kept(neuron: n2gdb.Neuron) -> None:
    assert read_text(neuron, TEXT, title="moby.txt").title == "moby.txt"


@pytest.mark.parametrize(
    ("text", "ending", "breaks", "beginning"),
    [
        ("the", "", 0, "the"),
        ("\n", "\n", 1, ""),
        ("\n\n    ", "\n\n", 2, "    "),
        (" \n x\n", " \n x\n", 2, ""),
    ],
)
def test_lines_break_behind_the_last_line_break(text: str, ending: str, breaks: int, beginning: str) -> None:
    found = token_lines(text)
    assert (found.ending, found.breaks, found.beginning) == (ending, breaks, beginning)


def test_reading_loads_nothing_heavy(database: n2gdb.Database) -> None:
    code = (
        "import sys, n2gdb\n"
        f"with n2gdb.open({str(database.path)!r}) as db: db.neuron('L4N358').read({TEXT!r}).html()\n"
        "print(*{'torch', 'matplotlib', 'rich', 'typer', 'transformers'} & sys.modules.keys())"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
