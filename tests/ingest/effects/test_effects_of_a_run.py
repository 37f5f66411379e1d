"""Effects beside the shards of a run: written by ingest, added to a database that stands, made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.core.units import NeuronName
from n2gdb.errors import DatabaseNotFoundError, ModelError, N2gdbError, QueryError, StorageError
from n2gdb.ingest.adding_effects import add_effects
from n2gdb.ingest.evaluation.effects import STRONGEST, write_effects
from n2gdb.ingest.evaluation.output_weights import OutputWeights
from n2gdb.ingest.models.subject import load_model
from n2gdb.storage.build.database import build_database
from n2gdb.storage.checksums import is_as_written
from n2gdb.storage.shards import run_folders, shards_folder
from tests.support.demo import demo_model, ingest_demo, only_run
from tests.support.tiny_models import write_native


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_demo(tmp_path_factory.mktemp("effects"))


@pytest.fixture
def standing(tmp_path: Path, ingested: Path) -> Path:
    """A copy of the database whose shards, and itself, are without effects."""
    import shutil

    path = tmp_path / ingested.name
    shutil.copytree(shards_folder(ingested), shards_folder(path))
    for shard in only_run(path).shards():
        (shard / "effects.parquet").unlink()
    build_database(path, run_folders(path))
    return path


def test_ingest_stores_what_neurons_write(ingested: Path) -> None:
    run = only_run(ingested)
    assert run.without_effects() == []
    assert all(is_as_written(shard / "effects.parquet") for shard in run.shards())
    weights = OutputWeights.of(demo_model())
    with n2gdb.open(ingested) as database:
        for row in run.neurons().to_pylist():
            name = NeuronName(row["layer"], row["index"])
            neuron = database.neuron(name)
            if row["max_activation"] <= 0:
                assert neuron.promotes == neuron.suppresses == ()
                continue
            logits = weights.head @ weights.directions(name.layer)[name.index] * row["max_activation"]
            for found, sign in ((neuron.promotes, 1), (neuron.suppresses, -1)):
                best = (logits * sign).topk(STRONGEST)
                assert [each.logit for each in found] == pytest.approx(
                    (best.values * sign).tolist(), rel=1e-4
                )
                assert {each.token for each in found} == set(best.indices.tolist())
                texts = database.texts([each.token for each in found])
                assert all(texts[each.token] == each.text for each in found)


def test_the_flag_of_a_node_is_the_neurons_own_logit(ingested: Path) -> None:
    with n2gdb.open(ingested) as database:
        rows = database.connection.rows(
            "MATCH (n:Neuron)-[x:ACTIVATES_ON|CONTEXT]->(t:Token) RETURN n.id, t.id, x.written"
        )
        written = {
            (neuron, token): logit
            for neuron, token, logit in database.connection.rows(
                "MATCH (n:Neuron)-[w:WRITES]->(t:Token) RETURN n.id, t.id, w.logit"
            )
        }
    assert any(logit is not None for _, _, logit in rows)
    assert all(written.get((neuron, token)) == logit for neuron, token, logit in rows)


def test_a_database_that_stands_gets_them(standing: Path, ingested: Path) -> None:
    with n2gdb.open(standing) as database, pytest.raises(QueryError, match="n2gdb effects"):
        database.query("neurons PROMOTING 'the'")
    assert add_effects(standing, demo_model()) == 36
    assert only_run(standing).effects().equals(only_run(ingested).effects())
    with n2gdb.open(standing) as database, n2gdb.open(ingested) as other:
        names = [hit.neuron for hit in database.query("neurons PROMOTING /.*/")]
        assert names
        for name in names:
            assert database.neuron(name).promotes == other.neuron(name).promotes
        assert len(database.query("neurons")) == 36
    assert add_effects(standing, demo_model()) == 0


def test_the_command_adds_them(standing: Path) -> None:
    result = CliRunner().invoke(app, ["effects", str(standing), "demo", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert "effects of 36 neurons added" in result.stdout
    with n2gdb.open(standing) as database:
        assert database.query("neurons PROMOTING /.*/").total


def test_what_is_damaged_is_made_again(standing: Path) -> None:
    run = only_run(standing)
    write_effects(demo_model(), run)
    before = run.effects()
    damaged = run.shards()[0] / "effects.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.raises(StorageError, match="checksum"):
        run.effects()
    assert run.without_effects() == [damaged.parent]
    assert run.damaged() == []  # no neuron is learned anew for it
    write_effects(demo_model(), run)
    assert run.effects().equals(before)


def without_shards(path: Path) -> None:
    import shutil

    shutil.rmtree(shards_folder(path))


def without_neurons(path: Path) -> None:
    import shutil

    shutil.rmtree(only_run(path).shards()[0])


def with_damage(path: Path) -> None:
    (only_run(path).shards()[0] / "nodes.parquet").write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (without_shards, "no shards beside it"),
        (without_neurons, "no whole shard"),
        (with_damage, "is damaged"),
    ],
)
def test_without_whole_shards_the_database_stays(
    harm: Callable[[Path], None], message: str, standing: Path
) -> None:
    harm(standing)
    before = standing.read_bytes()
    with pytest.raises(StorageError, match=message):
        add_effects(standing, demo_model())
    assert standing.read_bytes() == before


def test_another_model_is_refused(standing: Path, tmp_path: Path) -> None:
    write_native(tmp_path / "other", "relu")
    with pytest.raises(ModelError, match="learned from demo, whose weights are not those of"):
        add_effects(standing, load_model(tmp_path / "other", "cpu"))


def test_a_database_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotFoundError):
        add_effects(tmp_path / "none.n2gdb", demo_model())


def test_the_command_looks_at_the_database_before_it_loads_a_model(standing: Path, tmp_path: Path) -> None:
    letter, alone = tmp_path / "letter.pdf", tmp_path / "alone.n2gdb"
    letter.write_bytes(b"%PDF-1.7")
    alone.write_bytes(standing.read_bytes())
    missing = (tmp_path / "none.n2gdb", "is not there")
    for path, message in (missing, (letter, "is not an n2gdb database"), (alone, "has no shards beside it")):
        result = CliRunner().invoke(app, ["effects", str(path), str(tmp_path / "no model")])
        assert result.exit_code == 1
        assert message in result.output, "it would have been the model"
    assert letter.read_bytes() == b"%PDF-1.7"


def test_a_model_without_a_direct_way_is_ingested_without_effects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(model: object) -> OutputWeights:
        raise ModelError("demo: its logits are not known")

    monkeypatch.setattr(OutputWeights, "of", refuse)
    said: list[str] = []
    path = ingest_demo(tmp_path, report=lambda stage, done, total: said.append(stage))
    assert "no effects: demo: its logits are not known" in said
    with n2gdb.open(path) as database:
        (hit,) = database.query("neurons LIMIT 1")
        assert database.neuron(hit.neuron).promotes == ()
    with pytest.raises(N2gdbError, match="not known"):
        add_effects(path, demo_model())


def test_effects_are_batched_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    from n2gdb.ingest.evaluation import effects

    weights = OutputWeights.of(demo_model())
    directions, maximum = weights.directions(2), torch.ones(768)
    whole = effects.strongest(weights, directions, maximum)
    monkeypatch.setattr(effects, "_TOGETHER", 5 * 4096)
    parted = effects.strongest(weights, directions, maximum)
    assert (parted.unit == whole.unit).all() and (parted.rank == whole.rank).all()
    assert abs(parted.logit - whole.logit).max() < 1e-6
    assert pa.array(parted.token == whole.token).to_pylist().count(False) < 10  # but for ties of rounding
