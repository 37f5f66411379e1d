"""GGUF files: refused in one line where they cannot be read, and read like the weights they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from n2gdb.errors import ModelError
from n2gdb.ingest.models import hub as gguf_models
from n2gdb.ingest.models.hub import is_gguf
from n2gdb.ingest.models.subject import load_model
from tests.support.tiny_models import tiny_tokenizer

LAYERS, WIDTH, HEADS, NEURONS = 2, 64, 4, 96


def test_files_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + bytes(12))
    (tmp_path / "b.gguf").write_bytes(b"PK")
    assert is_gguf(tmp_path / "a.gguf")
    assert not is_gguf(tmp_path / "b.gguf")
    assert not is_gguf(tmp_path)
    with pytest.raises(ModelError, match="is a file"):
        load_model(tmp_path / "b.gguf", "cpu")


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + bytes(12))
    monkeypatch.setattr(gguf_models, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'n2gdb\[gguf\]'") as caught:
        load_model(tmp_path / "a.gguf", "cpu")
    assert "\n" not in str(caught.value)


def test_damaged_files_are_said_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + bytes(12))
    with pytest.raises(ModelError, match="cannot be read as a GGUF model") as caught:
        load_model(tmp_path / "a.gguf", "cpu")
    assert "\n" not in str(caught.value)


def test_weights_are_those_of_the_file(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    path = tmp_path / "tiny.gguf"
    weights = write_gguf(gguf, path)
    model = load_model(path, "cpu")
    assert (model.n_layers, model.d_mlp, model.gated) == (LAYERS, NEURONS, True)
    state = dict(model.bridge.original_model.state_dict())
    ups = [tensor for name, tensor in state.items() if name.endswith("up_proj.weight") or ".up_proj." in name]
    wanted = torch.from_numpy(weights["blk.0.ffn_up.weight"])
    assert any(tensor.shape == wanted.shape and torch.equal(tensor.cpu(), wanted) for tensor in ups)


def write_gguf(gguf: Any, path: Path) -> dict[str, Any]:
    """Write a tiny Llama with random weights."""
    tokenizer = tiny_tokenizer("<|endoftext|>", "<|pad|>")
    texts = [tokenizer.id_to_token(token) for token in range(tokenizer.get_vocab_size())]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(NEURONS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(texts))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(texts)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (len(texts), WIDTH), "output_norm": (WIDTH,), "output": (len(texts), WIDTH)}
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        shapes |= {f"{block}attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
        shapes |= {f"{block}attn_norm": (WIDTH,), f"{block}ffn_norm": (WIDTH,)}
        shapes |= {f"{block}ffn_{part}": (NEURONS, WIDTH) for part in ("up", "gate")}
        shapes[f"{block}ffn_down"] = (WIDTH, NEURONS)
    weights = {
        f"{name}.weight": random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()
    }
    for name, weight in weights.items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights
