"""Memory is bounded by what is allowed, whatever the model, and what is found does not depend on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest
import torch
import typer

from n2gdb.cli.commands.ingest import parse_bytes
from n2gdb.core.progress import silent
from n2gdb.errors import IngestError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.inference.memory import (
    bytes_for,
    layer_groups,
    prompt_bytes,
    prompt_tokens,
    record_bytes,
    text_bytes,
    window_batch,
)
from n2gdb.ingest.models.subject import default_corpus
from n2gdb.ingest.scan import layers
from n2gdb.ingest.scan.layers import scan_layers
from n2gdb.ingest.scan.record import Recorder
from n2gdb.ingest.scan.top_windows import Scan
from tests.support.demo import demo_model

CONFIG = N2GConfig(tokens=12_000, window=64, top_k=4)


def layer_bytes(d_mlp: int, width: int) -> int:
    kept = CONFIG.top_k * CONFIG.candidates * (width + 3)
    return 4 * d_mlp * (kept + 4 * window_batch("cpu", width) * width)


def test_layers_are_scanned_as_many_at_a_time_as_fit() -> None:
    one = layer_bytes(10, 64)
    assert layer_groups([0, 2, 5], 10, 64, CONFIG, "cpu", 2 * one) == [(0, 2), (5,)]
    assert layer_groups([0, 2, 5], 10, 64, CONFIG, "cpu", one) == [(0,), (2,), (5,)]
    with pytest.raises(IngestError, match="allow it with --max-memory 1MB or more"):
        layer_groups([0, 2, 5], 10, 64, CONFIG, "cpu", one - 1)


def test_records_are_counted_where_they_lie() -> None:
    one, positions = layer_bytes(10, 64), 320_000
    assert record_bytes(positions) == record_bytes(10**9) == 40 * 7168 > record_bytes(3_200) == 40 * 100
    with_record = one + 10 * record_bytes(positions)
    assert layer_groups([0, 1], 10, 64, CONFIG, "cpu", with_record, positions) == [(0,), (1,)]
    with pytest.raises(IngestError, match="the scan of one layer takes"):
        layer_groups([0, 1], 10, 64, CONFIG, "cpu", with_record - 1, positions)
    on_gpu = layer_groups([0, 1], 10, 64, CONFIG, "cuda", 1 << 40, positions)
    assert on_gpu == layer_groups([0, 1], 10, 64, CONFIG, "cuda", 1 << 40)


def test_a_record_holds_no_more_entries_than_are_reckoned_with() -> None:
    recorder = Recorder(1)
    every = np.exp(np.random.default_rng(0).uniform(-2.1, 0, 400_000)).astype(np.float32)
    recorder.add(torch.from_numpy(every[:, None]), 0)
    assert 6_500 < len(recorder.record().unit) <= record_bytes(len(every)) // 40


def test_a_corpus_that_units_are_measured_on_takes_what_is_reckoned_with() -> None:
    windows = np.random.default_rng(0).integers(0, 100, (500, 64)).astype(np.int32)
    text = CorpusText.of(windows, [0])
    text.occurrences(1)
    text.nearest(np.zeros(1, np.int64), 1)
    arrays = [vars(text)[name] for name in ("counted", "_order", "_next")]
    assert text_bytes(windows.size) == sum(array.nbytes for array in arrays)
    assert text_bytes(1 << 32) == 13 << 32


def test_prompts_take_what_the_corpus_leaves() -> None:
    assert prompt_bytes(10_000, 1_000, "cpu") == 1_000
    assert prompt_bytes(10_000, 1_000, "cuda") == 10_000
    with pytest.raises(IngestError, match=r"1,200,000 positions of a corpus take 11MB .* may take 10MB"):
        prompt_bytes(10**7, 1_200_000, "cpu")


def test_several_passes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: WeakSet[Scan] = WeakSet()

    class Watched(Scan):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            alive.add(self)

    monkeypatch.setattr(layers, "Scan", Watched)
    held: list[int] = []

    def told(_: str, done: int, total: int | None) -> None:
        seen.append((done, total))
        held.append(len(alive))

    corpus = CorpusStore.tokenise(
        default_corpus("demo"), "text", demo_model(), CONFIG, tmp_path / "corpus", silent
    )
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    seen: list[tuple[int, int | None]] = []
    once = scan_layers(demo_model(), corpus, one, (0, 2), CONFIG, silent)
    twice = scan_layers(
        demo_model(),
        corpus,
        other,
        (0, 2),
        CONFIG,
        told,
        layer_bytes(768, 64) + 768 * record_bytes(corpus.n_windows * corpus.width),
    )
    for layer in (0, 2):
        mine, theirs = once[layer].load(), twice[layer].load()
        for field in ("max_activation", "window", "pivot", "trace"):
            assert np.array_equal(getattr(mine, field), getattr(theirs, field)), field
    tokens = corpus.n_windows * corpus.width
    assert seen[-1] == (2 * tokens, 2 * tokens)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert set(held) == {1}, "what a pass holds is freed before the next"


def test_batches_of_prompts_shrink_with_memory() -> None:
    model = demo_model()
    assert prompt_tokens(model, 1 << 40) == 1024
    assert 64 < prompt_tokens(model, 10_000_000) < 1024
    assert prompt_tokens(replace(model, d_mlp=10**9), 10_000_000) == 64
    assert bytes_for(torch.device("cpu"), 123) == 123
    assert bytes_for(torch.device("cpu")) > 1 << 20


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("1.5 gb", 15 * 10**8), ("300MB", 3 * 10**8), ("4GiB", 4 << 30)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "2", "much", "-1GB", "0MB", "2 TBs"])
def test_what_is_no_size_is_said(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write it like 500MB or 8GB"):
        parse_bytes(text)
