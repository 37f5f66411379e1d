"""Questions that end in the engine as nobody waits for them, or are answered once for all who ask."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import n2gdb
from n2gdb.core.deadline import cancelled_by, check_time, within
from n2gdb.errors import QueryCancelledError, QueryTimeoutError
from n2gdb.explorer import make_app, routes
from n2gdb.explorer.asked import Asked
from n2gdb.explorer.kept import KeptAnswers
from tests.storage.test_connection import SLOW


def test_a_statement_ends_when_its_question_is_cancelled(small: n2gdb.Database) -> None:
    event = threading.Event()
    begun = time.monotonic()
    threading.Timer(0.3, event.set).start()
    with cancelled_by(event), within(30), pytest.raises(QueryCancelledError):
        small.connection.rows(SLOW)
    assert 0.2 < time.monotonic() - begun < 15
    check_time()  # the next question is not cancelled
    assert small.count("neurons") == 60


def test_a_browser_that_goes_stops_the_engine(small_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[BaseException] = []

    def slowly(database: n2gdb.Database, _: object) -> Any:
        try:
            return database.connection.rows(SLOW)
        except BaseException as error:
            ended.append(error)
            raise

    monkeypatch.setitem(routes.ANSWERS, "/api/query", (slowly, False))
    with n2gdb.open(small_path) as opened:
        app = make_app(opened, timeout=60.0)
        scope = {
            "type": "http", "http_version": "1.1", "method": "GET", "path": "/api/query", "raw_path": b"",
            "query_string": b"q=neurons", "headers": [(b"host", b"localhost")], "scheme": "http",
            "server": ("localhost", 80), "client": ("localhost", 1), "root_path": "",
        }  # fmt: skip
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await asyncio.sleep(0.4)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            pass

        begun = time.monotonic()

        async def whole() -> None:
            await app(scope, receive, send)

        with ThreadPoolExecutor(1) as apart:  # a loop of the browser may run in this thread
            apart.submit(lambda: asyncio.run(whole())).result()
        assert time.monotonic() - begun < 30  # of the 60 s that it might take
        for _ in range(100):
            if ended:
                break
            time.sleep(0.05)
        assert isinstance(ended[0], QueryCancelledError)
        assert opened.count("neurons") == 60


def test_a_server_says_what_it_serves_and_that_its_file_has_changed(small_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.n2gdb"
    path.write_bytes(small_path.read_bytes())
    with (
        n2gdb.open(path) as opened,
        TestClient(make_app(opened), "http://localhost") as first,
        TestClient(make_app(opened), "http://localhost") as second,
    ):
        told, other = first.get("/api/server"), second.get("/api/server")
        assert told.json()["changed"] is False
        assert told.headers["N2gdb-Server"] == told.json()["server"] != other.json()["server"]
        assert told.json()["server"].split(".")[0] == other.json()["server"].split(".")[0]
        path.touch()
        assert first.get("/api/server").json()["changed"] is True


ONE, OTHER = Asked((("q", "one"),)), Asked((("q", "other"),))


class Slow:
    """Makes answers, as slowly as it is let."""

    def __init__(self) -> None:
        self.made: list[Asked] = []
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, asked: Asked) -> bytes:
        self.made.append(asked)
        self.begun.set()
        assert self.may_end.wait(20)
        return repr(asked).encode()


@pytest.fixture
def slow() -> Slow:
    return Slow()


def started(ask: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_who_asks_for_what_is_being_made_waits_for_it(slow: Slow) -> None:
    kept, answers = KeptAnswers(slow, 8), list[bytes]()
    threads = [started(lambda: answers.append(kept(ONE))) for _ in range(3)]
    assert slow.begun.wait(20)
    slow.may_end.set()
    for thread in threads:
        thread.join(20)
    assert (len(answers), len(set(answers)), slow.made) == (3, 1, [ONE])
    assert kept(OTHER) != answers[0]
    assert slow.made == [ONE, OTHER]


def test_who_waits_ends_with_its_time_or_when_it_is_cancelled(slow: Slow) -> None:
    kept, event = KeptAnswers(slow, 8), threading.Event()
    first = started(lambda: kept(ONE))
    assert slow.begun.wait(20)
    with within(0.2), pytest.raises(QueryTimeoutError):
        kept(ONE)
    event.set()
    with cancelled_by(event), pytest.raises(QueryCancelledError):
        kept(ONE)
    slow.may_end.set()
    first.join(20)
    assert slow.made == [ONE]
    assert kept(ONE)


def test_the_latest_are_kept_and_what_failed_is_made_anew() -> None:
    made: list[Asked] = []

    def make(asked: Asked) -> bytes:
        made.append(asked)
        if len(made) == 1:
            raise QueryTimeoutError("too slow")
        return b"made"

    kept = KeptAnswers(make, 1)
    with pytest.raises(QueryTimeoutError):
        kept(ONE)
    assert [kept(each) for each in (ONE, ONE, OTHER, ONE)] == [b"made"] * 4
    assert made == [ONE, ONE, OTHER, ONE]
