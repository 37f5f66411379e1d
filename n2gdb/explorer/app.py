"""The explorer's application: access, time limits, and security headers."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any
from urllib.parse import quote

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from n2gdb.core.deadline import cancelled_by, within
from n2gdb.database import Database
from n2gdb.errors import N2gdbError, QueryCancelledError, QueryError, QueryTimeoutError, UnknownNameError
from n2gdb.explorer.asked import Asked
from n2gdb.explorer.assets import encoded, read_assets
from n2gdb.explorer.guard import Guard, refusal
from n2gdb.explorer.kept import KeptAnswers
from n2gdb.explorer.layers import describe_database
from n2gdb.explorer.neurons import ModelRunner
from n2gdb.explorer.notes import Notes
from n2gdb.explorer.plain import exact
from n2gdb.explorer.routes import ANSWERS, FIRST, LONG, PICTURES, QUESTIONS, WARM, Draw, Find, own_answers
from n2gdb.explorer.turns import Turns
from n2gdb.version import __version__

__all__ = ["make_app"]

_PAGES = (
    *("/", "/neuron/{name}", "/layer/{layer:int}", "/model", "/compare/{first}/{second}", "/compare"),
    *("/pairs", "/notes", "/trajectories/{name}", "/help"),
)

#: Requests that are answered at once: others wait for their turn. Questions have their own, as slow ones
#: would keep every page waiting; the engine takes several cores for each.
_PAGES_AT_ONCE, _QUESTIONS_AT_ONCE = 4, max(2, (os.cpu_count() or 1) // 4)

#: Answers of each kind that are kept.
_KEPT = 1000

#: Seconds for what is long by its nature: the model, which may have to be loaded first, and all pairs.
_LONG_TIMEOUT = 300.0

#: Bytes of a change to the notes.
_LARGEST_CHANGE = 200_000

#: What a request is answered with that was given up by whoever asked; nobody reads it.
_GIVEN_UP = 499

#: Names that every program writes alike into an address, but for commas.
_PLAIN = re.compile(r"[A-Z0-9,-]+")

#: A picture styles itself, and does nothing else.
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


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
    warm: bool = False,
) -> ASGIApp:
    """Make the application over an open database; ``timeout`` seconds end the answer to a request.

    Requests that name another host than ``host`` or this machine are refused, as those of a page that tricked
    a browser would; None refuses nobody. ``notes`` is the file of notes, beside the database unless named;
    ``runner`` runs the model, where it is at hand. With ``warm`` it begins with what takes long the first
    time, beside the first requests.
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
    finds = {**ANSWERS, **{path: (find, False) for path, find in own_answers(served.notes, runner).items()}}
    looked_up = {path: _look_up(served, path, find, kept=kept) for path, (find, kept) in finds.items()}
    routes = [
        *(Route(path, _page(served, FIRST.get(path, ()))) for path in _PAGES),
        *(Route(path, _json(served, path, look_up)) for path, look_up in looked_up.items()),
        Route("/api/notes", _changed(served), methods=["POST"]),
        Route("/api/server", _alive(served)),
        *(Route(path, _picture(served, draw)) for path, draw in PICTURES.items()),
        Route("/static/{tag}/{name}", assets.answer),
        Route("/static/{name}", assets.answer),
    ]
    app = Starlette(routes=routes, exception_handlers={404: _missing(served), Exception: _failed})
    if warm:
        threading.Thread(target=_read_ahead, args=(database,), daemon=True).start()
        threading.Thread(target=_warmed, args=(looked_up,), daemon=True).start()
    return Guard(app, host, served.server)


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


def _page(served: _Served, first: Sequence[str]) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint of a page: the shell, which reads the address, and asks for what is ``first``."""

    async def answer(request: Request) -> Response:
        return await _shell(served, request, 200, first)

    return answer


async def _shell(served: _Served, request: Request, status: int, first: Sequence[str] = ()) -> Response:
    """Answer with the shell, which says what the database holds, so that its page need not ask."""

    def made() -> Response:
        at_hand = "yes" if served.runner is not None else ""
        held = served.held()
        headers = {"Cache-Control": "no-store"}
        if held is not None and len(held["models"]) == 1:
            headers |= _ahead(request, first, served.database)
        told = json.dumps(held)
        shell = read_assets().page(server=served.server, token=served.token, model=at_hand, database=told)
        return HTMLResponse(shell, status, headers=headers)

    return await _answered(request, served.pages, served.timeout, made)


def _ahead(request: Request, first: Sequence[str], database: Database) -> dict[str, str]:
    """Have the browser fetch what a page asks first while it reads the page's script.

    The page finds it there where it asks for the very same: so only where the address chooses nothing else,
    and names what the database holds.
    """
    names = {**request.path_params, **request.query_params}
    needed = {name for address in first for _, name, _, _ in Formatter().parse(address) if name}
    if not first or names.keys() != needed or not all(_PLAIN.fullmatch(str(each)) for each in names.values()):
        return {}
    if "name" in names and names["name"] not in database:
        return {}
    written = {name: quote(str(each), safe="") for name, each in names.items()}
    links = [f"<{each.format(**written)}>; rel=preload; as=fetch; crossorigin" for each in first]
    return {"Link": ", ".join(links)}


_LookUp = Callable[[Asked], bytes]


def _look_up(served: _Served, path: str, find: Find, *, kept: bool) -> _LookUp:
    """Return what makes an answer out of what ``find`` returns; the latest answers are ``kept``."""

    def found(asked: Asked) -> bytes:
        plain = find(served.database, asked)
        return json.dumps(exact(plain), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")

    return KeptAnswers(found, _KEPT) if kept else found


def _limit(served: _Served, path: str) -> float:
    return max(_LONG_TIMEOUT, served.timeout) if path in LONG else served.timeout


def _json(served: _Served, path: str, look_up: _LookUp) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint that answers with what is looked up."""
    turns = served.questions if path in QUESTIONS else served.pages

    async def answer(request: Request) -> Response:
        asked = Asked.of(request)
        return await _answered(
            request, turns, _limit(served, path), lambda: encoded(request, look_up(asked), "application/json")
        )

    return answer


def _read_ahead(database: Database) -> None:
    with suppress(N2gdbError):  # as where it is closed: whoever asks is told
        database.read_ahead()
        database.read_likeness_ahead()


def _warmed(looked_up: dict[str, _LookUp]) -> None:
    """Look up what pages show first, so that it is kept: one after the other, beside what is asked."""
    for path, parts in WARM:
        with suppress(N2gdbError), within(_LONG_TIMEOUT):  # whoever asks is told
            looked_up[path](Asked(parts))


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
            return refusal(QueryError("only a page of this server may change notes: reload the page"), 403)
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return refusal(QueryError("a change of the notes must be JSON"), 415)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LARGEST_CHANGE:
                return refusal(QueryError("a change of the notes is too long"), 413)
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            return refusal(QueryError("a change of the notes must be JSON"), 400)
        if not isinstance(asked, dict):
            return refusal(QueryError("a change of the notes must name a neuron or a list"), 400)

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
            return refusal(error, _GIVEN_UP)
        case QueryTimeoutError():
            return refusal(error, 503)
        case UnknownNameError():
            return refusal(error, 404)
        case N2gdbError():
            return refusal(error, 400)
    raise error


def _missing(served: _Served) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Make what answers for addresses that are none: to a reader a page that says so."""

    async def answer(request: Request, error: Exception) -> Response:
        reads = "text/html" in request.headers.get("accept", "")
        if reads and not request.url.path.startswith(("/api/", "/static/")):
            return await _shell(served, request, 404)
        return refusal(UnknownNameError(f"there is no page at {request.url.path[:200]}"), 404)

    return answer


async def _failed(request: Request, error: Exception) -> Response:
    """Answer for a fault of the server's own, which it prints."""
    return refusal(N2gdbError("the server failed to answer: see where n2gdb serve runs"), 500)
