"""A static site: written whole, searched and walked from a plain file server, nothing asked of elsewhere."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.explorer.conftest import opened, until
from tests.support.browser_world import HOSTILE
from tests.support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RUN = [sys.executable, "-c", "from n2gdb.cli.main import run; run()"]
ROOT = Path(__file__).parents[2]


def export(*arguments: object) -> subprocess.CompletedProcess[str]:
    given = [str(argument) for argument in arguments]
    return subprocess.run(
        [*RUN, "export-site", *given], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def site(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "pages"
    done = export(world, folder, "--query", "neurons WHERE n_patterns < 100", "--title", "A <b>paper")
    assert done.returncode == 0, done.stderr
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def host(site: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(site.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@needs_chromium
def test_a_site_is_searched_and_walked_from_a_plain_file_server(browser: Browser, host: str) -> None:
    with opened(browser, host) as page:
        page.goto("/pages/index.html")
        assert page.locator("h1").inner_text() == "A <b>paper"
        rows = page.locator(".neurons li:visible")
        every = rows.count()
        assert every == 7
        page.fill("#search", "oth")
        until(page, lambda: rows.all_inner_texts() != [] and rows.count() == 1)
        assert "L1N2" in rows.first.inner_text()
        page.reload()
        until(page, lambda: rows.count() == 1)
        page.fill("#search", "l1n")
        until(page, lambda: rows.count() == 3)
        rows.first.locator("a").click()
        page.locator("h1", has_text="L1N").wait_for()
        picture = page.locator("figure img")
        until(page, lambda: bool(picture.evaluate("each => each.naturalWidth > 50")))
        assert page.locator("ol li").count() >= 1
        assert page.locator("ol li").first.locator(".token.fires").count() == 1
        assert re.search(
            r"F1 0\.\d\d\?? on held-out text, of \d+ firing", page.locator("main p").first.inner_text()
        )
        page.get_by_role("link", name="next →").click()
        page.locator("h1").wait_for()
        page.goto("/pages/neurons/L2N0.html")
        patterns = page.locator("main").inner_text()
        assert "window.hacked" in patterns
        assert page.locator("main script").count() == 0


def test_every_link_of_a_site_leads_to_a_file_of_it(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) == 8
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            assert (page.parent / link).resolve().is_file(), f"{page.name}: {link}"
        assert not re.search(r"https?://|<script>", text)
        for hostile in HOSTILE[:3]:
            assert hostile not in text


def test_a_folder_that_is_not_empty_is_left_alone(world: Path, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept", encoding="utf-8")
    refused = export(world, tmp_path)
    assert refused.returncode == 1 and "not empty" in refused.stderr and "Traceback" not in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    assert export(world, tmp_path, "--force", "--query", "neurons LIMIT 1").returncode == 0
    assert (tmp_path / "index.html").is_file() and (tmp_path / "kept.txt").is_file()


@pytest.mark.parametrize("query", ["COUNT neurons", "patterns", "tokens ACTIVATING L1N2", "neurons MATCHING"])
def test_what_is_no_query_for_neurons_is_refused(world: Path, tmp_path: Path, query: str) -> None:
    refused = export(world, tmp_path / "site", "--query", query)
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert not (tmp_path / "site").exists()
