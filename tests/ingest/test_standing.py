"""An ingest takes nothing away: what a database holds and its shards do not is refused, or kept."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import n2gdb
from n2gdb.core.progress import Report, silent
from n2gdb.errors import StorageError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import SubjectModel, default_corpus
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.storage.shards import RunFolder, run_folders, shards_folder
from tests.support.demo import demo_model

FEW = Selection(layers=(0,), neurons=(0, 1, 2))
CONFIG = N2GConfig(tokens=2_000, window=64, top_k=4, refine_rounds=0, augment=())


class Killed(BaseException):
    """Stands for a kill signal: no handler of errors may catch it."""


def learn(
    path: Path,
    selection: Selection = FEW,
    *,
    model: SubjectModel | None = None,
    report: Report = silent,
    config: N2GConfig = CONFIG,
) -> None:
    source = Source(default_corpus("demo"))
    ingest(model or demo_model(), source, path, config, selection, report, 1024, shard_neurons=2)


def other_model() -> SubjectModel:
    return replace(demo_model(), name="other", fingerprint="0" * 64)


def learned_nothing(stage: str, done: int, total: int | None) -> None:
    assert stage in ("keep text out", "tokenise"), "the refusal comes before anything is learned"


def held(path: Path) -> dict[str, int]:
    with n2gdb.open(path) as database:
        figures = database.info().layers
    found: dict[str, int] = {}
    for layer in figures:
        found[layer.model] = found.get(layer.model, 0) + layer.neurons
    return found


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("standing") / "x.n2gdb"
    learn(path)
    return path


@pytest.fixture
def database(learned: Path, tmp_path: Path) -> Path:
    shutil.copytree(learned.parent, tmp_path / "copy")
    return tmp_path / "copy" / learned.name


@pytest.mark.parametrize("what", ["all shards", "the run", "one shard", "a damaged shard"])
def test_what_no_shard_holds_is_not_taken_away(database: Path, what: str) -> None:
    (run,) = run_folders(database)
    if what == "all shards":
        shutil.rmtree(shards_folder(database))
    elif what == "the run":
        shutil.rmtree(run.path)
    elif what == "one shard":
        shutil.rmtree(run.shards()[1])
    else:
        damage(run.shards()[1] / "nodes.parquet")
    before = database.read_bytes()
    with pytest.raises(StorageError, match=r"holds [13] neurons? of demo .*choose another --db") as refused:
        learn(database, model=other_model(), report=learned_nothing)
    assert "\n" not in str(refused.value)
    assert database.read_bytes() == before


def damage(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 4
    path.write_bytes(raw)


def test_other_settings_of_the_same_model_take_nothing_away_either(database: Path) -> None:
    shutil.rmtree(shards_folder(database))
    with pytest.raises(StorageError, match="holds 3 neurons of demo"):
        learn(database, config=replace(CONFIG, tokens=2_500), report=learned_nothing)
    with pytest.raises(StorageError, match=r"holds 1 neuron of demo .*: ask for all of them"):
        learn(database, Selection(layers=(0,), neurons=(0, 1)), report=learned_nothing)


def test_the_same_neurons_are_learned_again(database: Path) -> None:
    with n2gdb.open(database) as opened:
        before = opened.query("patterns").to_dicts()
    shutil.rmtree(shards_folder(database))
    learn(database)
    with n2gdb.open(database) as opened:
        assert opened.query("patterns").to_dicts() == before


@pytest.mark.parametrize("name", ["neurons", "nodes", "scores", "examples"])
def test_a_damaged_shard_is_learned_again_and_no_other(database: Path, name: str) -> None:
    (run,) = run_folders(database)
    first, second = run.shards()
    stays = (first / "nodes.parquet").stat().st_mtime_ns
    whole = (second / f"{name}.parquet").read_bytes()
    damage(second / f"{name}.parquet")
    learn(database)
    assert (second / f"{name}.parquet").read_bytes() == whole
    assert (first / "nodes.parquet").stat().st_mtime_ns == stays


@pytest.mark.parametrize("name", ["model", "tokens", "windows"])
def test_damaged_tables_of_the_run_are_written_again(database: Path, name: str) -> None:
    (run,) = run_folders(database)
    whole = (run.path / f"{name}.parquet").read_bytes()
    damage(run.path / f"{name}.parquet")
    learn(database)
    assert (run.path / f"{name}.parquet").read_bytes() == whole


def test_neurons_added_before_a_kill_come_with_another_model(database: Path) -> None:
    def kill(stage: str, done: int, total: int | None) -> None:
        if stage == "neurons" and done > 4:
            raise Killed

    with pytest.raises(Killed):
        learn(database, Selection(layers=(0, 3), neurons=(0, 1, 2)), report=kill)
    learn(database, model=other_model())
    found = held(database)
    assert found.keys() == {"demo", "other"} and found["other"] == 3
    assert found["demo"] in (5, 6), "what was under way beside the fifth may have been finished"
    with n2gdb.open(database) as opened:
        neurons = [opened.neuron(name, "demo") for name in ("L0N0", "L3N0")]
        assert all(example.tokens for neuron in neurons for example in neuron.examples)
        assert all(neuron.examples for neuron in neurons)


def test_windows_that_are_damaged_come_from_the_corpus_beside_them(database: Path) -> None:
    (run,) = run_folders(database)
    before = run.windows()
    damage(run.path / "windows.parquet")
    learn(database, model=other_model())
    assert run.windows() == before
    damage(run.path / "windows.parquet")
    (run.path / "corpus.windows").unlink()
    with pytest.raises(StorageError, match=r"lacks text .*ingest demo again"):
        learn(database, model=other_model(), report=learned_nothing)


def test_the_run_that_the_database_holds_stays_in_it(database: Path) -> None:
    """Whatever a copy made of the files' times."""
    learn(database, config=replace(CONFIG, tokens=2_500))
    (older,) = (run for run in run_folders(database) if run.model()["corpus_tokens"][0].as_py() == 2_000)
    (older.path / "model.parquet").touch()
    learn(database, model=other_model())
    with n2gdb.open(database) as opened:
        assert {model.name: model.corpus_tokens for model in opened.models()} == {
            "demo": 2_500,
            "other": 2_000,
        }


def test_a_file_that_is_no_database_is_refused_before_anything_is_learned(tmp_path: Path) -> None:
    path = tmp_path / "thesis.pdf"
    path.write_bytes(b"%PDF-1.7 years of work")
    with pytest.raises(StorageError, match="is not an n2gdb database"):
        learn(path, report=learned_nothing)
    assert path.read_bytes() == b"%PDF-1.7 years of work"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.n2gdb")
    with pytest.raises(StorageError, match="is a pipe, which a database cannot replace"):
        learn(tmp_path / "x.n2gdb", report=learned_nothing)
    assert (tmp_path / "x.n2gdb").is_fifo()


def test_a_damaged_database_is_built_again_from_its_shards(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:5_000])
    learn(database, model=other_model())
    assert held(database) == {"demo": 3, "other": 3}


@pytest.mark.parametrize("call", ["touch", "unlink"])
def test_a_folder_that_cannot_be_written_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    shards_folder(tmp_path / "x.n2gdb").mkdir()  # its shards may lie where it can be written
    write = getattr(Path, call)

    def refuse(path: Path, *rest: object) -> object:
        if path.parent == tmp_path:
            raise PermissionError(13, "Permission denied")
        return write(path, *rest)

    monkeypatch.setattr(Path, call, refuse)
    with pytest.raises(StorageError, match=r"x.n2gdb cannot be written \(Permission denied\): choose"):
        learn(tmp_path / "x.n2gdb", report=learned_nothing)


@pytest.mark.parametrize(("free", "what"), [(3_000_000, "x.n2gdb.shards"), (100_000_000, "")])
def test_a_disk_that_is_too_small_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, what: str
) -> None:
    database = tmp_path / "x.n2gdb"
    found = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: found._replace(free=free))
    if what:
        with pytest.raises(
            StorageError, match=r"shards has room for 3 MB, and at least 5 MB will be written"
        ):
            learn(database, Selection(neurons=(0,)), report=learned_nothing)
    else:
        learn(database)


def test_a_run_that_was_begun_and_has_no_model_yet_is_left_alone(database: Path) -> None:
    RunFolder.create(shards_folder(database) / "begun")
    learn(database, model=other_model())
    assert held(database) == {"demo": 3, "other": 3}
