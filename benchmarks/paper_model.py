"""A model of the paper's shape, briefly trained, to measure an ingest of its 18,432 neurons on a GPU.

    python -m benchmarks.paper_model DIRECTORY --text TEXT.jsonl.gz [--seconds 60] [--device cuda]

SoLU, 6 layers, d_model 768, 3,072 neurons a layer, as SoLU-6L, with the demo model's tokenizer and its
context of 256 tokens. The directory then holds it in the native format, with TEXT as its corpus:

    n2gdb ingest DIRECTORY --device cuda
"""

from __future__ import annotations

import json
import math
import shutil
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from n2gdb.ingest.corpus.documents import read_documents
from n2gdb.ingest.models.native import demo_directory
from n2gdb.ingest.models.tokenizer import ModelTokenizer

SHAPE = {
    "n_layers": 6,
    "d_model": 768,
    "n_heads": 12,
    "d_head": 64,
    "d_mlp": 3072,
    "n_ctx": 256,
    "d_vocab": 4096,
}

#: Contexts of a step, and the learning rate at its height.
BATCH, RATE = 128, 1e-3


def main(
    directory: Path,
    text: Annotated[str, typer.Option(help="What it learns and is scanned for.")] = "demo",
    seconds: Annotated[float, typer.Option(help="How long it learns.")] = 60.0,
    device: str = "cuda" if torch.cuda.is_available() else "cpu",
    shape: Annotated[str, typer.Option(help="Fields of the shape, as JSON.")] = "{}",
) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    shape_of = {**SHAPE, **json.loads(shape)}
    shutil.copy(demo_directory() / "tokenizer.json", directory)
    tokenizer = ModelTokenizer.from_file(directory / "tokenizer.json", shape_of["d_vocab"], prepend_bos=True)
    ids = [token for tokens in tokenizer.encode_batch(list(read_documents(text))) for token in (*tokens, 0)]
    state = trained(shape_of, np.array(ids), seconds, device)
    weights = {name: part.half().cpu() for name, part in named(state, shape_of).items()}
    save_file(weights, directory / "model.safetensors")
    demo = json.loads((demo_directory() / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**demo, **shape_of}, indent=1))
    if Path(text).is_file():
        shutil.copy(text, directory / "corpus.jsonl.gz")


def trained(
    shape: dict[str, int], ids: np.ndarray[Any, Any], seconds: float, device: str
) -> dict[str, torch.Tensor]:
    """Weights after so many seconds of learning to predict a stream of tokens."""
    torch.manual_seed(0)
    model, rng, width = Transformer(shape).to(device), np.random.default_rng(0), shape["n_ctx"]
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1, betas=(0.9, 0.95))
    start, step = time.perf_counter(), 0
    while (done := (time.perf_counter() - start) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 100) * (0.5 * (1 + math.cos(math.pi * done)) + 0.03)
        first = rng.integers(0, len(ids) - width, BATCH)
        targets = torch.from_numpy(np.stack([ids[at : at + width] for at in first])).to(device)
        inputs = torch.cat([torch.zeros_like(targets[:, :1]), targets[:, :-1]], dim=1)
        with torch.autocast(device, torch.bfloat16):
            loss = model(inputs, targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
    print(f"{step * BATCH * width / 1e6:.1f} million tokens in {step} steps, loss {loss.item():.3f}")
    return model.state_dict()


class Layer(nn.Module):
    def __init__(self, d_model: int, d_mlp: int, n_heads: int) -> None:
        super().__init__()
        self.ln1, self.qkv, self.o = (
            nn.LayerNorm(d_model),
            nn.Linear(d_model, 3 * d_model),
            nn.Linear(d_model, d_model),
        )
        self.ln2, self.up = nn.LayerNorm(d_model), nn.Linear(d_model, d_mlp)
        self.ln, self.down = nn.LayerNorm(d_mlp), nn.Linear(d_mlp, d_model)
        self.n_heads = n_heads

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        context, position, d_model = hidden.shape
        heads = self.qkv(self.ln1(hidden)).view(context, position, 3, self.n_heads, -1)
        mixed = functional.scaled_dot_product_attention(*heads.permute(2, 0, 3, 1, 4), is_causal=True)
        hidden = hidden + self.o(mixed.transpose(1, 2).reshape(context, position, d_model))
        before = self.up(self.ln2(hidden))
        return hidden + self.down(self.ln(before * functional.softmax(before, dim=-1)))


class Transformer(nn.Module):
    def __init__(self, shape: dict[str, int]) -> None:
        super().__init__()
        d_model, depth = shape["d_model"], shape["n_layers"]
        self.embed = nn.Embedding(shape["d_vocab"], d_model)
        self.place = nn.Embedding(shape["n_ctx"], d_model)
        self.layers = nn.ModuleList(Layer(d_model, shape["d_mlp"], shape["n_heads"]) for _ in range(depth))
        self.last = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, shape["d_vocab"], bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                into_stream = name.endswith(("o.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / (math.sqrt(2 * depth) if into_stream else 1))

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        hidden = self.embed(inputs) + self.place.weight
        for layer in self.layers:
            hidden = layer(hidden)
        return functional.cross_entropy(self.head(self.last(hidden)).flatten(0, 1), targets.flatten())


def named(state: dict[str, torch.Tensor], shape: dict[str, int]) -> dict[str, torch.Tensor]:
    """Weights under TransformerLens' property names, as the native format has them."""
    heads, width, d_model = shape["n_heads"], shape["d_head"], shape["d_model"]
    found = {"embed.W_E": state["embed.weight"], "pos_embed.W_pos": state["place.weight"]}
    found |= {"ln_final.w": state["last.weight"], "ln_final.b": state["last.bias"]}
    found |= {"unembed.W_U": state["head.weight"].T, "unembed.b_U": torch.zeros(shape["d_vocab"])}
    for number in range(shape["n_layers"]):
        here, there = f"layers.{number}.", f"blocks.{number}."
        weight = state[here + "qkv.weight"].view(3, heads, width, d_model)
        bias = state[here + "qkv.bias"].view(3, heads, width)
        for place, name in enumerate("QKV"):
            found[f"{there}attn.W_{name}"] = weight[place].transpose(1, 2)
            found[f"{there}attn.b_{name}"] = bias[place]
        found[there + "attn.W_O"] = state[here + "o.weight"].T.reshape(heads, width, d_model)
        found[there + "attn.b_O"] = state[here + "o.bias"]
        for ours, theirs in (("up", "in"), ("down", "out")):
            found[f"{there}mlp.W_{theirs}"] = state[f"{here}{ours}.weight"].T
            found[f"{there}mlp.b_{theirs}"] = state[f"{here}{ours}.bias"]
        for ours, theirs in (("ln1", "ln1"), ("ln2", "ln2"), ("ln", "mlp.ln")):
            found[f"{there}{theirs}.w"], found[f"{there}{theirs}.b"] = (
                state[f"{here}{ours}.weight"],
                state[f"{here}{ours}.bias"],
            )
    return {name: part.contiguous() for name, part in found.items()}


if __name__ == "__main__":
    typer.run(main)
