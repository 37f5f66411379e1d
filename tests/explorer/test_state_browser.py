"""What is seen stays: Back, a reload, keys, typed text, and a server that goes away and comes back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.explorer.conftest import ask, neurons_of, opened, served, settled, until
from tests.support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = needs_chromium

MANY = "patterns WHERE layer = 2 AND index = 1"  # 130 rows


def scrolled(page: Page) -> int:
    return int(page.evaluate("Math.round(scrollY)"))


def test_rows_load_as_one_scrolls_and_back_and_a_reload_bring_all_of_it_back(page: Page) -> None:
    ask(page, MANY)
    page.locator("th.c-activation button").click()
    until(page, lambda: "order=activation" in page.url)
    rows = page.locator("table.rows tbody tr")
    until(page, lambda: "0.63" in rows.first.inner_text())
    for _ in range(6):
        page.mouse.move(600, 500)
        page.mouse.wheel(0, 1500)
        page.wait_for_timeout(150)
    until(page, lambda: rows.count() == 130)
    page.evaluate("scrollTo(0, 2400)")
    until(page, lambda: "y=2400" in page.url)
    shown = rows.nth(60).inner_text()
    rows.nth(60).locator("a.neuron").click()
    page.wait_for_url("**/neuron/L2N1**")
    settled(page)
    assert scrolled(page) == 0
    page.go_back()
    until(page, lambda: rows.count() == 130 and scrolled(page) == 2400)
    assert rows.nth(60).inner_text() == shown
    page.reload()
    until(page, lambda: rows.count() == 130 and scrolled(page) == 2400)
    assert page.locator("th.c-activation").get_attribute("aria-sort") == "descending"


def test_what_is_typed_and_unfolded_comes_back(page: Page) -> None:
    page.goto("/neuron/L2N1")
    settled(page)
    page.locator("#try").fill("on the other")
    page.get_by_role("button", name="Draw all 130 patterns").click()
    page.get_by_role("button", name=re.compile("Show 100 more|Show 118")).first.click()
    page.get_by_role("button", name="Whole window").click()
    page.get_by_role("button", name="Part of another").click()
    until(page, lambda: "text=on+the+other" in page.url)

    def is_there() -> bool:
        return (
            page.locator("ol.patterns > li").count() >= 112
            and page.locator("#try").input_value() == "on the other"
            and page.get_by_role("button", name="Whole window").get_attribute("aria-pressed") == "true"
            and page.locator("[data-metric=subset]").get_attribute("aria-pressed") == "true"
            and page.locator(".picture >> css=rect.a:not(.m)").count() == 130
        )

    until(page, is_there)
    page.get_by_role("link", name="Report").click()
    page.locator("table.paper").first.wait_for()
    page.go_back()
    until(page, is_there)
    page.reload()
    until(page, is_there)


def test_skipping_to_the_page_wipes_nothing(page: Page) -> None:
    page.goto("/neuron/L1N2")
    settled(page)
    page.locator("#try").fill("on the other")
    page.locator(".prediction .tok").first.wait_for()
    page.locator("h1").evaluate("each => each.setAttribute('data-kept', 'yes')")
    page.locator("a.skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "page"
    assert page.locator("#try").input_value() == "on the other"
    assert page.locator("h1[data-kept]").count() == 1, "the page was made anew"


def test_no_key_is_dropped_and_the_text_stays(browser: Browser, tmp_path: Path) -> None:
    from tests.support.small_run import random_graphs, write_run

    run = write_run(tmp_path / "many", random_graphs(3, layers=1, neurons=40))
    from n2gdb.storage.build.database import build_database

    build_database(tmp_path / "many.n2gdb", [run])
    with served(tmp_path / "many.n2gdb") as origin, opened(browser, origin) as page:
        page.goto("/neuron/L0N2?whole=yes")
        settled(page)
        for _ in range(30):
            page.keyboard.press("j")
        until(page, lambda: page.locator("h1").inner_text() == "L0N32")
        assert "whole=yes" in page.url
        for _ in range(7):
            page.keyboard.press("k")
        until(page, lambda: page.locator("h1").inner_text() == "L0N25")
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        until(page, lambda: page.locator("h1").inner_text() == "L0N39")


def test_the_text_that_is_tried_goes_along(page: Page) -> None:
    page.goto("/neuron/L1N1")
    settled(page)
    page.locator("#try").fill("he sat on the other side")
    until(page, lambda: "text=he" in page.url)
    page.get_by_role("link", name="Next neuron").click()
    until(page, lambda: page.locator("h1").inner_text() == "L1N2")
    until(page, lambda: page.locator(".prediction .fires-predicted").all_inner_texts() == [" other"])


def test_a_slow_question_says_so_and_what_it_does_and_is_cancelled(page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/query?**", lambda route: held.append(route))
    page.goto("/?q=neurons+MATCHING+'the'")
    waiting = page.locator("section.answer .waiting")
    waiting.wait_for()
    until(page, lambda: "find and order the neurons" in waiting.inner_text())
    assert re.search(r"\d\.\d s", waiting.inner_text())
    page.get_by_role("button", name="Cancel").click()
    page.locator(".refusal", has_text="cancelled").wait_for()
    page.unroute("**/api/query?**")
    page.get_by_role("button", name="Try again").click()
    until(page, lambda: len(neurons_of(page)) > 0)


def test_a_server_that_goes_and_comes_back_is_noticed(browser: Browser, world: Path, tmp_path: Path) -> None:
    with served(world) as origin:
        context = browser.new_context(base_url=origin, viewport={"width": 1280, "height": 860})
        page = context.new_page()
        page.goto("/neuron/L2N1")
        settled(page)
        patterns = page.locator("ol.patterns > li").count()
    page.get_by_role("button", name=re.compile("Show 100 more|Show 118")).first.click()
    page.locator(".refusal", has_text="does not answer").first.wait_for()
    assert page.locator(".health", has_text="does not answer").count() == 1
    assert page.locator("ol.patterns > li").count() == patterns, "what was shown is gone"
    port = origin.rpartition(":")[2]
    with served(world, port=port):
        page.locator("section", has=page.locator("ol.patterns")).get_by_role(
            "button", name="Try again"
        ).first.click()
        until(page, lambda: page.locator("ol.patterns > li").count() > patterns)
        page.locator(".health", has_text="started anew").wait_for()
    from tests.support.cli_world import build_cli_world

    with served(build_cli_world(tmp_path), port=port):
        page.get_by_role("button", name="Part of another").click()
        page.locator(".health", has_text="another database").wait_for()
        page.get_by_role("button", name="Reload").click()
        page.get_by_text("Not shown").first.wait_for()
    context.close()


def test_a_long_text_is_not_cut_without_a_word(page: Page) -> None:
    page.goto("/neuron/L1N2")
    settled(page)
    page.locator("#try").fill("on the other side " * 300)
    assert len(page.locator("#try").input_value()) == 5400
    page.locator(".try .refusal", has_text="4,000").first.wait_for()
