"""Other sites as sources of units, latents that are dense, and latents that fire where a text begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import n2gdb
from n2gdb.cli.output.neurons import print_neuron
from n2gdb.core.progress import silent
from n2gdb.core.units import UnitName
from n2gdb.errors import ModelError, QueryError, SelectionError
from n2gdb.explorer.neurons import describe_neuron
from n2gdb.ingest.config import Selection
from n2gdb.ingest.models.stored import load_stored_model
from n2gdb.ingest.models.subject import SubjectModel, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.places import SITES_BY_NAME
from tests.ingest.sources.test_unit_sources import (
    CONFIG,
    GATED,
    corpus,
    largest,
    only_run,
    windows_of,
    write_gated,
)
from tests.support.tiny_models import HEADS, NEURONS, WIDTH, write_native

__all__ = ["corpus"]


@pytest.mark.parametrize("kind", GATED)
def test_other_sites_are_ingested_on_both_sides(tmp_path: Path, corpus: Source, kind: str) -> None:
    model = write_gated(tmp_path / kind, kind)
    path = tmp_path / "x.n2gdb"
    chosen = Selection(layers=(1,), sites=("resid_post", "hook_attn_out"), latents=(0, 3))
    ingest(model, corpus, path, CONFIG, chosen, silent, 512)
    windows = windows_of(model, corpus)
    with n2gdb.open(path) as database:
        assert database.count("units") == 8
        for word in ("neurons", "latents"):
            with pytest.raises(QueryError, match=f"no {word}: it holds directions of attn_out, resid_post"):
                database.count(word)
        for name, source_kind in (("resid_post", "residual"), ("attn_out", "attention")):
            point = model.bridge.get_hook_point(f"blocks.1.{SITES_BY_NAME[name][0]}")
            (hook,) = model._hooks_through_bridge(windows.clamp(min=0), [point])
            for side, signed in (("", hook), ("-", -hook)):
                unit = database.neuron(f"L1F3{side}@{name}")
                assert (unit.kind, unit.source, unit.side) == (source_kind, name, side or "+")
                assert unit.max_activation == pytest.approx(largest(model, windows, signed)[3], rel=1e-4)
                assert len(unit.graph) or unit.state == "dead"
            assert database.count(f"units WHERE source = '{name}' AND side = '-'") == 2
        assert [hit.neuron for hit in database.query("units WHERE kind = 'attention' AND index = 3")]


def test_a_unit_of_another_site_is_run_again(tmp_path: Path, corpus: Source) -> None:
    model = write_gated(tmp_path / "llama", "llama")
    path = tmp_path / "x.n2gdb"
    chosen = Selection(layers=(2,), sites=("mlp_out",), latents=(0, 4))
    ingest(model, corpus, path, CONFIG, chosen, silent, 512)
    with n2gdb.open(path) as database:
        name = UnitName("L2F4-@mlp_out")
        again = load_stored_model(database.model(), "cpu", name)
        place, unit = again.unit_of(name)
        example = database.neuron(name).examples[0]
        found = again.activations(torch.tensor([example.tokens]), place)[0, example.pivot, unit]
        assert float(found) == pytest.approx(example.activation, rel=1e-3)


def test_sites_stand_beside_neurons_and_one_side_can_be_asked_for(tmp_path: Path, corpus: Source) -> None:
    model = write_gated(tmp_path / "llama", "llama")
    path = tmp_path / "x.n2gdb"
    ingest(model, corpus, path, CONFIG, Selection(layers=(0,), neurons=(2,)), silent, 512)
    chosen = Selection(layers=(0, 2), sites=("attn_z",), sides="-", latents=(1,))
    ingest(model, corpus, path, CONFIG, chosen, silent, 512)
    with n2gdb.open(path) as database:
        names = {str(hit.neuron) for hit in database.query("units")}
        assert names == {"L0N2", "L0N2-", "L0F1-@attn_z", "L2F1-@attn_z"} or names == {
            *("L0N2", "L0N2-", "L0F1-", "L2F1-")
        }
        widths = {each.name: each.width for each in database.model().sources}
        assert widths == {"mlp": NEURONS, "attn_z": HEADS * (WIDTH // HEADS)}


def test_a_site_that_is_none_is_named(tmp_path: Path, corpus: Source) -> None:
    model = write_gated(tmp_path / "llama", "llama")
    with pytest.raises(SelectionError, match="no site is called 'middle': choose resid_pre, resid_mid"):
        ingest(model, corpus, tmp_path / "x", CONFIG, Selection(sites=("middle",)), silent)


def test_a_hook_point_that_is_never_passed_is_named(tmp_path: Path) -> None:
    model = write_gated(tmp_path / "llama", "llama")
    point = model.bridge.get_hook_point("blocks.1.hook_mlp_in")
    with pytest.raises(ModelError, match="never passes the hook point"):
        model._hooks_through_bridge(torch.zeros((1, 2), dtype=torch.int64), [point])


COUNT = 30


def drawn(encoder: torch.Tensor, bias: torch.Tensor, hook: str) -> Dictionary:
    return Dictionary(
        name="drawn",
        hook=hook,
        kind="sae",
        activation="relu",
        encoder=encoder,
        bias=bias,
        decoder=torch.zeros((encoder.shape[1], 1)),
        architecture="standard",
        origin="drawn",
    )


def test_dense_latents_are_kept_and_not_learned(
    tmp_path: Path, corpus: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_gated(tmp_path / "llama", "llama")
    random = torch.Generator().manual_seed(0)
    encoder = torch.randn((WIDTH, COUNT), generator=random)
    bias = torch.linspace(-9, 5, COUNT)  # from never to nearly always
    dictionary = drawn(encoder, bias, "blocks.1.hook_resid_post")
    windows = windows_of(model, corpus)
    (hook,) = model._hooks_through_bridge(
        windows.clamp(min=0), [model.bridge.get_hook_point(dictionary.hook)]
    )
    counted = torch.from_numpy(model.counted(windows.numpy().astype(np.int32)))
    share = (dictionary.encode(hook)[counted] > 0).float().mean(dim=0).numpy()
    path = tmp_path / "x.n2gdb"
    config = replace(CONFIG, dense=0.2)
    ingest(model, corpus, path, config, Selection(), silent, 512, dictionaries=[dictionary])
    with n2gdb.open(path) as database:
        for index in range(COUNT):
            latent = database.neuron(f"L1F{index}")
            assert latent.density == pytest.approx(share[index], abs=1e-6)
            assert (latent.state == "dense") == (share[index] >= 0.2)
            if latent.state == "dense":
                assert latent.f1 is None and not len(latent.graph) and latent.examples
        dense = database.count("latents WHERE state = 'dense'")
        assert 3 <= dense <= COUNT - 3
        assert database.count("latents WHERE density >= 0.2") == dense
        latent = database.query("latents WHERE state = 'dense'")[0].neuron
        said = describe_neuron(database, database.neuron(latent))["measured"]
        assert said.endswith("It has no graph that could be judged: it fires on too many tokens for one.")
        print_neuron(database, str(latent))
        assert "top examples: not judged, as there is no graph\n" in capsys.readouterr().out
        assert sum(each.dense for each in database.info().layers) == dense
    scores = only_run(path).scores()
    above = scores.filter(np.array(scores["text"].to_pylist()) == "active")
    assert len(above) == COUNT and set(above["predictor"].to_pylist()) == {"n2g"}
    judged = [row for row in above.to_pylist() if row["f1"] is not None]
    own = {row["unit"]: row for row in only_run(path).neurons().to_pylist()}
    assert judged
    assert all(row["true_firings"] >= own[row["unit"]]["true_firings"] for row in judged)
    assert any(row["true_firings"] > own[row["unit"]]["true_firings"] for row in judged)
    ingest(model, corpus, path, CONFIG, Selection(), silent, 512, dictionaries=[dictionary])
    with n2gdb.open(path) as database:
        assert database.count("latents WHERE state = 'dense'") == 0


def at_the_start(folder: Path) -> tuple[SubjectModel, Dictionary]:
    """A model, and two latents: one fires at the first token behind the BOS, one on a token anywhere."""
    weights = write_native(folder, "gelu")
    model = load_model(folder, "cpu")
    place, token = weights["pos_embed.W_pos"], weights["embed.W_E"]
    (cat,) = model.encode_batch([" cat"])[0][:1]
    columns = [place[1] - place.mean(dim=0), token[cat] - token.mean(dim=0)]
    encoder = torch.stack([4 * column / column.norm() for column in columns], dim=1)
    return model, drawn(encoder, torch.tensor([-4.0, -4.0]), "blocks.0.hook_resid_pre")


def test_the_start_of_a_text_is_named_where_a_latent_needs_it(tmp_path: Path, corpus: Source) -> None:
    model, dictionary = at_the_start(tmp_path / "native")
    path = tmp_path / "x.n2gdb"
    config = replace(CONFIG, top_k=8)
    ingest(model, corpus, path, config, Selection(), silent, 512, dictionaries=[dictionary])
    assert model.bos is not None
    nodes = only_run(path).nodes()
    first, other = sorted(only_run(path).neurons()["unit"].to_pylist())
    rows = [row for row in nodes.to_pylist() if row["token"] == model.bos]
    assert {row["unit"] for row in rows} == {first}
    assert {row["depth"] for row in rows} == {1}
    assert first != other
    with n2gdb.open(path) as database:
        found = {str(hit.neuron) for hit in database.query("latents MATCHING <start of text> THEN ...")}
        assert found == {"L0F0"}
        assert database.count("latents MATCHING <START  OF TEXT> BEFORE/3 ...") == 1
        assert database.count("latents MATCHING ... THEN <start of text>") == 0
        assert database.count("tokens IN CONTEXT OF L0F0") >= 1
