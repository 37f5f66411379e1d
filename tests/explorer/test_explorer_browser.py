"""The explorer in a real browser: one test a flow, the console free of errors, nothing asked of elsewhere."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

from n2gdb.core.tokens import display
from tests.explorer.conftest import ask, neurons_of, settled, until
from tests.support.browser_world import HOSTILE
from tests.support.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = needs_chromium

CLIPBOARD = "navigator.clipboard.readText()"
COLOURS = """[document.documentElement, document.body].map((part) => getComputedStyle(part))
  .map((style) => [style.backgroundColor, style.color])"""
NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("denied", "SecurityError"); },
});"""


def test_a_query_is_asked_and_its_address_holds_it(page: Page) -> None:
    ask(page, "neurons MATCHING 'the' BEFORE 'end'")
    assert sorted(neurons_of(page)) == ["L1N0", "L1N1"]
    assert page.locator(".path mark").first.inner_text() == "·the"
    assert "q=neurons+MATCHING" in page.url
    page.reload()
    page.wait_for_selector("section.answer .summary")
    assert sorted(neurons_of(page)) == ["L1N0", "L1N1"]
    assert page.locator("#query").inner_text() == "neurons MATCHING 'the' BEFORE 'end'"
    page.locator(".thumbnail >> css=svg").first.wait_for()


def test_what_is_on_its_way_is_taken_when_it_comes(page: Page) -> None:
    page.goto("/")
    page.locator("#query").press_sequentially("neurons MA")
    page.locator(".cm-tooltip-autocomplete [role=option]").first.wait_for()
    held: list[Route] = []
    page.route("**/api/complete**", lambda route: held.append(route))
    page.keyboard.type("T")
    until(page, lambda: len(held) > 0)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.shadowRoot !== null")  # the box is not left
    assert page.locator("#query").inner_text() == "neurons MAT"
    for route in held:
        route.continue_()
    until(page, lambda: page.locator("#query").inner_text() == "neurons MATCHING")


def test_what_may_stand_at_the_caret_is_offered_and_taken_by_keys(page: Page) -> None:
    page.goto("/")
    offered = page.locator(".cm-tooltip-autocomplete [role=option]")
    page.locator("#query").press_sequentially("neurons MAT", delay=20)
    offered.first.wait_for()
    until(page, lambda: offered.first.inner_text().startswith("MATCHING"))
    page.keyboard.press("Tab")
    until(page, lambda: page.locator("#query").inner_text() == "neurons MATCHING")
    page.locator("#query").press_sequentially(" 'oth", delay=20)
    page.locator(".cm-tooltip-autocomplete [role=option]", has_text="other").first.wait_for()
    page.keyboard.press("ArrowDown")
    until(page, lambda: page.locator("#query").get_attribute("aria-activedescendant") is not None)
    page.keyboard.press("Escape")
    until(page, lambda: offered.count() == 0)


def coloured(page: Page, kind: str) -> list[str]:
    """The parts of the box's text that have a colour."""
    parts: list[str] = page.evaluate(f"[...(CSS.highlights.get('query-{kind}') ?? [])].map(String)")
    return parts


def test_no_colour_of_the_text_is_kept_for_what_is_typed_over_it(page: Page) -> None:
    """The page's policy forbids such styles: what a browser would write of them is a fault in the console."""
    page.goto("/")
    box, keys = page.locator("#query"), page.keyboard
    composed = page.context.new_cdp_session(page)
    query = "neurons MATCHING 'the' AND SIMILAR TO L3N45"
    composing = {"text": "に", "selectionStart": 1, "selectionEnd": 1}
    for pressed, typed in (
        ((), "L3N45"),
        (("Backspace",), "neurons 'x'"),
        (("End", "Control+Backspace"), "b"),
        (("Home", "Delete"), "n"),
        (("Control+x", "Control+v", "Control+z"), ""),
        ((), "日本"),
    ):
        box.fill(query)
        until(page, lambda: coloured(page, "keyword") == ["neurons", "MATCHING", "AND", "SIMILAR", "TO"])
        for key in ("Escape", "Control+a", *pressed):
            keys.press(key)
        if typed == "日本":
            composed.send("Input.imeSetComposition", composing)
            composed.send("Input.insertText", {"text": typed})
        elif pressed:
            keys.type(typed)
        else:
            keys.insert_text(typed)
    until(page, lambda: box.inner_text() == "日本" and coloured(page, "keyword") == [])


def test_a_list_that_has_the_focus_is_drawn_anew(page: Page) -> None:
    page.goto("/")
    offered = page.locator(".cm-tooltip-autocomplete [role=option]")
    page.locator("#query").press_sequentially("neurons M")
    offered.first.wait_for()
    held: list[Route] = []
    page.route("**/api/complete**", lambda route: held.append(route))
    page.keyboard.type("E")
    until(page, lambda: len(held) > 0)
    page.locator(".cm-tooltip-autocomplete [role=listbox]").evaluate(
        "list => { list.tabIndex = -1; list.focus() }"
    )
    for route in held:
        route.continue_()
    until(page, lambda: offered.first.inner_text().startswith("MENTIONING"))
    until(page, lambda: page.evaluate("document.activeElement.shadowRoot?.activeElement?.id") == "query")
    page.keyboard.press("Tab")
    until(page, lambda: page.locator("#query").inner_text() == "neurons MENTIONING")


def test_a_mistake_stands_under_the_caret_as_one_types(page: Page) -> None:
    page.goto("/")
    page.locator("#query").fill("neurons WHERE f2 > 1")
    page.locator("#mistake", has_text="f1").wait_for()
    until(page, lambda: coloured(page, "wrong") == ["f2"])
    caret = page.locator("#mistake .caret").bounding_box()
    word = page.evaluate("[...CSS.highlights.get('query-wrong')][0].getBoundingClientRect().toJSON()")
    assert caret is not None
    assert word["left"] - 8 <= caret["x"] + caret["width"] / 2 <= word["right"], "not under f2"
    page.locator("#query").fill("neurons WHERE f1 > 0")
    until(page, lambda: page.locator("#mistake").count() == 0)


def test_rows_are_sorted_filtered_walked_and_opened_by_keys(page: Page) -> None:
    ask(page, "neurons WHERE n_patterns > 0")
    page.locator("th.c-neuron button").click()
    until(page, lambda: neurons_of(page) == sorted(neurons_of(page)))
    names = neurons_of(page)
    page.locator("th.c-neuron button").click()
    until(page, lambda: neurons_of(page) == names[::-1])
    assert page.locator("th.c-neuron").get_attribute("aria-sort") == "descending"
    page.get_by_placeholder("Search the answer").fill("L1")
    until(page, lambda: neurons_of(page) == ["L1N2", "L1N1", "L1N0"])
    page.locator("h1").evaluate("() => document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.textContent") == "L1N2"
    page.keyboard.press("Enter")
    page.wait_for_url("**/neuron/L1N2")
    page.go_back()
    page.wait_for_selector("section.answer .summary")


def test_the_whole_answer_is_filtered_and_sorted(page: Page) -> None:
    ask(page, "patterns WHERE layer = 2 AND index = 1")
    rows = page.locator("table.rows tbody tr")
    assert rows.count() >= 50
    box = page.get_by_placeholder("Search the answer")
    for activation in ("0.513", "0.617"):  # one of the first patterns and one of the last
        box.fill(activation)
        until(page, lambda: rows.count() == 1)
    box.fill("no row says this")
    until(page, lambda: rows.count() == 0)
    assert "No row shows that." in page.locator("section.answer").inner_text()
    box.fill("")
    until(page, lambda: rows.count() >= 50)


def test_the_parameters_of_cypher_are_whole(page: Page) -> None:
    words = " | ".join(f"'the' | /w{number}.*|the/" for number in range(60))
    ask(page, f"neurons MATCHING ({words})")
    page.get_by_role("button", name="Cypher").click()
    page.locator(".parameters dd").first.wait_for()
    for text in page.locator(".parameters dd").all_inner_texts():
        json.loads(text)


def test_questions_and_history_are_there_to_click(page: Page) -> None:
    page.goto("/")
    page.locator("ul.queries a").first.wait_for()
    question = page.locator("ul.queries code").first.inner_text()
    page.locator("ul.queries a").first.click()
    page.wait_for_selector("section.answer .summary")
    page.goto("/")
    page.locator(".past").wait_for()
    assert question in page.locator(".past").inner_text()
    page.get_by_role("button", name="Forget").click()
    assert page.locator(".past").count() == 0


def test_a_browser_that_keeps_nothing_has_no_history(page: Page) -> None:
    page.add_init_script(NO_STORAGE)
    ask(page, "neurons MATCHING 'the'")
    assert neurons_of(page)
    assert page.locator(".past").count() == 0


def test_a_damaged_history_is_passed_over(page: Page) -> None:
    page.goto("/")
    page.evaluate("localStorage.setItem('n2gdb.queries', '{damaged')")
    ask(page, "neurons MATCHING 'the'")
    assert neurons_of(page)


def test_an_address_that_is_none_is_said_to_be_none(page: Page) -> None:
    page.goto("/neuron/%E0")
    page.locator("h1", has_text="Not shown").wait_for()


def test_the_cypher_is_shown_on_demand(page: Page) -> None:
    ask(page, "neurons MATCHING 'the'")
    page.get_by_role("button", name="Cypher").click()
    page.locator("ol.stages pre", has_text="MATCH (n:Neuron)").first.wait_for()
    page.get_by_role("button", name="Cypher").click()
    assert page.locator("ol.stages").count() == 0


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("COUNT neurons MATCHING 'end' BY layer", "table.counts"),
        ("COUNT neurons", "p.single"),
        ("patterns MATCHING 'the' BEFORE 'end'", "table.rows .path mark"),
        ("tokens ACTIVATING L1N2", "table.rows .token"),
        ("EXPLAIN neurons MATCHING 'the'", "ol.stages"),
        ("neurons MATCHING 'nowhere to be found'", "p.nothing"),
    ],
)
def test_every_kind_of_answer_has_its_form(page: Page, query: str, seen: str) -> None:
    ask(page, query)
    page.locator(f"section.answer {seen}").first.wait_for()


def test_a_neuron_shows_its_graph_figures_examples_patterns_and_likes(page: Page) -> None:
    page.goto("/neuron/L1N1")
    page.wait_for_selector(".picture >> css=svg")
    settled(page)
    assert page.locator("h1").inner_text() == "L1N1"
    assert "behaviours" in page.locator("dl.figures").inner_text()
    assert page.locator(".measured").first.inner_text()
    assert page.locator("ol.patterns li").count() == 2
    assert page.locator("article.example").count() == 2
    assert page.locator("article.example .pivot").count() >= 1
    similar = page.locator("section", has=page.get_by_role("heading", name="Similar neurons"))
    assert "L1N0" in similar.inner_text()
    page.get_by_role("button", name="Part of another").click()
    chosen = page.locator("[data-metric=subset]")
    until(page, lambda: chosen.get_attribute("aria-pressed") == "true")
    settled(page)
    similar.get_by_role("link", name=re.compile("Compare L1N1")).first.click()
    page.wait_for_url("**/compare?names=L1N1**")
    page.wait_for_selector(".picture >> css=svg")
    assert page.locator(".picture >> css=rect.o").count() >= 4
    settled(page)
    assert "Shared by all" in page.locator("main").inner_text()


def test_one_goes_from_neuron_to_neuron_by_keys(page: Page) -> None:
    page.goto("/neuron/L1N1")
    page.locator("h1", has_text="L1N1").wait_for()
    settled(page)
    page.keyboard.press("j")
    page.locator("h1", has_text="L1N2").wait_for()
    settled(page)
    page.keyboard.press("k")
    page.locator("h1", has_text="L1N1").wait_for()
    settled(page)


def test_a_text_is_read_as_it_is_typed(page: Page) -> None:
    page.goto("/neuron/L1N2")
    settled(page)
    page.locator("#try").press_sequentially("He sat on the other side", delay=5)
    fires = page.locator(".prediction .reading .fires-predicted")
    fires.first.wait_for()
    assert fires.all_inner_texts() == [" other"]
    fires.first.hover()
    assert page.locator(".prediction .context-lit").all_inner_texts() == [" on", " the"]
    assert "·on · ·the · ·other" in page.locator("#tip").inner_text()
    assert page.locator(".prediction .reading").inner_text() == "He sat on the other side"


def _copied(page: Page, begins: str) -> bool:
    return bool(page.evaluate(CLIPBOARD).startswith(begins))


def test_what_a_neuron_is_can_be_copied(page: Page) -> None:
    page.goto("/neuron/L1N2")
    settled(page)
    for button, begins in (
        ("Copy Python", "neuron = n2gdb.open("),
        ("Copy JSON", '{"neuron": "L1N2"'),
        ("Copy SVG", "<svg "),
    ):
        page.get_by_role("button", name=button).click()
        page.get_by_role("button", name="Copied").first.wait_for()
        until(page, partial(_copied, page, begins))
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save SVG").click()
    assert saved.value.suggested_filename == "L1N2.svg"


def test_a_large_graph_is_drawn_in_part_and_whole_on_demand(page: Page) -> None:
    page.goto("/neuron/L2N1")
    settled(page)
    drawn = page.locator(".picture >> css=rect.a:not(.m)")  # tokens, not the rim of several
    until(page, lambda: drawn.count() == 40)
    page.get_by_role("button", name="Draw all 130 patterns").click()
    until(page, lambda: drawn.count() == 130)
    settled(page)


def test_layers_and_models_have_pages(page: Page) -> None:
    page.goto("/layer/1")
    settled(page)
    assert page.locator("h1").inner_text() == "Layer 1"
    until(page, lambda: page.locator("main svg").count() >= 2)
    page.locator("table.counts a").first.click()
    page.wait_for_selector("section.answer .summary")
    page.get_by_role("link", name="Report").click()
    page.locator("table.paper").first.wait_for()
    assert page.locator("table.paper").first.locator("tbody tr").count() == 4
    page.get_by_role("link", name="Layer 2").first.click()
    page.locator("h1", has_text="Layer 2").wait_for()
    settled(page)


def test_hostile_tokens_are_text(page: Page) -> None:
    page.goto("/neuron/L2N0")
    settled(page)
    patterns = page.locator("ol.patterns").inner_text()
    for text in HOSTILE:
        assert display(text) in patterns
    assert page.evaluate("document.querySelectorAll('main script, main img, main title').length") == 0
    assert page.locator(".picture >> css=script, .picture >> css=image").count() == 0
    ask(page, "tokens ACTIVATING L2N0")
    shown = page.locator("table.rows tbody .token").all_inner_texts()
    assert sorted(shown) == sorted(map(display, HOSTILE))
    page.goto("/layer/2")
    settled(page)
    page.goto("/api/neuron/L2N0/graph.svg")


def test_a_dead_neuron_is_said_to_be_dead(page: Page) -> None:
    page.goto("/neuron/L2N2")
    settled(page)
    assert "never fires" in page.locator("main").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_in_light_and_dark(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/", "/?q=neurons", "/neuron/L1N2", "/neuron/L2N0", "/layer/1", "/model"):
        page.goto(path)
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        (paper, _), (_, ink) = page.evaluate(COLOURS)
        bright = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (paper, ink)]
        assert (bright[0] > bright[1]) == (scheme == "light")
