"""Every family of models: neurons as plain transformers computes them, or a refusal in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from n2gdb.errors import ModelError
from n2gdb.ingest.models.subject import load_model
from tests.support.families import FAMILIES, IMAGE_TEXT, REFUSED, UNREADABLE_IMAGE_TEXT, Family
from tests.support.tiny_models import write_tokenizer, write_transformers


@pytest.fixture(scope="module")
def tokens() -> torch.Tensor:
    return torch.randint(2, 256, (3, 24), generator=torch.Generator().manual_seed(0))


def entering(model: Any, projection: str, tokens: torch.Tensor) -> list[torch.Tensor]:
    """What enters each layer's projection in the model's own pass: (batch, position, neuron) each."""
    found: list[torch.Tensor] = []
    for name, module in model.named_modules():
        if name.endswith(projection) and "vision" not in name:
            module.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    model.config.use_cache = False  # where no layer attends, transformers fails on an empty one
    with torch.inference_mode():
        model(input_ids=tokens)
    return [value.view(*tokens.shape, -1) for value in found]


def assert_alike(found: torch.Tensor, true: torch.Tensor) -> None:
    assert found.shape == true.shape
    assert float((found - true).abs().max()) <= 1e-5 * float(true.abs().max())


def assert_reads(directory: Path, original: Any, projection: str, tokens: torch.Tensor) -> None:
    """Both ways to run a model, windows at once and through its bridge, give what the original does."""
    expected = entering(original, projection, tokens)
    model = load_model(directory, "cpu")
    assert model.n_layers == len(expected)
    assert model.d_mlp == expected[0].shape[-1]
    for run in (model.all_activations, model.through_bridge):
        for found, true in zip(run(tokens, range(model.n_layers)), expected, strict=True):
            assert_alike(found, true)


@pytest.mark.parametrize("name", FAMILIES)
def test_neurons_are_what_transformers_computes(name: str, tmp_path: Path, tokens: torch.Tensor) -> None:
    family = FAMILIES[name]
    original = write_transformers(tmp_path, family.config())
    assert_reads(tmp_path, original, family.projection, tokens)


@pytest.mark.parametrize("name", ["llama", "gpt_neox", "gemma2", "llama-tied"])
def test_half_precision_weights_are_run_in_float32(name: str, tmp_path: Path, tokens: torch.Tensor) -> None:
    family: Family = FAMILIES[name]
    write_transformers(tmp_path, family.config()).to(torch.bfloat16).save_pretrained(tmp_path)
    original = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert_reads(tmp_path, original, family.projection, tokens)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    kind, config, message = REFUSED[name]
    write_transformers(tmp_path, config(), kind)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(tmp_path, "cpu")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value) or tmp_path.name in str(caught.value)


@pytest.mark.parametrize("name", IMAGE_TEXT)
def test_image_text_models_are_read_by_their_text_part(
    name: str, tmp_path: Path, tokens: torch.Tensor
) -> None:
    original = write_image_text(tmp_path, name)
    assert_reads(tmp_path, original, "mlp.down_proj", tokens)


@pytest.mark.parametrize("name", UNREADABLE_IMAGE_TEXT)
def test_an_image_text_model_whose_text_reads_ahead_is_refused(name: str, tmp_path: Path) -> None:
    write_image_text(tmp_path, name)
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_model(tmp_path, "cpu")
    assert "\n" not in str(caught.value)


def write_image_text(directory: Path, name: str) -> Any:
    torch.manual_seed(0)
    config = {**IMAGE_TEXT, **UNREADABLE_IMAGE_TEXT}[name]()
    model = transformers.AutoModelForImageTextToText.from_config(config).eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(directory)
    write_tokenizer(directory)
    return model
