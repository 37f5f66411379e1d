"""A scan takes up what another run has scanned of the same text, and gives what a whole scan gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from n2gdb.core.progress import silent
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.inference.memory import window_batch
from n2gdb.ingest.models.subject import default_corpus
from n2gdb.ingest.scan.layer_file import LayerScan, layer_scan
from n2gdb.ingest.scan.layers import scan_layers
from n2gdb.ingest.scan.top_windows import Scan
from tests.support.demo import demo_model

LESS = N2GConfig(tokens=9_000, window=64, top_k=4)
MORE = replace(LESS, tokens=14_000)
LAYERS = (0, 2)


class Told:
    """How far a scan was when it began, in windows, and how far it came."""

    def __init__(self) -> None:
        self.windows: list[int] = []

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        self.windows.append(done // MORE.window)


def run(
    folder: Path, config: N2GConfig, layers: tuple[int, ...] = LAYERS
) -> tuple[dict[int, LayerScan], Told]:
    """Scan the demo's corpus in a run's folder."""
    told = Told()
    folder.mkdir(parents=True, exist_ok=True)
    stored = CorpusStore.tokenise(default_corpus("demo"), "text", demo_model(), config, folder, silent)
    return scan_layers(demo_model(), stored.move_into(folder), folder, layers, config, told), told


def assert_alike(one: LayerScan, other: LayerScan) -> None:
    first, second = one.load(), other.load()
    np.testing.assert_array_equal(first.window, second.window)
    given = first.window >= 0  # what lies in a place without an example is nobody's
    np.testing.assert_array_equal(first.pivot[given], second.pivot[given])
    np.testing.assert_allclose(first.max_activation, second.max_activation, rtol=1e-4)
    np.testing.assert_allclose(first.trace[given], second.trace[given], rtol=1e-3, atol=1e-5)
    units = np.arange(len(first.max_activation))
    mine, theirs = one.record.load(units), other.record.load(units)
    assert mine.n_positions == theirs.n_positions
    np.testing.assert_allclose(mine.maximum, theirs.maximum, rtol=1e-4)
    # Activations next to an edge may lie in either bin, and those next to zero on either side.
    assert np.abs(mine.count - theirs.count).sum() <= 1e-3 * theirs.count.sum()
    assert np.abs(mine.active - theirs.active).sum() <= 1e-3 * theirs.active.sum()
    # Of windows that activate equally another may have stayed in the last place.
    np.testing.assert_allclose(one.load_kept().activation, other.load_kept().activation, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[int, LayerScan]:
    """A scan of all the text at once."""
    return run(tmp_path_factory.mktemp("alone") / "run", MORE)[0]


def test_more_text_costs_the_text_that_is_new(whole: dict[int, LayerScan], tmp_path: Path) -> None:
    run(tmp_path / "less", LESS)
    found, told = run(tmp_path / "more", MORE)
    batch = window_batch("cpu", MORE.window)
    scanned = -(-9_000 // (MORE.window - 1))
    assert told.windows[0] == scanned // batch * batch > 0
    for layer in LAYERS:
        assert_alike(found[layer], whole[layer])
        assert (found[layer].load().window >= scanned).any(), "no new window was good enough to test this"


def test_a_window_that_gave_no_example_before_may_give_one(
    whole: dict[int, LayerScan], tmp_path: Path
) -> None:
    run(tmp_path / "less", LESS)
    bare = layer_scan(tmp_path / "less", 2)
    found, kept = bare.load(), bare.load_kept()
    found.trace[:], found.window[:] = -np.inf, -1  # as if every example had been a duplicate
    bare.save(found, kept, str(bare.key()))
    assert_alike(run(tmp_path / "more", MORE)[0][2], whole[2])


def test_other_parameters_cost_no_scan(
    whole: dict[int, LayerScan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "first", MORE)
    monkeypatch.setattr(Scan, "run", None)
    found, _ = run(tmp_path / "second", replace(MORE, importance_threshold=0.5, refine_rounds=0))
    for layer in LAYERS:
        assert_alike(found[layer], whole[layer])


@pytest.mark.parametrize(
    "other",
    [
        replace(LESS, top_k=6),
        replace(LESS, near_duplicate=0.5),
        replace(MORE, tokens=16_000),
        replace(LESS, window=48, tokens=48 * 47 + 1),
    ],
    ids=["more windows kept", "other duplicates", "text that this corpus lacks", "windows of another length"],
)
def test_a_scan_of_another_kind_is_left_alone(other: N2GConfig, tmp_path: Path) -> None:
    run(tmp_path / "other", other, (0,))
    _, told = run(tmp_path / "more", MORE, (0,))
    assert told.windows[0] == 0


def test_only_layers_that_were_scanned_are_taken_up(whole: dict[int, LayerScan], tmp_path: Path) -> None:
    run(tmp_path / "less", LESS, (0,))
    found, _ = run(tmp_path / "more", MORE)
    for layer in LAYERS:
        assert_alike(found[layer], whole[layer])
