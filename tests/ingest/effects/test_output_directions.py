"""What latents and the directions of other sites write, beside passes of the models themselves."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.core.units import NEGATIVE
from n2gdb.ingest.adding_effects import add_effects
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.evaluation.output_directions import output_directions
from n2gdb.ingest.evaluation.output_weights import OutputWeights
from n2gdb.ingest.models.loaded import probe_tokens
from n2gdb.ingest.models.read_units import sites_of
from n2gdb.ingest.models.subject import SubjectModel, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.formats import read_dictionaries
from n2gdb.ingest.sources.places import UnitPlaceOf, dictionary_places
from n2gdb.storage.build.database import build_database
from n2gdb.storage.shards import run_folders
from tests.ingest.sources.test_unit_sources import write_sae
from tests.support.demo import demo_model, only_run
from tests.support.families import FAMILIES
from tests.support.tiny_models import write_transformers

#: Sites whose values are added to the residual stream, and where it can be seen what they add.
ADDED = {"attn_z": "hook_resid_mid", "attn_out": "hook_resid_mid", "mlp_out": "hook_resid_post"}


def added(model: SubjectModel, place: UnitPlaceOf, index: int, seen_at: str) -> torch.Tensor:
    """What the stream has more of where one number at a site is pushed up and down: (d_model,)."""
    tokens = probe_tokens(model.d_vocab, model.n_ctx)
    seen: list[torch.Tensor] = []
    watched = model.bridge.get_hook_point(f"blocks.{place.layer}.{seen_at}")
    handles = [watched.register_forward_hook(lambda _m, _i, value: seen.append(value[0, -1].clone()))]
    for push in (100.0, -100.0):

        def pushed(_module: Any, _inputs: Any, value: torch.Tensor, by: float = push) -> torch.Tensor:
            found = value.clone()
            found[0, -1].view(-1)[index] += by
            return found

        point = model.bridge.get_hook_point(place.hook)
        handle = point.register_forward_hook(pushed)
        with torch.inference_mode():
            model.logits(tokens)
        handle.remove()
    handles[0].remove()
    return (seen[0] - seen[1]) / 200


@pytest.mark.parametrize(
    ("family", "site"),
    [*itertools.product(["gpt2", "llama", "qwen3", "gemma2", "olmo2"], ADDED), ("granite", "attn_z")],
)
def test_directions_of_sites_are_what_the_stream_gets(family: str, site: str, tmp_path: Path) -> None:
    write_transformers(tmp_path, FAMILIES[family].config())
    model = load_model(tmp_path, "cpu")
    (place,) = dictionary_places(sites_of(model, [site], [1], "+"))
    written = output_directions(OutputWeights.of(model), place)
    assert written is not None and written.shape == (place.width, model.d_model)
    for index in (0, place.width - 1):
        true = added(model, place, index, ADDED[site])
        # A norm behind attention divides by a scale that a text tells, which is taken as 1.
        normed = site == "attn_z" and family in ("gemma2", "olmo2")
        assert functional.cosine_similarity(written[index], true, dim=0) > (0.9 if normed else 0.999)
        if not normed:
            torch.testing.assert_close(written[index], true, rtol=1e-2, atol=1e-3)


def a_dictionary(hook: str, d_in: int, **fields: Any) -> Dictionary:
    random = torch.Generator().manual_seed(1)
    return Dictionary(
        name="drawn",
        hook=hook,
        kind=fields.pop("kind", "sae"),
        activation="relu",
        encoder=torch.randn((d_in, 5), generator=random),
        bias=torch.zeros(5),
        decoder=torch.randn((5, fields.pop("d_out", d_in)), generator=random),
        architecture="standard",
        origin="drawn",
        **fields,
    )


def test_a_latent_writes_its_row_of_the_decoder_through_what_is_behind_its_hook() -> None:
    model, width, neurons = demo_model(), demo_model().d_model, demo_model().d_mlp
    weights = OutputWeights.of(model)

    def written(dictionary: Dictionary) -> torch.Tensor | None:
        return output_directions(weights, dictionary_places([dictionary])[0])

    plain = a_dictionary("blocks.2.hook_resid_post", width)
    assert torch.equal(written(plain), plain.decoder)  # type: ignore[arg-type]
    scaled = replace(plain, normalisation="factor", factor=4.0, fingerprint="")
    torch.testing.assert_close(written(scaled), plain.decoder / 4)
    heads = a_dictionary("blocks.2.attn.hook_z", width)
    out = model.bridge.blocks[2].attn.o
    bias = out(torch.zeros(1, width))
    torch.testing.assert_close(written(heads), (out(heads.decoder) - bias).detach(), rtol=1e-4, atol=1e-5)
    of_neurons = a_dictionary("blocks.2." + model.site.split(".", 2)[2], neurons)
    torch.testing.assert_close(written(of_neurons), of_neurons.decoder @ weights.directions(2))
    transcoder = a_dictionary("blocks.2.ln2.hook_normalized", width, kind="transcoder")
    assert torch.equal(written(transcoder), transcoder.decoder)  # type: ignore[arg-type]
    assert written(a_dictionary("blocks.2.ln2.hook_normalized", width)) is None
    assert written(a_dictionary("blocks.2.hook_resid_post", width, d_out=3)) is None


def test_latents_and_sites_are_asked_for_what_they_write(tmp_path: Path) -> None:
    model, width = demo_model(), demo_model().d_model
    (dictionary,) = read_dictionaries(
        str(write_sae(tmp_path / "res", "blocks.1.hook_resid_post", "standard", width=width))
    )
    config = N2GConfig(tokens=6_000, top_k=4, augment=(), evidence=False, dense=2.0)
    path = tmp_path / "x.n2gdb"
    selection = Selection(layers=(1,), latents=tuple(range(6)), sites=("resid_post",), sides="both")
    ingest(model, Source("demo"), path, config, selection, silent, dictionaries=[dictionary])
    weights = OutputWeights.of(model)
    with n2gdb.open(path) as database:
        stored = {row["unit"]: row for row in only_run(path).neurons().to_pylist()}
        assert len(stored) == 6 + 12
        for row in stored.values():
            name = f"L{row['layer']}F{row['index']}{row['side'].strip('+')}@{row['source']}"
            unit = database.neuron(name)
            direction = torch.eye(width) if row["source"] == "resid_post" else dictionary.decoder
            logits = weights.head @ direction[row["index"]] * max(row["max_activation"], 0)
            logits *= -1 if row["side"] == NEGATIVE else 1
            assert [each.logit for each in unit.promotes] == pytest.approx(
                logits.topk(20).values[: len(unit.promotes)].tolist(), rel=1e-3
            )
        assert database.count("units PROMOTING /.*/") == sum(
            row["max_activation"] > 0 for row in stored.values()
        )
    before = only_run(path).effects()
    for shard in only_run(path).shards():
        (shard / "effects.parquet").unlink()
    build_database(path, run_folders(path))
    assert add_effects(path, demo_model()) == len(stored)
    assert only_run(path).effects().equals(before)
