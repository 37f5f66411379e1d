"""The whole ingest on a slice of the demo model: resumable, the same whatever interrupts it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import n2gdb
from n2gdb.core.progress import Report, silent
from n2gdb.errors import CorpusError, SelectionError, StorageError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import SubjectModel, default_corpus
from n2gdb.ingest.pipeline import Source, ingest, select_neurons
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.shards import RunFolder, run_folders, shards_folder
from tests.generators.unit_sets import mlp_name
from tests.support.demo import assert_same, demo_model, ingest_demo, only_run, true_activations


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_demo(tmp_path_factory.mktemp("unbroken"))


def test_every_selected_neuron_is_stored_with_its_statistics(unbroken: Path) -> None:
    table = only_run(unbroken).neurons().to_pydict()
    assert len(table["layer"]) == 36
    assert set(table["state"]) <= {"live", "unpredicted", "dead"}
    judged = [f1 for f1 in table["f1"] if f1 is not None]
    assert judged and all(0 <= f1 <= 1 for f1 in judged)
    for true, f1 in zip(table["true_firings"], table["f1"], strict=True):
        assert (f1 is None) == (true == 0)


def test_the_database_gives_back_the_graphs_that_were_built(unbroken: Path) -> None:
    built = graphs_from(only_run(unbroken).nodes())
    assert built
    text = np.random.default_rng(0).integers(2, 4096, 400)
    with n2gdb.open(unbroken) as database:
        for unit, graph in built.items():
            loaded = database.neuron(mlp_name(unit)).graph
            assert loaded == graph
            assert (loaded.predict(text) == graph.predict(text)).all()


@pytest.mark.parametrize(("refine", "share"), [(False, 0.98), (True, 0.8)])
def test_where_a_neuron_fires_in_training_its_graph_says_so(
    unbroken: Path, tmp_path: Path, refine: bool, share: float
) -> None:
    """The stored activation is the real model's, and a pattern was learned from every firing pivot.

    Refined, a graph gives up the firings that would cost it more false alarms.
    """
    path = unbroken if refine else ingest_demo(tmp_path, refine=False)
    said = total = 0
    with n2gdb.open(path) as database:
        for name in map(mlp_name, graphs_from(only_run(path).nodes())):
            neuron = database.neuron(name)
            for example in neuron.examples:
                tokens = np.array(example.tokens)
                real = true_activations(name.layer, name.index, tokens)[example.pivot]
                assert real == pytest.approx(example.activation, rel=1e-3, abs=1e-6)
                if example.split == "train" and real > 0.5 * neuron.max_activation:
                    said += neuron.graph.predict(tokens)[example.pivot] >= 0.5
                    total += 1
    assert total > 50
    assert said / total > share


class Killed(BaseException):
    """Stands for a kill signal: no handler of errors may catch it."""


def killing(after: int, stage: str) -> object:
    seen = 0

    def report(name: str, done: int, total: int | None) -> None:
        nonlocal seen
        seen += name == stage
        if seen == after:
            raise Killed

    return report


def run_with(report: object, path: Path) -> None:
    """Ingest few neurons of two layers, which takes a fifth as long as the ingest of ``unbroken``."""
    source, chosen = Source(default_corpus("demo")), Selection(layers=(1, 4), sample=24)
    config = N2GConfig(tokens=10_000, window=128, top_k=8)
    ingest(demo_model(), source, path, config, chosen, report, 1024)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("short") / "short.n2gdb"
    run_with(silent, path)
    return path


@pytest.mark.parametrize(
    ("stage", "after"), [("tokenise", 1), ("scan", 6), ("neurons", 2), ("load Token", 1)]
)
def test_a_killed_run_goes_on_to_the_same_database(
    short: Path, tmp_path: Path, stage: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "broken.n2gdb"
    monkeypatch.setattr("n2gdb.ingest.scan.layers._SAVE_EVERY", 0.0)
    monkeypatch.setattr("n2gdb.ingest.scan.layers._SAVING_SHARE", float("inf"))
    with pytest.raises(Killed):
        run_with(killing(after, stage), path)
    assert not path.exists(), "half a database"
    done_before = set().union(*(RunFolder(p).done() for p in shards_folder(path).iterdir() if p.is_dir()))
    assert bool(done_before) == (stage in ("neurons", "load Token"))
    run_with(silent, path)
    assert_same(only_run(path), only_run(short))


def test_kill_minus_nine_in_the_middle(short: Path, tmp_path: Path) -> None:
    path = tmp_path / "killed.n2gdb"
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.ingest.test_pipeline import run_with\n"
        "def report(stage, done, total):\n"
        "    if stage == 'neurons' and done:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "run_with(report, Path(sys.argv[1]))\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=Path(__file__).parents[2], check=False
    )
    assert killed.returncode == -9
    assert not path.exists()
    run_with(silent, path)
    assert_same(only_run(path), only_run(short))


def test_the_shard_size_and_the_batch_size_do_not_matter(unbroken: Path, tmp_path: Path) -> None:
    """Graphs agree but for activations in the last bits, and the rare one at a threshold."""
    path = tmp_path / "small-shards.n2gdb"
    source, config = Source(default_corpus("demo")), N2GConfig(tokens=30_000, window=128, top_k=8)
    ingest(demo_model(), source, path, config, Selection(sample=36), silent, 300, shard_neurons=3)
    mine, theirs = (graphs_from(only_run(p).nodes()) for p in (path, unbroken))
    same = [
        name
        for name, graph in mine.items()
        if name in theirs
        and np.array_equal(graph.token, theirs[name].token)
        and np.array_equal(graph.depth, theirs[name].depth)
        and np.allclose(graph.end, theirs[name].end, rtol=1e-3, equal_nan=True)
    ]
    assert len(same) >= 0.97 * len(theirs)


FEW = Selection(layers=(0,), neurons=tuple(range(5)))


def ingest_few(
    path: Path,
    selection: Selection = FEW,
    tokens: int = 8_000,
    model: SubjectModel | None = None,
    report: Report = silent,
) -> None:
    config = N2GConfig(tokens=tokens, window=64, top_k=4)
    ingest(model or demo_model(), Source(default_corpus("demo")), path, config, selection, report, 1024)


def written(path: Path) -> dict[Path, int]:
    """When every file of a database's complete shards, and of its scanned layers, was written."""
    folders = [folder for run in run_folders(path) for folder in (*run.shards(), run.path / "scan")]
    return {file: file.stat().st_mtime_ns for folder in folders for file in folder.iterdir()}


def test_more_neurons_and_layers_are_added_without_doing_the_first_again(tmp_path: Path) -> None:
    path = tmp_path / "grown.n2gdb"
    ingest_few(path)
    before = written(path)
    ingest_few(path, Selection(layers=(0,), neurons=tuple(range(8))))
    ingest_few(path, Selection(layers=(0, 1), neurons=tuple(range(8))))
    assert before.items() <= written(path).items()
    assert [shard.name for shard in only_run(path).shards()] == [
        "L000-000000-000004-0005",
        "L000-000005-000007-0003",
        "L001-000000-000007-0008",
    ]
    assert only_run(path).neurons()["layer"].to_pylist() == [0] * 8 + [1] * 8
    with n2gdb.open(path) as database:
        assert [(layer.layer, layer.neurons) for layer in database.info().layers] == [(0, 8), (1, 8)]


def test_another_model_is_added_and_more_corpus_takes_the_place_of_less(tmp_path: Path) -> None:
    path = tmp_path / "several.n2gdb"
    ingest_few(path)
    less = written(path)
    ingest_few(path, tokens=9_000)
    assert models_of(path) == {"demo": 9_000}
    more = written(path)
    assert less.items() <= more.items()

    ingest_few(path, model=replace(demo_model(), name="other", fingerprint="0" * 64))
    assert models_of(path) == {"demo": 9_000, "other": 8_000}
    assert more.items() <= written(path).items()

    done: list[tuple[str, int, int | None]] = []
    ingest_few(path, report=lambda *step: done.append(step))
    assert models_of(path) == {"demo": 8_000, "other": 8_000}
    assert {step for step in done if step[0].split()[0] not in ("keep", "tokenise", "load")} == {
        ("neurons", 5, 5)
    }


def models_of(path: Path) -> dict[str, int]:
    """Models of a database, with the tokens of their corpora."""
    with n2gdb.open(path) as database:
        models = database.models()
    assert len({model.name for model in models}) == len(models)
    return {model.name: model.corpus_tokens for model in models}


def test_a_selection_is_seeded_and_sorted() -> None:
    chosen = select_neurons(demo_model(), Selection(sample=10), seed=3)
    assert chosen == sorted(chosen) == select_neurons(demo_model(), Selection(sample=10), seed=3)
    assert chosen != select_neurons(demo_model(), Selection(sample=10), seed=4)


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(layers=(6,)), "no layer 6: this model has layers 0 to 5"),
        (Selection(neurons=(768,)), "no neuron 768: this model has neurons 0 to 767"),
    ],
)
def test_what_the_model_does_not_have_is_said(selection: Selection, message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        select_neurons(demo_model(), selection, seed=0)


def test_an_empty_corpus_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    path = tmp_path / "x.n2gdb"
    with pytest.raises(CorpusError, match="has no text"):
        ingest(
            demo_model(), Source(str(tmp_path / "empty.txt")), path, N2GConfig(), Selection(), silent, 1024
        )
    assert not path.exists()
    assert {file.name for file in files_below(shards_folder(path))} == {".lock"}


def test_a_full_disk_is_said_and_an_older_database_stays(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.n2gdb"
    path.write_bytes(short.read_bytes())
    before = path.read_bytes()

    def full(self: RunFolder, *_: object) -> None:
        raise StorageError("no space left to write shard: free some, then run again to go on")

    monkeypatch.setattr(RunFolder, "write_shard", full)
    with pytest.raises(StorageError, match="no space left"):
        run_with(silent, path)
    assert path.read_bytes() == before


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
