"""Notes: kept in their own file, changed only by a page of the server, whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import n2gdb
from n2gdb.errors import N2gdbError, QueryError, StorageError
from n2gdb.explorer import make_app
from n2gdb.explorer.notes import Notes
from tests.support.cli_world import build_cli_world


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    with n2gdb.open(build_cli_world(tmp_path_factory.mktemp("notes"))) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kept.json"


@pytest.fixture
def client(database: n2gdb.Database, file: Path) -> Iterator[TestClient]:
    with TestClient(make_app(database, notes=file), "http://localhost") as made:
        yield made


def token_of(client: TestClient) -> str:
    found = re.search(r'name="n2gdb-token" content="([^"]+)"', client.get("/").text)
    assert found is not None
    return found[1]


def change(client: TestClient, what: Any, **headers: str) -> Any:
    return client.post("/api/notes", json=what, headers={"N2gdb-Token": token_of(client), **headers})


NOTE = {"neuron": "world/L4N358", "note": "an idiom", "labels": ["idiom", "idiom", "<b>"]}


def test_a_note_and_a_list_are_kept_and_forgotten(client: TestClient, file: Path) -> None:
    assert client.get("/api/notes").json()["neurons"] == {}
    assert change(client, NOTE).status_code == 200
    kept = client.get("/api/notes").json()
    assert kept["neurons"]["world/L4N358"]["labels"] == ["idiom", "<b>"]
    assert (kept["writable"], kept["file"]) == (True, "kept.json")
    assert change(client, {"list": "a", "neurons": ["world/L4N358"]}).json()["lists"] == {
        "a": ["world/L4N358"]
    }
    assert json.loads(file.read_text(encoding="utf-8"))["version"] == 1
    assert change(client, {"list": "a", "neurons": []}).json()["lists"] == {}
    assert change(client, {"neuron": "world/L4N358", "note": " ", "labels": []}).json()["neurons"] == {}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"N2gdb-Token": ""}, 403),
        ({"N2gdb-Token": "other"}, 403),
        ({"N2gdb-Token": "\u00e9"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_only_a_page_of_the_server_changes_notes(
    client: TestClient, file: Path, headers: dict[str, str], status: int
) -> None:
    given = {"N2gdb-Token": token_of(client), "Content-Type": "application/json", **headers}
    sent = {name: value.encode("latin-1") for name, value in given.items()}
    listed = [(name.encode(), value) for name, value in sent.items()]
    response = client.post("/api/notes", content=json.dumps(NOTE), headers=listed)
    assert response.status_code == status
    assert not file.exists()


@pytest.mark.parametrize(
    "body",
    [
        *("", "[]", "null", "{", '{"a": 1}', '{"neuron": 3}', '{"neuron": ""}', '{"neuron": "a", "note": 3}'),
        *(
            '{"neuron": "a", "labels": "b"}',
            '{"neuron": "a", "labels": [""]}',
            '{"list": "a", "neurons": [3]}',
        ),
        *('{"neuron": "' + "a" * 300 + '"}', '{"neuron": "a", "note": "' + "b" * 10_001 + '"}', "[" * 50_000),
    ],
    ids=lambda body: body[:30],
)
def test_what_is_no_change_is_refused_in_one_line(client: TestClient, file: Path, body: str) -> None:
    headers = {"N2gdb-Token": token_of(client), "Content-Type": "application/json"}
    response = client.post("/api/notes", content=body, headers=headers)
    assert response.status_code == 400
    assert "\n" not in response.json()["error"]["message"]
    assert not file.exists()


def test_a_change_that_is_too_long_is_refused(client: TestClient) -> None:
    assert change(client, {"neuron": "a", "note": "b" * 300_000}).status_code == 413


def test_every_server_has_a_token_of_its_own(database: n2gdb.Database, client: TestClient) -> None:
    with TestClient(make_app(database), "http://localhost") as other:
        assert token_of(other) != token_of(client)


def test_a_damaged_file_is_left_as_it_is(client: TestClient, file: Path) -> None:
    for text in ("{", "[]", '{"version": 2, "neurons": {}, "lists": {}}', '{"version": 1, "neurons": []}'):
        file.write_text(text, encoding="utf-8")
        assert client.get("/api/notes").status_code == 400
        assert change(client, NOTE).status_code == 400
        assert file.read_text(encoding="utf-8") == text


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "nowhere" / "notes.json")
    assert not notes.is_writable
    assert notes.read()["neurons"] == {}
    with pytest.raises(N2gdbError, match="read-only"):
        notes.change(NOTE)


def test_two_servers_share_a_file(file: Path) -> None:
    first, second = Notes(file), Notes(file)
    first.change(NOTE)
    second.change({"neuron": "world/L4N12", "note": "another"})
    assert set(first.read()["neurons"]) == {"world/L4N358", "world/L4N12"}
    with pytest.raises(QueryError):
        first.change({})
    file.write_bytes(b"\xff")
    with pytest.raises(StorageError):
        first.read()


def test_texts_of_every_kind_are_kept(file: Path) -> None:
    notes = Notes(file)
    for text in ("\u202eabc", "🙂" * 50, "<script>", "\0", "\ud800", "a\nb"):
        notes.change({"neuron": "world/L4N12", "note": text})
        assert notes.read()["neurons"]["world/L4N12"]["note"] in (text, text.replace("\ud800", "?"))
