"""Packing: trees of prompts against the prompts themselves, and the trunk against the bridge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from n2gdb.errors import ModelError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.evaluation.output_weights import OutputWeights
from n2gdb.ingest.models import pretrained, subject
from n2gdb.ingest.models.loaded import close
from n2gdb.ingest.models.subject import load_model
from n2gdb.ingest.trunk.packing import lengths_of, pack, share_prefixes, split_padded, split_runs
from tests.support.tiny_models import (
    CONTEXT,
    HEADS,
    LAYERS,
    NEURONS,
    VOCABULARY,
    WIDTH,
    write_native,
    write_transformers,
)

SIZES = {
    "hidden_size": WIDTH,
    "intermediate_size": NEURONS,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "max_position_embeddings": CONTEXT,
    "vocab_size": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
GPT2 = transformers.GPT2Config(
    n_embd=WIDTH,
    n_layer=LAYERS,
    n_head=HEADS,
    n_positions=CONTEXT,
    vocab_size=VOCABULARY,
    bos_token_id=0,
    eos_token_id=1,
)
SCALED = {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0}
SCALED |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 8}

#: Models of the transformers library that have a trunk.
TRANSFORMERS = {
    "GPT-2": GPT2,
    "NeoX": transformers.GPTNeoXConfig(**SIZES),
    "NeoX, in turn": transformers.GPTNeoXConfig(**SIZES, use_parallel_residual=False),
    "Llama": transformers.LlamaConfig(**SIZES),
    "Llama, few keys": transformers.LlamaConfig(**SIZES, num_key_value_heads=1, rope_parameters=SCALED),
    "Llama, biases": transformers.LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True),
    "Mistral": transformers.MistralConfig(**SIZES, num_key_value_heads=1, sliding_window=None),
    "Mistral, sliding": transformers.MistralConfig(**SIZES, num_key_value_heads=1, sliding_window=5),
    "Qwen 2": transformers.Qwen2Config(**SIZES, num_key_value_heads=1),
    "Qwen 2, sliding in part": transformers.Qwen2Config(
        **SIZES, num_key_value_heads=1, use_sliding_window=True, sliding_window=5, max_window_layers=1
    ),
    "Qwen 3": transformers.Qwen3Config(**SIZES, num_key_value_heads=1, head_dim=6),
    "Qwen 3, biases, sliding in part": transformers.Qwen3Config(
        **SIZES,
        num_key_value_heads=1,
        head_dim=8,
        attention_bias=True,
        use_sliding_window=True,
        sliding_window=4,
        max_window_layers=1,
    ),
    "Phi 3": transformers.Phi3Config(**SIZES, pad_token_id=None),
    "Phi 3, sliding, few keys": transformers.Phi3Config(
        **SIZES, pad_token_id=None, num_key_value_heads=1, sliding_window=5
    ),
    "Gemma 2": transformers.Gemma2Config(
        **SIZES,
        num_key_value_heads=1,
        head_dim=8,
        sliding_window=5,
        query_pre_attn_scalar=12,
        attn_logit_softcapping=2.0,
    ),
    "Gemma 2, not capped": transformers.Gemma2Config(
        **SIZES, num_key_value_heads=HEADS, head_dim=6, attn_logit_softcapping=None
    ),
    "Gemma 3": transformers.Gemma3TextConfig(
        **SIZES,
        num_key_value_heads=1,
        head_dim=8,
        sliding_window=5,
        layer_types=["sliding_attention"] * (LAYERS - 1) + ["full_attention"],
    ),
    "Gemma 3, rotation scaled": transformers.Gemma3TextConfig(
        **SIZES,
        num_key_value_heads=HEADS,
        head_dim=6,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"][:LAYERS],
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e2},
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e4},
        },
    ),
}

#: Models of the same classes that have other parts.
OTHERS = {
    "scaled": transformers.GPT2Config(**{**GPT2.to_dict(), "scale_attn_by_inverse_layer_idx": True}),
    "dynamic": transformers.LlamaConfig(
        **SIZES, rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    ),
    "Phi 3, by length": transformers.Phi3Config(
        **SIZES,
        pad_token_id=None,
        original_max_position_embeddings=CONTEXT // 2,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 1e4,
            "short_factor": [1.0] * (WIDTH // HEADS // 2),
            "long_factor": [2.0] * (WIDTH // HEADS // 2),
        },
    ),
}

Prompts = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), min_size=1, max_size=30)


def padded(rows: list[list[int]]) -> np.ndarray[Any, np.dtype[np.int32]]:
    width = max(map(len, rows))
    return np.array([row + [PAD] * (width - len(row)) for row in rows], np.int32)


def distinct(rows: list[list[int]]) -> np.ndarray[Any, np.dtype[np.int32]]:
    prompts = padded(rows)
    return prompts[share_prefixes(prompts).runs]


@given(Prompts)
def test_every_prompt_is_answered_by_a_run_that_begins_with_it(rows: list[list[int]]) -> None:
    sharing = share_prefixes(padded(rows))
    for row, owner in zip(rows, sharing.owner, strict=True):
        run = rows[sharing.runs[owner]]
        assert run[: len(row)] == row
    kept = [tuple(rows[i]) for i in sharing.runs]
    assert not any(a != b and b[: len(a)] == a for a in kept for b in kept), "a prefix was run"
    assert len(set(kept)) == len(kept), "a duplicate was run"
    assert kept == sorted(kept)


@given(Prompts)
def test_paths_spell_the_prompts_and_no_node_stands_twice(rows: list[list[int]]) -> None:
    prompts = distinct(rows)
    packed = pack(prompts)
    spelt = {}
    for row, length in enumerate(lengths_of(prompts).tolist()):
        path = packed.path[row, :length]
        assert packed.token[path].tolist() == prompts[row, :length].tolist()
        assert packed.position[path].tolist() == list(range(length))
        for position, node in enumerate(path.tolist()):
            spelt[node] = tuple(prompts[row, : position + 1].tolist())
    assert sorted(spelt) == list(range(len(packed)))
    assert len(set(spelt.values())) == len(packed)
    for node, text in spelt.items():
        below = [other for other in spelt if spelt[other][: len(text)] == text]
        assert below == list(range(node, packed.stop[node])) or sorted(below) == list(
            range(node, packed.stop[node])
        )
        assert node in packed.path[packed.prompt[node]]


@given(Prompts, st.integers(1, 40))
def test_every_prompt_is_in_one_batch(rows: list[list[int]], size: int) -> None:
    prompts = distinct(rows)
    for split in (split_runs, split_padded):
        batches = list(split(prompts, size))
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(prompts)))
    for batch in split_runs(prompts, size):
        assert len(batch) == 1 or len(pack(prompts[batch])) <= size
        assert batch.tolist() == sorted(batch.tolist())
    for batch in split_padded(prompts, size):
        assert len(batch) == 1 or len(batch) * lengths_of(prompts)[batch].max() <= size


def test_batches_are_of_like_size_and_few_long_prompts_get_none_of_their_own() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 99, length).tolist() for length in [12] * 50 + [30] * 2]
    sizes = [len(pack(distinct(rows)[batch])) for batch in split_runs(distinct(rows), 400)]
    assert sum(sizes) >= 600 and len(sizes) <= 3
    assert min(sizes[:-1]) > 0.8 * max(sizes)


@pytest.mark.parametrize("kind", ["gelu", "gelu_new", "relu", "solu", "solu_ln", *TRANSFORMERS])
def test_a_trunk_computes_what_its_bridge_does(kind: str, tmp_path: Path) -> None:
    if kind in TRANSFORMERS:
        write_transformers(tmp_path / kind, TRANSFORMERS[kind])
    else:
        write_native(tmp_path / kind, kind)
    model = load_model(tmp_path / kind, "cpu")
    assert model.trunk is not None
    random = np.random.default_rng(0)
    rows = [random.integers(0, 3, n).tolist() for n in random.integers(1, CONTEXT, 60)]
    prompts = distinct(rows)
    tokens = torch.from_numpy(prompts.astype(np.int64)).clamp(min=0)
    packed = pack(prompts)
    asked = np.sort(random.choice(len(packed), len(packed) // 2, replace=False))
    real = prompts != PAD
    for layer in range(LAYERS):
        true = model.through_bridge(tokens, [layer])[0]
        everywhere = model.trunk.at_nodes(packed, layer, np.arange(len(packed)))
        torch.testing.assert_close(everywhere[packed.path][real], true[real], rtol=1e-4, atol=1e-5)
        some = model.trunk.at_nodes(packed, layer, asked)
        torch.testing.assert_close(some, everywhere[asked], rtol=1e-4, atol=1e-5)
    windows = torch.randint(0, VOCABULARY, (3, CONTEXT))
    layers = [2, 0]
    for mine, true in zip(
        model.trunk.along_windows(windows, layers), model.through_bridge(windows, layers), strict=True
    ):
        torch.testing.assert_close(mine, true, rtol=1e-4, atol=1e-5)


def test_a_model_with_other_parts_has_no_trunk(tmp_path: Path) -> None:
    write_native(tmp_path / "gated", "gelu", gated=True)
    assert load_model(tmp_path / "gated", "cpu").trunk is None
    for name, config in OTHERS.items():
        write_transformers(tmp_path / name, config)
        assert load_model(tmp_path / name, "cpu").trunk is None, name


@pytest.mark.parametrize("kind", ["solu_ln", *TRANSFORMERS])
def test_bfloat16_is_near_float32_and_float32_comes_out(kind: str, tmp_path: Path) -> None:
    if kind in TRANSFORMERS:
        write_transformers(tmp_path / kind, TRANSFORMERS[kind])
    else:
        write_native(tmp_path / kind, kind)
    exact, half = (load_model(tmp_path / kind, "cpu", each) for each in ("float32", "bfloat16"))
    assert exact.trunk is not None and half.trunk is not None
    prompts = distinct([[0, 5, 6, 7], [0, 5, 8], [0, 9, 5, 6, 7]])
    packed = pack(prompts)
    everywhere = np.arange(len(packed))
    true, near = (model.trunk.at_nodes(packed, 2, everywhere) for model in (exact, half) if model.trunk)
    assert near.dtype == true.dtype == torch.float32
    assert not torch.equal(near, true)
    torch.testing.assert_close(near, true, rtol=0.1, atol=0.1 * float(true.abs().max()))
    windows = torch.randint(0, VOCABULARY, (2, CONTEXT))
    assert half.trunk.along_windows(windows, [1])[0].dtype == torch.float32


@pytest.mark.parametrize(
    ("precision", "said"),
    [("float8", "no precision is called 'float8'"), ("tf32", "tf32 is for NVIDIA GPUs")],
)
def test_a_precision_that_is_not_there_is_said(precision: str, said: str, tmp_path: Path) -> None:
    write_native(tmp_path / "gelu", "gelu")
    with pytest.raises(ModelError, match=said):
        load_model(tmp_path / "gelu", "cpu", precision)


def test_models_are_checked_in_float32_whatever_precision_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_transformers(tmp_path / "llama", TRANSFORMERS["Llama"])
    monkeypatch.setattr(subject, "require_precision", lambda *_: None)  # as where there is a GPU
    seen = []

    def spied(*compared: Any) -> bool:
        seen.append(torch.get_float32_matmul_precision())
        return close(*compared)

    for module in (pretrained, subject):
        monkeypatch.setattr(module, "close", spied)
    try:
        load_model(tmp_path / "llama", "cpu", "tf32")
        assert torch.get_float32_matmul_precision() == "high"
        load_model(tmp_path / "llama", "cpu", "tf32")  # as an ingest leaves it behind
        assert set(seen) == {"highest"}
        assert len(seen) >= 4
    finally:
        load_model(tmp_path / "llama", "cpu")
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_model_without_a_trunk_is_run_in_float32_alone(tmp_path: Path) -> None:
    write_native(tmp_path / "gated", "gelu", gated=True)
    with pytest.raises(ModelError, match="can only be run in float32"):
        load_model(tmp_path / "gated", "cpu", "bfloat16")


@pytest.mark.parametrize("kind", ["GPT-2", "NeoX", "Qwen 3", "Phi 3", "Gemma 2", "Gemma 3"])
def test_weights_held_in_bfloat16_give_what_the_same_numbers_give_in_float32(
    kind: str, tmp_path: Path
) -> None:
    write_transformers(tmp_path / "given", TRANSFORMERS[kind])
    held = load_model(tmp_path / "given", "cpu", weights="bfloat16")
    assert held.trunk is not None and held.trunk.embedding.dtype == torch.bfloat16
    assert all(layer.mlp_in[0].dtype == torch.bfloat16 for layer in held.trunk.layers)
    # The same model, its weights rounded to bfloat16 but held in float32.
    whole = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "given", dtype=torch.bfloat16)
    whole.float().save_pretrained(tmp_path / "rounded")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "rounded" / name).write_bytes((tmp_path / "given" / name).read_bytes())
    rounded = load_model(tmp_path / "rounded", "cpu")
    windows = torch.randint(0, VOCABULARY, (3, CONTEXT))
    for mine, true in zip(held.all_activations(windows), rounded.all_activations(windows), strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, true, rtol=1e-4, atol=1e-5)
    OutputWeights.of(held).directions(1)
    assert held.logits(windows).dtype == held.embedding().dtype == torch.float32


def test_weights_are_held_in_bfloat16_only_where_a_trunk_runs_them(tmp_path: Path) -> None:
    write_transformers(tmp_path / "dynamic", OTHERS["dynamic"])
    with pytest.raises(ModelError, match="can only be run in float32"):
        load_model(tmp_path / "dynamic", "cpu", weights="bfloat16")
    write_native(tmp_path / "native", "gelu")
    with pytest.raises(ModelError, match="can only be held in float32"):
        load_model(tmp_path / "native", "cpu", weights="bfloat16")
    with pytest.raises(ModelError, match="weights cannot be held in 'float16': choose float32, bfloat16"):
        load_model(tmp_path / "native", "cpu", weights="float16")


@pytest.mark.parametrize("kind", [kind for kind in TRANSFORMERS if kind[0] in "GQP"])
@pytest.mark.parametrize("site", ["hook_attn_out", "mlp.hook_in", "hook_mlp_out", "hook_resid_post"])
def test_other_sites_of_every_family_are_those_of_the_bridge(kind: str, site: str, tmp_path: Path) -> None:
    write_transformers(tmp_path / "m", TRANSFORMERS[kind])
    model = load_model(tmp_path / "m", "cpu")
    assert model.trunk is not None
    windows = torch.randint(0, VOCABULARY, (2, CONTEXT))
    point = model.bridge.get_hook_point(f"blocks.1.{site}")
    (true,) = model._hooks_through_bridge(windows, [point])
    (mine,) = model.trunk.sites_along_windows(windows, [(1, site)])
    torch.testing.assert_close(mine, true, rtol=1e-4, atol=1e-4)
