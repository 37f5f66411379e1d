"""The guard: refuses foreign hosts and pages, and tells browsers what a page may do."""

from __future__ import annotations

import json

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from n2gdb.errors import N2gdbError, QueryError
from n2gdb.explorer.plain import plain_error

__all__ = ["Guard", "refusal"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Guard:
    """Refuses requests that name another host than ``host`` or this machine; None refuses nobody."""

    def __init__(self, app: ASGIApp, host: str | None, server: str) -> None:
        self._app, self._server = app, server
        self._hosts = None if host is None else _LOOPBACK | {host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
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
            refused = refusal(
                QueryError(f"this server only answers under the names of this machine, not as {host!r}"), 421
            )
            await refused(scope, receive, send_guarded)
            return
        if _is_foreign(scope):
            refused = refusal(
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


def refusal(error: N2gdbError, status: int) -> Response:
    """Answer with an error, as JSON."""
    content = json.dumps({"error": plain_error(error)}, ensure_ascii=False)
    return Response(content.encode("utf-8", "replace"), status, media_type="application/json")
