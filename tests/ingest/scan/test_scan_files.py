"""Files of arrays are whole or count as absent, whatever became of them."""

from __future__ import annotations

import gc
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from n2gdb.core.progress import silent
from n2gdb.errors import StorageError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.models.subject import default_corpus
from n2gdb.ingest.n2g.random_text import random_text
from n2gdb.ingest.scan.arrays_file import Arrays, load_arrays, save_arrays
from n2gdb.ingest.scan.layer_file import layer_scan
from n2gdb.ingest.scan.layers import scan_layers
from tests.support.demo import demo_model

CONFIG = N2GConfig(tokens=3_000, window=64, top_k=4, refine_windows=8)
ARRAYS: dict[str, npt.NDArray[Any]] = {
    "window": np.arange(40).reshape(8, 5),
    "trace": np.linspace(0, 1, 30, dtype=np.float32),
}


def test_arrays_read_back(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", **ARRAYS)
    found = load_arrays(tmp_path / "a.npz", tuple(ARRAYS))
    assert found is not None and all((found[name] == array).all() for name, array in ARRAYS.items())
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_every_cut_and_many_flips_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save_arrays(path, **ARRAYS)
    whole = path.read_bytes()
    assert load_arrays(tmp_path / "none.npz", ()) is None
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        assert load_arrays(path, tuple(ARRAYS)) is None, end
    random = Random(0)
    for _ in range(1_500):
        raw = bytearray(whole)
        place = random.randrange(len(raw))
        raw[place] ^= 1 << random.randrange(8)
        path.write_bytes(raw)
        found = load_arrays(path, tuple(ARRAYS))
        same = found is None or all(np.array_equal(found[name], array) for name, array in ARRAYS.items())
        assert same, place


def test_a_file_that_may_not_be_read_is_no_absent_one(tmp_path: Path) -> None:
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(StorageError, match="cannot be read"):
        load_arrays(tmp_path / "a.npz", ())


def test_no_room_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StorageError, match="no space left"):
        save_arrays(tmp_path / "a.npz", **ARRAYS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("keep", [0, 1000, -1])
def test_damaged_scans_are_made_anew(tmp_path: Path, keep: int) -> None:
    corpus = CorpusStore.tokenise(default_corpus("demo"), "text", demo_model(), CONFIG, tmp_path, silent)
    run, beside = tmp_path / "run", tmp_path / "beside"
    run.mkdir()
    corpus = corpus.move_into(run)

    def scan(folder: Path) -> tuple[dict[str, bytes], int]:
        seen: list[str] = []
        found = scan_layers(demo_model(), corpus, folder, (0,), CONFIG, lambda stage, *_: seen.append(stage))
        random_text(demo_model(), corpus, folder, found, CONFIG, silent)
        return {file.name: file.read_bytes() for file in (folder / "scan").iterdir()}, len(seen)

    before, _ = scan(run)
    for name, raw in before.items():
        (run / "scan" / name).write_bytes(raw[:keep])
    assert layer_scan(run, 0).key() is None
    after, passes = scan(run)
    assert passes and {name: len(raw) for name, raw in after.items()} == {
        name: len(raw) for name, raw in before.items()
    }
    # Another run that would take the scan up meets the same damage.
    (run / "scan" / "layer-000.npz").write_bytes(before["layer-000.npz"][:keep])
    (run / "corpus.windows").write_bytes((run / "corpus.windows").read_bytes()[: max(keep, 0)])
    beside.mkdir()
    other = CorpusStore.tokenise(
        default_corpus("demo"), "text", demo_model(), replace(CONFIG, tokens=3_500), tmp_path, silent
    )
    assert (
        scan_layers(demo_model(), other.move_into(beside), beside, (0,), CONFIG, silent)[0].key() is not None
    )


def test_arrays_are_read_in_several_threads(tmp_path: Path) -> None:
    path = tmp_path / "many.npz"
    save_arrays(path, **{f"a{number}": np.arange(number) for number in range(40)})
    threshold = gc.get_threshold()
    gc.callbacks.append(let_others_run)
    gc.set_threshold(1)
    try:
        with ThreadPoolExecutor(4) as pool:
            read = list(pool.map(load_deep, [(path, depth % 7) for depth in range(40)]))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(let_others_run)
    assert all(found is not None and len(found["a39"]) == 39 for found in read)


def load_deep(given: tuple[Path, int]) -> Arrays | None:
    """Read from so many calls deep: Python counts them while it parses."""
    path, depth = given
    return load_deep((path, depth - 1)) if depth else load_arrays(path, ("a3", "a39"))


def let_others_run(phase: str, info: dict[str, int]) -> None:
    """Have another thread go on wherever garbage is collected, also while Python parses."""
    time.sleep(0)
