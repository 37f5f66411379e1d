"""The record of a place on disk: read some units at a time, and taken up by a scan that goes on."""

from __future__ import annotations

import itertools
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from n2gdb.errors import StorageError
from n2gdb.ingest.scan.place_record import PlaceRecord, RecordFile, merge_places
from n2gdb.ingest.scan.record import ActivationRecord, Recorder

UNITS, WIDTH = 600, 8


def activations(windows: int, seed: int = 0) -> torch.Tensor:
    """(window, position, unit); a third of the units is hardly ever active."""
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((windows, WIDTH, UNITS)).astype(np.float32) ** 3
    found[:, :, ::3] *= rng.random((windows, WIDTH, UNITS))[:, :, ::3] < 0.02
    return torch.from_numpy(found)


def placed(text: torch.Tensor, batch: int, first: int = 0) -> PlaceRecord:
    place = PlaceRecord(UNITS)
    for start in range(0, len(text), batch):
        place.add(text[start : start + batch], first + start)
    return place


def whole(text: torch.Tensor) -> ActivationRecord:
    recorder = Recorder(UNITS)
    recorder.add(text.flatten(0, 1), 0)
    return recorder.record()


def assert_same(one: ActivationRecord, other: ActivationRecord) -> None:
    for field in fields(ActivationRecord):
        assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name


TEXT = activations(20)


def test_a_file_gives_back_the_record_of_all_units_and_of_some(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "record-000.npz")
    file.save(placed(TEXT, 6).states(), "key")
    assert_same(file.load(np.arange(UNITS)), whole(TEXT))
    some = np.array([0, 7, 255, 256, 511, 512, 599])
    found, everything = file.load(some), whole(TEXT)
    for place, unit in enumerate(some.tolist()):
        own, theirs = found.of(place), everything.of(unit)
        assert np.array_equal(found.position[own], everything.position[theirs])
        assert np.array_equal(found.activation[own], everything.activation[theirs])
    assert np.array_equal(found.count, everything.count[some])
    assert np.array_equal(found.limit, everything.limit[some])


def test_a_scan_that_goes_on_takes_up_all_before_the_last_batch(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "record-000.npz")
    file.save(placed(TEXT[:14], 6).states(), "key")  # batches from 0, 6, and 12 up to 14
    assert [window for window in range(20) if file.goes_on(window)] == [12, *range(14, 20)]
    again = PlaceRecord.of(file.load_states())
    again.forget_last()
    again.add(TEXT[12:18], 12)
    again.add(TEXT[18:], 18)
    again.flush()
    assert_same(again.before.record(), whole(TEXT))


@pytest.mark.parametrize("cuts", [(0, 6, 12, 20), (0, 12, 20), (0, 18, 20)])
def test_ranges_merge_into_what_one_scan_records(cuts: tuple[int, ...]) -> None:
    parts = [placed(TEXT[a:b], 6, a).states() for a, b in itertools.pairwise(cuts)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merge_places(merged, part)
    once = placed(TEXT, 6).states()
    assert merged.keys() == once.keys()
    assert merged["last_windows"].tolist() == once["last_windows"].tolist() == [18, 20]
    for name, array in once.items():
        assert np.array_equal(merged[name], array), name


def test_one_of_another_model_or_a_damaged_one_is_not_there(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "record-000.npz")
    assert not file.is_of("key")
    assert not file.goes_on(0)
    file.save(placed(TEXT, 6).states(), "key")
    assert file.is_of("key")
    assert not file.is_of("other")
    raw = bytearray(file.path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    file.path.write_bytes(raw)
    with pytest.raises(StorageError, match="scans it again"):
        file.load(np.arange(UNITS))
    file.path.write_bytes(raw[: len(raw) // 2])
    assert not file.is_of("key")
