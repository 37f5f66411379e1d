"""Dictionaries: read in every format, and encoded as the library that wrote them encodes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from n2gdb.errors import ModelError
from n2gdb.ingest.sources.dictionary import Dictionary, layer_of
from n2gdb.ingest.sources.formats import FORMATS, read_dictionaries
from tests.ingest.sources.dictionary_world import NAMES, READ, draw, edited, extracted, one

DEMO_SAE = Path(__file__).parents[4] / "shared" / "demo-sae"


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of dictionaries that SAELens saved, each with what SAELens encodes."""
    return extracted(tmp_path_factory.mktemp("dictionaries"))


def test_the_fixture_covers_every_architecture() -> None:
    assert len(READ) >= 40
    kinds = {name.split("-")[0] for name in READ}
    assert kinds >= {
        "standard",
        "jumprelu",
        "gated",
        "topk",
        "transcoder",
        "batchtopk",
        "matryoshka_batchtopk",
    }


@pytest.mark.parametrize("name", READ)
def test_encodes_as_saelens_does(written: Path, name: str) -> None:
    dictionary = one(written / name)
    given = torch.from_numpy(np.load(written / name / "input.npy"))
    wanted = torch.from_numpy(np.load(written / name / "encoded.npy"))
    assert wanted.count_nonzero()
    torch.testing.assert_close(dictionary.encode(given), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", READ)
def test_every_way_to_encode_agrees(written: Path, name: str) -> None:
    dictionary = one(written / name)
    given = torch.from_numpy(np.load(written / name / "input.npy"))
    whole = dictionary.encode(given)
    some = torch.tensor([5, 0, 27, 5])
    torch.testing.assert_close(dictionary.encode_columns(given, some), whole[:, some], rtol=1e-5, atol=1e-5)
    row = torch.arange(3 * len(given)).flip(0) % len(given)  # each position several times, in any order
    latent = torch.arange(len(row)) % dictionary.d_sae
    wanted = whole[row, latent]
    torch.testing.assert_close(dictionary.gathered(given, row, latent), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("refused")])
def test_refuses_what_no_latent_can_be_read_of(written: Path, name: str) -> None:
    with pytest.raises(ModelError, match=name.removeprefix("refused-")) as caught:
        read_dictionaries(str(written / name))
    assert "\n" not in str(caught.value)


def test_reads_where_a_dictionary_reads(written: Path) -> None:
    heads = one(written / "gated-heads")
    assert (heads.hook, heads.layer, heads.kind) == ("blocks.1.attn.hook_z", 1, "sae")
    transcoder = one(f"mine={written / 'jumprelu_transcoder-none'}")
    assert (transcoder.name, transcoder.kind, transcoder.layer) == ("mine", "transcoder", 2)
    assert transcoder.decoder.shape == (28, 9)
    assert transcoder.input_bias is None


def test_reads_all_that_lies_below_a_folder(written: Path, tmp_path: Path) -> None:
    for layer, name in enumerate(("topk-rescaled-3", "standard-heads", "gated-none-plain")):
        target = tmp_path / "deep" / f"layer-{layer}"
        target.mkdir(parents=True)
        for file in ("cfg.json", "sae_weights.safetensors"):
            (target / file).write_bytes((written / name / file).read_bytes())
    found = read_dictionaries(f"all={tmp_path}")
    assert [one.layer for one in found] == sorted(one.layer for one in found)
    assert len(found) == 3
    assert {one.name for one in found} == {"all"}


def test_fingerprints_tell_what_bears_on_activations(written: Path, tmp_path: Path) -> None:
    prints = {one(written / name).fingerprint for name in READ}
    assert len(prints) == len(READ)
    changed = edited(written / "topk-rescaled-3", tmp_path / "a", k=4)
    assert one(changed).fingerprint != one(written / "topk-rescaled-3").fingerprint
    renamed = edited(written / "topk-rescaled-3", tmp_path / "b", device="cuda")
    assert one(renamed).fingerprint == one(written / "topk-rescaled-3").fingerprint


def test_reads_configurations_from_before_version_6(written: Path, tmp_path: Path) -> None:
    source = written / "topk-none-b_dec"
    old = {
        "metadata": None,
        "architecture": None,
        "k": None,
        "apply_b_dec_to_input": None,
        "normalize_activations": False,
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": 5},
        "hook_point": "blocks.7.hook_resid_pre",
        "model_name": "gpt2-small",
        "neuronpedia_id": "gpt2-small/7-res-jb",
    }
    found = one(edited(source, tmp_path / "old", **old))
    assert (found.hook, found.name, found.model_name) == ("blocks.7.hook_resid_pre", "res-jb", "gpt2-small")
    given = draw(9, 12)
    torch.testing.assert_close(found.encode(given), one(source).encode(given))
    with pytest.raises(ModelError, match="tanh-relu"):
        one(edited(source, tmp_path / "odd", **{**old, "activation_fn_str": "tanh-relu"}))


def test_centres_where_writing_weights_were_centred(written: Path, tmp_path: Path) -> None:
    source = written / "standard-none-b_dec"
    metadata = json.loads((source / "cfg.json").read_text())["metadata"]
    metadata["model_from_pretrained_kwargs"] = {"center_writing_weights": True}
    centred, plain = one(edited(source, tmp_path / "centred", metadata=metadata)), one(source)
    given = draw(9, 12)
    assert not torch.allclose(centred.encode(given), plain.encode(given))
    torch.testing.assert_close(
        centred.encode(given), plain.encode(given - given.mean(-1, keepdim=True)), rtol=1e-5, atol=1e-5
    )


def test_multiplies_by_a_stored_factor(written: Path, tmp_path: Path) -> None:
    folder = edited(written / "standard-expected_average_only_in-plain", tmp_path / "scaled")
    given = draw(9, 12)
    before = one(folder)
    (folder / "activation_scaler.json").write_text('{"scaling_factor": 2.5}')
    torch.testing.assert_close(one(folder).encode(given), before.encode(given * 2.5))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "cfg.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "cfg.json").write_text("[]"), "named values"),
        (lambda folder: (folder / "sae_weights.safetensors").write_bytes(b"x"), "is damaged"),
        (lambda folder: _without(folder, "W_enc"), "has no W_enc"),
        (lambda folder: _without(folder, "threshold"), "jumprelu encoder are missing"),
        (lambda folder: _with(folder, b_enc=torch.zeros(3)), r"bias has shape \(3,\)"),
        (lambda folder: _with(folder, b_enc=torch.full((28,), torch.nan)), "not finite"),
        (lambda folder: _said(folder, d_sae=29), "says 12 x 29"),
        (lambda folder: _said(folder, metadata={}), "does not name its hook point"),
        (lambda folder: _said(folder, metadata={"hook_name": "hook_embed"}), "not a hook point of a layer"),
        (lambda folder: _said(folder, normalize_activations="covariance_whitening"), "covariance_whitening"),
        (lambda folder: _said(folder, architecture="topk", k=None), "k is None"),
    ],
)
def test_says_in_one_line_what_is_wrong(
    written: Path, tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    folder = edited(written / "jumprelu-none-b_dec", tmp_path / "spoilt")
    spoil(folder)
    with pytest.raises(ModelError, match=said) as caught:
        read_dictionaries(str(folder))
    assert "\n" not in str(caught.value)


def _with(folder: Path, **tensors: torch.Tensor) -> None:
    path = folder / "sae_weights.safetensors"
    save_file({**load_file(path), **tensors}, path)


def _without(folder: Path, name: str) -> None:
    path = folder / "sae_weights.safetensors"
    save_file({key: tensor for key, tensor in load_file(path).items() if key != name}, path)


def _said(folder: Path, **changes: Any) -> None:
    path = folder / "cfg.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


GEMMA = {"w_enc": draw(6, 10), "b_enc": draw(10, seed=1), "w_dec": draw(10, 6, seed=2)}
GEMMA |= {"b_dec": 5 * draw(6, seed=3), "threshold": draw(10, seed=4).abs()}


def gemma_activations(given: torch.Tensor) -> torch.Tensor:
    before = given @ GEMMA["w_enc"] + GEMMA["b_enc"]
    return torch.where(before > GEMMA["threshold"], before.relu(), 0)


@pytest.mark.parametrize(
    ("repository", "hook", "kind", "name"),
    [
        ("gemma-scope-2b-pt-res", "blocks.20.hook_resid_post", "sae", "gemmascope-res-16k"),
        ("gemma-scope-9b-it-mlp", "blocks.20.hook_mlp_out", "sae", "gemmascope-mlp-16k"),
        ("gemma-scope-2b-pt-att", "blocks.20.attn.hook_z", "sae", "gemmascope-att-16k"),
        (
            "gemma-scope-2b-pt-transcoders",
            "blocks.20.ln2.hook_normalized",
            "transcoder",
            "gemmascope-transcoder-16k",
        ),
    ],
)
def test_reads_gemma_scope(tmp_path: Path, repository: str, hook: str, kind: str, name: str) -> None:
    folder = tmp_path / repository / "layer_20" / "width_16k" / "average_l0_71"
    folder.mkdir(parents=True)
    names = {"w_enc": "W_enc", "w_dec": "W_dec"}
    np.savez(folder / "params.npz", **{names.get(key, key): part.numpy() for key, part in GEMMA.items()})  # type: ignore[arg-type]
    found = one(tmp_path / repository)
    assert (found.hook, found.kind, found.name) == (hook, kind, name)
    given = draw(20, 6, seed=5)
    torch.testing.assert_close(found.encode(given), gemma_activations(given))


@pytest.mark.parametrize("by", ["path", "config"])
def test_transcoders_of_gemma_scope_2_read_what_enters_the_mlp(tmp_path: Path, by: str) -> None:
    site = "transcoder" if by == "path" else "x"
    folder = tmp_path / "gemma-scope-2-1b-pt" / site / "layer_7_width_16k_l0_medium"
    folder.mkdir(parents=True)
    save_file(GEMMA, folder / "params.safetensors")
    config = {"architecture": "jump_relu", "model_name": "gemma-v3-1b-pt"}
    config["hf_hook_point_in"] = "model.layers.7.pre_feedforward_layernorm.output"
    (folder / "config.json").write_text(json.dumps(config))
    found = one(folder)
    assert (found.hook, found.kind) == ("blocks.7.mlp.hook_in", "transcoder")


def test_reads_gemma_scope_2(tmp_path: Path) -> None:
    folder = tmp_path / "gemma-scope-2-1b-pt" / "resid_post" / "layer_7_width_16k_l0_medium"
    folder.mkdir(parents=True)
    save_file(GEMMA, folder / "params.safetensors")
    config = {"architecture": "jump_relu", "model_name": "gemma-v3-1b-pt"}
    (folder / "config.json").write_text(json.dumps({**config, "hf_hook_point_in": "model.layers.7.output"}))
    found = one(folder)
    assert (found.hook, found.model_name, found.name) == (
        "blocks.7.hook_resid_post",
        "gemma-v3-1b-pt",
        "gemmascope-2-resid-post-16k",
    )
    given = draw(20, 6, seed=5)
    torch.testing.assert_close(found.encode(given), gemma_activations(given))
    (folder / "config.json").write_text('{"architecture": "batch_topk"}')
    with pytest.raises(ModelError, match="batch_topk"):
        one(folder)


@pytest.mark.parametrize(
    ("module", "transcode", "hook"),
    [
        ("layers.6", False, "blocks.6.hook_resid_post"),
        ("layers.6.mlp", False, "blocks.6.hook_mlp_out"),
        ("h.11", False, "blocks.11.hook_resid_post"),
        ("gpt_neox.layers.3.attention", False, "blocks.3.hook_attn_out"),
        ("layers.6.mlp", True, "blocks.6.mlp.hook_in"),
    ],
)
def test_reads_sparsify(tmp_path: Path, module: str, transcode: bool, hook: str) -> None:
    folder = tmp_path / "sae-pythia-32x" / module
    folder.mkdir(parents=True)
    weights = {"encoder.weight": draw(10, 6), "encoder.bias": draw(10, seed=1), "W_dec": draw(10, 6, seed=2)}
    weights["b_dec"] = draw(6, seed=3)
    save_file({name: part.half() for name, part in weights.items()}, folder / "sae.safetensors")
    config = {"d_in": 6, "k": 3, "expansion_factor": 2, "normalize_decoder": True, "transcode": transcode}
    (folder / "cfg.json").write_text(json.dumps(config))
    (folder.parent / "config.json").write_text('{"model": "EleutherAI/pythia-160m"}')
    found = one(tmp_path / "sae-pythia-32x")
    assert (found.hook, found.model_name) == (hook, "EleutherAI/pythia-160m")
    assert found.kind == ("transcoder" if transcode else "sae")
    given = draw(20, 6, seed=5)
    half = {name: part.half().float() for name, part in weights.items()}
    x = given if transcode else given - half["b_dec"]
    before = (x @ half["encoder.weight"].T + half["encoder.bias"]).relu()
    kept = before >= before.topk(3).values[:, -1:]
    torch.testing.assert_close(found.encode(given), before * kept)


@pytest.mark.parametrize(
    ("module", "change", "said"),
    [
        ("embed_tokens", {}, "embed_tokens"),
        ("layers.6.mlp.act", {}, "layers.6.mlp.act"),
        ("layers.6", {"transcode": True}, "no transcoder"),
        ("layers.6", {"activation": "groupmax"}, "groupmax"),
        ("layers.6", {"signed": True}, "signed"),
        ("layers.6", {"d_in": 7}, "d_in 7"),
    ],
)
def test_refuses_what_sparsify_has_beyond(
    tmp_path: Path, module: str, change: dict[str, object], said: str
) -> None:
    folder = tmp_path / module
    folder.mkdir()
    weights = {"encoder.weight": draw(10, 6), "W_dec": draw(10, 6, seed=2), "b_dec": draw(6, seed=3)}
    save_file(weights, folder / "sae.safetensors")
    (folder / "cfg.json").write_text(json.dumps({"d_in": 6, "k": 3} | change))
    with pytest.raises(ModelError, match=said):
        read_dictionaries(str(folder))


@pytest.mark.parametrize("threshold", [None, torch.tensor(0.4), draw(10, seed=8).abs()])
def test_reads_circuit_tracer_transcoders(tmp_path: Path, threshold: torch.Tensor | None) -> None:
    layers = (0, 2, 11)
    for layer in layers:
        weights = {"W_enc": draw(10, 6, seed=layer), "b_enc": draw(10, seed=90), "W_dec": draw(10, 6)}
        weights |= {} if threshold is None else {"activation_function.threshold": threshold}
        save_file(weights | {"b_dec": draw(6)}, tmp_path / f"layer_{layer}.safetensors")
    config = (
        "model_name: Qwen/Qwen3-0.6B\nfeature_input_hook: mlp.hook_in\nfeature_output_hook: hook_mlp_out\n"
    )
    (tmp_path / "config.yaml").write_text(config + "scan: qwen3-0.6b-transcoders\n")
    found = read_dictionaries(str(tmp_path))
    assert [one.hook for one in found] == [f"blocks.{layer}.mlp.hook_in" for layer in layers]
    assert {(one.name, one.kind) for one in found} == {("qwen3-0.6b-transcoders", "transcoder")}
    alone = one(tmp_path / "layer_2.safetensors")
    assert alone.fingerprint == found[1].fingerprint
    given = draw(20, 6, seed=5)
    before = given @ draw(10, 6, seed=2).T + draw(10, seed=90)
    torch.testing.assert_close(
        alone.encode(given), torch.where(before > (0 if threshold is None else threshold), before.relu(), 0)
    )
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(ModelError, match=r"config\.yaml"):
        read_dictionaries(str(tmp_path))


def test_places_that_hold_nothing_are_named(tmp_path: Path) -> None:
    for spec in (str(tmp_path), "./nothing-here", "a=b", str(tmp_path / "none"), ""):
        with pytest.raises(ModelError):
            read_dictionaries(spec)


def test_every_format_has_a_name_of_its_own() -> None:
    assert len({form.name for form in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("hook", ["hook_embed", "blocks.hook", "blocks.x.hook_z", "ln_final.hook_in", ""])
def test_hooks_outside_of_layers_are_refused(hook: str) -> None:
    with pytest.raises(ModelError, match="hook point of a layer"):
        layer_of(hook)


def test_a_topk_dictionary_encodes_a_position_once(monkeypatch: pytest.MonkeyPatch, written: Path) -> None:
    name = next(name for name in READ if one(written / name).needs_all)
    dictionary = one(written / name)
    given = torch.from_numpy(np.load(written / name / "input.npy"))
    whole, encoded = dictionary.encode(given), list[int]()
    real = Dictionary._encode

    def counting(self: Dictionary, x: torch.Tensor, *others: Any) -> torch.Tensor:
        encoded.append(len(x))
        return real(self, x, *others)

    monkeypatch.setattr(Dictionary, "_encode", counting)
    latent = torch.arange(dictionary.d_sae)
    found = dictionary.gathered(given, torch.zeros_like(latent), latent)
    torch.testing.assert_close(found, whole[0], rtol=1e-5, atol=1e-5)
    assert sum(encoded) == len(given)  # not once for each latent that is asked for


def test_a_dictionary_moves_between_devices(written: Path) -> None:
    gated = one(written / "gated-heads")
    moved = gated.to(torch.device("meta"))
    assert moved.encoder.device.type == "meta"
    assert moved.gated is not None and moved.gated.gate.device.type == "meta"
    assert gated.to(torch.device("cpu")) is gated


@pytest.mark.skipif(not DEMO_SAE.is_dir(), reason="no SAE of the demo model beside the repository")
def test_the_demo_models_sae_encodes_as_saelens_does() -> None:
    dictionary = one(DEMO_SAE)
    assert (dictionary.hook, dictionary.d_in, dictionary.d_sae) == ("blocks.3.hook_resid_post", 192, 2048)
    with np.load(DEMO_SAE / "encodings.npz") as known:
        residual = torch.from_numpy(known["residual"])
        windows, positions = known["positions"].T
        latents, values = known["latents"], torch.from_numpy(known["values"])
    inside = positions < residual.shape[1]
    wanted = torch.zeros(*residual.shape[:2], dictionary.d_sae)
    wanted[windows[inside], positions[inside], latents[inside]] = values[torch.from_numpy(inside)]
    torch.testing.assert_close(dictionary.encode(residual), wanted, rtol=1e-6, atol=1e-6)
