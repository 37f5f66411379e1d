"""Attention sinks, at the start or on delimiters, and models without BOS leave maxima and examples alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.corpus.windows import Windows
from n2gdb.ingest.evaluation.true_activations import true_activations
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.subject import SubjectModel, load_model
from n2gdb.ingest.n2g.prune import Examples, reach_of
from n2gdb.ingest.n2g.random_text import find_firings
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.ingest.scan.sinks import counts_along
from n2gdb.ingest.scan.top_windows import Scan
from tests.support.families import FAMILIES
from tests.support.tiny_models import CONTEXT, write_native, write_transformers

CONFIG = N2GConfig(window=CONTEXT, top_k=6, prune_limit=8)
TEXT = "the cat sat on the mat and import numpy as the cat sat on a mat; "


def write_sink(directory: Path, *, prepend_bos: bool = True, delimiter: bool = False) -> None:
    """A model whose every neuron is driven beyond all bounds at the first position, or at a delimiter."""
    weights = write_native(directory, "relu")
    for name, weight in weights.items():  # the first number of the stream: nothing but the position writes it
        if name.endswith(("embed.W_E", "pos_embed.W_pos", "W_O", "b_O", "W_out", "b_out")):
            weight[..., 0] = 0
        if name.endswith(("W_Q", "W_K", "W_V")):
            weight[:, 0] = 0
        if name.endswith("mlp.W_in"):
            weight[0] = 1e6
        if name.endswith("ln2.w"):
            weight[0] = 1
    if delimiter:
        weights["embed.W_E"][delimiter_of(directory), 0] = 1e6
    else:
        weights["pos_embed.W_pos"][0, 0] = 1e6
    weights = {name: weight for name, weight in weights.items() if not name.endswith((".ln1.b", ".ln2.b"))}
    weights.pop("ln_final.b")
    save_file(
        {name: weight.contiguous() for name, weight in weights.items()}, directory / "model.safetensors"
    )
    config = json.loads((directory / "config.json").read_text())
    config |= {"normalization_type": "RMS", "default_prepend_bos": prepend_bos}
    (directory / "config.json").write_text(json.dumps(config))


def delimiter_of(directory: Path) -> int:
    """The id of the first token of the text's delimiter."""
    found: list[int] = Tokenizer.from_file(str(directory / "tokenizer.json")).encode(";").ids
    return found[0]


def windows_of(model: SubjectModel) -> np.ndarray:
    return np.concatenate(list(Windows.of([TEXT * 40], model, length=CONTEXT)))


@pytest.mark.parametrize("prepend_bos", [True, False])
def test_a_sink_leaves_maxima_and_examples_alone(prepend_bos: bool, tmp_path: Path) -> None:
    write_sink(tmp_path / "sink", prepend_bos=prepend_bos)
    model = load_model(tmp_path / "sink", "cpu")
    assert (model.bos is not None) is prepend_bos
    windows = windows_of(model)
    sites = model.all_activations(torch.from_numpy(windows.astype(np.int64)).clamp(min=0))
    elsewhere = [
        torch.where(torch.from_numpy(windows == PAD)[..., None], -torch.inf, site)[:, 1:] for site in sites
    ]
    expected = [site.amax(dim=(0, 1)) for site in elsewhere]  # no special token stands in the text
    assert all(
        float(site[:, 0].median()) > 1e3 * float(most.max())
        for site, most in zip(sites, expected, strict=True)
    )
    (tmp_path / "texts.txt").write_text(TEXT * 40, encoding="utf-8")
    source = Source(str(tmp_path / "texts.txt"))
    ingest(model, source, tmp_path / "sink.n2gdb", CONFIG, Selection(sample=30), silent, 512)
    with n2gdb.open(tmp_path / "sink.n2gdb") as database:
        neurons = list(database.neurons())
        assert len(neurons) == 30
        for neuron in neurons:
            most = float(expected[neuron.name.layer][neuron.name.index])
            assert neuron.max_activation == pytest.approx(most, rel=1e-4)
            for example in neuron.examples:
                assert example.pivot > 0
                assert example.activation <= neuron.max_activation * 1.0001
        live = [neuron for neuron in neurons if neuron.max_activation > 0]
        assert live
        assert all(pattern.activation < 10 for neuron in live for pattern in neuron.graph.patterns())
        truth = true_activations(Engine(model), live[0], live[0].tokenize(TEXT))
        assert float(np.abs(truth).max()) < 10


def test_a_sink_on_a_delimiter_leaves_maxima_and_examples_alone(tmp_path: Path) -> None:
    write_sink(tmp_path / "sink", delimiter=True)
    model = load_model(tmp_path / "sink", "cpu")
    windows, delimiter = windows_of(model), delimiter_of(tmp_path / "sink")
    sites = model.all_activations(torch.from_numpy(windows.astype(np.int64)).clamp(min=0))
    counted = torch.from_numpy(model.counted(windows))
    sink = torch.from_numpy(windows == delimiter)
    assert 0.01 < float(sink[counted].float().mean()) < 0.1
    expected = [site[counted & ~sink].amax(dim=0) for site in sites]
    assert all(
        float(site[sink].amax()) > 1e3 * float(most.max()) for site, most in zip(sites, expected, strict=True)
    )
    (tmp_path / "texts.txt").write_text(TEXT * 40, encoding="utf-8")
    source = Source(str(tmp_path / "texts.txt"))
    ingest(model, source, tmp_path / "sink.n2gdb", CONFIG, Selection(sample=30), silent, 512)
    with n2gdb.open(tmp_path / "sink.n2gdb") as database:
        neurons = [neuron for neuron in database.neurons() if neuron.max_activation > 0]
        assert len(neurons) > 10
        for neuron in neurons:
            most = float(expected[neuron.name.layer][neuron.name.index])
            assert neuron.max_activation == pytest.approx(most, rel=1e-4)
            assert all(example.tokens[example.pivot] != delimiter for example in neuron.examples)
            assert all(pattern.activation < 10 for pattern in neuron.graph.patterns())
            assert delimiter not in {pattern.steps[0].token for pattern in neuron.graph.patterns()}


def test_what_counts_as_a_sink() -> None:
    def counts(sizes: list[float], units: int = 3) -> list[bool]:
        site = torch.tensor(sizes, dtype=torch.float32)[None, :, None].expand(1, len(sizes), units)
        found: list[bool] = counts_along(site, torch.tensor([[size != 7 for size in sizes]]))[0].tolist()
        return found

    assert counts([1, 2, 5e3, 1, 3, -4e3]) == [True, True, False, True, True, False]
    assert counts([1, 2, 5e3, 1, 3e3, -4e3]) == [True] * 6, "what every second position does is no sink"
    assert counts([1, 2, -5e3, 1, 3, 4]) == [True, True, False, True, True, True]
    assert counts([7, 2, 3, 1, 250, 3]) == [False, True, True, True, True, True]
    assert counts([0, 0, 0, 0, 1, 0]) == [True] * 6, "a place that is silent elsewhere"
    assert counts([1, torch.inf, torch.nan, 1, 1, 500]) == [True, True, True, True, True, False]
    assert counts([5e3]) == [True]


def test_the_first_position_counts_behind_a_bos_alone(tmp_path: Path) -> None:
    write_native(tmp_path, "relu")
    model = load_model(tmp_path, "cpu")
    without = replace(model, tokenizer=replace(model.tokenizer, bos=None))
    words = np.array([[5, 6, PAD], [0, 6, 1]], np.int32)
    assert model.counted(words).tolist() == [[True, True, False], [False, True, False]]
    assert without.counted(words).tolist() == [[False, True, False], [False, True, False]]


@pytest.mark.parametrize("name", ["qwen2", "gpt_neox", "bloom", "smollm3", "phi", "granite", "starcoder2"])
def test_families_without_bos_have_no_firing_there(name: str, tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES[name].config())
    model = load_model(tmp_path, "cpu")
    assert model.bos is None
    assert any("first position never counts" in notice for notice in model.notices)
    windows = windows_of(model)
    scan = Scan(model, (0, 1), CONTEXT, CONFIG)
    scan.add(windows[:16])
    assert torch.isinf(scan.trace[scan.window >= 0][:, 0]).all()
    largest = {0: np.full(model.d_mlp, 1e-6, np.float32)}
    _, position = find_firings(model, windows, largest, 0.5, silent)[0]
    assert len(position)
    assert (position % CONTEXT > 0).all()


def test_a_pivot_is_never_a_prompts_first_token_without_bos(tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["gpt_neox"].config())
    model = load_model(tmp_path, "cpu")
    text = np.array([[7, 8, 1, 9, 10]] * 4, np.int32)  # 1 is special
    pivot = np.array([1, 3, 4, 4])
    ones = np.ones(4, np.float32)
    examples = Examples(np.zeros(4, np.intp), text, pivot, ones, ones)
    assert reach_of(Engine(model), examples, 30).tolist() == [2, 2, 2, 2]
