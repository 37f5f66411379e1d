"""What the explorer owes to whoever asks: its own pages alone, in time, whole answers in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import n2gdb
from n2gdb.core.deadline import cancelled_by, check_time
from n2gdb.explorer import app as app_module
from n2gdb.explorer import make_app, routes, turns
from n2gdb.explorer.plain import exact
from tests.storage.test_connection import SLOW
from tests.support.cli_world import build_cli_world

FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:1234"},
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    with n2gdb.open(build_cli_world(tmp_path_factory.mktemp("explorer"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(database: n2gdb.Database) -> Iterator[TestClient]:
    with TestClient(make_app(database), "http://localhost") as made:
        yield made


@pytest.fixture
def sixty(small: n2gdb.Database) -> Iterator[TestClient]:
    with TestClient(make_app(small), "http://localhost") as made:
        yield made


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/api/query?q=neurons", "/api/neuron/L4N358/graph.svg", "/static/app.js"])
def test_requests_of_other_sites_are_refused(client: TestClient, headers: dict[str, str], path: str) -> None:
    response = client.get(path, headers=headers)
    assert response.status_code == 403
    assert "not those of another site" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec-fetch-site": "none"}, {"sec-fetch-site": "same-origin"}, {"origin": "http://localhost"}],
    ids=str,
)
def test_its_own_pages_and_programs_are_answered(client: TestClient, headers: dict[str, str]) -> None:
    assert client.get("/api/query?q=neurons", headers=headers).status_code == 200


def test_another_site_may_link_to_a_page(client: TestClient) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client.get("/neuron/L4N358", headers=link).status_code == 200
    framed = link | {"sec-fetch-dest": "iframe"}
    assert client.get("/neuron/L4N358", headers=framed).status_code == 403


def test_large_whole_numbers_are_exact() -> None:
    largest = 2**63 - 1
    plain = {"a": [1, largest, -largest, 2**53 - 1, 2**53], "b": {"c": True, "d": None, "e": 0.5, "f": "x"}}
    assert exact(plain) == {
        "a": [1, {"integer": str(largest)}, {"integer": str(-largest)}, 2**53 - 1, {"integer": str(2**53)}],
        "b": {"c": True, "d": None, "e": 0.5, "f": "x"},
    }


def test_what_is_explained_runs_as_raw_cypher(client: TestClient, database: n2gdb.Database) -> None:
    query = "neurons MATCHING 'the' BEFORE 'other'"
    stages = client.get("/api/explain", params={"q": query}).json()["stages"]
    (stage,) = [stage for stage in stages if stage["cypher"] and stage["rows"] is None]
    tagged = [value for value in stage["parameters"].values() if isinstance(value, dict)]
    assert tagged, "a key of 63 bits stands among the parameters"
    shown = {
        name: value["integer"] if isinstance(value, dict) else json.dumps(value)
        for name, value in stage["parameters"].items()
    }
    arguments = [part for name, value in shown.items() for part in ("--param", f"{name}={value}")]
    run = [sys.executable, "-c", "from n2gdb.cli.main import run; run()"]
    done = subprocess.run(
        [*run, "cypher", stage["cypher"], *arguments, "--json", "--db", str(database.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(json.loads(done.stdout)) == database.count(query) == 3


def ranked(client: TestClient, query: str, order: str, size: int = 50) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        told = client.get(
            "/api/query", params={"q": query, "order": order, "limit": size, "offset": len(rows)}
        ).json()
        rows += told["rows"]
        if not told["rows"] or len(rows) >= told["total"]:
            return rows


@pytest.mark.parametrize("order", ["f1", "f1 desc", "neuron", "neuron desc", "n_patterns desc", "state"])
@pytest.mark.parametrize(
    "query", ["neurons", "neurons ORDER BY recall", "patterns", "neurons LIMIT 55 OFFSET 3"]
)
def test_the_whole_answer_is_sorted(sixty: TestClient, query: str, order: str) -> None:
    every = ranked(sixty, query, order)
    assert len(every) > 50
    column, _, falls = order.partition(" ")

    def place(row: dict[str, Any]) -> Any:
        return (row["layer"], row["index"]) if column == "neuron" else row[column]

    values = [place(row) for row in every]
    known = [value for value in values if value is not None]
    assert values == [*sorted(known, reverse=bool(falls)), *[None] * (len(values) - len(known))]
    unsorted = [
        row["neuron"] for row in sixty.get("/api/query", params={"q": query, "limit": 200}).json()["rows"]
    ]
    if len(every) <= 200:
        assert sorted(row["neuron"] for row in every) == sorted(unsorted)


def test_an_order_that_there_is_not_is_refused(sixty: TestClient) -> None:
    for order, said in (
        ("path", "cannot be ordered by path"),
        ("f1 up", "not a direction"),
        ("f1; DROP", "not a direction"),
    ):
        response = sixty.get("/api/query", params={"q": "neurons", "order": order})
        assert response.status_code == 400
        assert said in response.json()["error"]["message"]


def test_a_request_has_one_deadline(small_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def statements(database: n2gdb.Database, _: object) -> object:
        for _ in range(400):
            database.connection.rows("MATCH (n:Neuron) RETURN n.id")
            time.sleep(0.05)
        return {}

    def one(database: n2gdb.Database, _: object) -> object:
        return database.connection.rows(SLOW)

    monkeypatch.setitem(routes.ANSWERS, "/api/statements", (statements, False))
    monkeypatch.setitem(routes.ANSWERS, "/api/one", (one, False))
    with (
        n2gdb.open(small_path) as opened,
        TestClient(make_app(opened, timeout=0.5), "http://localhost") as app,
    ):
        for path in ("/api/statements", "/api/one"):
            started = time.monotonic()
            response = app.get(path)
            assert response.status_code == 503
            assert "limit of 0.5 s" in response.json()["error"]["message"]
            assert time.monotonic() - started < 10


def test_slow_requests_do_not_stop_the_others(small_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over = threading.Event(), threading.Event()

    def slowly(database: n2gdb.Database, _: object) -> object:
        begun.set()
        with cancelled_by(over):
            return database.connection.rows(SLOW)

    monkeypatch.setitem(routes.ANSWERS, "/api/query", (slowly, False))
    with (
        n2gdb.open(small_path) as opened,
        TestClient(make_app(opened, timeout=60.0), "http://localhost") as app,
        ThreadPoolExecutor(16) as pool,
    ):
        slow = [pool.submit(app.get, f"/api/query?q=neurons&offset={number}") for number in range(4)]
        try:
            assert begun.wait(60)
            assert app.get("/api/neuron/L0N1").status_code == 200
            assert app.get("/api/explain?q=neurons").status_code == 200
            assert not any(each.done() for each in slow)
        finally:
            over.set()
        assert not {each.result().status_code for each in slow} & {200, 500}


def test_questions_that_come_together_each_have_all_of_their_time(
    small_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few are answered at once; eight at once would each be slowed down by seven."""
    running, most = 0, 0
    lock = threading.Lock()

    def slowly(database: n2gdb.Database, _: object) -> object:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            for _ in range(20):
                check_time()
                time.sleep(0.05)
        finally:
            with lock:
                running -= 1
        return {"rows": []}

    monkeypatch.setitem(routes.ANSWERS, "/api/query", (slowly, False))
    with (
        n2gdb.open(small_path) as opened,
        TestClient(make_app(opened, timeout=15.0), "http://localhost") as app,
        ThreadPoolExecutor(16) as pool,
    ):
        asked = [pool.submit(app.get, f"/api/query?q=neurons&offset={number}") for number in range(8)]
        assert [each.result().status_code for each in asked] == [200] * 8
    assert most <= max(2, (os.cpu_count() or 1) // 4) + 2  # two of them are tried for a moment


def test_who_waits_too_long_is_told_so(small_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def slowly(database: n2gdb.Database, _: object) -> object:
        begun.set()
        return database.connection.rows(SLOW)

    monkeypatch.setitem(routes.ANSWERS, "/api/query", (slowly, False))
    monkeypatch.setattr(turns, "_LONGEST_WAIT", 1.0)
    monkeypatch.setattr(app_module, "_QUESTIONS_AT_ONCE", 1)
    with (
        n2gdb.open(small_path) as opened,
        TestClient(make_app(opened, timeout=6.0), "http://localhost") as app,
        ThreadPoolExecutor(4) as pool,
    ):
        first = pool.submit(app.get, "/api/query?q=neurons")
        assert begun.wait(60)
        second = app.get("/api/query?q=neurons")
        assert not first.done()
        assert second.status_code == 503
        assert "the server is busy with other questions" in second.json()["error"]["message"]
        assert "limit of 6 s" in first.result().json()["error"]["message"]


def found(client: TestClient, query: str, **asked: str | int) -> tuple[list[dict[str, Any]], int]:
    told = client.get("/api/query", params={"q": query, "limit": 200, **asked}).json()
    return told["rows"], told["total"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("neurons", "n1"),
        ("neurons", "L2N19"),
        ("neurons ORDER BY f1", "l1"),
        ("neurons LIMIT 55 OFFSET 3", "L2"),
        ("neurons MATCHING ...", "The"),
        ("patterns", "dog"),
        ("patterns LIMIT 70", "· the"),
        ("tokens ACTIVATING L0N1", "e"),
        ("neurons RETURN neuron, state, n_patterns", "LIVE"),
        ("neurons RETURN neuron, n_patterns, f1", "0."),
    ],
)
def test_a_text_is_looked_for_in_the_whole_answer(sixty: TestClient, query: str, text: str) -> None:
    every: list[dict[str, Any]] = []
    while len(every) < found(sixty, query)[1]:
        every += found(sixty, query, offset=len(every))[0]

    def said(row: dict[str, Any]) -> str:
        steps = [step for each in row.get("evidence", []) for step in each["path"]["steps"]]
        steps += row["path"]["steps"] if isinstance(row.get("path"), dict) else []
        shown = [row.get("neuron", ""), row.get("shown", ""), " ".join(step["shown"] for step in steps)]
        asked = ("state", "n_patterns") if "RETURN" in query else ("activation",)
        return "|".join([*shown, *(str(row[name]) for name in asked if name in row)]).casefold()

    wanted = [row for row in every if text.casefold() in said(row)]
    rows, total = found(sixty, query, find=text)
    assert (rows, total) == (wanted[:200], len(wanted))
    if total > 2:
        assert found(sixty, query, find=text, offset=1, limit=1) == (wanted[1:2], total)
    assert found(sixty, query, find="no row says this") == ([], 0)


def test_what_is_found_is_sorted(sixty: TestClient) -> None:
    for query in ("neurons", "neurons LIMIT 55 OFFSET 3"):
        rows, _ = found(sixty, query, find="L1N", order="f1 desc")
        scores = [row["f1"] for row in rows if row["f1"] is not None]
        assert len(scores) > 10
        assert scores == sorted(scores, reverse=True)
        assert {row["layer"] for row in rows} == {1}


@pytest.mark.parametrize(
    "path", ["/neuron/L9N9", "/neuron/l4n358", "/neuron/L4N358?most=9", "/compare", "/nowhere"]
)
def test_nothing_is_fetched_ahead_that_a_page_may_not_ask_for(client: TestClient, path: str) -> None:
    assert "link" not in client.get(path).headers


def test_what_a_page_asks_first_is_fetched_beside_its_script(client: TestClient) -> None:
    links = client.get("/neuron/L4N358").headers["link"]
    addresses = [each.partition(">")[0][1:] for each in links.split(", ")]
    assert len(addresses) == 4
    assert all(client.get(address).status_code == 200 for address in addresses)
