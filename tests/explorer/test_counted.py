"""What stands beside an answer: facets that count what their queries find, pictures, and what is kept."""

from __future__ import annotations

import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import n2gdb
from n2gdb import remembering
from n2gdb.drawing import thumbnail
from n2gdb.errors import ArgumentError
from n2gdb.explorer import facets, make_app, routes
from n2gdb.explorer.answers import answer_query, sketch_rows
from n2gdb.explorer.comparison import compare
from n2gdb.grammar.ast import Metric
from n2gdb.query.columnar import columns, walk
from n2gdb.query.columnar.tries import read_tries
from n2gdb.similarity import kept_pairs
from n2gdb.similarity.pairs import similar_pairs
from n2gdb.storage.connection import Connection

QUERIES = (
    "neurons",
    "neurons WHERE f1 > 0.3 OR layer = 1",
    "neurons MATCHING /./ WHERE n_patterns > 2",
    "neurons SIMILAR TO L0N0",
    "patterns MATCHING /a/ BEFORE ...",
    "neurons MATCHING /./ BEFORE ...",
    "neurons MATCHING /./ THEN /./ AND MATCHING /e/",
    "neurons MATCHING /e/ OR NOT MATCHING /a/",
    "patterns MATCHING /a/ BEFORE ... AND MATCHING /e/",
    "patterns OF neurons MATCHING /e/ BEFORE ...",
    "patterns LIMIT 3",
)


@pytest.mark.parametrize("query", QUERIES)
def test_a_facet_counts_what_its_query_finds(small: n2gdb.Database, query: str) -> None:
    found = facets.list_facets(small, query, model=None)["facets"]
    assert found or small.count(query) < 2
    assert {"activating", "class"} <= {facet["name"] for facet in found} or small.count(query) < 10
    for facet in found:
        assert len(facet["groups"]) > 1
        for group in facet["groups"]:
            assert small.count(group["query"]) == group["count"] > 0, (facet["name"], group)


@pytest.mark.parametrize("query", QUERIES)
def test_facets_of_a_very_large_database_are_the_same(
    small: n2gdb.Database, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = facets.list_facets(small, query, model=None)
    with n2gdb.open(small.path) as opened:
        monkeypatch.setattr(remembering, "_MOST_NODES", 0)
        monkeypatch.setattr(walk, "_DENSE", 1_000_000)
        for ahead in (False, True):
            if ahead:
                opened.read_ahead()
            assert facets.list_facets(opened, query, model=None) == expected
            assert opened._columns.is_outlined


def test_an_answer_and_its_facets_walk_once(small: n2gdb.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[object] = []

    def noted(*given: Any) -> Any:
        walked.append(given)
        return walk.ends_of(*given)

    monkeypatch.setattr(columns, "ends_of", noted)
    monkeypatch.setattr(small, "_by_statements", 0)
    for query in ("neurons MATCHING <word> BEFORE/2 <word>", "neurons MATCHING <word> BEFORE/3 <word>"):
        assert small.query(query).total
        found = facets.list_facets(small, query, model=None)["facets"]
        assert "activating" in [each["name"] for each in found]
    assert len(walked) == 2


def test_facets_find_an_answer_once(small: n2gdb.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many groups there are: each of its own would ask the query again."""
    asked: list[str] = []
    answered = Connection._answered

    def noted(self: Connection, cypher: str, *given: Any) -> Any:
        asked.append(cypher)
        return answered(self, cypher, *given)

    facets.list_facets(small, "neurons WHERE layer = 0", model=None)  # by now what all answers need is read
    monkeypatch.setattr(Connection, "_answered", noted)
    monkeypatch.setattr(small, "_by_statements", None)
    for query in QUERIES:
        asked.clear()
        facets.list_facets(small, query, model=None)
        assert len(asked) <= 8, (query, asked)


def test_quality_is_the_held_out_one_where_there_is_one(small: n2gdb.Database) -> None:
    names = [facet["name"] for facet in facets.list_facets(small, "neurons", model=None)["facets"]]
    held = any(neuron.heldout_f1 is not None for neuron in small)
    assert ("heldout_f1" in names) == held and ("f1" in names) != held


def test_pictures_that_are_drawn_together_are_those_of_each(small: n2gdb.Database) -> None:
    rows = small.query("neurons LIMIT 40")
    drawn = sketch_rows(small, "neurons LIMIT 40", model=None, limit=50, offset=0)["pictures"]
    assert len(drawn) == len(rows) == 40
    for row, picture in zip(rows, drawn, strict=True):
        neuron = small.neuron(row.neuron, row.model)
        own = thumbnail(neuron)
        assert picture == own.replace(f"<title>{neuron.name}<", f"<title>{neuron.name} of {neuron.model}<")


@pytest.mark.parametrize("metric", list(Metric))
def test_pairs_that_are_asked_for_again_read_only_names_and_are_the_same(
    small_path: Path, metric: Metric
) -> None:
    with n2gdb.open(small_path) as opened, n2gdb.open(small_path) as fresh:
        opened.pairs(metric.value, above=0.9)
        columns = opened._likeness
        columns._table = unread
        assert (
            opened.pairs(metric.value, above=0.3).to_dicts()
            == fresh.pairs(metric.value, above=0.3).to_dicts()
        )
        assert opened._likeness is columns


@pytest.mark.parametrize("metric", list(Metric))
def test_fewer_pairs_are_taken_from_those_that_were_found(
    small_path: Path, metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    with n2gdb.open(small_path) as opened:
        columns, kept = opened._likeness, kept_pairs.KeptPairs(opened._likeness)
        every = kept.find(metric, above=0.2, sharing=1)
        asked: list[dict[str, Any]] = [{"above": 0.2, "sharing": 1}]
        asked += [{"above": each, "sharing": 2} for each in np.unique(every.score)[::7].tolist()]
        asked += [{"above": 0.3, "sharing": 1, "across_layers": True}]
        asked += [{"above": 0.3, "sharing": 3, "model": each.number} for each in opened.models()]
        expected = [similar_pairs(columns, metric, **each) for each in asked]
        assert len({len(each) for each in expected}) > 1 or metric is Metric.COFIRING
        monkeypatch.setattr(kept_pairs, "similar_pairs", unread)
        for each, pairs in zip(asked, expected, strict=True):
            found = kept.find(metric, **each)
            for name in ("left", "right", "score", "size"):
                np.testing.assert_array_equal(getattr(found, name), getattr(pairs, name), str(each))
        monkeypatch.undo()
        with pytest.raises(ArgumentError, match="least similarity"):
            kept.find(metric, above=1.5, sharing=1)


def unread(*asked: object, **named: object) -> Any:
    raise AssertionError((asked, named))


def test_a_server_that_warms_up_has_what_pages_show_first(
    small_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def noted(path: str, find: routes.Find) -> routes.Find:
        def found(database: n2gdb.Database, each: Any) -> Any:
            asked.append(path)
            return find(database, each)

        return found

    for path, (find, kept) in routes.ANSWERS.items():
        monkeypatch.setitem(routes.ANSWERS, path, (noted(path, find), kept))
    with n2gdb.open(small_path) as opened:
        app = make_app(opened, warm=True)
        for _ in range(1200):
            if len(asked) == len(routes.WARM):
                break
            time.sleep(0.05)
        assert asked == [path for path, _ in routes.WARM]
        with TestClient(app, "http://localhost") as client:
            time.sleep(0.2)
            for path, parts in routes.WARM:
                assert client.get(path, params=dict(parts)).status_code == 200
        assert len(asked) == len(routes.WARM)  # they were kept


def test_two_neurons_are_as_alike_as_the_search_finds(small: n2gdb.Database) -> None:
    neurons = list(islice(small, 12))
    told = [compare(small, neurons[first : first + 6])["scores"] for first in (0, 3, 6)]
    assert [len(each) for each in told] == [15, 15, 15]
    shared = 0
    for score in (score for each in told for score in each):
        for metric in ("graph", "tokens", "subset"):
            like = small.similar(score["first"], None, metric)
            searched = next((each.similarity for each in like if str(each.neuron) == score["second"]), 0.0)
            assert score[metric] == pytest.approx(searched, abs=1e-12), (score, metric)
            shared += searched > 0
    assert shared > 0


@pytest.mark.parametrize(
    "query",
    [
        "COUNT neurons",
        "COUNT neurons WHERE f1 > 0.2 OR layer = 1 BY layer",
        "COUNT neurons BY layer, state",
        "COUNT neurons BY f1 / 0.1",
        "COUNT neurons BY n_patterns",
        "COUNT neurons BY heldout_f1",
        "COUNT neurons BY model",
        "COUNT neurons MATCHING /./ BEFORE ... BY activating",
        "COUNT neurons BY context",
        "COUNT neurons MATCHING /./ BY activating",
        "COUNT patterns MATCHING /./ BY activating",
        "COUNT patterns BY layer",
        "AVG f1 OF neurons BY layer",
        "MAX n_patterns OF neurons WHERE layer = 1 BY state",
    ],
)
def test_a_group_leads_to_what_it_counts(small: n2gdb.Database, query: str) -> None:
    told = answer_query(small, query, model=None, limit=50, offset=0)
    assert told["rows"]
    for row in told["rows"]:
        if row["query"] is None:
            assert None in (row.get("group", 0), row.get("layer", 0), row.get("state", 0))
        else:
            assert small.count(row["query"]) == row["count"], row


def test_a_server_answers_by_statements_until_its_columns_are_read(
    small_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks meanwhile does not wait for them."""
    reading, go_on = threading.Event(), threading.Event()

    def slow(*asked: Any) -> Any:
        reading.set()
        assert go_on.wait(60)
        return read_tries(*asked)

    monkeypatch.setattr(columns, "read_tries", slow)
    query = "neurons MATCHING /e/ BEFORE ..."
    with n2gdb.open(small_path) as opened:
        ahead = threading.Thread(target=opened.read_ahead)
        ahead.start()
        assert reading.wait(60)
        meanwhile = [answer_query(opened, query, model=None, limit=50, offset=0)["rows"] for _ in range(3)]
        assert "tries" not in vars(opened._columns)
        go_on.set()
        ahead.join()
        assert opened.session().columns is not None
        assert (
            answer_query(opened, query, model=None, limit=50, offset=0)["rows"]
            == meanwhile[0]
            == meanwhile[2]
        )


def test_the_pictures_of_an_answer_do_not_ask_again(
    small: n2gdb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"model": None, "limit": 3, "offset": 1, "order": "layer desc", "find": None}
    query = "neurons MATCHING ..."
    afresh = sketch_rows(small, query, **asked)
    answer_query(small, query, **asked)
    monkeypatch.setattr(n2gdb.Database, "query", unread)
    assert sketch_rows(small, query, **asked) == afresh
    assert len(afresh["pictures"]) == 3
    with pytest.raises(AssertionError):
        sketch_rows(small, query, **{**asked, "offset": 2})
