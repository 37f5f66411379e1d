"""Models of other kinds go the whole way: Hugging Face directories, GELU and gated MLPs, two in one file."""

from __future__ import annotations

from pathlib import Path

import pytest
import transformers

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import load_model
from n2gdb.ingest.pipeline import Source, ingest
from tests.support.tiny_models import CONTEXT, HEADS, LAYERS, NEURONS, VOCABULARY, WIDTH, write_transformers

CONFIG = N2GConfig(window=24, top_k=4, prune_limit=6, augment=("embedding", "model"), substitutes=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("corpus") / "texts.txt"
    path.write_text("the cat sat on the mat and import numpy as the cat sat. " * 40, encoding="utf-8")
    return Source(str(path))


def configurations() -> dict[str, transformers.PretrainedConfig]:
    gpt2 = transformers.GPT2Config(
        n_layer=LAYERS,
        n_embd=WIDTH,
        n_head=HEADS,
        n_inner=NEURONS,
        n_positions=CONTEXT,
        vocab_size=VOCABULARY,
        bos_token_id=0,
        eos_token_id=0,
    )
    llama = transformers.LlamaConfig(
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
    return {"gpt2": gpt2, "llama": llama}


def test_two_hugging_face_models_share_one_database(tmp_path: Path, corpus: Source) -> None:
    database = tmp_path / "several.n2gdb"
    names = []
    for kind, configuration in configurations().items():
        write_transformers(tmp_path / kind, configuration)
        model = load_model(tmp_path / kind, "cpu")
        ingest(model, corpus, database, CONFIG, Selection(sample=20), silent, 512)
        names.append(model.name)
    with n2gdb.open(database) as opened:
        assert [found.name for found in opened.models()] == sorted(names)
        for figures in opened.info().layers:
            assert figures.neurons > 0
        hits = opened.query("neurons MATCHING ...")
        assert {hit.model for hit in hits} == set(names)
        for hit in hits:
            assert hit.evidence


def test_another_configuration_replaces_the_model(tmp_path: Path, corpus: Source) -> None:
    database = tmp_path / "one.n2gdb"
    write_transformers(tmp_path / "gpt2", configurations()["gpt2"])
    model = load_model(tmp_path / "gpt2", "cpu")
    for seed in (0, 1):
        changed = N2GConfig(window=24, top_k=4, prune_limit=6, augment=(), seed=seed)
        ingest(model, corpus, database, changed, Selection(layers=(0,)), silent, 512)
    with n2gdb.open(database) as opened:
        (found,) = opened.models()
        assert '"seed": 1' in found.configuration
