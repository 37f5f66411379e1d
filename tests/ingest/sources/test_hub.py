"""Dictionaries on the Hugging Face hub, played by a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from n2gdb.errors import ModelError
from n2gdb.ingest.sources import releases
from n2gdb.ingest.sources.formats import holds_dictionary
from n2gdb.ingest.sources.hub import ADDRESS, fetch, wanted_files
from n2gdb.ingest.sources.releases import released
from tests.ingest.sources.dictionary_world import edited, extracted, one


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extracted(tmp_path_factory.mktemp("dictionaries"))


def test_addresses_on_the_hub_are_parted() -> None:
    found = ADDRESS.fullmatch("google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71@main")
    assert found is not None
    assert found.groups() == ("google/gemma-scope-2b-pt-res", "layer_20/width_16k/average_l0_71", "main")
    bare = ADDRESS.fullmatch("mwhanna/qwen3-0.6b-transcoders")
    assert bare is not None and bare.groups() == ("mwhanna/qwen3-0.6b-transcoders", None, None)


def test_only_the_dictionaries_of_a_folder_are_fetched() -> None:
    listed = [f"layer_{layer}/width_16k/average_l0_{n}/params.npz" for layer in range(26) for n in range(5)]
    listed += ["README.md", "layer_3/notes.txt"]
    chosen = wanted_files(listed, "layer_3/width_16k", holds_dictionary, "x/y")
    assert chosen == [f"layer_3/width_16k/average_l0_{n}/params.npz" for n in range(5)]
    with pytest.raises(ModelError, match="holds 130 dictionaries"):
        wanted_files(listed, "", holds_dictionary, "x/y")
    with pytest.raises(ModelError, match="no dictionary that can be read in layer_30"):
        wanted_files(listed, "layer_30", holds_dictionary, "x/y")
    sparsify = ["config.json", "layers.3/cfg.json", "layers.3/sae.safetensors", "layers.4/cfg.json"]
    assert wanted_files(sparsify, "layers.3", holds_dictionary, "x/y") == sparsify[:3]


class Hub:
    """A hub that holds one folder, or cannot be reached."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.asked = folder, list[object]()

    def model_info(self, repository: str, **_: object) -> Any:
        if self.folder is None:
            raise ConnectionError("no route")
        files = [path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()]
        siblings = [type("File", (), {"rfilename": str(file)})() for file in files]
        return type("Info", (), {"siblings": siblings})()

    def snapshot_download(self, repository: str, **asked: object) -> str:
        self.asked.append(asked.get("allow_patterns"))
        if self.folder is None:
            raise FileNotFoundError("not cached")
        return str(self.folder)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path | None], Hub]:
    import huggingface_hub

    def put(folder: Path | None) -> Hub:
        made = Hub(folder)
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: made)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", made.snapshot_download)
        return made

    return put


def test_reads_from_the_hub(written: Path, tmp_path: Path, hub: Callable[[Path | None], Hub]) -> None:
    edited(written / "standard-none-b_dec", tmp_path / "blocks.2.hook_resid_pre")
    made = hub(tmp_path)
    found = one("res-jb=jbloom/GPT2-Small-SAEs-Reformatted/blocks.2.hook_resid_pre@main")
    assert made.asked == [
        ["blocks.2.hook_resid_pre/cfg.json", "blocks.2.hook_resid_pre/sae_weights.safetensors"]
    ]
    assert (found.name, found.revision) == ("res-jb", tmp_path.name)
    assert found.origin == "jbloom/GPT2-Small-SAEs-Reformatted/blocks.2.hook_resid_pre"
    assert found.centred  # which its files do not say
    assert not one(written / "standard-none-b_dec").centred


def test_a_hub_out_of_reach_is_said_in_one_line(hub: Callable[[Path | None], Hub]) -> None:
    hub(None)
    with pytest.raises(ModelError, match=r"cannot be reached.*a local folder works too") as caught:
        fetch("x/y", "", None, holds_dictionary)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "repository", "folder", "name"),
    [
        (
            "gpt2-small-res-jb/blocks.6.hook_resid_pre",
            "jbloom/GPT2-Small-SAEs-Reformatted",
            "blocks.6.hook_resid_pre",
            "res-jb",
        ),
        (
            "gemma-scope-2b-pt-res-canonical/layer_0/width_16k/canonical",
            "google/gemma-scope-2b-pt-res",
            "layer_0/width_16k/average_l0_105",
            "",
        ),
        (
            "gemma-scope-2-4b-pt-res/layer_17_width_16k_l0_big",
            "google/gemma-scope-2-4b-pt",
            "resid_post/layer_17_width_16k_l0_big",
            "",
        ),
        ("gpt2-small-res-jb", "jbloom/GPT2-Small-SAEs-Reformatted", "", "res-jb"),
    ],
)
def test_names_of_saelens_stand_for_folders_on_the_hub(
    place: str, repository: str, folder: str, name: str
) -> None:
    found = released(place)
    assert found is not None
    assert (found.repository, found.folder, found.name) == (repository, folder, name)


def test_what_is_no_release_is_none_and_what_cannot_be_read_is_said() -> None:
    assert released("google/gemma-scope-2b-pt-res/layer_20") is None
    with pytest.raises(ModelError, match="in the format llama_scope, which n2gdb does not read"):
        released("llama_scope_lxr_8x/l0r_8x")
    with pytest.raises(ModelError, match="did you mean SAELens' release gpt2-small-res-jb"):
        one("gpt2-small-res-jp/blocks.6.hook_resid_pre")


def test_a_release_is_read_by_its_name(
    written: Path, tmp_path: Path, hub: Callable[[Path | None], Hub]
) -> None:
    edited(written / "standard-none-b_dec", tmp_path / "blocks.2.hook_resid_pre")
    made = hub(tmp_path)
    found = one("gpt2-small-res-jb/blocks.2.hook_resid_pre")
    assert made.asked == [
        ["blocks.2.hook_resid_pre/cfg.json", "blocks.2.hook_resid_pre/sae_weights.safetensors"]
    ]
    assert (found.name, found.centred) == ("res-jb", True)
    assert found.origin == "jbloom/GPT2-Small-SAEs-Reformatted/blocks.2.hook_resid_pre"
    assert one("mine=gpt2-small-res-jb/blocks.2.hook_resid_pre").name == "mine"
    hub(None)
    with pytest.raises(ModelError, match=r"GPT2-Small-SAEs-Reformatted: .* cannot be reached"):
        one("gpt2-small-res-jb/blocks.2.hook_resid_pre")


def test_a_release_knows_the_factor_that_its_files_leave_out() -> None:
    known = {
        place: each.others[place][1]
        for each in releases._releases().values()
        for place in each.others
        if each.others[place][1] is not None
    }
    assert known and all(factor and factor > 0 for factor in known.values())
