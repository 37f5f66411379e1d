"""The explorer's server: what each address answers, what it refuses, and what a browser may do with it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

import n2gdb
from n2gdb.explorer import layers, make_app
from n2gdb.explorer.routes import ANSWERS, PICTURES
from tests.support.cli_world import build_cli_world

HOSTILE = [
    "'",
    '"',
    "\\",
    "\0",
    "{}",
    "$x",
    "<script>alert(1)</script>",
    "\u202eabc",
    "🙂" * 300,
    "a" * 9_000,
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    with n2gdb.open(build_cli_world(tmp_path_factory.mktemp("explorer"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(database: n2gdb.Database) -> Iterator[TestClient]:
    with TestClient(make_app(database), "http://localhost") as made:
        yield made


def told(client: TestClient, path: str, **parameters: Any) -> Any:
    response = client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def refused(client: TestClient, path: str, status: int, **parameters: Any) -> dict[str, Any]:
    response = client.get(path, params=parameters)
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    return error


def test_a_database_says_what_it_holds_and_offers_questions_that_it_answers(client: TestClient) -> None:
    found = told(client, "/api/database")
    assert [(each["name"], each["neurons"]) for each in found["models"]] == [("world", 7)]
    questions = told(client, "/api/questions")["examples"]
    assert len(questions) >= 4
    for question in questions:
        assert told(client, "/api/query", q=question["query"])["total"] > 0


def test_neurons_come_with_the_steps_that_the_query_names(client: TestClient) -> None:
    found = told(client, "/api/query", q="neurons MATCHING 'the' BEFORE 'other'")
    assert (found["kind"], found["total"]) == ("neurons", 3)
    assert found["columns"] == ["neuron", "heldout_f1", "heldout_firings", "activation", "path"]
    steps = found["rows"][0]["evidence"][0]["path"]["steps"]
    assert [(step["shown"], step["matched"]) for step in steps] == [("·the", True), ("·other", True)]


@pytest.mark.parametrize(
    ("query", "kind", "first"),
    [
        ("patterns MATCHING ... BEFORE 'end' ORDER BY activation DESC", "patterns", {"neuron": "L3N45"}),
        ("tokens ACTIVATING L4N12", "tokens", {"token": " other", "shown": "·other"}),
        ("COUNT neurons MATCHING 'other' BY layer", "counts", {"group": 1, "count": 1}),
        ("COUNT neurons BY state", "counts", {"group": "dead", "shown": "dead"}),
        ("EXPLAIN neurons MATCHING 'the'", "stages", {"rows": None}),
    ],
)
def test_every_kind_of_answer(client: TestClient, query: str, kind: str, first: dict[str, Any]) -> None:
    found = told(client, "/api/query", q=query)
    assert found["kind"] == kind
    assert first.items() <= found["rows"][0].items()


def test_an_answer_is_read_in_parts_within_its_own_limit(client: TestClient) -> None:
    whole = [row["neuron"] for row in told(client, "/api/query", q="neurons ORDER BY layer")["rows"]]
    assert len(whole) == 7
    query = "neurons ORDER BY layer LIMIT 5 OFFSET 1"
    parts = [told(client, "/api/query", q=query, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [[row["neuron"] for row in part["rows"]] for part in parts] == [
        whole[1:3],
        whole[3:5],
        whole[5:6],
        [],
    ]
    assert {part["total"] for part in parts} == {5}
    assert told(client, "/api/query", q="neurons OFFSET 5", limit=1)["total"] == 2
    assert told(client, "/api/query", q="neurons LIMIT 0")["rows"] == []


def test_a_mistake_is_shown_where_it_stands(client: TestClient) -> None:
    error = refused(client, "/api/query", 400, q="neurons MATCHING 'the' BEFORE")
    assert (error["line"], error["column"]) == (1, 30)
    checked = told(client, "/api/check", q="neurons\n WHERE f2 > 1")["error"]
    assert (checked["line"], checked["column"]) == (2, 8)
    assert "f1" in checked["message"]
    assert told(client, "/api/check", q="neurons MATCHING 'the'") == {}
    assert told(client, "/api/check", q="  ") == {}


def test_what_may_stand_at_a_place_is_offered(client: TestClient) -> None:
    found = told(client, "/api/complete", q="neurons MATCHING 'oth AND f1 > 1", at=21)
    assert found["from"] == 18
    assert {"text": "other'", "shown": "other", "kind": "token"} in found["items"]
    found = told(client, "/api/complete", q="neurons WHERE poly")
    assert found["from"] == 14
    assert found["items"] == [{"text": "polysemy", "shown": "polysemy", "kind": "field"}]
    found = told(client, "/api/complete", q="neurons SIMILAR TO L4N1")
    assert [each["text"] for each in found["items"]] == ["L4N12", "L4N137"]


def test_a_query_is_explained_with_its_cypher(client: TestClient) -> None:
    stages = told(client, "/api/explain", q="neurons MATCHING 'the'")["stages"]
    assert any(stage["cypher"] and "MATCH" in stage["cypher"] for stage in stages)


def test_a_neuron_has_figures_and_neighbours(client: TestClient) -> None:
    found = told(client, "/api/neuron/L4N137")
    assert (found["neuron"], found["previous"], found["next"]) == ("L4N137", "L4N12", "L4N358")
    assert found["polysemy"] == 1
    assert found["python"].endswith(".neuron('L4N137')")
    assert "fires on" in found["measured"]
    dead = told(client, "/api/neuron/L5N3")
    assert (dead["f1"], dead["previous"], dead["next"]) == (None, None, None)
    assert dead["measured"].startswith("Its graph is not judged")


def test_a_neuron_has_patterns_examples_and_likes(client: TestClient) -> None:
    patterns = told(client, "/api/neuron/L4N358/patterns", limit=2, offset=1)
    assert (patterns["total"], len(patterns["patterns"])) == (3, 2)
    assert patterns["patterns"][0]["path"]["text"] == "·an · ·other"
    examples = told(client, "/api/neuron/L4N358/examples", limit=1)
    (example,) = examples["examples"]
    assert example["tokens"][example["pivot"]]["true"] == 1.0
    rows = told(client, "/api/neuron/L4N137/similar", metric="tokens")["rows"]
    assert all(0 < len(row["fires_on"]) <= 4 for row in rows)
    assert rows[0]["neuron"] == "L4N12"
    assert "metric" in refused(client, "/api/neuron/L4N137/similar", 400, metric="taste")["message"]


def test_a_neuron_comes_with_its_evidence_its_record_and_its_quality(
    client: TestClient, database: n2gdb.Database
) -> None:
    found, neuron = told(client, "/api/neuron/L4N358"), database.neuron("L4N358")
    assert neuron.quality is not None and neuron.histogram is not None
    assert found["quality"]["f1"] == neuron.quality.f1 == found["heldout_f1"]
    assert found["quality"]["text"] == "on held-out text"
    assert [each["place"] for each in found["excited_by"]] == [each.place for each in neuron.excited_by]
    assert found["histogram"]["counts"] == list(neuron.histogram.counts)
    assert found["measured"].startswith("On text that was kept out of everything")
    shown = told(client, "/api/neuron/L4N358/examples", limit=1)
    assert shown["bands"] == ["top", "0.75", "0.5", "0.25", "near"]
    assert [each["band"] for each in shown["examples"]] == ["top"]
    for band in shown["bands"]:
        of_band = told(client, "/api/neuron/L4N358/examples", band=band)
        assert {each["band"] for each in of_band["examples"]} == {band}
        assert of_band["total"] == len(of_band["examples"]) == len(neuron.examples(band))
    patterns = told(client, "/api/neuron/L4N358/patterns")["patterns"]
    assert [each["support"] for each in patterns] == [each.support for each in neuron.patterns()]


def test_a_text_is_read_as_it_is_typed(client: TestClient, database: n2gdb.Database) -> None:
    tokens = told(client, "/api/neuron/L4N358/predict", text="on the other")["tokens"]
    read = database.neuron("L4N358").read("on the other").as_dicts()
    assert [each["predicted"] for each in tokens] == [each["predicted"] for each in read]
    assert tokens[-1]["fires"] == {"true": False, "predicted": read[-1]["predicted"] >= 0.5}
    assert (tokens[-1]["pattern"], tokens[-1]["at"]) == (read[-1]["pattern"], read[-1]["at"])


def test_pictures_are_whole_and_kept_by_the_browser(client: TestClient) -> None:
    for path in ("/api/neuron/L4N358/graph.svg", "/api/neuron/L4N358/thumbnail.svg"):
        response = client.get(path)
        assert response.headers["content-type"].startswith("image/svg+xml")
        assert ElementTree.fromstring(response.text).tag.endswith("svg")
        again = client.get(path, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.text) == (304, "")
    pair = client.get("/api/compare.svg", params={"first": "L4N12", "second": "L4N137"})
    assert pair.status_code == 200
    assert "shared" in pair.text
    refused(client, "/api/compare.svg", 400, first="L4N12")


def test_a_neuron_is_saved_as_the_command_line_prints_it(client: TestClient) -> None:
    saved = told(client, "/api/neuron/L4N358/graph.json")
    assert [len(pattern["steps"]) for pattern in saved["patterns"]] == [2, 2, 2]


def test_a_layer_and_a_model_are_described(client: TestClient) -> None:
    layer = told(client, "/api/layer/4")
    assert (layer["neurons"], sum(each["neurons"] for each in layer["polysemy"])) == (3, 3)
    assert sum(each["neurons"] for each in layer["f1"]) <= 3
    assert layer["tokens"][0]["shown"] == "·other"
    assert told(client, "/api/query", q=layer["tokens"][0]["query"])["total"] == layer["tokens"][0]["neurons"]
    model = told(client, "/api/model")
    assert [row["layer"] for row in model["table"] if row["predictor"] == "n2g"][-1] is None
    assert "layer 9" in refused(client, "/api/layer/9", 404)["message"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/neuron/L9N1", 404),
        ("/api/neuron/L4N999999", 404),
        ("/api/neuron/nonsense", 404),
        ("/api/neuron/L4N12?model=other", 404),
        ("/api/query?q=neurons&limit=-1", 400),
        ("/api/query?q=neurons&offset=99999999999999999999", 400),
        ("/api/query?q=neurons%20IN%20MODEL%20'other'", 404),
        ("/api/neuron/L4N12/predict?text=" + "a" * 5_000, 400),
    ],
)
def test_what_is_not_there_or_too_much_is_refused_in_one_line(
    client: TestClient, path: str, status: int
) -> None:
    response = client.get(path)
    assert response.status_code == status, response.text
    assert "Traceback" not in response.text
    assert response.json()["error"]["message"]


def test_nothing_can_be_written(client: TestClient) -> None:
    every = (*ANSWERS, *PICTURES, "/api/neuron/{name}/true", "/api/server")
    paths = [path.replace("{layer:int}", "4").replace("{name}", "L4N12") for path in every]
    for path in ["/", *paths]:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert client.request(method, path).status_code == 405
    assert "no field" in refused(client, "/api/query", 400, q="neurons WHERE cypher = 1")["message"]
    refused(client, "/api/query", 400, q="MATCH (n) DETACH DELETE n")


def test_hostile_texts_are_answered_or_refused(client: TestClient) -> None:
    for text in HOSTILE:
        for path, name in (
            ("/api/query", "q"),
            ("/api/check", "q"),
            ("/api/complete", "q"),
            ("/api/explain", "q"),
            ("/api/neuron/L4N12/predict", "text"),
            ("/api/neuron/L4N12", "model"),
            ("/api/neuron/L4N12/similar", "metric"),
            ("/api/layer/4", "model"),
        ):
            response = client.get(path, params={name: text})
            assert response.status_code in (200, 400, 404), (path, text, response.text)
            assert response.headers["content-type"] == "application/json"
        quoted = json.dumps(text[:200])
        assert client.get("/api/query", params={"q": f"neurons MATCHING {quoted}"}).status_code in (200, 400)


def test_every_answer_tells_the_browser_what_it_may_do(client: TestClient) -> None:
    for path in ("/", "/neuron/L4N12", "/api/database", "/api/nothing", "/static/app.js", "/api/layer/x"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    picture = client.get("/api/neuron/L4N12/graph.svg").headers["content-security-policy"]
    assert picture == "default-src 'none'; style-src 'unsafe-inline'"


def test_pages_are_the_shell_and_files_stay_inside(client: TestClient) -> None:
    shell = client.get("/").text
    assert re.search(r'<script type="module" src="/static/[0-9a-f]{12}/app.js">', shell)
    pages = ("/neuron/L4N12", "/layer/3", "/model", "/compare/L4N12/L4N137", "/compare", "/pairs", "/notes")
    for page in (*pages, "/help", "/trajectories/L4N12"):
        assert client.get(page).text == shell
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/nothing"):
        assert client.get(path).status_code == 404


def test_files_are_kept_by_the_browser_as_long_as_their_content_stays(client: TestClient) -> None:
    shell = client.get("/").text
    addresses = re.findall(r'"(/static/[^"]+)"', shell)
    assert len(addresses) == 2
    for address in addresses:
        kept = client.get(address)
        assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
        other = client.get(re.sub(r"/[0-9a-f]{12}/", "/000000000000/", address))
        assert (other.headers["cache-control"], other.text) == ("no-cache", kept.text)
    assert client.get("/").headers["cache-control"] == "no-store"


def test_what_the_script_asks_for_later_lies_beside_it(client: TestClient) -> None:
    shell = client.get("/").text
    beside = re.search(r'src="(/static/[0-9a-f]{12}/)app.js"', shell)
    assert beside is not None
    script = client.get(f"{beside[1]}app.js").text
    (charts,) = set(re.findall(r'"\./(charts-[\w]+\.js)"', script))
    kept = client.get(beside[1] + charts)
    assert kept.status_code == 200
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("taken", "sent"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("identity", None),
        ("", None),
    ],
)
def test_files_come_in_an_encoding_that_the_browser_takes(
    client: TestClient, taken: str, sent: str | None
) -> None:
    plain = client.get("/static/app.css", headers={"accept-encoding": "identity"}).content
    with client.stream("GET", "/static/app.css", headers={"accept-encoding": taken}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == sent
    assert answer.headers["vary"] == "Accept-Encoding"
    assert (len(raw) < len(plain)) == (sent is not None)


def test_a_page_is_told_what_the_database_holds(client: TestClient) -> None:
    held = re.search(r'name="n2gdb-database" content="([^"]*)"', client.get("/layer/3").text)
    assert held is not None
    assert json.loads(unescape(held[1])) == told(client, "/api/database")


def test_what_is_sent_is_compressed_where_the_browser_takes_it(client: TestClient) -> None:
    for path in ("/static/app.js", "/api/neuron/L4N358/examples", "/api/neuron/L4N358/graph.svg"):
        packed = client.get(path, headers={"accept-encoding": "gzip"})
        plain = client.get(path, headers={"accept-encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.text == plain.text


def test_another_host_is_refused_unless_it_was_asked_for(database: n2gdb.Database) -> None:
    hosts = ["localhost", "localhost:80", "127.0.0.1:8765", "[::1]:8765"]
    with TestClient(make_app(database), "http://localhost") as local:
        for host in hosts:
            assert local.get("/api/database", headers={"Host": host}).status_code == 200
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8765", ""):
            assert local.get("/api/database", headers={"Host": host}).status_code == 421
    with TestClient(make_app(database, host=None), "http://localhost") as anyone:
        assert anyone.get("/api/database", headers={"Host": "lab.example"}).status_code == 200


def test_a_fault_of_the_server_is_told_like_any_refusal(
    database: n2gdb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "describe_database", lambda database: 1 / 0)
    with TestClient(make_app(database), "http://localhost", raise_server_exceptions=False) as app:
        response = app.get("/api/database")
    assert response.status_code == 500
    assert "failed to answer" in response.json()["error"]["message"]
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_a_request_that_takes_too_long_is_given_up(small_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("n2gdb.explorer.turns._PATIENCE", 0.0)
    waiting = threading.Event()
    monkeypatch.setattr(layers, "describe_database", lambda database: waiting.wait(20))
    with (
        n2gdb.open(small_path) as opened,
        TestClient(make_app(opened, timeout=2.0), "http://localhost") as app,
    ):
        start = time.monotonic()
        assert "too long" in refused(app, "/api/database", 503)["message"]
        assert time.monotonic() - start < 10
        assert told(app, "/api/query", q="neurons")["total"] == 60
        waiting.set()


def test_many_may_ask_at_once(client: TestClient) -> None:
    paths = ["/api/query?q=neurons%20MATCHING%20'the'", "/api/neuron/L4N358", "/api/neuron/L4N358/graph.svg"]
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda place: client.get(paths[place % 3]), range(60)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers[1::3]}) == 1
