"""The pictures of the explorer in the docs, taken of a database of the whole demo model.

    python docs/screenshots.py DATABASE [FOLDER]

It serves DATABASE on a free port, opens pages in a headless Chromium and writes FOLDER/explorer-*.png and the
animation of asking, FOLDER/asking.gif (docs/figures unless named).
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

SERVE = "import sys; from n2gdb.cli.main import run; sys.argv = ['n2gdb', *sys.argv[1:]]; run()"
QUERY = "/?q=neurons%20MATCHING%20'the'%20BEFORE%20...%20WHERE%20f1%20>=%200.6%20AND%20layer%20>=%204"
PAGES = {
    "explorer-query": QUERY,
    "explorer-L1N72": "/neuron/L1N72",
    "explorer-L4N358": "/neuron/L4N358",
    "explorer-L4N65": "/neuron/L4N65",
    "explorer-compare": "/compare?names=L0N385,L0N535",
    "explorer-layer": "/layer/4",
}
#: What the animation types, and for how many hundredths of a second it stays when it is answered.
TYPED = ("he sat on the other side", "L4N358")
STEP, STAY = 12, 220


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
            page = browser.new_page()  # that has asked nothing before
            animate(page, f"http://127.0.0.1:{port}/", Path(folder) / "asking.gif")
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


def animate(page: Page, address: str, file: Path) -> None:
    """Write an animation of asking: each text typed, asked and answered."""
    frames: list[tuple[Image.Image, int]] = []

    def take(hundredths: int) -> None:
        picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
        few = picture.resize((900, 605)).quantize(
            96, Image.Quantize.MAXCOVERAGE
        )  # keeps colours of small parts
        frames.append((few, hundredths))

    page.set_viewport_size({"width": 1120, "height": 753})
    page.goto(address)
    page.wait_for_load_state("networkidle")
    for text in TYPED:
        page.keyboard.press("/")
        box = page.locator("#query")
        box.fill("")
        for at in range(0, len(text), 2):
            box.press_sequentially(text[at : at + 2])
            take(STEP)
        page.locator(".meaning").first.wait_for()
        take(6 * STEP)
        page.keyboard.press("Enter")
        page.wait_for_load_state("networkidle")
        page.wait_for_selector("[aria-busy]", state="detached")
        time.sleep(0.5)
        take(STAY)
    page.locator(".live .picture >> css=g[data-t]").first.hover()
    time.sleep(0.3)
    take(STAY)
    first, *others = [frame for frame, _ in frames]
    durations = [10 * hundredths for _, hundredths in frames]
    first.save(file, save_all=True, append_images=others, duration=durations, loop=0, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
