"""Answers: read as far as they are looked at, and handed to the tools that people use."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

import n2gdb
from n2gdb.cli.output.answers import print_answer
from n2gdb.errors import MissingDependencyError
from n2gdb.query.answer import Answer, answer_of
from n2gdb.query.execution.hits import Hit


@dataclass(frozen=True, slots=True)
class Numbered:
    """A record of which the value is half the number."""

    number: int

    def as_dict(self) -> dict[str, Any]:
        return {"number": self.number, "half": self.number / 2, "name": f"<b>{self.number}</b>"}


def numbered(length: int, asked: list[tuple[int, int]], *, only: bool = False) -> Answer[Numbered]:
    def fetch(start: int, stop: int) -> Sequence[Numbered]:
        asked.append((start, stop))
        return [Numbered(number) for number in range(start, stop)]

    return Answer(
        length,
        fetch,
        columns=("number", "name"),
        total=lambda: 1000 + length,
        notices=lambda: ("said once",),
        only_columns=only,
    )


def test_records_are_read_in_chunks_as_they_are_looked_at() -> None:
    asked: list[tuple[int, int]] = []
    answer = numbered(600, asked)
    assert (len(answer), answer.total, answer.notices) == (600, 1600, ("said once",))
    assert not asked
    assert answer[300] == Numbered(300)
    assert asked == [(256, 512)]
    assert answer[-1] == Numbered(599)
    assert answer[255:258] == (Numbered(255), Numbered(256), Numbered(257))
    assert asked == [(256, 512), (512, 600), (0, 256)]
    assert [record.number for record in answer] == list(range(600))
    assert len(asked) == 3
    with pytest.raises(IndexError, match="in an answer of "):
        answer[600]


def test_an_answer_goes_to_plain_values_json_and_csv() -> None:
    answer = numbered(2, [])
    assert answer.to_dicts()[1] == {"number": 1, "half": 0.5, "name": "<b>1</b>"}
    assert json.loads(answer.to_json()) == answer.to_dicts()
    assert list(csv.reader(io.StringIO(answer.to_csv()))) == [
        ["number", "name"],
        ["0", "<b>0</b>"],
        ["1", "<b>1</b>"],
    ]
    assert numbered(2, [], only=True).to_dicts()[1] == {"number": 1, "name": "<b>1</b>"}


def test_an_answer_goes_to_arrow_and_pandas() -> None:
    answer = numbered(3, [])
    table = answer.to_arrow()
    assert table.equals(pa.table({"number": [0, 1, 2], "name": ["<b>0</b>", "<b>1</b>", "<b>2</b>"]}))
    pandas = pytest.importorskip("pandas")
    pandas.testing.assert_frame_equal(answer.to_pandas(), table.to_pandas(), check_dtype=False)


def test_an_answer_goes_to_polars() -> None:
    polars = pytest.importorskip("polars")
    assert (
        numbered(3, [])
        .to_polars()
        .equals(polars.DataFrame({"number": [0, 1, 2], "name": [f"<b>{i}</b>" for i in range(3)]}))
    )


@pytest.mark.parametrize(("library", "method"), [("pandas", "to_pandas"), ("polars", "to_polars")])
def test_a_library_that_is_not_there_is_named(
    library: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'n2gdb\[{library}\]'"):
        getattr(numbered(1, []), method)()


def test_an_answer_shows_itself_escaped_and_short() -> None:
    answer = numbered(25, [])
    assert repr(answer).splitlines()[:2] == ["number\tname", "0\t<b>0</b>"]
    assert repr(answer).endswith("... and 5 more")
    page = answer._repr_html_()
    assert "&lt;b&gt;0&lt;/b&gt;" in page
    assert "<b>" not in page
    assert page.endswith("<p>and 5 more</p>")
    assert answer_of([Numbered(7)], ("half",))._repr_html_().count("<tr>") == 2


def test_a_query_reads_evidence_only_where_it_is_looked_at(small: n2gdb.Database) -> None:
    answer = small.query("neurons MATCHING ... ORDER BY layer, index")
    assert answer.columns == ("neuron", "heldout_f1", "heldout_firings", "activation", "path")
    assert isinstance(answer[0], Hit)
    assert answer.to_arrow().num_rows == len(answer) == answer.total
    assert answer.to_dicts()[0]["neuron"] == str(answer[0].neuron)


def test_return_picks_the_columns(small: n2gdb.Database) -> None:
    answer = small.query("neurons WHERE n_nodes > 0 LIMIT 2 RETURN neuron, n_nodes")
    assert answer.columns == ("neuron", "n_nodes")
    assert all(set(row) == {"neuron", "n_nodes"} for row in answer.to_dicts())
    assert answer.to_csv().startswith("neuron,n_nodes\n")


def test_other_questions_give_other_records(small: n2gdb.Database) -> None:
    (whole,) = small.query("COUNT neurons")
    assert (whole.group, whole.count) == (None, 60)
    layers = small.query("COUNT neurons BY layer")
    assert [(row.group, row.count) for row in layers] == [(0, 20), (1, 20), (2, 20)]
    found = next(each for each in small.neurons() if len(each.graph))
    tokens = small.query(f"tokens ACTIVATING {found.name}")
    assert {token.token for token in tokens} == {str(each.path[-1].text) for each in found.patterns()}
    patterns = small.query("patterns MATCHING 'dog' ORDER BY activation DESC")
    assert [hit.activation for hit in patterns] == sorted((hit.activation for hit in patterns), reverse=True)
    assert {hit.path.split(" · ")[-1] for hit in patterns} == {"·dog"}
    explained = small.query("EXPLAIN neurons MATCHING 'dog'")
    assert [stage.rows for stage in explained] == [None] * len(explained)
    assert any(stage.cypher and "norm_key" in stage.cypher for stage in explained)
    profiled = small.query("PROFILE neurons MATCHING <word> BEFORE <word> BEFORE ...")
    assert any("walk the paths" in stage.step for stage in profiled)
    assert all(stage.milliseconds is not None for stage in profiled if stage.cypher)


@dataclass(frozen=True, slots=True)
class Told:
    """A record that counts how often it is read."""

    times: list[int]

    def as_dict(self) -> dict[str, Any]:
        self.times.append(1)
        return {"one": 1, "two": 2, "path": "the"}


@pytest.mark.parametrize(
    "look",
    [
        repr,
        Answer.to_csv,
        Answer.to_json,
        Answer.to_arrow,
        Answer._repr_html_,
        print_answer,
        lambda answer: print_answer(answer, as_csv=True),
        lambda answer: print_answer(answer, as_json=True),
    ],
)
def test_a_record_is_read_once(look: Callable[[Answer[Told]], object]) -> None:
    records = [Told([]) for _ in range(5)]
    look(answer_of(records, ("one", "two", "path")))
    assert [len(each.times) for each in records] == [1] * 5
