"""Everything leads on: the one box, two models, links of what is shown, the graph, comparisons, notes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.explorer.conftest import ask, neurons_of, opened, served, settled, type_into_the_box, until
from tests.support.browser_world import build_two_models
from tests.support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = needs_chromium


@pytest.mark.parametrize(
    ("typed", "kind", "leads"),
    [
        ("L1N2", "neuron", "/neuron/L1N2"),
        ("1/2", "neuron", "/neuron/L1N2"),
        ("other", "word", "q=neurons+MATCHING+'other'"),
        ("he sat on the other side", "text", "FIRING+ON"),
        ("neurons MATCHING 'other'", "query", "q=neurons+MATCHING+'other'"),
    ],
)
def test_one_box_takes_names_words_texts_and_queries(page: Page, typed: str, kind: str, leads: str) -> None:
    page.goto("/layer/1")
    settled(page)
    page.keyboard.press("/")
    until(page, lambda: bool(page.evaluate("document.activeElement.shadowRoot !== null")))
    type_into_the_box(page, typed)
    first = page.locator(".meaning").first
    first.wait_for()
    assert first.inner_text() == kind
    page.keyboard.press("Enter")
    until(page, lambda: leads in page.url.replace("%27", "'"))
    settled(page)
    assert "L1N2" in page.locator("main").inner_text()


def test_a_statistic_is_a_query(page: Page) -> None:
    page.goto("/layer/1")
    settled(page)
    type_into_the_box(page, "avg f1 OF neurons BY layer")
    page.locator(".meaning").first.wait_for()
    assert page.locator(".meaning").first.inner_text() == "query"
    page.keyboard.press("Enter")
    page.get_by_role("columnheader", name="avg").wait_for()


def test_what_an_input_was_taken_for_is_shown_and_can_be_changed(page: Page) -> None:
    page.goto("/")
    type_into_the_box(page, "other")
    page.keyboard.press("Enter")
    page.locator(".meaning[aria-current=true]", has_text=re.compile("^word$")).wait_for()
    page.locator(".meaning", has_text="word in a pattern").click()
    until(page, lambda: "MENTIONING" in page.locator("#query").inner_text())
    page.locator(".meaning[aria-current=true]", has_text="word in a pattern").wait_for()


def test_a_name_that_is_none_is_said_to_be_none(page: Page) -> None:
    page.goto("/")
    type_into_the_box(page, "L7N1")
    page.keyboard.press("Enter")
    page.locator("#mistake", has_text="layer").wait_for()


def test_what_matched_is_what_the_picture_of_a_row_shows(page: Page) -> None:
    ask(page, 'neurons FIRING ON "on the other an other of course the end"')
    pictures = page.locator("table.rows tbody .thumbnail >> css=svg")
    until(page, lambda: pictures.count() == page.locator("table.rows tbody tr").count())
    for place in range(pictures.count()):
        row = page.locator("table.rows tbody tr").nth(place)
        path = row.locator(".path .token:not(.any)").all_inner_texts()
        drawn = row.locator(".thumbnail >> css=g[data-t] > text").all_text_contents()
        assert sorted(path) == sorted(drawn)


def test_tokens_bars_and_counts_lead_to_what_they_stand_for(page: Page) -> None:
    ask(page, "COUNT neurons WHERE f1 > 0 BY layer")
    count = int(page.locator("table.counts td.number").first.inner_text())
    page.locator("table.counts th a").first.click()
    until(page, lambda: len(neurons_of(page)) == count)
    ask(page, "COUNT neurons MATCHING 'the' BEFORE ... BY activating")
    count = int(page.locator("table.counts td.number").first.inner_text())
    page.locator("table.counts th a").first.click()
    until(page, lambda: len(neurons_of(page)) == count)
    page.locator(".path a.token.context").first.click()
    until(page, lambda: "THEN _" in page.locator("#query").inner_text())
    until(page, lambda: len(neurons_of(page)) > 0)
    page.goto("/layer/1")
    settled(page)
    bar = page.locator("svg.chart a").first
    said = re.search(r": (\d+) neuron", bar.get_attribute("aria-label") or "")
    assert said is not None
    bar.click()
    until(page, lambda: len(neurons_of(page)) == int(said[1]))
    page.goto("/neuron/L1N2")
    settled(page)
    page.locator("a.ask-pattern").first.click()
    until(page, lambda: "L1N2" in neurons_of(page))


def test_facets_narrow_the_query_that_is_shown(page: Page) -> None:
    ask(page, "neurons WHERE n_patterns > 0")
    layer = page.locator(".facets section", has_text="layer").locator("a").first
    layer.wait_for()
    count = int(layer.locator(".number").inner_text())
    layer.click()
    until(page, lambda: "layer = " in page.locator("#query").inner_text())
    until(page, lambda: len(neurons_of(page)) == count)


def test_the_graph_answers_to_pointer_and_keyboard(page: Page) -> None:
    page.goto("/neuron/L1N2")
    settled(page)
    tokens = page.locator(".live .picture >> css=g[data-t]")
    tokens.first.wait_for()
    on = page.locator(".live .picture >> css=g[data-t][aria-label^='·on']")
    on.hover()
    said = page.locator(".lit-said")
    until(page, lambda: "·on · ·the · ·other" in said.inner_text())
    assert page.locator(".live .picture >> css=g.lit").count() == 3
    assert page.locator(".live .picture >> css=path.lit").count() == 2
    on.focus()
    page.keyboard.press("ArrowRight")
    until(page, lambda: page.locator(".live .picture >> css=g[data-t]:focus").count() == 1)
    before = page.locator(".live .picture >> css=svg > g").get_attribute("transform")
    page.get_by_role("button", name="Larger").click()
    until(page, lambda: page.locator(".live .picture >> css=svg > g").get_attribute("transform") != before)
    on.focus()
    page.keyboard.press("Enter")
    until(page, lambda: "THEN _ THEN _" in page.locator("#query").inner_text())
    until(page, lambda: "L1N2" in neurons_of(page))


def test_a_token_of_the_graph_lights_the_examples_that_its_pattern_matches(page: Page) -> None:
    """Also where evidence predicts: what it says of a token is longer than a pattern of the graph."""
    said = [" he", " sat", " on", " the", " other", " side", " of", " an", " other"]

    def with_text(route: Route) -> None:
        told = route.fetch().json()
        first = told["examples"][0]
        foreseen = {"pattern": "·sat · ·on · ·the · ·other", "at": [1, 2, 3, 4], "against": []}
        first["tokens"] = [first["tokens"][0] | foreseen | {"text": each, "shown": each} for each in said]
        first["pivot"] = 4
        route.fulfill(json=told)

    page.route(re.compile("/api/neuron/L1N2/examples"), with_text)
    page.goto("/neuron/L1N2")
    settled(page)
    page.locator(".live .picture >> css=g[data-t][aria-label^='·on']").hover()
    until(page, lambda: page.locator(".example.matched-by").count() == 1)
    assert page.locator(".matched-by .pattern-lit").all_inner_texts() == [" on", " the", " other"]
    page.mouse.move(0, 0)
    until(page, lambda: page.locator(".matched-by, .pattern-lit").count() == 0)


def test_a_wide_graph_opens_where_it_fires_and_says_that_there_is_more(page: Page) -> None:
    page.set_viewport_size({"width": 420, "height": 800})
    page.goto("/neuron/L2N3")
    settled(page)
    picture = page.locator(".live .picture")
    until(page, lambda: picture.locator("css=rect.a:not(.m)").count() == 20)
    box = picture.bounding_box()
    first = picture.locator("css=g[data-d='0']").first.bounding_box()
    assert box is not None and first is not None
    assert box["x"] <= first["x"] and first["x"] + first["width"] <= box["x"] + box["width"] + 1
    assert "more than fits" in page.locator(".lit-said").inner_text()
    height = box["height"]
    page.get_by_role("button", name="Whole height").click()
    until(page, lambda: (picture.bounding_box() or box)["height"] > height)


def test_neurons_are_marked_compared_and_listed(page: Page) -> None:
    ask(page, "neurons MATCHING 'end'")
    for name in ("L1N0", "L1N1"):
        page.get_by_label(f"Mark {name}").check()
    page.get_by_label("List").fill("to check")
    page.get_by_role("button", name="Add to the list").click()
    page.locator(".picked", has_text="added to to check").wait_for()
    page.locator(".picked").get_by_role("button", name="Compare").click()
    page.locator("h2", has_text="Shared by all: 1 pattern").wait_for()
    page.locator("#other").fill("L1N2")
    page.keyboard.press("Enter")
    until(page, lambda: page.locator("main h2", has_text="alone").count() == 3)
    page.get_by_role("link", name="Notes").click()
    page.locator(".list", has_text="to check").wait_for()
    assert page.locator(".list .names a").all_inner_texts() == ["L1N0", "L1N1"]
    page.get_by_role("button", name="Forget the list").click()
    until(page, lambda: page.locator(".list").count() == 0)


def test_a_note_is_kept_beside_the_database_and_shown_wherever_the_neuron_is(page: Page, world: Path) -> None:
    page.goto("/neuron/L1N1")
    settled(page)
    hostile = "<img src=x onerror=window.hacked=1> an idiom"
    page.locator("#note").fill(hostile)
    page.locator("#labels").fill("idiom, <b>")
    page.get_by_role("button", name="Keep").click()
    page.locator(".note", has_text="kept in neurons.n2gdb.notes.json").wait_for()
    kept = json.loads(Path(f"{world}.notes.json").read_text(encoding="utf-8"))
    assert kept["neurons"]["world/L1N1"]["labels"] == ["idiom", "<b>"]
    ask(page, "neurons MATCHING 'end'")
    row = page.locator("table.rows tr", has_text="L1N1")
    until(page, lambda: row.locator(".label").all_inner_texts() == ["idiom", "<b>", "note"])
    page.goto("/notes")
    page.locator("td", has_text="an idiom").first.wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save JSON").click()
    assert saved.value.suggested_filename == "neurons.n2gdb.notes.json"
    page.goto("/neuron/L1N1")
    until(page, lambda: page.locator("#note").input_value() == hostile)
    page.locator("#note").fill("")
    page.locator("#labels").fill("")
    page.get_by_role("button", name="Keep").click()
    until(page, lambda: not json.loads(Path(f"{world}.notes.json").read_text(encoding="utf-8"))["neurons"])


def test_an_answer_is_taken_away(page: Page) -> None:
    ask(page, "neurons MATCHING 'end' ORDER BY index")
    page.locator("summary", has_text="Take away").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save CSV").click()
    assert Path(saved.value.path()).read_text(encoding="utf-8").startswith("neuron,")
    page.get_by_role("button", name="Copy as command").click()
    until(page, lambda: "n2gdb query" in page.evaluate("navigator.clipboard.readText()"))
    page.get_by_role("button", name="Copy link").click()
    until(page, lambda: page.evaluate("navigator.clipboard.readText()") == page.url)


def test_pairs_and_help_are_pages(page: Page) -> None:
    page.goto("/pairs?above=0.5&min_size=1&metric=subset")
    page.locator("table.rows a", has_text="compare").first.wait_for()
    assert page.locator("table.rows tbody tr").first.locator(".token.fires").count() >= 2  # of either neuron
    page.keyboard.press("?")
    page.locator("h1", has_text="Help").wait_for()
    assert "n2gdb 0." in page.locator("main").inner_text()
    page.locator("dl.help a").first.click()
    page.wait_for_selector("section.answer .summary")


def test_a_text_is_copied_as_the_text_that_it_is(page: Page) -> None:
    page.goto("/neuron/L1N2?text=He+sat+on+the+other+side")
    page.locator(".prediction .tok").first.wait_for()
    copied = page.locator(".prediction .reading").evaluate(
        """each => { const range = document.createRange(); range.selectNodeContents(each);
        getSelection().removeAllRanges(); getSelection().addRange(range);
        return getSelection().toString(); }"""
    )
    assert copied.strip() == "He sat on the other side"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(build_two_models(tmp_path_factory.mktemp("two"))) as origin:
        yield origin


@pytest.fixture
def of_two(browser: Browser, two: str) -> Iterator[Page]:
    with opened(browser, two) as page:
        yield page


def test_of_two_models_one_is_chosen(of_two: Page) -> None:
    for path in ("/model", "/layer/0", "/neuron/L0N1", "/pairs"):
        of_two.goto(path)
        settled(of_two)
        assert of_two.get_by_text("Not shown").count() == 0, path
    switch = of_two.get_by_label("Model", exact=True)
    assert switch.input_value() == "first"
    switch.select_option("deep")
    until(of_two, lambda: "model=deep" in of_two.url)
    of_two.goto("/neuron/L7N1")
    until(of_two, lambda: of_two.locator("h1").inner_text() == "L7N1" and "model=deep" in of_two.url)
    settled(of_two)


def test_of_thirty_layers_the_one_that_is_held_is_linked(of_two: Page) -> None:
    of_two.goto("/model?model=deep")
    settled(of_two)
    links = of_two.locator("nav[aria-label=Layers] a")
    assert links.all_inner_texts() == ["7"]
    of_two.goto("/layer/3?model=deep")
    of_two.locator(".refusal", has_text="it holds layer 7").wait_for()
    of_two.locator("main a.button").click()
    of_two.locator("h1", has_text="Layer 7").wait_for()
    settled(of_two)


def test_what_a_record_of_the_corpus_tells_is_shown(page: Page) -> None:
    """What the server tells is put in here, so that the figures are known."""
    page.goto("/neuron/L1N2")
    settled(page)
    record = {
        "histogram": {
            "positions": 1000,
            "active": 30,
            "maximum": 2.0,
            "edges": [0.5, 1.0],
            "counts": [25, 5],
        },
        "heldout_f1": 0.5,
        "heldout_firings": 3,
        "excited_by": [],
        "inhibited_by": [
            {"depth": 1, "text": " <b>", "weight": -1.5, "is_class": False, "shown": "·<b>", "place": "AT 1"}
        ],
    }

    def with_record(route: Route) -> None:
        told = route.fetch().json()
        told |= record
        told["first_patterns"][0] |= {"support": 1200, "confidence": 0.25}
        route.fulfill(json=told)

    page.route(re.compile(r"/api/neuron/L1N2(\?|$)"), with_record)
    page.reload()
    settled(page)
    spread = page.locator("section[aria-labelledby=spread]")
    spread.scroll_into_view_if_needed()  # charts are drawn where they are seen
    spread.locator("svg [aria-label*='25 tokens of 1,000']").wait_for(state="attached")
    assert "held-out F1" in page.locator("dl.figures").inner_text()
    assert page.locator("dl.figures .meter.few").count() >= 1
    assert page.locator(".support").first.inner_text().strip() == "1,200 ×, 25 % right"
    inhibits = page.locator("section[aria-labelledby=evidence] a.token")
    assert inhibits.inner_text() == "·<b>"
    assert "INHIBITED" in (inhibits.get_attribute("href") or "")
    page.get_by_role("button", name="Near misses").click()
    until(page, lambda: page.locator("article.example").count() == 1)
    assert "part=near" in page.url
