"""The explorer: a local web page over the Python API, read-only, with nothing fetched from elsewhere."""

from __future__ import annotations

from n2gdb.explorer.app import make_app

__all__ = ["make_app"]
