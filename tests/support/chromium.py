"""A real browser for tests: found, started, and watched for what it logs and asks for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["Watched", "needs_chromium", "started_chromium"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
REQUIRED = os.environ.get("N2GDB_BROWSER") == "required"

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not REQUIRED,
    reason="no Chromium is installed: set N2GDB_BROWSER=required to fail instead",
)

# Nothing of the browser's own may go out either.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def started_chromium() -> Iterator[Browser]:
    """A headless Chromium; a missing playwright skips, unless a browser is required."""
    if not REQUIRED:
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        yield browser
        browser.close()


class Watched:
    """What a page logged, failed at and asked for; ``allowed`` begins every address that it may ask for."""

    def __init__(self, page: Page, allowed: str) -> None:
        self.faults: list[str] = []
        page.on("console", lambda message: self.faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self._asked(request.url, allowed))

    def _asked(self, address: str, allowed: str) -> None:
        if not address.startswith(allowed):
            self.faults.append(f"asked for {address}")
