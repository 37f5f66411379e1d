"""Parts of pages in a real Chromium: how examples are shown, what is written, the picture, tips by touch."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.explorer.conftest import ask, focused, opened, settled, until
from tests.support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = needs_chromium

#: A window of 70 tokens with a line break; the neuron fires on the last of the first 50.
WORDS = [" one", "\n", *[f" w{at}" for at in range(47)], " other", *[f" v{at}" for at in range(20)]]


def with_examples(page: Page, windows: list[list[str]]) -> None:
    """Let a neuron have these examples."""

    def told(route: Route) -> None:
        found = route.fetch().json()
        first = found["examples"][0]
        blank = first["tokens"][0] | {"pattern": None, "at": [], "against": [], "predicted": 0.0, "true": 0.0}
        found["examples"] = [
            first
            | {
                "rank": rank,
                "pivot": window.index(" other"),
                "tokens": [
                    blank | {"text": text, "shown": text, "token": WORDS.index(text)} for text in window
                ],
            }
            for rank, window in enumerate(windows)
        ]
        found["total"] = len(windows)
        route.fulfill(json=found)

    page.route(re.compile("/api/neuron/L1N2/examples"), told)


def test_examples_are_shown_as_one_chooses(page: Page) -> None:
    with_examples(page, [WORDS, WORDS[5:], WORDS[3:49][::-1] + WORDS[49:]])
    page.goto("/neuron/L1N2")
    settled(page)
    shown = page.locator("article.example .reading")
    assert shown.count() == 3
    assert " w0 " not in shown.first.inner_text() and " v19" not in shown.first.inner_text()
    page.get_by_role("button", name="Whole window").click()
    until(page, lambda: {" one", " v19"} <= set(shown.first.locator(".tok").all_inner_texts()))
    assert "⏎\n" in shown.first.inner_text()
    page.get_by_role("button", name="Line breaks").click()
    until(page, lambda: "\n" not in shown.first.inner_text())
    page.get_by_role("button", name="No duplicates").click()
    until(page, lambda: shown.count() == 2)
    assert "1 more of the same left out" in page.locator(".examples").inner_text()
    page.reload()
    settled(page)
    assert shown.count() == 2  # as one has chosen


def test_what_a_neuron_writes_is_listed_and_leads_on(page: Page) -> None:
    promotes = [{"token": 1, "text": f" t{at}", "shown": f"·t{at}", "logit": 2 - at / 10} for at in range(9)]
    suppresses = [{"token": 2, "text": "<b>", "shown": "<b>", "logit": -1.5}]

    def told(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"promotes": promotes, "suppresses": suppresses})

    page.route(re.compile(r"/api/neuron/L1N2(\?|$)"), told)
    page.goto("/neuron/L1N2")
    settled(page)
    writes = page.locator("section[aria-labelledby=writes]")
    assert writes.locator("a.token.writes").count() == 8
    writes.get_by_role("button", name="all").click()
    until(page, lambda: writes.locator("a.token.writes").count() == 9)
    assert writes.locator("a.token.suppresses").inner_text() == "<b>"
    assert "\u22121.5" in writes.inner_text()
    for kind, query in (("writes", 'PROMOTING " t0"'), ("suppresses", 'SUPPRESSING "<b>"')):
        href = writes.locator(f"a.token.{kind}").first.get_attribute("href") or ""
        assert parse_qs(urlsplit(href).query)["q"] == [f"neurons {query}"]


def test_a_picture_is_dragged_and_fitted_and_explained(page: Page) -> None:
    page.set_viewport_size({"width": 420, "height": 800})
    page.goto("/neuron/L2N3")
    settled(page)
    inner = page.locator(".live .picture >> css=svg > g")
    inner.wait_for()
    before = inner.get_attribute("transform")
    box = page.locator(".live .picture").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 70, box["y"] + 30, steps=4)
    page.mouse.up()
    until(page, lambda: inner.get_attribute("transform") != before)
    page.get_by_role("button", name="Fit").click()
    until(page, lambda: (inner.bounding_box() or box)["width"] <= box["width"] + 1)
    caption = page.locator("figure.graph figcaption").inner_text()
    for said in (
        "text order",
        "bold rim",
        "seldom right",
        "dotted line runs over as many tokens as its number",
    ):
        assert said in caption


def test_a_tip_is_said_where_it_is_touched(browser: Browser, origin: str) -> None:
    context = browser.new_context(base_url=origin, viewport={"width": 390, "height": 800}, has_touch=True)
    page = context.new_page()
    page.goto("/neuron/L1N2")
    settled(page)
    page.get_by_role("button", name="recall").tap()
    assert "the share that the graph fires on" in page.locator("#tip").inner_text()
    page.locator("article.example .split").first.tap()
    until(page, lambda: "graph" in page.locator("#tip").inner_text())
    context.close()


def test_an_answer_is_copied_as_python(page: Page) -> None:
    ask(page, "neurons MATCHING 'end' WHERE f1 >= 0")
    page.locator("summary", has_text="Take away").click()
    page.get_by_role("button", name="Copy as Python").click()
    until(page, lambda: "import n2gdb" in page.evaluate("navigator.clipboard.readText()"))
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "\"neurons MATCHING 'end' WHERE f1 >= 0\"" in copied
    compile(copied, "copied", "exec")


def test_the_names_of_many_layers_do_not_overlap(page: Page) -> None:
    def told(route: Route) -> None:
        report = route.fetch().json()
        row = next(each for each in report["table"] if each["layer"] is not None)
        report["table"] = [row | {"layer": layer, "f1": 0.5} for layer in range(48)]
        route.fulfill(json=report)

    page.route(re.compile("/api/model"), told)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 860})
        page.goto("/model")
        settled(page)
        page.locator(".plotted").first.scroll_into_view_if_needed()  # charts are drawn where they are seen
        names = page.locator("svg.chart").first.locator("text", has_text=re.compile(r"^\d+$"))
        names.first.wait_for()
        boxes = [box for each in names.all() if (box := each.bounding_box())]
        line = [box for box in boxes if abs(box["y"] - max(each["y"] for each in boxes)) < 2]
        line.sort(key=lambda box: box["x"])
        assert len(line) >= 4
        assert all(one["x"] + one["width"] < other["x"] for one, other in pairwise(line))


def test_one_goes_to_the_box_from_every_page(browser: Browser, origin: str) -> None:
    with opened(browser, origin) as page:
        for path in ("/", "/neuron/L1N2", "/layer/1", "/model", "/pairs", "/notes", "/help"):
            page.goto(path)
            settled(page)
            page.locator("main h1").first.click()
            page.keyboard.press("/")
            until(page, lambda: focused(page) == "query")
