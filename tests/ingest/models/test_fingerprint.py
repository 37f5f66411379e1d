"""A model's fingerprint changes whenever what it computes does, and with its tokenizer its text's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from n2gdb.ingest.models.subject import SubjectModel, load_model
from tests.support.families import FAMILIES
from tests.support.tiny_models import write_native, write_transformers

#: Changes of config.json, by family; a nested one by its path.
EDITS: dict[str, list[dict[str, Any]]] = {
    "gpt2": [
        {"layer_norm_epsilon": 0.5},
        {"activation_function": "relu"},
        {"scale_attn_by_inverse_layer_idx": True},
    ],
    "gpt_neox": [
        {"use_parallel_residual": False},
        {"rope_parameters.partial_rotary_factor": 1.0},
        {"layer_norm_eps": 0.5},
        {"hidden_act": "gelu_new"},
    ],
    "gptj": [{"rotary_dim": 8}],
    "llama": [
        {"rope_parameters.rope_theta": 100.0},
        {"rope_theta": 100.0, "rope_parameters": None},
        {"rope_scaling": {"rope_type": "linear", "factor": 2.0}, "rope_parameters": None},
        {"rope_parameters": {"rope_theta": 10000.0, "rope_type": "linear", "factor": 4.0}},
        {"rms_norm_eps": 0.5},
        {"hidden_act": "gelu"},
    ],
    "llama-dynamic": [{"max_position_embeddings": 8}, {"rope_parameters.factor": 2.0}],
    "llama-yarn": [{"rope_parameters.attention_factor": 2.0}],
    "mistral-sliding": [{"sliding_window": 3}, {"sliding_window": None}],
    "qwen2-sliding": [{"sliding_window": 3}, {"layer_types": ["full_attention"] * 3}],
    "gemma2": [
        {"attn_logit_softcapping": 0.1},
        {"query_pre_attn_scalar": 1},
        {"sliding_window": 2},
        {"hidden_activation": "relu"},
    ],
    "gemma3": [{"query_pre_attn_scalar": 1}, {"sliding_window": 2}],
    "granite": [
        {"embedding_multiplier": 1.0},
        {"residual_multiplier": 1.0},
        {"attention_multiplier": 1.0},
    ],
    "olmo": [{"clip_qkv": 0.01}],
    "stablelm": [{"rope_parameters.partial_rotary_factor": 1.0}],
    "smollm3": [{"no_rope_layers": [0, 0, 1]}],
    "gpt_neo": [
        {"window_size": 2},
        {"attention_types": [[["global"], 3]], "attention_layers": ["global"] * 3},
    ],
    "bloom": [{"apply_residual_connection_post_layernorm": True}, {"layer_norm_epsilon": 0.5}],
    "opt": [{"activation_function": "gelu"}],
}
TOKENS = torch.randint(2, 256, (2, 24), generator=torch.Generator().manual_seed(0))


def edited(config: Mapping[str, Any], edit: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(config))
    for name, value in edit.items():
        *path, last = name.split(".")
        inner = changed
        for part in path:
            inner = inner[part]
        if value is None:
            inner.pop(last, None) if last == "rope_parameters" else inner.__setitem__(last, None)
        else:
            inner[last] = value
    return changed


@cache
def written(name: str, folder: Path) -> tuple[Path, SubjectModel]:
    write_transformers(folder / name, FAMILIES[name].config())
    return folder / name, load_model(folder / name, "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fingerprints")


@pytest.mark.parametrize(("name", "edit"), [(name, edit) for name, edits in EDITS.items() for edit in edits])
def test_what_changes_activations_changes_the_fingerprint(
    name: str, edit: dict[str, Any], folder: Path
) -> None:
    directory, before = written(name, folder)
    path = directory / "config.json"
    whole = path.read_text()
    path.write_text(json.dumps(edited(json.loads(whole), edit)))
    try:
        after = load_model(directory, "cpu")
    finally:
        path.write_text(whole)
    pairs = zip(before.all_activations(TOKENS), after.all_activations(TOKENS), strict=True)
    assert any(not torch.allclose(one, other, rtol=1e-3, atol=1e-6) for one, other in pairs), "a vain edit"
    assert after.fingerprint != before.fingerprint


def test_one_model_has_one_fingerprint(folder: Path, tmp_path: Path) -> None:
    directory, before = written("llama", folder)
    config = json.loads((directory / "config.json").read_text())
    transformers.AutoModelForCausalLM.from_pretrained(directory).save_pretrained(
        tmp_path, max_shard_size="20KB"
    )
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / file).write_bytes((directory / file).read_bytes())
    config |= {"_name_or_path": "another/place", "transformers_version": "4.0.0", "use_cache": False}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert load_model(tmp_path, "cpu").fingerprint == before.fingerprint


@pytest.mark.parametrize("edit", [{"eps": 0.5}, {"act_fn": "relu"}, {"attn_scores_soft_cap": 0.1}])
def test_a_native_configuration_counts_whole(edit: dict[str, Any], tmp_path: Path) -> None:
    write_native(tmp_path, "gelu")
    before = load_model(tmp_path, "cpu")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | edit))
    after = load_model(tmp_path, "cpu")
    assert not torch.allclose(before.activations(TOKENS, 2), after.activations(TOKENS, 2), rtol=1e-3)
    assert after.fingerprint != before.fingerprint


def test_native_defaults_that_are_written_out_are_no_change(tmp_path: Path) -> None:
    write_native(tmp_path, "gelu")
    before = load_model(tmp_path, "cpu").fingerprint
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"eps": 1e-5, "seed": 7}))
    assert load_model(tmp_path, "cpu").fingerprint == before


def test_an_edit_of_the_tokenizer_counts(tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    before = load_model(tmp_path, "cpu")
    path = tmp_path / "tokenizer.json"
    stages = json.loads(path.read_text())
    stages["normalizer"] = {"type": "Lowercase"}
    path.write_text(json.dumps(stages))
    after = load_model(tmp_path, "cpu")
    assert after.encode_batch(["The"]) != before.encode_batch(["The"])
    assert after.tokenizer_fingerprint != before.tokenizer_fingerprint
    assert after.fingerprint == before.fingerprint
