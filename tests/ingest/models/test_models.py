"""Models: read at the right site, run no further than needed, and refused clearly."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from n2gdb.errors import ModelError
from n2gdb.ingest.models import hub
from n2gdb.ingest.models.native import demo_directory
from n2gdb.ingest.models.subject import SubjectModel, default_corpus, load_model
from tests.support.tiny_models import VOCABULARY, compute_native, write_native, write_transformers

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "vocab_size": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
GPT2 = transformers.GPT2Config(
    n_embd=32, n_layer=3, n_head=4, n_positions=64, vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=1
)


@pytest.fixture(scope="module")
def demo() -> SubjectModel:
    return load_model("demo", "cpu")


@pytest.fixture(scope="module")
def tokens() -> torch.Tensor:
    return torch.randint(2, 256, (3, 24), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def native(tmp_path: Path) -> Path:
    write_native(tmp_path / "tiny", "gelu")
    return tmp_path / "tiny"


def count_calls(module: Any) -> tuple[list[int], Any]:
    calls: list[int] = []
    return calls, module.register_forward_hook(lambda *_: calls.append(1))


def test_the_demo_is_what_its_readme_says(demo: SubjectModel) -> None:
    assert (demo.n_layers, demo.d_mlp, demo.d_vocab, demo.n_ctx) == (6, 768, 4096, 256)
    assert demo.site == "blocks.{layer}.mlp.ln.hook_in"
    assert (demo.bos, demo.separator, demo.mask, demo.special) == (0, 0, 1, frozenset({0, 1}))
    assert demo.embedding().shape == (4096, 192)


def test_the_demo_agrees_with_its_weights(demo: SubjectModel, tokens: torch.Tensor) -> None:
    from safetensors.torch import load_file

    weights = {name: part.float() for name, part in load_file(demo_directory() / "model.safetensors").items()}
    expected = compute_native(weights, tokens, "solu_ln", demo.n_layers)
    for found, true in zip(demo.all_activations(tokens), expected, strict=True):
        torch.testing.assert_close(found, true, rtol=1e-4, atol=1e-5 * float(true.abs().max()))


def test_the_demo_predicts_text(demo: SubjectModel) -> None:
    text = "It is a truth universally acknowledged, that a single man in possession of a good fortune"
    ids = torch.tensor([[0, *demo.encode_batch([text])[0]]])
    loss = torch.nn.functional.cross_entropy(demo.logits(ids)[0, :-1], ids[0, 1:])
    assert loss < 4.5  # nats a token; chance is 8.3


@pytest.mark.parametrize(
    ("act_fn", "gated", "site"),
    [
        ("relu", False, "blocks.{layer}.mlp.hook_post"),
        ("gelu", False, "blocks.{layer}.mlp.hook_post"),
        ("silu", True, "blocks.{layer}.mlp.hook_post"),
        ("solu_ln", False, "blocks.{layer}.mlp.ln.hook_in"),
    ],
)
def test_native_sites_agree_with_the_weights(
    tmp_path: Path, tokens: torch.Tensor, act_fn: str, gated: bool, site: str
) -> None:
    weights = write_native(tmp_path, act_fn, gated=gated)
    model = load_model(tmp_path, "cpu")
    assert model.site == site
    expected = compute_native(weights, tokens, act_fn, model.n_layers)
    for layer, true in enumerate(expected):
        torch.testing.assert_close(model.activations(tokens, layer), true, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "projection"),
    [
        (GPT2, "mlp.c_proj"),
        (transformers.GPTNeoXConfig(**SIZES), "mlp.dense_4h_to_h"),
        (transformers.LlamaConfig(**SIZES, num_key_value_heads=2), "mlp.down_proj"),
        (transformers.Phi3Config(**SIZES, num_key_value_heads=2, pad_token_id=None), "mlp.down_proj"),
        (
            transformers.OPTConfig(**{**SIZES, "ffn_dim": 48, "word_embed_proj_dim": 32}),
            "fc2",
        ),
    ],
    ids=["gpt2", "neox", "llama", "phi3", "opt"],
)
def test_hugging_face_sites_are_what_enters_the_projection(
    tmp_path: Path, tokens: torch.Tensor, config: Any, projection: str
) -> None:
    original = write_transformers(tmp_path, config)
    expected: list[torch.Tensor] = []
    for name, module in original.named_modules():
        if name.endswith(projection):
            module.register_forward_pre_hook(lambda _, inputs: expected.append(inputs[0]))
    with torch.inference_mode():
        logits = original(tokens).logits
    model = load_model(tmp_path, "cpu")
    assert model.d_mlp == expected[0].shape[-1]
    for found, true in zip(model.all_activations(tokens), expected, strict=True):
        torch.testing.assert_close(found, true.view_as(found), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.logits(tokens), logits, rtol=1e-4, atol=1e-4)
    assert model.embedding().shape == (VOCABULARY, 32)


def test_a_gated_neuron_is_its_gate_times_its_input(tmp_path: Path, tokens: torch.Tensor) -> None:
    original = write_transformers(tmp_path, transformers.LlamaConfig(**SIZES))
    mlp = original.model.layers[1].mlp
    entered: list[torch.Tensor] = []
    mlp.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    with torch.inference_mode():
        original(tokens)
        true = torch.nn.functional.silu(mlp.gate_proj(entered[0])) * mlp.up_proj(entered[0])
    found = load_model(tmp_path, "cpu").activations(tokens, 1)
    torch.testing.assert_close(found, true, rtol=1e-4, atol=1e-5)


def test_a_mixture_of_experts_is_refused(tmp_path: Path) -> None:
    write_transformers(
        tmp_path,
        transformers.MixtralConfig(**SIZES, num_local_experts=2, num_key_value_heads=2, pad_token_id=None),
    )
    with pytest.raises(ModelError, match="no dense MLP"):
        load_model(tmp_path, "cpu")


def test_a_pass_through_the_bridge_stops_at_its_site(demo: SubjectModel, tokens: torch.Tensor) -> None:
    next_block, handle = count_calls(demo.bridge.blocks[3])
    head, head_handle = count_calls(demo.bridge.unembed)
    try:
        demo.through_bridge(tokens, [2])
        demo.through_bridge(tokens, [demo.n_layers - 1])
        demo.through_bridge(tokens, [0, 5])
        assert len(next_block) == 2
        assert not head
        demo.logits(tokens)
        assert len(head) == 1
    finally:
        handle.remove()
        head_handle.remove()


def test_the_trunk_needs_no_layer_after_its_site(demo: SubjectModel, tokens: torch.Tensor) -> None:
    assert demo.trunk
    cut = replace(demo.trunk, layers=demo.trunk.layers[:3])
    assert torch.equal(cut.along_windows(tokens, [2])[0], demo.activations(tokens, 2))


def test_a_pass_leaves_nothing_behind(demo: SubjectModel, tokens: torch.Tensor) -> None:
    before = demo.logits(tokens)
    demo.through_bridge(tokens, range(demo.n_layers))
    with pytest.raises((IndexError, RuntimeError)):
        demo.through_bridge(torch.full((1, 2), demo.d_vocab), [0])
    assert not any(point._forward_hooks for point in demo.points)
    assert torch.equal(demo.logits(tokens), before)


def test_layers_come_in_the_order_asked(demo: SubjectModel, tokens: torch.Tensor) -> None:
    for layer, found in zip((4, 1, 4), demo.all_activations(tokens, (4, 1, 4)), strict=True):
        assert torch.equal(found, demo.activations(tokens, layer))


def test_padding_on_the_right_changes_nothing_before_it(demo: SubjectModel, tokens: torch.Tensor) -> None:
    padded = torch.nn.functional.pad(tokens, (0, 9), value=1)
    for short, long in zip(demo.all_activations(tokens), demo.all_activations(padded), strict=True):
        torch.testing.assert_close(long[:, : tokens.shape[1]], short, rtol=1e-4, atol=1e-5)


def test_a_fingerprint_names_the_weights(native: Path, tmp_path: Path) -> None:
    first = load_model(native, "cpu").fingerprint
    shutil.copytree(native, tmp_path / "copy")
    assert load_model(tmp_path / "copy", "cpu").fingerprint == first
    write_native(tmp_path / "copy", "relu")
    assert load_model(tmp_path / "copy", "cpu").fingerprint != first


def test_token_texts_are_what_tokens_say(demo: SubjectModel) -> None:
    texts = demo.token_texts()
    assert len(texts) == demo.d_vocab
    text = "The universally acknowledged truth:\n    import numpy as np"
    assert "".join(texts[index] for index in demo.encode_batch([text])[0]) == text
    assert [texts[index] for index in demo.encode_batch(["€"])[0]] == ["\\xE2", "\\x82", "\\xAC"]
    assert texts[0] == "<|endoftext|>"


def test_sentencepiece_tokens_have_their_text(native: Path) -> None:
    tokenizer = {
        "version": "1.0",
        "added_tokens": [
            {
                "id": index,
                "content": content,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for index, content in enumerate(["<s>", "</s>"])
        ],
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "model": {
            "type": "BPE",
            "vocab": {"<s>": 0, "</s>": 1, "<0xE2>": 2, "<0x41>": 3, "▁the": 4, "he": 5},
            "merges": [],
        },
    }
    (native / "tokenizer.json").write_text(json.dumps(tokenizer))
    model = load_model(native, "cpu")
    assert model.token_texts()[:7] == ["<s>", "</s>", "\\xE2", "A", " the", "he", "[unused 6]"]
    assert (model.bos, model.separator, model.mask) == (0, 1, 1)
    assert model.special == {0, 1} | set(range(6, VOCABULARY))


def test_a_mask_is_padding_of_its_own_else_the_end(tmp_path: Path) -> None:
    write_transformers(tmp_path, GPT2)
    assert load_model(tmp_path, "cpu").mask == 1
    transformers.AutoTokenizer.from_pretrained(tmp_path, pad_token="!").save_pretrained(tmp_path)
    model = load_model(tmp_path, "cpu")
    assert model.mask == model.encode_batch(["!"])[0][0]


def test_models_know_a_corpus(native: Path) -> None:
    assert default_corpus("demo") == "demo"
    assert default_corpus("solu-6l") == "NeelNanda/c4-code-20k"
    assert default_corpus("solu-6l-pile") == default_corpus("gpt2") == "NeelNanda/pile-10k"
    (native / "corpus.jsonl.gz").touch()
    assert default_corpus(native) == str(native / "corpus.jsonl.gz")


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("solu-6l", "NeelNanda/SoLU_6L768W_C4_Code"),
        ("solu-6l-old", "NeelNanda/SoLU_6L_v13_old"),
        ("gelu-1l", "NeelNanda/GELU_1L512W_C4_Code"),
    ],
)
def test_usual_names_reach_their_repository(
    monkeypatch: pytest.MonkeyPatch, name: str, repository: str
) -> None:
    asked: list[str] = []

    def boot(repository: str, *_: object) -> None:
        asked.append(repository)
        raise ModelError("stop here")

    monkeypatch.setattr(hub, "require_on_hub", lambda *_: None)
    monkeypatch.setattr(hub, "_boot_legacy", boot)
    with pytest.raises(ModelError, match="stop here"):
        load_model(name, "cpu")
    assert asked == [repository]


@pytest.mark.parametrize("name", ["solu-6l", "someone/some-model"])
def test_a_hub_out_of_reach_is_said(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from huggingface_hub import HfApi

    def out_of_reach(*_: object, **__: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(HfApi, "model_info", out_of_reach)
    with pytest.raises(ModelError, match=r"hub cannot be reached; a local directory works too") as caught:
        load_model(name, "cpu")
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_the_hub_does_not_have_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    def missing(*_: object, **__: object) -> None:
        raise HFValidationError("no such repository")

    monkeypatch.setattr(HfApi, "model_info", missing)
    with pytest.raises(ModelError, match="no-such-model: the Hugging Face hub has no such model"):
        load_model("no-such-model", "cpu")


def test_damage_names_the_file(native: Path) -> None:
    for file, content, words in (
        ("tokenizer.json", b"{", "tokenizer.json is damaged"),
        ("model.safetensors", b"nothing", "model.safetensors is damaged"),
        ("config.json", b"{", "config.json is not JSON"),
        ("config.json", b"[]", "config.json does not hold named values"),
        ("config.json", b'{"n_layers": 3}', "config.json is not a native model"),
    ):
        whole = (native / file).read_bytes()
        (native / file).write_bytes(content)
        with pytest.raises(ModelError, match=words) as caught:
            load_model(native, "cpu")
        assert "\n" not in str(caught.value)
        (native / file).write_bytes(whole)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(native: Path, file: str) -> None:
    (native / file).unlink()
    with pytest.raises(ModelError, match=file):
        load_model(native, "cpu")


def test_weights_that_do_not_fit_are_refused(native: Path) -> None:
    config = json.loads((native / "config.json").read_text())
    (native / "config.json").write_text(json.dumps({**config, "n_layers": 4}))
    with pytest.raises(ModelError, match=r"model\.safetensors does not fit config\.json") as caught:
        load_model(native, "cpu")
    assert "\n" not in str(caught.value)


def test_a_damaged_hugging_face_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_model(tmp_path, "cpu")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="is a file"):
        load_model(tmp_path / "file", "cpu")
    with pytest.raises(ModelError, match="no such directory"):
        load_model(tmp_path / "nothing", "cpu")
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load_model(tmp_path, "cpu")


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelError, match="no device is called 'tpu'"):
        load_model("demo", "tpu")
    absent = "cuda" if not torch.cuda.is_available() else "mps"
    with pytest.raises(ModelError, match=f"no {absent} device"):
        load_model("demo", absent)
