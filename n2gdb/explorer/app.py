"""The explorer's application: access, time limits, and security headers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from n2gdb.core.deadline import within
from n2gdb.database import Database
from n2gdb.errors import N2gdbError, QueryError, QueryTimeoutError, UnknownNameError
from n2gdb.explorer.asked import Asked
from n2gdb.explorer.plain import exact, plain_error
from n2gdb.explorer.routes import ANSWERS, PICTURES, Draw, Find
from n2gdb.version import __version__

__all__ = ["make_app"]

_STATIC = Path(__file__).parent / "static"
_PAGES = ("/", "/neuron/{name}", "/layer/{layer:int}", "/model", "/compare/{first}/{second}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

#: Threads that answer at once: a request beyond them waits for its turn. Questions have their own, as slow
#: ones would keep every page waiting.
_THREADS, _QUESTIONS = 4, 12
_QUESTION_PATHS = frozenset({"/api/query", "/api/explain", "/api/questions"})

#: Answers of each kind that are kept.
_KEPT = 1000

#: Seconds beyond a request's limit after which it is given up.
_PATIENCE = 1.0

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
    threads: anyio.CapacityLimiter
    questions: anyio.CapacityLimiter
    etag: str
    """Of the database file: a picture of it stays right as long as this does."""


def make_app(database: Database, *, timeout: float = 10.0, host: str | None = "127.0.0.1") -> ASGIApp:
    """Make the application over an open database; ``timeout`` seconds end the answer to a request.

    Requests that name another host than ``host`` or this machine are refused, as those of a page that tricked
    a browser would; None refuses nobody.
    """
    stat = database.path.stat()
    etag = hashlib.sha256(f"{__version__} {stat.st_mtime_ns} {stat.st_size}".encode()).hexdigest()[:16]
    served = _Served(
        database, timeout, anyio.CapacityLimiter(_THREADS), anyio.CapacityLimiter(_QUESTIONS), f'"{etag}"'
    )
    routes = [
        *(Route(path, _page) for path in _PAGES),
        *(Route(path, _json(served, find, kept=kept)) for path, (find, kept) in ANSWERS.items()),
        *(Route(path, _picture(served, draw)) for path, draw in PICTURES.items()),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    app = Starlette(routes=routes, exception_handlers={404: _missing, Exception: _failed})
    return _Guard(app, None if host is None else _LOOPBACK | {host.lower()})


class _Guard:
    """Refuses foreign hosts, and tells browsers what a page may do."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                added = {"Content-Security-Policy": _POLICY, **_HEADERS}
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


async def _page(request: Request) -> Response:
    return FileResponse(_STATIC / "index.html", media_type="text/html")


def _json(served: _Served, find: Find, *, kept: bool) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint that answers with what ``find`` returns; the latest answers are ``kept``."""

    def found(asked: Asked) -> bytes:
        with within(served.timeout):
            plain = find(served.database, asked)
            return json.dumps(exact(plain), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")

    look_up = lru_cache(maxsize=_KEPT)(found) if kept else found

    async def answer(request: Request) -> Response:
        asked = Asked.of(request)
        limiter = served.questions if request.url.path in _QUESTION_PATHS else served.threads
        return await _answered(
            served, limiter, lambda: Response(look_up(asked), media_type="application/json")
        )

    return answer


def _picture(served: _Served, draw: Draw) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint that answers with a picture, which a browser may keep while the database stays."""
    headers = {"ETag": served.etag, "Content-Security-Policy": _PICTURE_POLICY}

    @lru_cache(maxsize=_KEPT)
    def look_up(asked: Asked) -> str:
        with within(served.timeout):
            return draw(served.database, asked)

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == served.etag:
            return Response(status_code=304, headers=headers)
        asked = Asked.of(request)
        return await _answered(
            served,
            served.threads,
            lambda: Response(look_up(asked), media_type="image/svg+xml", headers=headers),
        )

    return answer


async def _answered(
    served: _Served, limiter: anyio.CapacityLimiter, work: Callable[[], Response]
) -> Response:
    """Answer in a thread; one that is given up ends by itself when its time is over."""
    try:
        with anyio.fail_after(served.timeout + _PATIENCE):
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
    except TimeoutError:
        return _refusal(QueryTimeoutError("the server took too long: narrow the question, or ask again"), 503)
    except QueryTimeoutError as error:
        return _refusal(error, 503)
    except UnknownNameError as error:
        return _refusal(error, 404)
    except N2gdbError as error:
        return _refusal(error, 400)


async def _missing(request: Request, error: Exception) -> Response:
    return _refusal(UnknownNameError(f"there is nothing at {request.url.path[:200]}"), 404)


async def _failed(request: Request, error: Exception) -> Response:
    """Answer for a fault of the server's own, which it prints."""
    return _refusal(N2gdbError("the server failed to answer: see where n2gdb serve runs"), 500)


def _refusal(error: N2gdbError, status: int) -> Response:
    content = json.dumps({"error": plain_error(error)}, ensure_ascii=False)
    return Response(content.encode("utf-8", "replace"), status, media_type="application/json")
