"""How long whole pages of the explorer take in a browser, until nothing comes or changes any more.

    python -m benchmarks.explorer_pages DATABASE [--draws 5] [--cold]

Pages are opened by their addresses one after the other in one tab, as in a day of use; with ``--cold`` each
in a browser that has kept nothing. It begins when the server has computed what it does in the background.
Wants Chromium and playwright, and a machine that does nothing else: times are by the clock.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import typer

import n2gdb
from benchmarks.explorer import QUERIES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SERVE = "import sys; from n2gdb.cli.main import run; sys.argv = ['n2gdb', *sys.argv[1:]]; run()"
WATCH = """
window.changed = 0;
new MutationObserver(() => { window.changed = performance.now(); }).observe(
  document, { subtree: true, childList: true, attributes: true, characterData: true });
"""
ENDED = """() => {
  const every = performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"));
  return [Math.max(window.changed, ...every.map((each) => each.responseEnd)), every.length,
    every.reduce((sum, each) => sum + each.transferSize, 0)];
}"""
BROAD = "neurons MATCHING <title> BEFORE <word>"
COMMON = (
    "MATCH (n:Neuron)-[:ACTIVATES_ON]->(t:Token) WHERE NOT t.special"
    " RETURN t.text, count(*) ORDER BY count(*) DESC, t.text LIMIT 80"
)


def main(database: Path, draws: int = 5, seed: int = 0, cold: bool = False) -> None:
    from playwright.sync_api import sync_playwright

    pages = _pages(database, draws, Random(seed))
    with _served(database) as address, sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        tab = _tab(browser)
        for place in ("/", "/layer/0", "/model", "/?q=neurons"):  # what a browser keeps of scripts
            _took(tab, address + place)
        print(f"{'page':<56} {'median ms':>9} {'most':>6} {'first':>6} {'requests':>8} {'kB':>5}")
        for name, places in pages.items():
            took = [_took(_tab(browser) if cold else tab, address + place) for place in places]
            times, requests, sizes = zip(*took, strict=True)
            median, most, first = statistics.median(times), max(times), times[0]
            sent = max(sizes) / 1000
            print(f"{name:<56} {median:>9.0f} {most:>6.0f} {first:>6.0f} {max(requests):>8} {sent:>5.0f}")
        browser.close()


def _pages(database: Path, draws: int, random: Random) -> dict[str, list[str]]:
    """Return addresses of each kind of page, without the server's."""
    with n2gdb.open(database) as opened:
        rows = opened.connection.rows("MATCH (n:Neuron) WHERE n.n_patterns > 0 RETURN n.layer, n.`index`")
        tokens = [text for text, _ in opened.connection.rows(COMMON) if text.strip().isalpha()]
    names = [f"L{layer}N{index}" for layer, index in random.sample(rows, 2 * draws)]
    layers = sorted({layer for layer, _ in rows})
    asked = {
        query: [
            "/?q=" + quote(query.format(a=random.choice(tokens), b=random.choice(tokens), neuron=name))
            for name in names[:draws]
        ]
        for query in (*QUERIES, BROAD)
    }
    pairs = zip(names[:draws], names[draws:], strict=True)
    return {
        "start": ["/"] * draws,
        "neuron": [f"/neuron/{name}" for name in names[:draws]],
        "layer": [f"/layer/{layer}" for layer in random.choices(layers, k=draws)],
        "two compared": [f"/compare?names={first},{second}" for first, second in pairs],
        "pairs": ["/pairs"] * draws,
        "report": ["/model"] * draws,
        **asked,
    }


@contextmanager
def _served(database: Path) -> Iterator[str]:
    """Serve a database; yield the address once the server has been at rest for some seconds."""
    options = ["serve", "--db", str(database), "--port", "0", "--no-open"]
    server = subprocess.Popen([sys.executable, "-c", SERVE, *options], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert found is not None
        process = psutil.Process(server.pid)
        while process.cpu_percent(interval=4) > 3:
            time.sleep(1)
        yield found[0]
    finally:
        server.terminate()
        server.wait()


def _tab(browser: Browser) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    page.add_init_script(WATCH)
    return page


def _took(page: Page, address: str) -> tuple[float, int, int]:
    """Open a page; return milliseconds until it is complete, its requests, and the bytes that came."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_selector("[aria-busy]", state="detached", timeout=300_000)
    page.wait_for_timeout(250)
    ended, requests, sent = page.evaluate(ENDED)
    return ended, requests, sent


if __name__ == "__main__":
    typer.run(main)
