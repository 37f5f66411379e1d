"""The explorer's application: access, time limits, and security headers."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from n2gdb.core.deadline import cancelled_by, within
from n2gdb.database import Database
from n2gdb.errors import N2gdbError, QueryCancelledError, QueryError, QueryTimeoutError, UnknownNameError
from n2gdb.explorer.asked import Asked
from n2gdb.explorer.assets import encoded, read_assets
from n2gdb.explorer.layers import describe_database
from n2gdb.explorer.notes import Notes
from n2gdb.explorer.plain import exact, plain_error
from n2gdb.explorer.routes import ANSWERS, PICTURES, QUESTIONS, Draw, Find, own_answers
from n2gdb.explorer.truth import ModelRunner
from n2gdb.explorer.turns import Turns
from n2gdb.version import __version__

__all__ = ["make_app"]

_PAGES = (
    *("/", "/neuron/{name}", "/layer/{layer:int}", "/model", "/compare/{first}/{second}", "/compare"),
    *("/pairs", "/notes", "/trajectories/{name}", "/help"),
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

#: Requests that are answered at once: others wait for their turn. Questions have their own, as slow ones
#: would keep every page waiting; the engine takes several cores for each.
_PAGES_AT_ONCE, _QUESTIONS_AT_ONCE = 4, max(2, (os.cpu_count() or 1) // 4)

#: Answers of each kind that are kept.
_KEPT = 1000

#: Seconds for the model, which may have to be loaded first.
_MODEL_TIMEOUT = 300.0

#: Bytes of a change to the notes.
_LARGEST_CHANGE = 200_000

#: What a request is answered with that was given up by whoever asked; nobody reads it.
_GIVEN_UP = 499

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
#: A picture styles itself, and does nothing else.
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class _Served:
    """What every request needs."""

    database: Database
    timeout: float
    pages: Turns
    questions: Turns
    etag: str
    """Of the database file: a picture of it stays right as long as this does."""
    server: str
    """Of this run of the server, after the database's."""
    token: str
    """What a page of this server shows to change the notes."""
    notes: Notes
    runner: ModelRunner | None
    held: Callable[[], Any]
    """What the database holds, as a page is told; None where it cannot be read, which the page finds out."""


def make_app(
    database: Database,
    *,
    timeout: float = 10.0,
    host: str | None = "127.0.0.1",
    notes: Path | None = None,
    runner: ModelRunner | None = None,
) -> ASGIApp:
    """Make the application over an open database; ``timeout`` seconds end the answer to a request.

    Requests that name another host than ``host`` or this machine are refused, as those of a page that tricked
    a browser would; None refuses nobody. ``notes`` is the file of notes, beside the database unless named;
    ``runner`` runs the model, where it is at hand.
    """
    etag = _tag_of(database.path)
    served = _Served(
        database,
        timeout,
        Turns(_PAGES_AT_ONCE),
        Turns(_QUESTIONS_AT_ONCE),
        f'"{etag}"',
        f"{etag}.{secrets.token_hex(4)}",
        secrets.token_urlsafe(24),
        Notes(notes or Path(f"{database.path}.notes.json")),
        runner,
        lru_cache(maxsize=1)(lambda: _held(database, timeout)),
    )
    assets = read_assets()
    own = own_answers(served.notes, runner)
    routes = [
        *(Route(path, _page(served)) for path in _PAGES),
        *(Route(path, _json(served, path, find, kept=kept)) for path, (find, kept) in ANSWERS.items()),
        *(Route(path, _json(served, path, find, kept=False)) for path, find in own.items()),
        Route("/api/notes", _changed(served), methods=["POST"]),
        Route("/api/server", _alive(served)),
        *(Route(path, _picture(served, draw)) for path, draw in PICTURES.items()),
        Route("/static/{tag}/{name}", assets.answer),
        Route("/static/{name}", assets.answer),
    ]
    app = Starlette(routes=routes, exception_handlers={404: _missing(served), Exception: _failed})
    return _Guard(app, None if host is None else _LOOPBACK | {host.lower()}, served.server)


def _tag_of(path: Path) -> str:
    """Return what tells a database file, as this version shows it, from others."""
    stat = path.stat()
    return hashlib.sha256(f"{__version__} {stat.st_mtime_ns} {stat.st_size}".encode()).hexdigest()[:16]


def _held(database: Database, timeout: float) -> Any:
    try:
        with within(timeout):
            return describe_database(database)
    except N2gdbError:
        return None


class _Guard:
    """Refuses foreign hosts, and tells browsers what a page may do."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, server: str) -> None:
        self._app, self._hosts, self._server = app, hosts, server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                added = {"Content-Security-Policy": _POLICY, "N2gdb-Server": self._server, **_HEADERS}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.lower().encode(), value.encode())
                        for name, value in added.items()
                        if name.lower().encode() not in there
                    ),
                ]
            await send(message)

        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        if self._hosts is not None and _without_port(host) not in self._hosts:
            refused = _refusal(QueryError(f"this server only answers on this machine, not as {host!r}"), 421)
            await refused(scope, receive, send_guarded)
            return
        if _is_foreign(scope):
            refused = _refusal(
                QueryError("this server only answers its own pages, not those of another site"), 403
            )
            await refused(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)


def _is_foreign(scope: Scope) -> bool:
    """Return whether a page of another site asks: all that it may do is to link to a page here.

    Browsers say so themselves; older ones that do not name the origin where a script asks.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        origin = headers.get("origin")
        return origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower()
    is_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return not (is_link and not scope["path"].startswith(("/api/", "/static/")))


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()


def _page(served: _Served) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint of every page: the shell, which then reads the address."""

    async def answer(request: Request) -> Response:
        return await _shell(served, request, 200)

    return answer


async def _shell(served: _Served, request: Request, status: int) -> Response:
    """Answer with the shell, which says what the database holds, so that its page need not ask."""

    def made() -> Response:
        at_hand = "yes" if served.runner is not None else ""
        held = json.dumps(served.held())
        shell = read_assets().page(server=served.server, token=served.token, model=at_hand, database=held)
        return HTMLResponse(shell, status, headers={"Cache-Control": "no-store"})

    return await _answered(request, served.pages, served.timeout, made)


def _json(served: _Served, path: str, find: Find, *, kept: bool) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint that answers with what ``find`` returns; the latest answers are ``kept``."""
    limit = _MODEL_TIMEOUT if path.endswith(("/true", "/trajectories")) else served.timeout

    def found(asked: Asked) -> bytes:
        with within(limit):
            plain = find(served.database, asked)
            return json.dumps(exact(plain), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")

    look_up = lru_cache(maxsize=_KEPT)(found) if kept else found
    turns = served.questions if path in QUESTIONS else served.pages

    async def answer(request: Request) -> Response:
        asked = Asked.of(request)
        return await _answered(
            request, turns, limit, lambda: encoded(request, look_up(asked), "application/json")
        )

    return answer


def _alive(served: _Served) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint that says what is served, and whether its file is still the one that was opened."""

    def said() -> Response:
        try:
            changed = f'"{_tag_of(served.database.path)}"' != served.etag
        except OSError:
            changed = True
        told = {"server": served.server, "changed": changed}
        return Response(json.dumps(told), media_type="application/json")

    async def answer(request: Request) -> Response:
        return await _answered(request, served.pages, served.timeout, said)

    return answer


def _changed(served: _Served) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint that changes the notes, for pages of this server alone: they know its token."""

    async def answer(request: Request) -> Response:
        if not secrets.compare_digest(request.headers.get("n2gdb-token", "").encode(), served.token.encode()):
            return _refusal(QueryError("only a page of this server may change notes: reload the page"), 403)
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _refusal(QueryError("a change of the notes is JSON"), 415)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LARGEST_CHANGE:
                return _refusal(QueryError("a change of the notes is too long"), 413)
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            return _refusal(QueryError("a change of the notes is JSON"), 400)
        if not isinstance(asked, dict):
            return _refusal(QueryError("a change of the notes names a neuron or a list"), 400)

        def change() -> Response:
            kept = {**served.notes.change(asked), "writable": True, "file": served.notes.path.name}
            return encoded(
                request, json.dumps(kept, ensure_ascii=False).encode("utf-8", "replace"), "application/json"
            )

        return await _answered(request, served.pages, served.timeout, change)

    return answer


def _picture(served: _Served, draw: Draw) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint that answers with a picture, which a browser may keep while the database stays."""
    headers = {"ETag": served.etag, "Content-Security-Policy": _PICTURE_POLICY}

    @lru_cache(maxsize=_KEPT)
    def look_up(asked: Asked) -> bytes:
        with within(served.timeout):
            return draw(served.database, asked).encode("utf-8", "replace")

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == served.etag:
            return Response(status_code=304, headers=headers)
        asked = Asked.of(request)
        return await _answered(
            request,
            served.pages,
            served.timeout,
            lambda: encoded(request, look_up(asked), "image/svg+xml", **headers),
        )

    return answer


async def _answered(request: Request, turns: Turns, limit: float, work: Callable[[], Response]) -> Response:
    """Answer in a thread, which stops where whoever asked has gone, or the time is over."""
    cancelled = threading.Event()
    answer: list[Response | Exception] = []

    def run(seconds: float) -> bool:
        with cancelled_by(cancelled):
            try:
                with within(seconds):
                    answer.append(work())
            except Exception as error:  # told below, outside the group of tasks
                if seconds < limit and isinstance(error, QueryTimeoutError):
                    return False
                answer.append(error)
        return True

    async def watch(scope: anyio.CancelScope) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, tasks.cancel_scope)
            try:
                await turns.take(run, limit)
            except QueryTimeoutError as error:
                answer.append(error)
            tasks.cancel_scope.cancel()
    finally:
        cancelled.set()
    if not answer:
        return Response(status_code=_GIVEN_UP)
    found = answer[0]
    return found if isinstance(found, Response) else _told(found)


def _told(error: Exception) -> Response:
    """Answer with what is refused on purpose; raise what is a fault of the server's own."""
    match error:
        case QueryCancelledError():
            return _refusal(error, _GIVEN_UP)
        case QueryTimeoutError():
            return _refusal(error, 503)
        case UnknownNameError():
            return _refusal(error, 404)
        case N2gdbError():
            return _refusal(error, 400)
    raise error


def _missing(served: _Served) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Make what answers for addresses that are none: to a reader a page that says so."""

    async def answer(request: Request, error: Exception) -> Response:
        reads = "text/html" in request.headers.get("accept", "")
        if reads and not request.url.path.startswith(("/api/", "/static/")):
            return await _shell(served, request, 404)
        return _refusal(UnknownNameError(f"there is nothing at {request.url.path[:200]}"), 404)

    return answer


async def _failed(request: Request, error: Exception) -> Response:
    """Answer for a fault of the server's own, which it prints."""
    return _refusal(N2gdbError("the server failed to answer: see where n2gdb serve runs"), 500)


def _refusal(error: N2gdbError, status: int) -> Response:
    content = json.dumps({"error": plain_error(error)}, ensure_ascii=False)
    return Response(content.encode("utf-8", "replace"), status, media_type="application/json")
