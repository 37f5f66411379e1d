from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch

from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.scan.place_record import PlaceRecord
from n2gdb.ingest.scan.record import ActivationRecord
from n2gdb.ingest.scan.top_windows import Scan, TopExamples, select_examples
from tests.support.demo import demo_model, demo_windows

CONFIG = N2GConfig(top_k=4)
WINDOWS = 48


def scanned(batch: int, *, stop_and_resume: bool = False) -> Scan:
    windows = demo_windows()[:WINDOWS]
    scan = Scan(demo_model(), [0, 3], windows.shape[1], CONFIG)
    for start in range(0, WINDOWS, batch):
        if stop_and_resume and start == batch:
            state = scan.state()
            scan = Scan(demo_model(), [0, 3], windows.shape[1], CONFIG)
            scan.resume(state)
        scan.add(windows[start : start + batch])
    return scan


def selected(activation: Any, window: Any, trace: Any, text: Any, config: N2GConfig) -> TopExamples:
    def traces(place: Any) -> Any:
        return np.take_along_axis(trace, place[..., None], 1)

    pivot = trace.argmax(axis=2)
    return select_examples(activation, window, pivot, traces, lambda number: text[number], config)[0]


def sorted_state(scan: Scan) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    activation, window = scan.activation.numpy(), scan.window.numpy()
    order = np.lexsort((window, -activation), axis=1)
    return np.take_along_axis(activation, order, 1), np.take_along_axis(window, order, 1)


def test_the_scan_keeps_what_sorting_everything_would() -> None:
    windows = demo_windows()[:WINDOWS]
    tokens = torch.from_numpy(windows.astype(np.int64))
    site = torch.cat(
        demo_model().all_activations(tokens.clamp(min=0), [0, 3]), dim=-1
    )  # (window, position, neuron)
    counted = torch.from_numpy((windows >= 0) & ~np.isin(windows, list(demo_model().special)))
    largest = site.masked_fill(~counted[..., None], -torch.inf).amax(1).T  # (neuron, window)
    kept = CONFIG.top_k * CONFIG.candidates
    expected = largest.sort(dim=1, descending=True, stable=True).values[:, :kept]
    activation, _ = sorted_state(scanned(8))
    np.testing.assert_allclose(activation, expected.numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("batch", [1, 7, 48])
def test_the_batch_size_does_not_matter(batch: int) -> None:
    activation, window = sorted_state(scanned(8))
    other_activation, other_window = sorted_state(scanned(batch))
    np.testing.assert_allclose(activation, other_activation, rtol=1e-4, atol=1e-7)
    assert (window == other_window).mean() > 0.999


def test_a_stopped_scan_goes_on_as_if_it_had_not_been() -> None:
    activation, window = sorted_state(scanned(8))
    resumed_activation, resumed_window = sorted_state(scanned(8, stop_and_resume=True))
    assert (activation == resumed_activation).all()
    assert (window == resumed_window).all()
    for layer in (0, 3):
        once, resumed = (record(scanned(8, stop_and_resume=stop), layer) for stop in (False, True))
        assert once.n_positions and len(once.unit)
        for field in fields(ActivationRecord):
            assert np.array_equal(getattr(once, field.name), getattr(resumed, field.name)), field.name


def record(scan: Scan, layer: int) -> ActivationRecord:
    found = PlaceRecord.of(scan.record(layer))
    found.flush()
    return found.before.record()


def test_the_record_has_the_largest_activation_of_every_unit_and_no_special_token() -> None:
    scan = scanned(8)
    found = record(scan, 3)
    rows = scan.activation[scan.rows(3)].amax(dim=1).clamp(min=0)
    np.testing.assert_array_equal(found.maximum, rows.numpy())
    windows = demo_windows()[:WINDOWS]
    counted = demo_model().counted(windows)
    assert found.n_positions == np.count_nonzero(counted)
    assert counted.ravel()[found.position].all()


def test_traces_belong_to_their_windows() -> None:
    scan = scanned(8)
    np.testing.assert_array_equal(scan.trace.amax(dim=2).numpy(), scan.activation.numpy())


def test_special_tokens_never_count() -> None:
    assert torch.isinf(scanned(8).trace[:, :, 0]).all(), "the BOS was counted"


def test_near_duplicates_give_one_example() -> None:
    text = np.arange(5 * 30, dtype=np.int32).reshape(5, 30)
    text[1] = text[0]  # the same text again
    text[2, :25] = text[0, :25]
    text[2, 7] = 999  # one token of 24 differs
    text[3, :25] = text[0, :25]
    text[3, 5:20] = 777  # another text
    trace = np.zeros((1, 5, 30), np.float32)
    trace[0, :, 24] = [5, 4, 3, 2, 1]
    found = selected(trace[:, :, 24], np.arange(5)[None], trace, text, N2GConfig(top_k=3))
    assert found.window.tolist() == [[0, 3, 4]]
    assert found.pivot.tolist() == [[24, 24, 24]]
    assert found.trace[0, :, 24].tolist() == [5, 2, 1]


def test_a_neuron_with_few_windows_has_few_examples() -> None:
    trace = np.zeros((1, 4, 6), np.float32)
    activation = np.array([[-np.inf, 3.0, -np.inf, -np.inf]], np.float32)
    window = np.array([[-1, 2, -1, -1]])
    text = np.arange(18, dtype=np.int32).reshape(3, 6)
    found = selected(activation, window, trace, text, N2GConfig(top_k=2))
    assert found.window.tolist() == [[2, -1]]
