"""The record: the same whatever the batches, the parts and their order; exact counts; bounded."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch

from n2gdb.core.arrays import position_hash
from n2gdb.ingest.scan.record import BINS, ActivationRecord, Recorder, merged

UNITS = 7


def activations(n: int = 30_000, seed: int = 0) -> npt.NDArray[np.float32]:
    """Units from silent to dense, with scales far apart; every 50th position does not count."""
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((n, UNITS)).astype(np.float32) ** 3
    found *= np.float32(10.0) ** np.arange(-3, UNITS - 3, dtype=np.float32)
    found[:, 0] = -1
    found[:, 1] = np.where(rng.random(n) < 3e-4, np.abs(found[:, 1]), 0)
    found[:, 2] = 0.75  # one bin alone
    found[::50] = -np.inf
    return found


def recorded(all_of_them: npt.NDArray[np.float32], bounds: Sequence[int], first: int = 0) -> Recorder:
    recorder = Recorder(UNITS)
    for start, stop in itertools.pairwise(bounds):
        recorder.add(torch.from_numpy(all_of_them[start:stop]), first + start)
    return recorder


def assert_same(one: ActivationRecord, other: ActivationRecord) -> None:
    for name in ("unit", "position", "activation", "maximum", "count", "active", "limit"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.n_positions == other.n_positions


WHOLE = activations()


@pytest.mark.parametrize("bounds", [range(0, 30_001, 100), (0, 1, 29_000, 30_000), (0, 777, 4_000, 30_000)])
def test_batches_do_not_matter(bounds: Sequence[int]) -> None:
    assert_same(recorded(WHOLE, bounds).record(), recorded(WHOLE, (0, 30_000)).record())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_parts_merge_into_what_one_pass_gives(order: Sequence[int]) -> None:
    cuts = (0, 5_000, 21_000, 30_000)
    states = [recorded(WHOLE, (cuts[part], cuts[part + 1])).state() for part in order]
    assert_same(merged(UNITS, states).record(), recorded(WHOLE, (0, 30_000)).record())


def test_an_interrupted_scan_goes_on_from_its_state() -> None:
    first = recorded(WHOLE, (0, 9_000, 12_000)).state()
    again = merged(UNITS, [first])
    again.add(torch.from_numpy(WHOLE[12_000:]), 12_000)
    assert_same(again.record(), recorded(WHOLE, (0, 30_000)).record())


def test_negative_zero_is_no_activation() -> None:
    found = recorded(np.full((10, UNITS), -0.0, np.float32), (0, 5, 10)).record()
    assert not found.active.any()
    assert not np.signbit(found.maximum).any()


def test_reading_a_record_early_changes_nothing() -> None:
    recorder = Recorder(UNITS)
    for start in range(0, 30_000, 1_000):
        recorder.add(torch.from_numpy(WHOLE[start : start + 1_000]), start)
        recorder.record()
    assert_same(recorder.record(), recorded(WHOLE, (0, 30_000)).record())


def test_counts_are_those_of_all_activations_and_of_each_bin_the_smallest_hashes_stay() -> None:
    record = recorded(WHOLE, range(0, 30_001, 250)).record()
    edges = record.edges()
    position = np.arange(len(WHOLE))
    for unit in range(UNITS):
        own = WHOLE[:, unit]
        assert record.maximum[unit] == max(0, own.max())
        assert record.active[unit] == np.count_nonzero(own > 0)
        entries = record.of(unit)
        if not record.maximum[unit]:
            assert record.count[unit].sum() == 0 and entries.start == entries.stop
            continue
        np.testing.assert_array_equal(own[record.position[entries]], record.activation[entries])
        uppers = np.append(edges[unit, 1:], np.inf)
        for number, (low, high) in enumerate(zip(edges[unit], uppers, strict=True)):
            there = position[(own >= low) & (own < high)]
            assert record.count[unit, number] == len(there)
            kept = record.position[entries][record.bins()[entries] == number]
            smallest = there[np.argsort(position_hash(there))][: len(kept)]
            np.testing.assert_array_equal(np.sort(kept), np.sort(smallest))
            assert len(kept) == min(len(there), 1024 if number >= BINS - 5 else 256)
            assert np.count_nonzero(position_hash(there) <= record.limit[unit, number]) == len(kept)
    assert record.n_positions == len(WHOLE) - len(WHOLE[::50])


def test_bins_reach_from_an_eighth_of_the_maximum_and_firings_lie_in_the_strong_ones() -> None:
    record = recorded(WHOLE, (0, 30_000)).record()
    live = record.maximum > 0
    edges, most = record.edges()[live], record.maximum[live]
    assert (edges[:, 0] <= most / 8).all()
    assert (edges[:, -5] <= most / 2).all()
    assert (edges[:, -1] <= most).all()


def test_the_share_that_was_kept_restores_the_count() -> None:
    record = recorded(WHOLE, (0, 30_000)).record()
    weight = 1 / record.share()[record.unit, record.bins()]
    total = np.bincount(record.unit, weight, UNITS)
    np.testing.assert_allclose(total, record.count.sum(axis=1), rtol=1e-5)
    assert (record.share() < 1).any()


def test_activations_too_small_for_bins_below_them_are_recorded() -> None:
    tiny = np.array([[1e-45], [1e-40], [3e-39]], np.float32)
    recorder = Recorder(1)
    recorder.add(torch.from_numpy(tiny), 0)
    assert recorder.record().maximum[0] == tiny.max()
    assert recorder.record().count.sum() >= 1
