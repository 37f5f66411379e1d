"""The columns of answers: each has its declared type, whatever values there are, in every form."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

import n2gdb
from n2gdb.errors import StorageError, UnknownNameError
from n2gdb.grammar.fields import FIELDS, RETURNED, Kind
from n2gdb.query.answer import Answer
from n2gdb.query.columns import COLUMN_KINDS, arrow_type

Ask = Callable[[n2gdb.Database], Answer[Any]]

#: Every kind of answer, with rows and without.
ANSWERS = {
    "neurons": "neurons MATCHING ...",
    "no neurons": "neurons MATCHING ... WHERE f1 > 1",
    "dead neurons": "neurons WHERE state = 'dead' RETURN neuron, f1, precision, true_firings, path, size",
    "every column": f"neurons RETURN {', '.join(RETURNED)}",
    "no row of every column": f"neurons LIMIT 0 RETURN {', '.join(RETURNED)}",
    "similar neurons": "neurons RANK BY SIMILARITY TO L0N1",
    "neurons that match and are similar": "neurons MATCHING ... RANK BY SIMILARITY TO L0N1",
    "patterns": "patterns MATCHING ...",
    "no patterns": "patterns LIMIT 0",
    "patterns of every column": f"patterns RETURN {', '.join(RETURNED)}",
    "count": "COUNT neurons",
    "count by layer": "COUNT neurons BY layer",
    "no count by layer": "COUNT neurons WHERE f1 > 1 BY layer",
    "count by state": "COUNT neurons BY state",
    "no count by state": "COUNT neurons WHERE f1 > 1 BY state",
    "count by token": "COUNT patterns MATCHING ... BY activating",
    "tokens": "tokens ACTIVATING L0N1",
    "context tokens": "tokens IN CONTEXT OF L0N1",
    "no tokens": "tokens ACTIVATING L0N1 LIMIT 0",
    "explained": "EXPLAIN neurons MATCHING 'dog'",
    "profiled": "PROFILE neurons MATCHING 'dog'",
}
OTHER_ANSWERS: dict[str, Ask] = {
    "similar": lambda db: db.similar("L0N1"),
    "none similar": lambda db: db.similar("L0N1", k=0),
    "pairs": lambda db: db.pairs(above=0.1),
    "no pairs": lambda db: db.pairs(above=1.0, sharing=10**6),
    "report": lambda db: db.report(),
    "tokens of a neuron": lambda db: next(each for each in db if len(each.graph)).tokens(),
    "no tokens of a neuron": lambda db: next(each for each in db if not len(each.graph)).tokens(),
}
_ALL = [*ANSWERS, *OTHER_ANSWERS]


def _ask(db: n2gdb.Database, name: str) -> Answer[Any]:
    return db.query(ANSWERS[name]) if name in ANSWERS else OTHER_ANSWERS[name](db)


@pytest.mark.parametrize("name", _ALL)
def test_every_column_of_an_answer_has_its_declared_type(small: n2gdb.Database, name: str) -> None:
    answer = _ask(small, name)
    table = answer.to_arrow()
    assert tuple(table.column_names) == answer.columns
    assert table.num_rows == len(answer)
    for field in table.schema:
        kind = COLUMN_KINDS[field.name]
        if field.name == "group" and "by layer" in name:
            kind = Kind.WHOLE
        assert field.type == arrow_type(kind), field.name


@pytest.mark.parametrize("name", _ALL)
def test_a_table_holds_what_the_records_say(small: n2gdb.Database, name: str) -> None:
    answer = _ask(small, name)
    table = answer.to_arrow()
    for column in answer.columns:
        said = answer[column]
        if column == "parameters":
            said = [None if value is None else json.dumps(value, ensure_ascii=False) for value in said]
        assert table[column].to_pylist() == said, column


def test_fields_have_the_types_of_the_registry() -> None:
    assert {name: COLUMN_KINDS[name] for name in FIELDS} == {
        name: field.kind for name, field in FIELDS.items()
    }
    assert set(RETURNED) <= COLUMN_KINDS.keys()


@pytest.mark.parametrize("name", ["every column", "no row of every column", "dead neurons", "count by layer"])
def test_pandas_types_do_not_hang_on_the_values(small: n2gdb.Database, name: str) -> None:
    pandas = pytest.importorskip("pandas")
    frame = _ask(small, name).to_pandas()
    expected = {pa.int64(): "Int64", pa.float64(): "float64"}
    for field in _ask(small, name).to_arrow().schema:
        dtype = expected.get(field.type)
        if dtype is None:
            assert pandas.api.types.is_string_dtype(frame[field.name]) or frame[field.name].dtype == object
        else:
            assert str(frame[field.name].dtype) == dtype, field.name


@pytest.mark.parametrize("name", ["every column", "no row of every column", "no count by layer"])
def test_polars_types_do_not_hang_on_the_values(small: n2gdb.Database, name: str) -> None:
    polars = pytest.importorskip("polars")
    schema = _ask(small, name).to_polars().schema
    types = {pa.int64(): polars.Int64, pa.float64(): polars.Float64, pa.string(): polars.String}
    assert schema == {field.name: types[field.type] for field in _ask(small, name).to_arrow().schema}


def test_a_column_is_read_by_its_name(small: n2gdb.Database) -> None:
    answer = small.query("neurons WHERE f1 > 0 ORDER BY f1 DESC")
    assert answer["f1"] == [hit.f1 for hit in answer]
    assert answer["neuron"] == [hit.neuron for hit in answer]
    assert answer["n_nodes"] == [hit.statistics["n_nodes"] for hit in answer]
    assert small.query("neurons WHERE f1 > 1")["f1"] == []
    assert small.query("neurons WHERE f1 > 1")["n_nodes"] == []


@pytest.mark.parametrize("query", ["neurons", "neurons WHERE f1 > 1", "neurons RETURN neuron, f1"])
def test_a_column_that_is_not_there_is_named(small: n2gdb.Database, query: str) -> None:
    with pytest.raises(UnknownNameError, match=r"^no column 'f11': did you mean f1\?$"):
        small.query(query)["f11"]


@pytest.mark.parametrize(
    ("query", "column"),
    [
        ("neurons RETURN neuron, f1", "recall"),
        ("COUNT neurons", "f1"),
        ("COUNT neurons WHERE f1 > 1 BY layer", "f1"),
        ("tokens ACTIVATING L0N1 LIMIT 0", "neuron"),
    ],
)
def test_what_an_answer_does_not_say_is_no_column_of_it(
    small: n2gdb.Database, query: str, column: str
) -> None:
    with pytest.raises(UnknownNameError, match=f"^no column '{column}': "):
        small.query(query)[column]


def test_an_answer_is_written_to_files(small: n2gdb.Database, tmp_path: Path) -> None:
    answer = small.query("neurons MATCHING ... RETURN neuron, f1, size, path")
    answer.to_csv(tmp_path / "a.csv")
    answer.to_json(str(tmp_path / "a.json"), indent=1)
    answer.to_parquet(tmp_path / "a.parquet")
    assert (tmp_path / "a.csv").read_bytes().decode() == answer.to_csv()
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == answer.to_dicts()
    assert parquet.read_table(tmp_path / "a.parquet").equals(answer.to_arrow())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.json", "a.parquet"]


@pytest.mark.parametrize("method", ["to_csv", "to_json", "to_parquet"])
def test_a_file_that_is_there_is_kept_unless_told(small: n2gdb.Database, tmp_path: Path, method: str) -> None:
    path = tmp_path / "there"
    path.write_text("mine")
    answer = small.query("neurons LIMIT 3")
    with pytest.raises(StorageError, match=r"is there already: .* overwrite=True"):
        getattr(answer, method)(path)
    assert path.read_text() == "mine"
    getattr(answer, method)(path, overwrite=True)
    assert path.read_bytes() != b"mine"
    with pytest.raises(StorageError, match=r"is a folder, not a plain file: name a file$"):
        getattr(answer, method)(tmp_path, overwrite=True)
    with pytest.raises(StorageError, match="is a database, which another file cannot replace"):
        getattr(answer, method)(small.path, overwrite=True)


@pytest.mark.parametrize("name", _ALL)
def test_an_answer_is_pickled_with_all_its_records(small_path: Path, name: str) -> None:
    with n2gdb.open(small_path) as db:
        answer = _ask(db, name)
        sent = pickle.dumps(answer)
        kept = answer.detached()
        expected, total, notices = list(answer), answer.total, answer.notices
    for copy in (pickle.loads(sent), kept, pickle.loads(pickle.dumps(kept))):
        assert list(copy) == expected
        assert (copy.columns, copy.total, copy.notices) == (answer.columns, total, notices)
        assert copy.to_arrow().schema == answer.to_arrow().schema
        assert copy.to_dicts() == answer.to_dicts()


@pytest.mark.parametrize("name", _ALL)
def test_records_can_be_kept_in_sets(small: n2gdb.Database, name: str) -> None:
    records = list(_ask(small, name))
    assert set(records) == set(pickle.loads(pickle.dumps(records)))
    assert all(record in set(records) for record in records)


def test_hits_know_the_layer_and_index_of_their_neuron(small: n2gdb.Database) -> None:
    for record in (
        *small.query("neurons MATCHING ... LIMIT 3"),
        *small.query("patterns LIMIT 3"),
        *small.similar("L0N1", k=3),
    ):
        assert f"L{record.layer}N{record.index}" == record.neuron


def test_records_show_themselves_on_one_short_line(small: n2gdb.Database) -> None:
    hit = small.query("neurons MATCHING 'dog'")[0]
    assert repr(hit).startswith(f"<Hit {hit.neuron}") and hit.path in repr(hit)
    pattern = small.query("patterns MATCHING 'dog'")[0]
    assert (
        repr(pattern) == f"<PatternHit {pattern.neuron} activation {pattern.activation:.2f}: {pattern.path}>"
    )
    assert repr(small.query("neurons WHERE f1 IS MISSING")[:0]) == "()"
