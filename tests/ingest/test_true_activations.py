"""The truth about a text, on the demo model: what was stored at ingest, and what the model says alone."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import n2gdb
from n2gdb.cli.commands.predict import predict
from n2gdb.cli.main import app
from n2gdb.core.progress import silent
from n2gdb.errors import SelectionError, UnknownNameError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.evaluation.true_activations import true_activations
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.subject import default_corpus
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.neuron import Neuron
from tests.support.demo import demo_engine, demo_model
from tests.support.demo import true_activations as run_alone

NAMES = ("L4N100", "L4N358", "L5N100", "L5N358")

#: Twice what storing a trace as float16 can move it; the rest is for the order of sums.
FLOAT16 = 2.0**-11


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("truth") / "neurons.n2gdb"
    config = N2GConfig(top_k=4, tokens=5000, augment=(), refine_rounds=0)
    chosen = Selection(layers=(4, 5), neurons=(100, 358))
    ingest(demo_model(), Source(default_corpus("demo")), path, config, chosen, silent, 1024)
    return path


@pytest.fixture(scope="module")
def database(path: Path) -> Iterator[n2gdb.Database]:
    with n2gdb.open(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def neuron(database: n2gdb.Database) -> Neuron:
    return database.neuron("L4N358")


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_is_what_was_stored_at_ingest(database: n2gdb.Database, name: str) -> None:
    neuron = database.neuron(name)
    compared = 0
    for example in neuron.examples:
        found = true_activations(demo_engine(), neuron, example.tokens)
        assert found[example.pivot] == pytest.approx(example.activation / neuron.max_activation, rel=1e-4)
        for token in neuron.read_example(example).tokens:
            if token.true is not None:
                assert found[token.position] == pytest.approx(token.true, abs=FLOAT16)
                compared += 1
    assert compared > 100


def text_of(database: n2gdb.Database, count: int) -> np.ndarray:
    """So many tokens of the corpus, without a BOS."""
    windows = [example.tokens[1:] for name in NAMES for example in database.neuron(name).examples]
    return np.array([token for window in windows for token in window])[:count]


@pytest.mark.parametrize("count", [1, 2, 254, 255, 256, 383, 700])
def test_a_long_text_is_read_in_windows_that_overlap_by_half(
    database: n2gdb.Database, neuron: Neuron, count: int
) -> None:
    text = text_of(database, count)
    found = true_activations(demo_engine(), neuron, text.tolist()) * neuron.max_activation
    bos, context = demo_model().bos, demo_model().n_ctx
    room = context - 1
    expected = np.zeros(0)
    for stop in [room, *range(room + room // 2, count + room, room // 2)]:
        window = text[max(0, stop - room) : stop] if stop < count else text[max(0, count - room) :]
        alone = run_alone(4, 358, np.array([bos, *window]))[1:]
        new = min(stop, count) - len(expected)
        expected = np.append(expected, alone[len(alone) - new :])
        if stop >= count:
            break
    expected[np.isin(text, sorted(demo_model().special))] = 0
    assert found.shape == expected.shape == (count,)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_text_that_begins_with_its_bos_gets_no_second(database: n2gdb.Database, neuron: Neuron) -> None:
    text = text_of(database, 300).tolist()
    bos = demo_model().bos
    assert bos is not None
    found = true_activations(demo_engine(), neuron, [bos, *text])
    assert found[0] == 0
    np.testing.assert_allclose(found[1:], true_activations(demo_engine(), neuron, text), rtol=1e-4, atol=1e-4)


def test_special_tokens_count_as_nothing(neuron: Neuron) -> None:
    (special, *_) = sorted(demo_model().special)
    text = [*neuron.tokenize(" on the other"), special, *neuron.tokenize(" side")]
    found = true_activations(demo_engine(), neuron, text)
    assert found[3] == 0
    assert found[2] > 0.2


def test_an_empty_text_needs_no_model(neuron: Neuron) -> None:
    assert true_activations(demo_engine(), neuron, ()).shape == (0,)


def test_a_neuron_that_never_fires_cannot_be_measured(neuron: Neuron) -> None:
    from dataclasses import replace

    with pytest.raises(SelectionError, match="L4N358 never fires on the corpus"):
        true_activations(
            demo_engine(), replace(neuron, statistics={**neuron.statistics, "max_activation": 0.0}), [1, 2]
        )


def test_a_token_that_the_model_does_not_have_is_named(neuron: Neuron) -> None:
    with pytest.raises(UnknownNameError, match="demo has no token 4096: its ids end at 4095"):
        true_activations(demo_engine(), neuron, [1, 4096])


def test_progress_is_said_of_long_texts_alone(
    database: n2gdb.Database, neuron: Neuron, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("n2gdb.ingest.evaluation.true_activations._TOGETHER", 2)
    said: list[tuple[str, int, int | None]] = []
    text = text_of(database, 700).tolist()
    whole = true_activations(demo_engine(), neuron, text, lambda *stage: said.append(stage))
    assert said == [("true activations", done, 5) for done in (0, 2, 4)]
    monkeypatch.undo()
    np.testing.assert_allclose(whole, true_activations(demo_engine(), neuron, text), rtol=1e-4, atol=1e-4)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_predict_shows_the_truth(path: Path, neuron: Neuron) -> None:
    text = "I saw him on the other side"
    found = json.loads(run("predict", "L4N358", text, "--true", "--json", "--db", str(path)).stdout)
    truth = true_activations(demo_engine(), neuron, neuron.tokenize(text))
    assert [each["true"] for each in found] == pytest.approx(truth.tolist(), abs=1e-5)
    assert list(found[0]) == ["position", "token", "text", "true", "activation", "pattern"]
    table = run("predict", "L4N358", text, "--true", "--db", str(path)).stdout.splitlines()
    assert table[0].split("\t") == ["position", "token", "true", "activation", "pattern"]
    assert table[5].split("\t")[2] == f"{truth[4]:.2f}"
    csv = run("predict", "L4N358", text, "--true", "--csv", "--db", str(path)).stdout.splitlines()
    assert csv[0] == "position,token,true,activation,pattern"


def test_predict_runs_only_the_model_that_the_database_was_made_of(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    other = replace(demo_model(), fingerprint="0" * 64)
    monkeypatch.setattr("n2gdb.ingest.models.stored.load_model", lambda *_, **__: other)
    result = run("predict", "L4N358", "the other", "--true", "--db", str(path))
    assert result.exit_code == 1
    assert "no longer the model that the database was made of" in result.stderr


def test_the_examples_of_the_help_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = re.findall(r"^ +(n2gdb predict.*--true.*)$", predict.__doc__ or "", re.MULTILINE)
    assert examples
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("N2GDB_DB", str(path))
    for example in examples:
        result = run(*shlex.split(example)[1:])
        assert result.exit_code == 0, result.output
        assert "\ttrue\t" in result.stdout


def test_the_engine_need_not_be_the_tests_own(neuron: Neuron) -> None:
    """Batches of another size give the same."""
    text = neuron.tokenize("on the other side of the other end")
    small = true_activations(Engine(demo_model(), batch_tokens=64), neuron, text)
    np.testing.assert_allclose(small, true_activations(demo_engine(), neuron, text), atol=1e-5)
