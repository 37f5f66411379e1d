"""Words and widths in a real Chromium: units are called what they are, tokens stay whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.explorer.conftest import neurons_of, opened, served, settled, type_into_the_box, until
from tests.support.browser_world import build_latents
from tests.support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def latents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(build_latents(tmp_path_factory.mktemp("latents"))) as origin:
        yield origin


@pytest.fixture
def of_latents(browser: Browser, latents: str) -> Iterator[Page]:
    with opened(browser, latents) as page:
        yield page


@pytest.mark.parametrize(
    "path", ["/", "/?q=latents", "/layer/1", "/model", "/neuron/L1F0", "/notes", "/help", "/pairs"]
)
def test_latents_are_called_latents(of_latents: Page, path: str) -> None:
    of_latents.goto(path)
    settled(of_latents)
    page = of_latents.locator("body").inner_text()
    assert not re.findall(r"[^\n]*\bneurons?\b[^\n]*", page, re.IGNORECASE)
    assert "latent" in page


def test_what_is_asked_and_linked_finds_latents(of_latents: Page) -> None:
    of_latents.goto("/")
    settled(of_latents)
    examples = of_latents.locator(".suggestions a .query").all_inner_texts()
    assert "COUNT latents BY state" in examples
    type_into_the_box(of_latents, "end")
    of_latents.keyboard.press("Enter")
    until(of_latents, lambda: "latents%20MATCHING" in of_latents.url or "latents+MATCHING" in of_latents.url)
    until(of_latents, lambda: len(neurons_of(of_latents)) > 1)
    assert of_latents.locator(".summary h2").inner_text().endswith("latents")
    until(of_latents, lambda: of_latents.locator(".facets section").count() >= 2)
    for path, link in (
        ("/layer/1", "dl.figures a"),
        ("/layer/1", "table.counts a.token"),
        ("/neuron/L1F0", "a.ask-pattern"),
        ("/neuron/L1F0", ".patterns a.token"),
    ):
        of_latents.goto(path)
        settled(of_latents)
        of_latents.locator(link).first.click()
        until(of_latents, lambda: len(neurons_of(of_latents)) > 0)


def test_long_tokens_are_neither_broken_nor_do_they_widen_a_page(page: Page) -> None:
    """What the server tells is given longer tokens, as models have them."""
    long = ["·themselves", "·understanding", "·incomprehensible", "·" * 60]

    def with_long(route: Route) -> None:
        told = route.fetch().json()
        for row in told.get("rows", ()):
            row |= {name: long for name in row if name.endswith("fires_on")}
        for row, shown in zip(told.get("tokens", ()), long, strict=False):
            row["shown"] = shown
        route.fulfill(json=told)

    page.route(re.compile("/api/(pairs|layer/|neuron/.*/similar)"), with_long)
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/pairs?above=0.05&min_size=1", "/layer/1", "/neuron/L1N0"):
        page.goto(path)
        settled(page)
        lines = page.locator("main .token").evaluate_all(
            "all => all.map(each => each.clientHeight / parseFloat(getComputedStyle(each).lineHeight))"
        )
        assert lines
        assert max(lines) < 1.7, path
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_a_predictor_looks_the_same_in_every_figure(page: Page) -> None:
    page.goto("/model")
    settled(page)
    looks: dict[str, set[str]] = {}
    for each in page.locator(".chart-key > span").all():
        look = each.locator("svg").get_attribute("class")
        looks.setdefault(each.inner_text(), set()).add(look or "")
    assert len(looks) > 1
    assert all(len(each) == 1 for each in looks.values()), looks


@pytest.mark.parametrize("name", ["L1N700", "L1F3"])
def test_a_neuron_that_is_not_there_leads_to_those_that_are(browser: Browser, origin: str, name: str) -> None:
    page = browser.new_page(base_url=origin)  # which logs that it is not there
    page.goto(f"/neuron/{name}")
    settled(page)
    assert name in page.locator(".refusal").inner_text()
    assert page.get_by_role("button", name="Try again").count() == 0
    page.get_by_role("link", name="The neurons of layer 1").click()
    until(page, lambda: sorted(neurons_of(page)) == ["L1N0", "L1N1", "L1N2"])
    page.close()
