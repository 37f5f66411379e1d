"""The pictures of the explorer in the docs, taken of a database of the whole demo model.

    python docs/screenshots.py DATABASE [FOLDER]

It serves DATABASE on a free port, opens pages in a headless Chromium and writes FOLDER/explorer-*.png
(docs/figures unless named).
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

SERVE = "import sys; from n2gdb.cli.main import run; sys.argv = ['n2gdb', *sys.argv[1:]]; run()"
QUERY = "/?q=neurons%20MATCHING%20'the'%20BEFORE%20...%20WHERE%20f1%20>=%200.6%20AND%20layer%20>=%204"
PAGES = {
    "explorer-query": QUERY,
    "explorer-L5N70": "/neuron/L5N70",
    "explorer-L4N358": "/neuron/L4N358",
    "explorer-L4N65": "/neuron/L4N65",
}


def main(database: str, folder: str = "docs/figures") -> None:
    """Write the pictures of a database's pages into a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", "--db", database, "--port", port, "--no-open"],
        stdout=subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        server.stdout.readline()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            for name, path in PAGES.items():
                shoot(page, f"http://127.0.0.1:{port}{path}", Path(folder) / f"{name}.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


def shoot(page: Page, address: str, file: Path) -> None:
    """Write what a page shows once all of it is there."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_selector("[aria-busy]", state="detached")
    time.sleep(0.3)
    page.screenshot(path=file)


if __name__ == "__main__":
    main(*sys.argv[1:])
