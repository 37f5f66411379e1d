"""Static files: the bundle of the page, compressed once, under addresses that change with their content."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["Assets", "encoded", "read_assets"]

_STATIC = Path(__file__).parent / "static"
_SHELL = "index.html"

#: A part of the bundle, which its own content names.
_PART = re.compile(r"\w+-[A-Z0-9]{8}\.js")

#: A file under its content's address never changes.
_FOREVER = "public, max-age=31536000, immutable"

#: Answers shorter than this are sent as they are; beyond, compressed well but quickly.
_SHORT, _LEVEL = 1_000, 5

_PLACE = re.compile(r"\{\{(\w+)(?:\s+([\w.-]+))?\}\}")


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    encoded: dict[str, bytes]
    """Compressed, by the encoding's name, the best first."""
    kind: str
    tag: str


@dataclass(frozen=True, slots=True)
class Assets:
    """The files by name, and the shell that every page is."""

    files: dict[str, _File]
    shell: str

    def page(self, **named: str) -> str:
        """Return the shell, with what belongs in its places.

        ``{{file app.js}}`` becomes the file's address, ``{{data icon.svg}}`` the file itself as an address,
        and ``{{token}}`` what ``named`` says.
        """

        def put(found: re.Match[str]) -> str:
            word, name = found.groups()
            if word == "data":
                file = self.files[name]
                return f"data:{file.kind};base64,{b64encode(file.content).decode()}"
            return self.address(name) if word == "file" else escape(named[word])

        return _PLACE.sub(put, self.shell)

    def address(self, name: str) -> str:
        """Return the address of a file as it is now."""
        return f"/static/{self.files[name].tag}/{name}"

    async def answer(self, request: Request) -> Response:
        """Answer with a file; an address of other content than there is now is not kept."""
        name = request.path_params["name"]
        found = self.files.get(name)
        if found is None:
            return Response(status_code=404)
        fresh = request.path_params.get("tag") == found.tag or _PART.fullmatch(name) is not None
        headers = {"Cache-Control": _FOREVER if fresh else "no-cache", "Vary": "Accept-Encoding"}
        taken = _taken(request)
        for encoding, content in found.encoded.items():
            if encoding in taken:
                headers["Content-Encoding"] = encoding
                return Response(content, media_type=found.kind, headers=headers)
        return Response(found.content, media_type=found.kind, headers=headers)


@lru_cache(maxsize=1)
def read_assets() -> Assets:
    """Read and compress what the package ships."""
    shipped = (path for path in sorted(_STATIC.iterdir()) if path.name != _SHELL and path.suffix != ".br")
    files = {path.name: _read(path) for path in shipped}
    return Assets(files, (_STATIC / _SHELL).read_text(encoding="utf-8"))


def encoded(request: Request, content: bytes, kind: str, **headers: str) -> Response:
    """Return an answer, compressed where that pays and the browser takes it."""
    headers = {"Vary": "Accept-Encoding", **headers}
    if len(content) < _SHORT or "gzip" not in _taken(request):
        return Response(content, media_type=kind, headers=headers)
    return Response(
        gzip.compress(content, _LEVEL, mtime=0),
        media_type=kind,
        headers={**headers, "Content-Encoding": "gzip"},
    )


def _taken(request: Request) -> set[str]:
    """Return the names of the encodings that a browser takes."""
    listed = request.headers.get("accept-encoding", "").lower().split(",")
    parts = (each.replace(" ", "").partition(";") for each in listed)
    return {name for name, _, weight in parts if weight not in ("q=0", "q=0.0")}


def _read(path: Path) -> _File:
    content = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    tag = hashlib.sha256(content).hexdigest()[:12]
    encoded = {"gzip": gzip.compress(content, 9, mtime=0)}
    better = path.with_name(f"{path.name}.br")
    if better.exists():
        encoded = {"br": better.read_bytes(), **encoded}
    return _File(content, encoded, kind, tag)
