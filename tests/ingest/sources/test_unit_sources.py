"""Units of every kind through the whole pipeline: both sides of gated neurons, and latents."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import torch
import transformers
from safetensors.torch import save_file

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.errors import ModelError, QueryError, SelectionError, UnknownNameError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.corpus.documents import Windows, read_documents
from n2gdb.ingest.models.read_units import with_units
from n2gdb.ingest.models.subject import SubjectModel, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.ingest.sources.dictionary import Dictionary
from n2gdb.ingest.sources.formats import read_dictionaries
from n2gdb.ingest.sources.places import NEURONS as NEURON_SITE
from n2gdb.ingest.sources.places import PART, dictionary_places, sides_of
from n2gdb.ingest.trunk.packing import pack
from n2gdb.ingest.trunk.trunk import SITES
from n2gdb.storage.shards import RunFolder, run_folders
from tests.support.demo import demo_model, demo_windows
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

#: No random latent counts as dense.
CONFIG = N2GConfig(window=24, top_k=4, prune_limit=6, augment=(), importance_threshold=0.3, dense=2.0)

#: Kinds of model: with a trunk and without.
GATED = ("llama", "native")


def write_gated(folder: Path, kind: str) -> SubjectModel:
    if kind == "native":
        write_native(folder, "silu", gated=True)
    else:
        config = transformers.LlamaConfig(
            num_hidden_layers=LAYERS,
            hidden_size=WIDTH,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            intermediate_size=NEURONS,
            max_position_embeddings=CONTEXT,
            vocab_size=VOCABULARY,
            bos_token_id=0,
            eos_token_id=0,
        )
        write_transformers(folder, config)
    return load_model(folder, "cpu")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("corpus") / "texts.jsonl"
    random = np.random.default_rng(0)
    words = ["the", " cat", " sat", " on", " import", " numpy", "!", " mat"]
    texts = ["".join(random.choice(words, 30)) for _ in range(40)]
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts), encoding="utf-8")
    return Source(str(path))


def write_sae(
    folder: Path,
    hook: str,
    architecture: str = "standard",
    latents: int = 20,
    seed: int = 0,
    width: int = WIDTH,
) -> Path:
    """Write random latents on a tiny model as SAELens does."""
    folder.mkdir(parents=True)
    random = torch.Generator().manual_seed(seed)
    weights = {
        "W_enc": torch.randn((width, latents), generator=random),
        "b_enc": torch.randn(latents, generator=random) / 4,
        "W_dec": torch.randn((latents, width), generator=random),
        "b_dec": torch.randn(width, generator=random) / 4,
        "threshold": torch.rand(latents, generator=random),
    }
    save_file(weights, folder / "sae_weights.safetensors")
    config = {
        "architecture": architecture,
        "d_in": width,
        "d_sae": latents,
        "k": 3,
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "metadata": {"hook_name": hook},
    }
    (folder / "cfg.json").write_text(json.dumps(config))
    return folder


def only_run(database: Path) -> RunFolder:
    (run,) = run_folders(database)
    return run


def windows_of(model: SubjectModel, source: Source) -> torch.Tensor:
    read = Windows.of(read_documents(source.name), model, length=24, max_tokens=None)
    return torch.from_numpy(np.concatenate(list(read)).astype(np.int64))


def largest(model: SubjectModel, windows: torch.Tensor, values: torch.Tensor) -> npt.NDArray[np.float32]:
    """The largest of (window, position, unit) over positions that count: (unit,)."""
    counted = (windows >= 0) & ~torch.isin(windows, torch.tensor(sorted(model.special)))
    found: npt.NDArray[np.float32] = values[counted].amax(dim=0).numpy()
    return found


@pytest.mark.parametrize("kind", GATED)
def test_both_sides_of_gated_neurons_are_learned(tmp_path: Path, corpus: Source, kind: str) -> None:
    model = write_gated(tmp_path / kind, kind)
    assert model.gated
    path = tmp_path / "x.n2gdb"
    ingest(model, corpus, path, CONFIG, Selection(layers=(0, 2)), silent, 512)
    windows = windows_of(model, corpus)
    with n2gdb.open(path) as database:
        for layer in (0, 2):
            site = model.through_bridge(windows.clamp(min=0), [layer])[0]
            for sign, side in ((1, ""), (-1, "-")):
                wanted = largest(model, windows, sign * site)
                stored = [database.neuron(f"L{layer}N{i}{side}").max_activation for i in range(NEURONS)]
                np.testing.assert_allclose(stored, wanted, rtol=1e-4, atol=1e-6)
        counted = database.query("COUNT neurons BY layer")
        assert [(row.group, row.count) for row in counted] == [(0, 2 * NEURONS), (2, 2 * NEURONS)]
        minus = database.query("neurons WHERE side = '-' ORDER BY max_activation DESC LIMIT 3")
        assert [str(hit.neuron)[-1] for hit in minus] == ["-"] * 3
        for hit in minus:
            example = database.neuron(hit.neuron).examples[0]
            run = torch.tensor([example.tokens])
            real = model.through_bridge(run, [hit.neuron.layer])[0][0, example.pivot, hit.neuron.index]
            assert -float(real) == pytest.approx(example.activation, rel=1e-4)
        assert database.count("neurons WHERE density >= 0") == 4 * NEURONS
        assert str(database.neuron("0/3-").name) == "L0N3-"


def assert_alike(one: pa.Table, other: pa.Table) -> None:
    """The same tries, but for what rounding does in other batches."""
    for name in one.column_names:
        mine, theirs = (table[name].to_numpy(zero_copy_only=False).astype(float) for table in (one, other))
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, err_msg=name)


def test_the_positive_side_does_not_depend_on_the_other(tmp_path: Path, corpus: Source) -> None:
    model = write_gated(tmp_path / "llama", "llama")
    for sides in ("+", "both"):
        selection = Selection(layers=(1,), sides=sides)
        ingest(model, corpus, tmp_path / f"{sides}.n2gdb", CONFIG, selection, silent, 512)
    alone, both = (only_run(tmp_path / f"{sides}.n2gdb") for sides in ("+", "both"))
    kept = both.neurons().filter(np.array([side == "+" for side in both.neurons()["side"].to_pylist()]))
    assert kept.equals(alone.neurons())
    units = alone.neurons()["unit"].to_numpy()
    nodes = both.nodes()
    assert_alike(nodes.filter(np.isin(nodes["unit"].to_numpy(), units)), alone.nodes())


def test_the_other_side_is_added_to_a_run(tmp_path: Path, corpus: Source) -> None:
    model = write_gated(tmp_path / "llama", "llama")
    path = tmp_path / "x.n2gdb"
    for sides, count in (("+", NEURONS), ("-", 2 * NEURONS), ("both", 2 * NEURONS)):
        ingest(model, corpus, path, CONFIG, Selection(layers=(1,), sides=sides), silent, 512)
        assert len(only_run(path).neurons()) == count
    ingest(model, corpus, tmp_path / "y.n2gdb", CONFIG, Selection(layers=(1,)), silent, 512)
    assert_alike(only_run(path).nodes(), only_run(tmp_path / "y.n2gdb").nodes())


def test_one_side_is_the_default_elsewhere() -> None:
    assert not demo_model().gated
    assert sides_of("auto", gated=False) == "+"
    assert sides_of("auto", gated=True) == sides_of("both", gated=False) == "+-"
    with pytest.raises(SelectionError, match="choose auto, \\+, -, both"):
        sides_of("minus", gated=True)


def test_a_side_that_was_not_ingested_is_named(small: n2gdb.Database) -> None:
    with pytest.raises(UnknownNameError, match=r"L0N3- of small was not ingested.*--sides both"):
        small.neuron("L0N3-")


@pytest.mark.parametrize("site", sorted({*SITES} - {NEURON_SITE}))  # neurons have tests of their own
def test_trunks_are_read_at_every_site_as_bridges_are(site: str) -> None:
    model = demo_model()
    assert model.trunk is not None
    windows = torch.from_numpy(demo_windows()[:3].astype(np.int64)).clamp(min=0)
    sites = [(0, site), (4, site), (2, "hook_resid_post")]
    points = [model.bridge.get_hook_point(f"blocks.{layer}.{name}") for layer, name in sites]
    assert all(point is not None for point in points), site
    found = model.trunk.sites_along_windows(windows, sites)
    for mine, true in zip(found, model._hooks_through_bridge(windows, points), strict=True):
        torch.testing.assert_close(mine, true, rtol=1e-4, atol=1e-4)
    packed = pack(demo_windows()[:1])
    everywhere = np.arange(len(packed))
    nodes = model.trunk.at_nodes(packed, 4, everywhere, site)
    torch.testing.assert_close(nodes, found[1][0, : len(packed)], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", GATED)
@pytest.mark.parametrize("architecture", ["standard", "topk", "jumprelu"])
def test_latents_go_the_whole_way(tmp_path: Path, corpus: Source, kind: str, architecture: str) -> None:
    model = write_gated(tmp_path / kind, kind)
    (dictionary,) = read_dictionaries(
        str(write_sae(tmp_path / "res-x", "blocks.1.hook_resid_post", architecture))
    )
    path = tmp_path / "x.n2gdb"
    ingest(model, corpus, path, CONFIG, Selection(), silent, 512, dictionaries=[dictionary])
    windows = windows_of(model, corpus)
    hook = model._hooks_through_bridge(
        windows.clamp(min=0), [model.bridge.get_hook_point("blocks.1.hook_resid_post")]
    )[0]
    wanted = dictionary.encode(hook)
    with n2gdb.open(path) as database:
        stored = [database.neuron(f"L1F{index}") for index in range(dictionary.d_sae)]
        np.testing.assert_allclose(
            [latent.max_activation for latent in stored],
            largest(model, windows, wanted),
            rtol=1e-3,
            atol=1e-5,
        )
        living = [latent for latent in stored if latent.state != "dead"]
        assert living
        for latent in living[:6]:
            assert (latent.kind, latent.source) == ("sae", "res-x")
            for example in latent.examples:
                real = model._hooks_through_bridge(
                    torch.tensor([example.tokens]),
                    [model.bridge.get_hook_point("blocks.1.hook_resid_post")],
                )[0][0, example.pivot]
                encoded = dictionary.encode(real[None])[0, latent.name.index]
                assert float(encoded) == pytest.approx(example.activation, rel=1e-3, abs=1e-4)
        assert database.count("latents") == database.count("units") == dictionary.d_sae
        with pytest.raises(QueryError, match="holds no neurons: it holds latents"):
            database.count("neurons")
        hit = database.query("latents MATCHING ... WHERE source = 'res-x' AND kind = 'sae'")[0]
        assert str(hit.neuron).startswith("L1F")
        assert list(database.query(f"tokens ACTIVATING {hit.neuron}")) == list(
            database.query(f"tokens ACTIVATING 1-res-x/{hit.neuron.index}")
        )


def test_sources_of_one_layer_are_told_apart(tmp_path: Path, corpus: Source) -> None:
    model = write_gated(tmp_path / "llama", "llama")
    path = tmp_path / "x.n2gdb"
    places = [("one", "hook_resid_post"), ("two", "hook_mlp_out")]
    for seed, (name, hook) in enumerate(places):
        read = read_dictionaries(str(write_sae(tmp_path / name, f"blocks.1.{hook}", seed=seed)))
        ingest(model, corpus, path, CONFIG, Selection(latents=(0, 1, 2)), silent, 512, dictionaries=read)
    ingest(model, corpus, path, CONFIG, Selection(layers=(1,), neurons=(5,)), silent, 512)
    with n2gdb.open(path) as database:
        assert database.count("latents") == 6
        assert database.count("neurons") == 2
        assert database.count("units") == 8
        one, two = (database.neuron(f"L1F0@{name}") for name in ("one", "two"))
        assert (str(one.name), str(two.name)) == ("L1F0@one", "L1F0@two")
        assert one.max_activation != two.max_activation
        assert database.neuron("gpt2/1-two/0").max_activation == two.max_activation
        with pytest.raises(UnknownNameError, match="several sets of latents: write L1F0@one"):
            database.neuron("L1F0")
        with pytest.raises(UnknownNameError, match="no latents L1F0@three: layer 1 has mlp, one, two"):
            database.neuron("L1F0@three")
        with pytest.raises(UnknownNameError, match="holds 3 latents of layer 1, F0 to F2"):
            database.neuron("L1F9@two")
        assert {str(hit.neuron) for hit in database.query("latents")} == {
            f"L1F{index}@{name}" for index in range(3) for name in ("one", "two")
        }
        sources = [(each.layer, each.name, each.kind) for each in database.model().sources if each.layer == 1]
        assert sources == [(1, "mlp", "mlp"), (1, "one", "sae"), (1, "two", "sae")]
    changed = read_dictionaries(f"one={write_sae(tmp_path / 'changed', 'blocks.1.hook_resid_post', seed=9)}")
    with pytest.raises(SelectionError, match="one of layer 1 has other weights"):
        ingest(model, corpus, path, CONFIG, Selection(), silent, 512, dictionaries=changed)


def a_dictionary(latents: int, hook: str = "blocks.0.hook_resid_post", d_in: int = WIDTH) -> Dictionary:
    return Dictionary(
        name="drawn",
        hook=hook,
        kind="sae",
        activation="relu",
        encoder=torch.ones((d_in, latents)),
        bias=torch.zeros(latents),
        decoder=torch.zeros((latents, 1)),
        architecture="standard",
        origin="drawn",
    )


def test_large_dictionaries_are_read_in_parts() -> None:
    parts = dictionary_places([a_dictionary(2 * PART + 5)])
    assert [(part.first, part.count) for part in parts] == [(0, PART), (PART, PART), (2 * PART, 5)]
    assert len({part.place for part in parts}) == 3
    last = parts[-1].unit(np.array([2 * PART + 4]), 0)
    assert parts[-1].index(last).tolist() == [2 * PART + 4]
    keys = [key for part in parts for key in part.keys(np.arange(part.count)).tolist()]
    assert len(set(keys)) == 2 * PART + 5
    assert keys == sorted(keys)


def test_dictionaries_are_brought_to_the_model_s_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = a_dictionary(2 * PART + 5, "blocks.1.hook_resid_post", d_in=demo_model().d_model)
    elsewhere = replace(demo_model(), device=torch.device("meta"))
    monkeypatch.setattr(SubjectModel, "hook_width", lambda model, _tokens, _part: model.d_model)
    parts = with_units(elsewhere, "+", dictionary_places([gated])).latents
    moved = {part.dictionary for part in parts}
    assert len(parts) == 3
    assert len(moved) == 1
    assert all(part.dictionary is not None and part.dictionary.encoder.is_meta for part in parts)
    assert all(part.dictionary.bias.is_meta for part in parts if part.dictionary is not None)
    assert gated.encoder.device.type == "cpu"


@pytest.mark.parametrize(
    ("dictionary", "said"),
    [
        (a_dictionary(4, "blocks.9.hook_resid_post"), "reads layer 9"),
        (a_dictionary(4, d_in=7), "encodes 7 numbers"),
    ],
)
def test_dictionaries_of_other_models_are_refused(tmp_path: Path, dictionary: Dictionary, said: str) -> None:
    model = write_gated(tmp_path / "llama", "llama")
    with pytest.raises(ModelError, match=said):
        with_units(model, "+", dictionary_places([dictionary]))
    with pytest.raises(SelectionError, match="two sources of layer"):
        dictionary_places([dictionary, dictionary])
