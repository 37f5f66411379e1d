"""For whoever uses a keyboard, a phone, large type or a screen reader; and how much a page asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import pytest

from tests.explorer.conftest import focused, settled, until
from tests.support.chromium import REQUIRED, needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

pytestmark = needs_chromium

AXE = Path(__file__).parents[2] / "n2gdb/explorer/source/node_modules/axe-core/axe.min.js"
RULES = "{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }"
PAGES = (
    "/",
    "/?q=neurons+MATCHING+'the'+BEFORE+...",
    "/?q=patterns+LIMIT+5&cypher=yes",
    "/?q=COUNT+neurons+BY+layer",
    "/?q=neurons+WHERE+f2+>+1",
    "/?q=neurons+MATCHING+'other'&said=other",
    "/neuron/L1N2?text=he+sat+on+the+other+side",
    "/neuron/L2N0",
    "/layer/1",
    "/layer/9",
    "/model",
    "/compare?names=L1N0,L1N1,L1N2",
    "/pairs?above=0.5&min_size=1",
    "/notes",
    "/help",
    "/nowhere",
)
#: Where a page's parts look unlike those of the others.
FEW = tuple(PAGES[place] for place in (1, 4, 6, 8, 11))
LOOKS: tuple[tuple[Any, int, tuple[str, ...]], ...] = (
    ("light", 1280, PAGES),
    ("dark", 1280, FEW),
    ("light", 390, FEW),
)


@pytest.fixture(scope="module")
def bare(browser: Browser, origin: str) -> Iterator[Page]:
    """A page that a script may be put into, which the page's own policy forbids."""
    context = browser.new_context(base_url=origin, bypass_csp=True, reduced_motion="reduce")
    yield context.new_page()
    context.close()


@pytest.mark.skipif(
    not AXE.exists() and not (REQUIRED and which("npm")),
    reason="axe-core is not installed: run npm ci in n2gdb/explorer/source",
)
@pytest.mark.parametrize(("scheme", "width", "paths"), LOOKS)
def test_axe_finds_nothing(bare: Page, scheme: Any, width: int, paths: tuple[str, ...]) -> None:
    bare.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    bare.set_viewport_size({"width": width, "height": 860})
    found: dict[str, list[str]] = {}
    for path in paths:
        bare.goto(path)
        bare.wait_for_load_state("networkidle")
        bare.wait_for_selector("[aria-busy]", state="detached")
        bare.evaluate(AXE.read_text(encoding="utf-8"))
        for violation in bare.evaluate(f"axe.run(document, {RULES})")["violations"]:
            nodes = [f"{node['html'][:160]} {node['any'][:1]}"[:420] for node in violation["nodes"][:3]]
            found.setdefault(violation["id"], []).append(f"{path}: {nodes}")
    assert not found


def test_nothing_needs_scrolling_sideways_at_200_per_cent(bare: Page) -> None:
    bare.set_viewport_size({"width": 640, "height": 430})  # 1280 by 860 at 200 %
    for path in (*FEW, "/notes", "/help", "/?q=neurons+MATCHING+'end'&cypher=yes"):
        bare.goto(path)
        bare.locator("main h1").first.wait_for(state="attached")
        bare.wait_for_selector("[aria-busy]", state="detached")
        assert bare.evaluate("document.documentElement.scrollWidth") <= 640, path


COLD = (
    *("/", "/?q=neurons+MATCHING+'the'", "/neuron/L1N2", "/layer/1", "/model", "/compare?names=L1N0,L1N1"),
    *("/pairs", "/notes", "/trajectories/L1N2", "/help", "/nowhere"),
)

#: How many answers a page has fetched ahead.
AHEAD = {"/neuron/L1N2": 4, "/layer/1": 1, "/model": 1, "/compare?names=L1N0,L1N1": 2}
ASKED = """
window.asked = []; const before = window.fetch;
window.fetch = (url, init) => { window.asked.push(url); return before(url, init); };
"""


@pytest.mark.parametrize("path", COLD)
def test_a_cold_page_asks_for_little(browser: Browser, origin: str, path: str) -> None:
    context = browser.new_context(base_url=origin)
    page = context.new_page()
    came: list[tuple[str, int]] = []

    def count(response: Response) -> None:
        came.append((response.url, int(response.headers.get("content-length", 1_000_000))))

    page.on("response", count)
    page.add_init_script(ASKED)
    shell = page.goto(path)
    page.wait_for_load_state("networkidle")
    assert len(came) <= 10, came
    assert len({url for url, _ in came}) == len(came), came
    assert shell is not None
    ahead = re.findall("<([^>]*)>", shell.headers.get("link", ""))
    assert set(ahead) <= set(page.evaluate("window.asked"))  # the page asks for all that is fetched ahead
    assert len(ahead) == AHEAD.get(path, 0)
    assert sum(size for _, size in came) <= 250_000, came
    page.goto("/help" if path != "/help" else "/notes")  # the same page anew would ask whether it has changed
    page.wait_for_load_state("networkidle")
    again = page.evaluate(
        "performance.getEntriesByType('resource').filter((each) => /\\/static\\/.*(js|css)$/.test(each.name)"
        " && each.transferSize > 0).map((each) => each.name)"
    )
    assert again == [], "static files came again"
    context.close()


def test_a_question_is_asked_and_followed_by_the_keyboard_alone(page: Page) -> None:
    page.goto("/neuron/L0N0")
    settled(page)
    page.keyboard.press("/")
    until(page, lambda: focused(page) == "query")
    page.keyboard.type("neurons MATCHING 'end'")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_selector("section.answer .summary")
    page.keyboard.press("Tab")
    until(page, lambda: focused(page) == "Ask")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.locator(".picked", has_text="1 neuron marked").wait_for()
    name = focused(page)
    assert re.fullmatch(r"L1N[01]", name)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/neuron/{name}**")
    settled(page)
    for _ in range(40):
        page.keyboard.press("Tab")
        if "pattern 1" in page.locator(".lit-said").inner_text():
            break
    until(page, lambda: "pattern 1" in page.locator(".lit-said").inner_text())
    page.keyboard.press("Enter")
    until(page, lambda: '"' in page.locator("#query").inner_text())


def test_what_a_figure_means_is_said_to_the_keyboard(page: Page) -> None:
    page.goto("/neuron/L1N2")
    settled(page)
    page.get_by_role("button", name="precision").focus()
    assert "share" in page.locator("#tip").inner_text()
    described = page.get_by_role("button", name="precision").get_attribute("aria-describedby")
    assert described == "tip"
    page.keyboard.press("Escape")
    assert page.locator("#tip").count() == 0
    page.locator(".reading .tok[tabindex='0']").first.focus()
    assert "predicted" in page.locator("#tip").inner_text()
