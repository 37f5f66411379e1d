"""Ranges of a corpus scanned by themselves and merged are one scan, bit for bit."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from n2gdb.core.progress import silent
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.memory import window_batch
from n2gdb.ingest.models.subject import default_corpus
from n2gdb.ingest.scan.layer_file import LayerScan
from n2gdb.ingest.scan.layers import scan_layers
from n2gdb.ingest.scan.parts import ScanParts, merge_parts, scan_part
from n2gdb.ingest.scan.record import ActivationRecord
from tests.support.demo import demo_model

CONFIG = N2GConfig(tokens=12_000, window=64, top_k=4)
LAYERS = (0, 2)


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusStore:
    folder = tmp_path / "corpus"
    return CorpusStore.tokenise(default_corpus("demo"), "text", demo_model(), CONFIG, folder, silent)


def test_parts_merged_are_one_scan(corpus: CorpusStore, tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    folder.mkdir()
    once = scan_layers(demo_model(), corpus, whole, LAYERS, CONFIG, silent)
    parts = ScanParts.of(folder, corpus.n_windows, window_batch("cpu", corpus.width), 3)
    assert len(parts.ranges) == 3
    parts.folder.mkdir()
    for span in reversed(parts.ranges):
        scan_part(demo_model(), corpus, parts, span, LAYERS, CONFIG)
    for layer in LAYERS:
        merged = LayerScan(folder / f"layer-{layer}.npz")
        merge_parts(corpus, parts, layer, merged, CONFIG, "key")
        one, other = once[layer].load(), merged.load()
        for field in ("max_activation", "window", "pivot", "trace"):
            assert np.array_equal(getattr(one, field), getattr(other, field)), field
        assert_same_record(once[layer], merged)
    parts.remove()
    assert not parts.folder.exists()


def assert_same_record(one: LayerScan, other: LayerScan) -> None:
    units = np.arange(len(one.load().max_activation))
    first, second = one.record.load(units), other.record.load(units)
    assert first.n_positions and len(first.unit)
    for field in fields(ActivationRecord):
        assert np.array_equal(getattr(first, field.name), getattr(second, field.name)), field.name


def test_a_range_that_is_scanned_stays(corpus: CorpusStore, tmp_path: Path) -> None:
    parts = ScanParts.of(tmp_path, corpus.n_windows, window_batch("cpu", corpus.width), 4)
    parts.folder.mkdir()
    span = parts.ranges[-1]
    scan_part(demo_model(), corpus, parts, span, (0,), CONFIG)
    written = parts.file(*span, 0).stat().st_mtime_ns
    scan_part(demo_model(), corpus, parts, span, LAYERS, CONFIG)
    assert parts.file(*span, 0).stat().st_mtime_ns == written
    assert parts.file(*span, 2).exists()


def test_ranges_are_whole_batches_and_those_of_the_run_that_was_interrupted(tmp_path: Path) -> None:
    parts = ScanParts.of(tmp_path, n_windows=103, batch=4, wanted=5)
    assert parts.bounds == (0, 24, 48, 72, 96, 103)
    assert ScanParts.of(tmp_path, 103, 4, 50).bounds != parts.bounds
    parts.folder.mkdir()
    assert ScanParts.of(tmp_path, 103, 4, 50) == parts
    assert ScanParts.of(tmp_path / "other", 3, 4, 50).bounds == (0, 3)
