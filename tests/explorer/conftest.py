"""A server as a user starts it, and a browser that looks at it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser_world import build_browser_world
from tests.support.chromium import Watched, started_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SERVE = "import sys; from n2gdb.cli.main import run; sys.argv = ['n2gdb', *sys.argv[1:]]; run()"


@contextmanager
def served(path: Path, *options: str, port: str = "0") -> Iterator[str]:
    """Serve a database in a process of its own; yield where it answers."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", "--db", str(path), "--port", port, "--no-open", *options],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        server.terminate()
        assert server.wait(60) in (0, -15)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of few neurons: plain, hostile, large and dead ones."""
    return build_browser_world(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="session")
def origin(world: Path) -> Iterator[str]:
    with served(world) as address:
        yield address


@pytest.fixture(scope="package")  # its loop would be in the way of other tests' own
def browser() -> Iterator[Browser]:
    with started_chromium() as started:
        yield started


@contextmanager
def opened(browser: Browser, origin: str) -> Iterator[Page]:
    """A page of a fresh profile, watched until it is closed."""
    context = browser.new_context(
        base_url=origin, viewport={"width": 1280, "height": 860}, reduced_motion="reduce"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(10_000)
    page = context.new_page()
    watched = Watched(page, origin)
    yield page
    assert not [fault for fault in watched.faults if not fault.startswith(f"asked for blob:{origin}")]
    assert page.evaluate("window.hacked") is None
    page.unroute_all(behavior="ignoreErrors")  # a request that is still under way would fail the next test
    context.close()


@pytest.fixture
def page(browser: Browser, origin: str) -> Iterator[Page]:
    with opened(browser, origin) as page:
        yield page


def type_into_the_box(page: Page, text: str) -> None:
    page.locator("#query").fill(text)


def ask(page: Page, query: str) -> None:
    """Ask a query in the box, and wait for its answer."""
    page.goto("/")
    type_into_the_box(page, query)
    page.keyboard.press("Enter")
    page.wait_for_selector("section.answer :is(.summary, .stages)")


def neurons_of(page: Page) -> list[str]:
    return page.locator("table.rows tbody a.neuron").all_inner_texts()


def settled(page: Page) -> None:
    page.locator("main h1").first.wait_for(state="attached")
    page.wait_for_selector("[aria-busy]", state="detached")


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait for something; the page's policy lets no test send it code to wait with."""
    for _ in range(120):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come")


def focused(page: Page) -> str:
    """Return what has the focus: its id, label or text."""
    return str(
        page.evaluate(
            """(() => { let at = document.activeElement;
            while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
            return at.id || at.getAttribute("aria-label") || at.textContent; })()"""
        )
    )
