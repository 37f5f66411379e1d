"""Charts and figures in the browser: what they say, where they lead, and on how much they rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.explorer.conftest import ask, neurons_of, settled, until
from tests.support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = needs_chromium


def drawn(page: Page, path: str) -> None:
    page.goto(path)
    settled(page)
    page.locator(".plotted").first.scroll_into_view_if_needed()
    page.locator(".plotted svg.chart").first.wait_for()


def test_a_layers_columns_say_what_they_count_and_lead_there(page: Page) -> None:
    drawn(page, "/layer/1")
    chart = page.locator(".plotted").first
    assert "F1 on held-out text" in (chart.get_attribute("aria-label") or "")
    told = page.request.get("/api/layer/1").json()
    bars = chart.locator("[data-tip]")
    assert bars.count() == len(told["f1"]) == 10
    for at, bin in enumerate(told["f1"]):
        said = bars.nth(at).get_attribute("data-tip") or ""
        assert f": {bin['neurons']} neuron" in said and f", {bin['firm']} of them" in said
        assert (bars.nth(at).evaluate("each => each.localName") == "a") == (bin["neurons"] > 0)
    # By keyboard: the tip is said, and Enter opens what is counted.
    last = chart.locator("a").last
    last.focus()
    assert "1 neuron, 0 of them" in page.locator("#tip").inner_text()
    page.keyboard.press("Enter")
    until(page, lambda: neurons_of(page) == ["L1N2"])
    assert "heldout_f1 >= 0.8" in page.locator("#query").inner_text()


def test_what_rests_on_few_firings_is_pale(page: Page) -> None:
    drawn(page, "/layer/1")
    chart = page.locator(".plotted").first
    assert chart.locator(".columns.pale rect").count() == 3
    assert chart.locator(".columns:not(.pale) rect").count() == 2
    shades = [
        chart.locator(f".columns{which}").evaluate("each => getComputedStyle(each).fill")
        for which in (".pale", ":not(.pale)")
    ]
    assert shades[0] != shades[1]


def test_a_report_draws_every_predictor_with_a_shape_of_its_own(page: Page) -> None:
    drawn(page, "/model")
    charts = page.locator(".plotted")
    # The library is there: all of the page's charts are drawn with it, those below the fold, too.
    until(page, lambda: page.locator("svg.chart").count() == charts.count())
    last = page.locator(".plotted", has=page.locator("g.s4")).last
    assert last.locator("g.dots").count() == last.locator("g.line").count() == 5
    shapes = [
        re.sub(r"[\d., ]+", "0", str(last.locator(f"g.dots.s{at} path").first.get_attribute("d")))
        for at in range(5)
    ]
    assert len(set(shapes)) == 5
    assert last.locator("xpath=..").locator(".chart-key path").count() == 5
    mark = page.locator(".plotted a").first
    said = mark.get_attribute("aria-label") or ""
    assert re.fullmatch(r"graph, layer 0: 0\.\d{3}", said)
    mark.focus()
    assert page.locator("#tip").inner_text() == said


def test_a_histogram_is_of_all_that_was_recorded(page: Page) -> None:
    drawn(page, "/neuron/L1N2")
    spread = page.request.get("/api/neuron/L1N2").json()["histogram"]
    said = [each.get_attribute("data-tip") or "" for each in page.locator(".plotted [data-tip]").all()]
    counts = [int(re.search(r": ([\d,]+) token", each)[1].replace(",", "")) for each in said]  # type: ignore[index]
    assert counts == spread["counts"][-28:]
    assert page.locator(".plotted .mark-said").text_content() == "fires"


def test_a_chart_is_as_wide_as_its_place(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 860})
    drawn(page, "/layer/1")
    until(page, lambda: page.locator("svg.chart").first.bounding_box() is not None)
    box = page.locator("svg.chart").first.bounding_box()
    assert box is not None and 250 < box["width"] <= 390
    page.set_viewport_size({"width": 1280, "height": 860})
    until(page, lambda: (page.locator("svg.chart").first.bounding_box() or {"width": 0})["width"] > 450)


def test_figures_of_few_firings_are_marked_wherever_they_stand(page: Page) -> None:
    ask(page, "neurons WHERE layer = 1")
    row = page.locator("tr", has=page.get_by_text("L1N2", exact=True))
    assert row.locator(".meter").first.inner_text() == "0.86?"
    assert (
        page.locator("tr", has=page.get_by_text("L1N0", exact=True)).locator(".meter").first.inner_text()
        == "0.30"
    )
    page.locator("p", has_text="?: judged on fewer than 10 firings").wait_for()
    row.locator(".meter").first.hover()
    assert "2 firings only" in page.locator("#tip").inner_text()
    page.goto("/neuron/L1N2")
    settled(page)
    assert page.locator(".figures .meter").first.inner_text() == "0.86?"
    page.goto("/neuron/L1N1")
    settled(page)
    similar = page.locator(".similar")
    similar.get_by_role("columnheader", name="held-out F1").wait_for()
    page.goto("/compare?names=L1N0,L1N2")
    settled(page)
    page.get_by_text("F1 0.86? on held-out text", exact=True).wait_for()
    page.get_by_text("F1 0.30 on held-out text", exact=True).wait_for()


@pytest.mark.parametrize("path", ["/neuron/L1N0", "/compare?names=L1N0,L1N1"])
def test_what_keeps_a_neuron_silent_is_in_its_picture(page: Page, path: str) -> None:
    page.goto(path)
    settled(page)
    silencing = page.locator(".picture >> css=g[data-i]")
    silencing.first.wait_for()
    told = page.request.get("/api/neuron/L1N0").json()["inhibited_by"]
    assert silencing.first.locator("text").first.text_content() == told[0]["shown"]
    if path.startswith("/neuron"):
        chip = page.locator(".token.inhibits").first
        assert chip.inner_text() == told[0]["shown"]
        assert page.locator("figcaption .key.inhibits").count() == 1


def test_a_page_of_which_all_is_there_is_told_the_database_with_itself(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/layer/1")
    settled(page)
    assert not [url for url in asked if url.endswith("/api/database")]
    page.locator(".file", has_text="neurons.n2gdb").wait_for()


def test_a_token_lights_what_speaks_against_it(page: Page) -> None:
    page.goto("/neuron/L1N1?text=%21+of+the+end")
    settled(page)
    tokens = page.locator(".prediction .reading .tok")
    until(page, lambda: tokens.count() == 4)
    tokens.last.hover()
    until(page, lambda: page.locator(".prediction .against-lit").all_inner_texts() == ["!"])
    assert "a token before speaks against it" in page.locator("#tip").inner_text()
    page.goto("/neuron/L1N1?text=.+of+the+end")  # which does not
    settled(page)
    until(page, lambda: tokens.count() == 4)
    tokens.last.hover()
    page.locator("#tip", has_text="predicted 0.").wait_for()
    assert page.locator(".prediction .against-lit").count() == 0


def test_statistics_and_several_groups_are_shown_as_they_are(page: Page) -> None:
    ask(page, "AVG f1 OF neurons BY layer")
    heads = page.locator("table.counts thead th").all_inner_texts()
    assert heads[:3] == ["layer", "avg", "count"]
    told = page.request.get("/api/query?q=AVG+f1+OF+neurons+BY+layer").json()["rows"]
    shown = page.locator("table.counts tbody tr").first.locator("th, td").all_inner_texts()
    assert shown[0] == str(told[0]["group"]) and float(shown[1]) == pytest.approx(told[0]["avg"], abs=0.005)
    ask(page, "COUNT neurons BY layer, state")
    assert page.locator("table.counts thead th").all_inner_texts()[:3] == ["layer", "state", "count"]
    count = int(page.locator("table.counts tbody tr").first.locator("td.number").inner_text())
    page.locator("table.counts th a").first.click()
    until(page, lambda: len(neurons_of(page)) == count)
    ask(page, "AVG f1 OF neurons")
    assert "avg over 8" in page.locator(".single").inner_text()


def test_steps_of_a_field_are_drawn_and_lead_on(page: Page) -> None:
    ask(page, "COUNT neurons BY heldout_f1 / 0.1")
    page.locator("svg.chart").wait_for()
    rows = page.request.get("/api/query?q=COUNT+neurons+BY+heldout_f1+%2F+0.1").json()["rows"]
    counts = [row["count"] for row in rows if row["group"] is not None]
    links = page.locator("svg.chart a")
    assert links.count() == len(counts)
    links.last.click()
    until(page, lambda: len(neurons_of(page)) == counts[-1])


def test_rows_without_a_neuron_cannot_be_marked(page: Page) -> None:
    ask(page, "neurons RETURN layer, f1 LIMIT 3")
    assert page.locator("table.rows tbody tr").count() == 3
    assert page.locator(".c-mark, .c-picture").count() == 0
    ask(page, "neurons LIMIT 3")
    assert page.locator("td.c-mark").count() == 3


def test_a_text_that_is_too_long_is_not_sent(page: Page) -> None:
    page.goto("/neuron/L1N2")
    settled(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#try").fill("word " * 900)
    page.locator(".options .refusal", has_text="4,500 characters").wait_for()
    page.wait_for_timeout(600)
    assert not [url for url in asked if "/predict" in url]
    page.locator("#try").fill("on the other")
    until(page, lambda: any("/predict" in url for url in asked))
