"""Ingest from Python: one function, which gives an open database."""

from __future__ import annotations

from pathlib import Path

import pytest

from n2gdb.errors import IngestError, StorageError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.run import ingest_model

CONFIG = N2GConfig(top_k=4, refine_rounds=0, augment=())


def test_a_model_becomes_an_open_database(tmp_path: Path) -> None:
    stages: list[str] = []
    path = tmp_path / "demo.n2gdb"
    database = ingest_model(
        "demo",
        database=path,
        name="mine",
        tokens=20_000,
        layers=[1],
        neurons=range(6),
        config=CONFIG,
        device="cpu",
        report=lambda stage, done, total: stages.append(stage),
    )
    with database:
        assert [str(each.name) for each in database.neurons()] == [f"L1N{index}" for index in range(6)]
        (model,) = database.models()
        assert (model.name, '"tokens": 20000' in model.configuration) == ("mine", True)
    assert {"load model", "neurons"} <= set(stages)


def test_what_cannot_be_written_is_refused_before_the_model_is_loaded(tmp_path: Path) -> None:
    stages: list[str] = []
    with pytest.raises(StorageError):
        ingest_model("demo", database=tmp_path, report=lambda stage, done, total: stages.append(stage))
    assert not stages


def test_processes_are_not_for_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="leave it out"):
        ingest_model("demo", database=tmp_path / "a.n2gdb", processes=2, ray="local")
