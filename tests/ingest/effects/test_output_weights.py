"""What neurons write, beside a plain computation on the weights of transformers' own models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from n2gdb.errors import ModelError
from n2gdb.ingest.evaluation.effects import STRONGEST, strongest
from n2gdb.ingest.evaluation.output_weights import OutputWeights
from n2gdb.ingest.models.native import demo_directory
from n2gdb.ingest.models.subject import SubjectModel, load_model
from tests.support.families import FAMILIES
from tests.support.tiny_models import LAYERS, write_native, write_transformers

Norm = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def layer_norm(direction: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (direction - direction.mean(-1, keepdim=True)) * weight


def rms_norm(direction: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return direction * weight


def rms_norm_plus_one(direction: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return direction * (1 + weight)


@dataclass(frozen=True)
class Plain:
    """Where a family keeps what is on the way from a neuron to the logits."""

    out: str
    norm: Norm
    final: str
    behind: str = ""  # a norm behind the MLP
    scale: float = 1.0


_LLAMA = Plain("model.layers.{}.mlp.down_proj", rms_norm, "model.norm")
_GEMMA = Plain("model.layers.{}.mlp.down_proj", rms_norm_plus_one, "model.norm")
_BEHIND = "model.layers.{}.post_feedforward_layernorm"
PLAIN = {
    "gpt2": Plain("transformer.h.{}.mlp.c_proj", layer_norm, "transformer.ln_f"),
    "gpt2-untied": Plain("transformer.h.{}.mlp.c_proj", layer_norm, "transformer.ln_f"),
    "gpt_neox": Plain("gpt_neox.layers.{}.mlp.dense_4h_to_h", layer_norm, "gpt_neox.final_layer_norm"),
    "gptj": Plain("transformer.h.{}.mlp.fc_out", layer_norm, "transformer.ln_f"),
    "llama": _LLAMA,
    "llama-bias": _LLAMA,
    "llama-eps": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _GEMMA,
    "gemma2": Plain(_GEMMA.out, rms_norm_plus_one, "model.norm", _BEHIND),
    "gemma3": Plain(_GEMMA.out, rms_norm_plus_one, "model.norm", _BEHIND),
    "olmo2": Plain(_LLAMA.out, rms_norm, "model.norm", _BEHIND),
    "phi": Plain("model.layers.{}.mlp.fc2", layer_norm, "model.final_layernorm"),
    "opt": Plain("model.decoder.layers.{}.fc2", layer_norm, "model.decoder.final_layer_norm"),
    "cohere": Plain(_LLAMA.out, layer_norm, "model.norm", scale=0.0625),
    "granite": Plain(_LLAMA.out, rms_norm, "model.norm", scale=0.5 / 2.0),
    "bloom": Plain("transformer.h.{}.mlp.dense_4h_to_h", layer_norm, "transformer.ln_f"),
}


def plain_logits(model: Any, plain: Plain, layer: int) -> torch.Tensor:
    """Logits of every neuron for an activation of 1, above their mean: (d_mlp, d_vocab)."""
    out = model.get_submodule(plain.out.format(layer)).weight.detach()
    d_model = model.get_submodule(plain.final).weight.shape[0]
    written = out if out.shape[1] == d_model else out.T
    if plain.behind:
        written = plain.norm(written, model.get_submodule(plain.behind.format(layer)).weight.detach())
    normed = plain.norm(written, model.get_submodule(plain.final).weight.detach())
    logits = plain.scale * normed @ model.get_output_embeddings().weight.detach().T
    centred: torch.Tensor = logits - logits.mean(-1, keepdim=True)
    return centred


def assert_writes(model: SubjectModel, layer: int, expected: torch.Tensor) -> None:
    """Hold all logits, and the strongest tokens at random maxima, to what is expected."""
    weights = OutputWeights.of(model)
    directions = weights.directions(layer)
    torch.testing.assert_close(
        directions @ weights.head.T, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())
    )
    maximum = torch.rand(model.d_mlp, generator=torch.Generator().manual_seed(layer)) * 5
    maximum[0] = -0.1  # never fires
    found = strongest(weights, directions, maximum)
    unused = torch.tensor([text.startswith("[unused") for text in model.token_texts()])
    assert set(found.unit.tolist()) == set(range(1, model.d_mlp))
    for unit in (1, model.d_mlp - 1):
        own = found.unit == unit
        logits = expected[unit] * maximum[unit]
        for sign in (1, -1):
            chosen = own & (found.logit * sign > 0)
            best = (logits * sign).masked_fill(unused, -torch.inf).topk(STRONGEST)
            assert found.rank[chosen].tolist() == list(range(STRONGEST))
            torch.testing.assert_close(
                torch.from_numpy(found.logit[chosen]), best.values * sign, rtol=1e-3, atol=1e-4
            )
            assert len(set(found.token[chosen].tolist()) & set(best.indices.tolist())) >= STRONGEST - 1


@pytest.mark.parametrize("family", PLAIN)
def test_neurons_write_what_the_weights_say(family: str, tmp_path: Path) -> None:
    original = write_transformers(tmp_path, FAMILIES[family].config())
    model = load_model(tmp_path, "cpu")
    for layer in (0, 2):
        assert_writes(model, layer, plain_logits(original, PLAIN[family], layer))


@pytest.mark.parametrize(("act_fn", "gated"), [("relu", False), ("silu", True), ("solu_ln", False)])
def test_neurons_of_native_models_do(act_fn: str, gated: bool, tmp_path: Path) -> None:
    weights = write_native(tmp_path, act_fn, gated=gated)
    assert_native(load_model(tmp_path, "cpu"), weights, LAYERS - 1, act_fn)


def test_neurons_of_the_demo_do() -> None:
    weights = {name: part.float() for name, part in load_file(demo_directory() / "model.safetensors").items()}
    assert_native(load_model("demo", "cpu"), weights, 3, "solu_ln")


def assert_native(model: SubjectModel, weights: dict[str, torch.Tensor], layer: int, act_fn: str) -> None:
    written = weights[f"blocks.{layer}.mlp.W_out"]
    if act_fn == "solu_ln":  # a neuron is one of the numbers that enter the norm
        through = layer_norm(torch.eye(len(written)), weights[f"blocks.{layer}.mlp.ln.w"])
        written = through @ written
    logits = layer_norm(written, weights["ln_final.w"]) @ weights["unembed.W_U"]
    assert_writes(model, layer, logits - logits.mean(-1, keepdim=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_read_or_refused_in_one_line(family: str, tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES[family].config())
    model = load_model(tmp_path, "cpu")
    if family in ("openai-gpt", "opt-after", "modernbert-decoder"):
        with pytest.raises(ModelError, match=r"what a neuron writes") as caught:
            OutputWeights.of(model)
        assert "\n" not in str(caught.value)
    else:
        assert OutputWeights.of(model).head.shape == (model.d_vocab, model.d_model)


def test_a_head_that_does_more_than_is_known_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    model = load_model(tmp_path, "cpu")
    plain = type(model.bridge).forward
    monkeypatch.setattr(
        type(model.bridge), "forward", lambda self, *given, **named: plain(self, *given, **named).relu()
    )
    with pytest.raises(ModelError, match="are not its final norm and its unembedding alone"):
        OutputWeights.of(model)


def test_neurons_that_write_something_else_are_refused(tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES["llama"].config())
    model = load_model(tmp_path, "cpu")
    out = model.bridge.blocks[-1].mlp.out.original_component
    out.register_forward_hook(lambda _m, _i, value: value.roll(1, -1) if value.dim() > 2 else value)
    with pytest.raises(ModelError, match="do not write their output weights"):
        OutputWeights.of(model)
