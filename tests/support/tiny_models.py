"""Tiny random models on disk, in both formats, and the native one computed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional

LAYERS, WIDTH, HEADS, NEURONS, CONTEXT, VOCABULARY = 3, 16, 2, 24, 32, 300


def tiny_tokenizer(*special: str) -> Tokenizer:
    """A byte-level tokenizer with these special tokens, numbered from 0."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the cat sat on the mat", "import numpy"] * 3, trainer)
    return tokenizer


def write_native(directory: Path, act_fn: str, *, gated: bool = False) -> dict[str, torch.Tensor]:
    """Write a native model with random weights, and return them by name."""
    config = {
        "n_layers": LAYERS,
        "d_model": WIDTH,
        "n_heads": HEADS,
        "d_head": WIDTH // HEADS,
        "d_mlp": NEURONS,
        "n_ctx": CONTEXT,
        "d_vocab": VOCABULARY,
        "act_fn": act_fn,
        "gated_mlp": gated,
        "normalization_type": "LN",
        "positional_embedding_type": "standard",
    }
    shapes = {
        "embed.W_E": (VOCABULARY, WIDTH),
        "pos_embed.W_pos": (CONTEXT, WIDTH),
        "ln_final.w": (WIDTH,),
        "ln_final.b": (WIDTH,),
        "unembed.W_U": (WIDTH, VOCABULARY),
    }
    for layer in range(LAYERS):
        shapes.update(_block_shapes(f"blocks.{layer}.", act_fn, gated))
    generator = torch.Generator().manual_seed(len(act_fn))
    weights = {name: 0.4 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    weights["unembed.b_U"] = torch.zeros(VOCABULARY)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    save_file(weights, directory / "model.safetensors")
    (directory / "tokenizer.json").write_text(tiny_tokenizer("<|endoftext|>", "<|pad|>").to_str())
    return weights


def _block_shapes(block: str, act_fn: str, gated: bool) -> dict[str, tuple[int, ...]]:
    head = WIDTH // HEADS
    shapes: dict[str, tuple[int, ...]] = {}
    for norm in ("ln1", "ln2"):
        shapes |= {f"{block}{norm}.w": (WIDTH,), f"{block}{norm}.b": (WIDTH,)}
    for part in "QKV":
        shapes |= {f"{block}attn.W_{part}": (HEADS, WIDTH, head), f"{block}attn.b_{part}": (HEADS, head)}
    shapes |= {f"{block}attn.W_O": (HEADS, head, WIDTH), f"{block}attn.b_O": (WIDTH,)}
    shapes |= {f"{block}mlp.W_in": (WIDTH, NEURONS), f"{block}mlp.W_out": (NEURONS, WIDTH)}
    if gated:
        return shapes | {f"{block}mlp.W_gate": (WIDTH, NEURONS)}
    shapes |= {f"{block}mlp.b_in": (NEURONS,), f"{block}mlp.b_out": (WIDTH,)}
    if act_fn == "solu_ln":
        shapes |= {f"{block}mlp.ln.w": (NEURONS,), f"{block}mlp.ln.b": (NEURONS,)}
    return shapes


def compute_native(
    weights: dict[str, torch.Tensor], tokens: torch.Tensor, act_fn: str, n_layers: int
) -> list[torch.Tensor]:
    """Activations of every layer's neurons, straight from the weights: (batch, position, neuron) each."""
    activations: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "relu": functional.relu,
        "gelu": functional.gelu,
        "silu": functional.silu,
        "solu_ln": lambda value: value * value.softmax(-1),
    }
    activate = activations[act_fn]

    def norm(value: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(value, value.shape[-1:], weights[name + ".w"], weights[name + ".b"])

    stream = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: tokens.shape[1]]
    found = []
    for layer in range(n_layers):
        block = f"blocks.{layer}."
        stream = stream + _attend(norm(stream, block + "ln1"), weights, block + "attn.")
        read = norm(stream, block + "ln2")
        before = read @ weights[block + "mlp.W_in"]
        if block + "mlp.W_gate" in weights:
            neurons = activate(read @ weights[block + "mlp.W_gate"]) * before
        else:
            neurons = activate(before + weights[block + "mlp.b_in"])
        found.append(neurons)
        written = norm(neurons, block + "mlp.ln") if act_fn == "solu_ln" else neurons
        stream = stream + written @ weights[block + "mlp.W_out"] + weights.get(block + "mlp.b_out", 0)
    return found


def _attend(read: torch.Tensor, weights: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    query, key, value = (
        torch.einsum("bpm,hmd->bhpd", read, weights[f"{name}W_{part}"]) + weights[f"{name}b_{part}"][:, None]
        for part in "QKV"
    )
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    mixed = scores.masked_fill(later, -torch.inf).softmax(-1) @ value
    return torch.einsum("bhpd,hdm->bpm", mixed, weights[f"{name}W_O"]) + weights[f"{name}b_O"]


def write_transformers(directory: Path, config: Any, kind: str = "AutoModelForCausalLM") -> Any:
    """Write a Hugging Face model with random weights, and return it."""
    torch.manual_seed(0)
    model = getattr(transformers, kind).from_config(config).eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(directory)
    write_tokenizer(directory)
    return model


def write_tokenizer(directory: Path) -> None:
    """Write a Hugging Face tokenizer with a begin and an end token beside a model."""
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer("<s>", "</s>"), bos_token="<s>", eos_token="</s>"
    ).save_pretrained(directory)
