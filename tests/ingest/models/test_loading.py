"""Loading: nothing is installed, no network is used, every weight is there and finite, names are short."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.errors import ModelError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.stored import load_stored_model
from n2gdb.ingest.models.subject import load_model
from n2gdb.ingest.pipeline import Source, ingest
from tests.ingest.models.test_families import write_image_text
from tests.support.families import FAMILIES, IMAGE_TEXT
from tests.support.tiny_models import write_native, write_transformers

CONFIG = N2GConfig(window=24, top_k=4, prune_limit=6, augment=(), refine_rounds=0)
Weights = dict[str, torch.Tensor]


@pytest.fixture
def no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test that starts a process or reaches for a network."""

    def deny(*arguments: Any, **_: Any) -> None:
        pytest.fail(f"reached out: {arguments[1:]}")

    monkeypatch.setattr(subprocess.Popen, "__init__", deny)
    monkeypatch.setattr(os, "system", deny)
    monkeypatch.setattr(os, "posix_spawn", deny)
    monkeypatch.setattr(socket.socket, "connect", deny)
    monkeypatch.setattr(socket.socket, "connect_ex", deny)
    monkeypatch.setattr(socket, "getaddrinfo", deny)


@pytest.mark.usefixtures("no_way_out")
@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2", "bloom", "gemma3"])
def test_a_directory_is_loaded_without_a_network(name: str, tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES[name].config())
    assert load_model(tmp_path, "cpu").n_layers == 3


@pytest.mark.usefixtures("no_way_out")
@pytest.mark.parametrize("name", IMAGE_TEXT)
def test_an_image_text_model_installs_nothing(name: str, tmp_path: Path) -> None:
    write_image_text(tmp_path, name)
    assert load_model(tmp_path, "cpu").n_layers == 3


@pytest.mark.usefixtures("no_way_out")
def test_the_demo_needs_no_network() -> None:
    assert load_model("demo", "cpu").name == load_model("demo", "cpu").source == "demo"


def test_code_of_the_model_is_never_run(tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.M"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text("raise SystemExit('run')")
    with pytest.raises(ModelError, match="needs code of its own, which n2gdb does not run") as caught:
        load_model(tmp_path, "cpu")
    assert "\n" not in str(caught.value)


def edit_weights(directory: Path, change: Callable[[Weights], None]) -> None:
    weights = load_file(directory / "model.safetensors")
    change(weights)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


UP = "model.layers.1.mlp.up_proj.weight"


def drop(weights: Weights) -> None:
    del weights[UP]


def drop_many(weights: Weights) -> None:
    for name in [name for name in weights if name.startswith("model.layers.2.")]:
        del weights[name]


def add(weights: Weights) -> None:
    weights["model.layers.1.mlp.more.weight"] = torch.zeros(2)


def crop(weights: Weights) -> None:
    weights[UP] = weights[UP][:40].contiguous()


def rename(weights: Weights) -> None:
    weights["model.layers.1.mlp.gated.weight"] = weights.pop("model.layers.1.mlp.gate_proj.weight")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, rf"1 are missing \({UP}\)"),
        (drop_many, r"9 are missing \(model\.layers\.2\.input_layernorm\.weight, .*, \.\.\.\)"),
        (add, r"1 are not of this model \(model\.layers\.1\.mlp\.more\.weight\)"),
        (crop, rf"1 have another shape \({UP} \(40, 32\) where \(48, 32\) is due\)"),
        (rename, r"1 are missing \(.*gate_proj\.weight\); 1 are not of this model \(.*gated\.weight\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    change: Callable[[Weights], None], message: str, tmp_path: Path
) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    edit_weights(tmp_path, change)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(tmp_path, "cpu")
    assert "\n" not in str(caught.value)


MASKS = {
    "gpt2": ["transformer.h.{}.attn.bias", "transformer.h.{}.attn.masked_bias"],
    "gpt_neo": ["transformer.h.{}.attn.attention.bias", "transformer.h.{}.attn.attention.masked_bias"],
    "gptj": ["transformer.h.{}.attn.bias", "transformer.h.{}.attn.masked_bias"],
    "gpt_neox": ["gpt_neox.layers.{}.attention.bias", "gpt_neox.layers.{}.attention.masked_bias"],
    "codegen": ["transformer.h.{}.attn.causal_mask"],
    "llama": ["model.layers.{}.self_attn.rotary_emb.inv_freq"],
}


@pytest.mark.parametrize("name", MASKS)
def test_what_older_versions_saved_beside_the_weights_is_passed_over(name: str, tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES[name].config())
    before = load_model(tmp_path, "cpu").fingerprint
    saved = {each.format(layer): torch.ones(1, 1, 8, 8) for each in MASKS[name] for layer in range(3)}
    edit_weights(tmp_path, lambda weights: weights.update(saved))
    assert load_model(tmp_path, "cpu").fingerprint == before


def test_a_bias_that_is_no_mask_is_not_passed_over(tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    added = {"model.layers.1.self_attn.q_proj.bias": torch.ones(32)}
    edit_weights(tmp_path, lambda weights: weights.update(added))
    with pytest.raises(
        ModelError, match=r"1 are not of this model \(model\.layers\.1\.self_attn\.q_proj\.bias"
    ):
        load_model(tmp_path, "cpu")


def test_a_tied_embedding_is_not_missing(tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["llama-tied"].config())
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    load_model(tmp_path, "cpu")


def test_a_head_of_its_own_is_missed(tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    edit_weights(tmp_path, lambda weights: weights.__delitem__("lm_head.weight"))
    with pytest.raises(ModelError, match=r"1 are missing \(lm_head\.weight\)"):
        load_model(tmp_path, "cpu")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_no_numbers_are_named(value: float, tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    edit_weights(tmp_path, lambda weights: weights[UP].__setitem__((7, 3), value))
    with pytest.raises(ModelError, match=rf"hold NaN or infinite numbers: {UP}"):
        load_model(tmp_path, "cpu")


@pytest.mark.parametrize("factor", [3e38, -3e38])
def test_weights_that_overflow_are_said(factor: float, tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    edit_weights(tmp_path, lambda weights: weights.update({UP: factor * weights[UP]}))
    with pytest.raises(ModelError, match="its activations are NaN or infinite: its weights are damaged"):
        load_model(tmp_path, "cpu")


def test_native_weights_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    weights = write_native(tmp_path, "gelu")
    weights["blocks.1.mlp.W_in"][0, 5] = torch.nan
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"hold NaN or infinite numbers: .*1"):
        load_model(tmp_path, "cpu")


class Overflowing:
    """A trunk in whose layer 1 one neuron overflows."""

    def __init__(self, trunk: Any) -> None:
        self._trunk = trunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trunk, name)

    def along_windows(self, tokens: torch.Tensor, layers: Sequence[int]) -> list[torch.Tensor]:
        sites: list[torch.Tensor] = self._trunk.along_windows(tokens, layers)
        sites[list(layers).index(1)][0, 3, 5] = torch.nan
        return sites


def test_activations_that_overflow_are_no_dead_neuron(tmp_path: Path) -> None:
    write_native(tmp_path / "model", "relu")
    model = load_model(tmp_path / "model", "cpu")
    model = replace(model, trunk=Overflowing(model.trunk))  # type: ignore[arg-type]
    with pytest.raises(
        ModelError, match=r"model: 1 neurons of layer 1, .* L1N5, have activations that are NaN"
    ):
        ingest(
            model, write_corpus(tmp_path), tmp_path / "a.n2gdb", CONFIG, Selection(layers=(1,)), silent, 512
        )


def write_corpus(folder: Path) -> Source:
    (folder / "texts.txt").write_text("the cat sat on the mat and import numpy as. " * 40, encoding="utf-8")
    return Source(str(folder / "texts.txt"))


def test_one_directory_is_one_model_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "models" / "mine"
    write_native(directory, "gelu")
    (tmp_path / "link").symlink_to(directory)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "models")
    loaded = [load_model(each, "cpu") for each in ("mine", "./mine/", directory, "../models/mine", "../link")]
    assert {model.name for model in loaded} == {"mine"}
    assert {model.source for model in loaded} == {str(directory.resolve())}
    corpus, database = write_corpus(tmp_path), tmp_path / "one.n2gdb"
    for model in loaded[:2]:
        ingest(model, corpus, database, CONFIG, Selection(sample=4), silent, 512)
    monkeypatch.chdir(tmp_path / "elsewhere")
    with n2gdb.open(database) as opened:
        (info,) = opened.models()
        assert (info.name, info.source) == ("mine", str(directory.resolve()))
        again = load_stored_model(info, "cpu")
        assert (again.name, again.fingerprint) == ("mine", loaded[0].fingerprint)


def test_a_name_can_be_chosen_and_no_two_models_share_one(tmp_path: Path) -> None:
    for parent, kind in (("a", "gelu"), ("b", "relu")):
        write_native(tmp_path / parent / "mine", kind)
    corpus, database = write_corpus(tmp_path), tmp_path / "two.n2gdb"

    def run(parent: str, name: str | None = None) -> None:
        model = load_model(tmp_path / parent / "mine", "cpu", name=name)
        ingest(model, corpus, database, CONFIG, Selection(sample=4), silent, 512)

    run("a")
    with pytest.raises(ModelError, match=r"holds another model called mine, from .*/a/mine: .*--name"):
        run("b")
    run("b", "other")
    with n2gdb.open(database) as opened:
        assert [(info.name, Path(info.source).parent.name) for info in opened.models()] == [
            ("mine", "a"),
            ("other", "b"),
        ]
        assert load_stored_model(opened.model("other"), "cpu").name == "other"


def test_a_mac_is_not_trusted_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    from n2gdb.ingest.models.devices import device_of

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: True)
    monkeypatch.delenv("TRANSFORMERLENS_ALLOW_MPS", raising=False)
    assert device_of("auto").type == "cpu"
    assert device_of("mps").type == "mps"
    monkeypatch.setenv("TRANSFORMERLENS_ALLOW_MPS", "1")
    assert device_of("auto").type == "mps"


def test_warnings_of_wrong_results_on_a_mac_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from n2gdb.ingest.models import subject as models

    monkeypatch.setattr("transformer_lens.utilities.devices._mps_warned", False)
    monkeypatch.delenv("TRANSFORMERLENS_ALLOW_MPS", raising=False)
    monkeypatch.setattr(models, "device_of", lambda _: torch.device("mps"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(ModelError):
            load_model("./nothing", "mps")
    assert any("silently incorrect results" in str(each.message) for each in said)


def test_a_decoder_of_berts_kind_is_causal(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        vocab_size=300,
        is_decoder=True,
        pad_token_id=1,
    )
    write_transformers(tmp_path, config)
    assert load_model(tmp_path, "cpu").n_layers == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mine"}, "model type `mine`"),
        ({"rope_parameters": {"rope_type": "mine", "rope_theta": 1e4}}, "does not know 'mine', which config"),
        ({"hidden_act": "mine"}, "does not know 'mine', which config"),
        ({"hidden_size": "wide"}, "'hidden_size' expected int"),
        ({"num_attention_heads": 5}, r"not a multiple of the number of attention heads \(5\)"),
        ({"num_hidden_layers": 4}, r"9 are missing \(model\.layers\.3\."),
        ({"num_hidden_layers": 2}, r"9 are not of this model \(model\.layers\.2\."),
        ({"vocab_size": 200}, r"2 have another shape \(lm_head\.weight"),
        ({"quantization_config": {"quant_method": "awq"}}, "quantised"),
        ({"is_encoder_decoder": True}, "is an encoder-decoder model"),
        ({"is_causal": False}, "LlamaForCausalLM is not causal, its tokens attend to later ones"),
        ({"max_position_embeddings": 1}, "it reads 1 tokens at a time"),
        (
            {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}},
            ": Missing required keys in `rope_para",
        ),
    ],
)
def test_a_configuration_that_is_not_understood_is_said(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ModelError, match=message) as caught:
        load_model(tmp_path, "cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors.index.json", "tokenizer_config.json", "tokenizer.json"])
def test_a_file_that_is_no_json_is_named(name: str, tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    if "index" in name:
        (tmp_path / "model.safetensors").rename(tmp_path / "model-00001-of-00001.safetensors")
    (tmp_path / name).write_text("{")
    with pytest.raises(ModelError, match=rf"cannot be loaded: {name} is not JSON: Expecting"):
        load_model(tmp_path, "cpu")


@pytest.mark.parametrize("content", [None, "{}", "[]"])
def test_a_tokenizer_that_cannot_be_read_is_said(content: str | None, tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    if content is None:
        (tmp_path / "tokenizer.json").unlink()
    else:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match="its tokenizer cannot be loaded, a tokenizer"):
        load_model(tmp_path, "cpu")
