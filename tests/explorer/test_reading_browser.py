"""A reading in a real browser: what the pointer and the keyboard bring up, and that nothing overflows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from n2gdb.core.readings import ReadToken
from n2gdb.prediction.reading import Reading
from tests.support.chromium import Watched, needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = needs_chromium

#: The context stands on the line before, and what it says on hover is near the right edge.
WORDS = ("class", " <b>", " R", "(", "Base", ")", ":", "\n   ", " \u202ex", " ", "y" * 40, "\n", "end")
FIRES, CONTEXT = 7, (0, 5)


def written() -> str:
    tokens = [
        ReadToken(place, place, word, 0.0, None, (), 0.0 if place else None)
        for place, word in enumerate(WORDS)
    ]
    tokens[FIRES] = ReadToken(FIRES, FIRES, WORDS[FIRES], 0.75, "class", (*CONTEXT, FIRES), 1.0)
    return Reading("L0N0", "world", 0.5, tuple(tokens)).html()


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page, on a phone's screen; whatever it logs or asks for beside itself is an error."""
    file = tmp_path_factory.mktemp("browser") / "reading.html"
    file.write_text(written(), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 700})
    watched = Watched(page, file.as_uri())
    page.goto(file.as_uri())
    yield page
    page.close()
    assert not watched.faults


@pytest.fixture
def tokens(page: Page) -> Locator:
    page.mouse.move(1, 1)
    page.evaluate("document.activeElement.blur()")
    return page.locator(".t")


def background(token: Locator) -> Any:
    return token.locator("b").first.evaluate("each => getComputedStyle(each).backgroundColor")


def lit(tokens: Locator) -> set[int]:
    """Tokens whose colour is that of context."""
    plain = background(tokens.nth(len(WORDS) - 1))
    return {place for place in range(len(WORDS)) if place != FIRES and background(tokens.nth(place)) != plain}


def test_nothing_is_lit_until_a_token_is_pointed_at(page: Page, tokens: Locator) -> None:
    assert tokens.count() == len(WORDS)
    assert lit(tokens) == set()
    assert not page.locator(".gloss").first.is_visible()


@pytest.mark.parametrize("by", ["hover", "focus"])
def test_a_token_shows_its_pattern_and_lights_its_context(page: Page, tokens: Locator, by: str) -> None:
    getattr(tokens.nth(FIRES), by)()
    assert lit(tokens) == set(CONTEXT)
    gloss = page.locator(".gloss").first
    assert gloss.is_visible()
    assert gloss.inner_text() == "class · _ × 4 · ) · _ · ⏎···\npredicted 0.75 · true 1.00"
    box = gloss.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_a_phone_need_not_scroll_sideways(page: Page, tokens: Locator) -> None:
    tokens.nth(FIRES).hover()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_what_fires_is_told_without_colour(tokens: Locator) -> None:
    def marks(place: int) -> Any:
        return (
            tokens.nth(place)
            .locator("b")
            .first.evaluate(
                "each => [getComputedStyle(each).fontWeight, getComputedStyle(each).borderBottomColor]"
            )
        )

    assert marks(FIRES)[0] == "700" and marks(1)[0] == "400"
    assert marks(FIRES)[1] != marks(1)[1]


def test_a_line_of_the_text_is_a_line_of_the_page(tokens: Locator) -> None:
    tops = [(box or {"y": -1})["y"] for box in (tokens.nth(at).bounding_box() for at in (6, 8, 12))]
    assert tops == sorted(set(tops))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(page: Page, tokens: Locator, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    hot = tokens.nth(FIRES).locator("b").first
    ink, paper = hot.evaluate(
        "each => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor]"
    )
    assert contrast(ink, paper) >= 4.5  # WCAG 2, AA


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted(map(luminance, (first, second)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of ``rgb(242, 107, 79)`` or ``color(srgb 0.9 0.4 0.3)``, as WCAG 2 defines it."""
    numbers = [float(part) for part in re.findall(r"[\d.]+", colour)[:3]]
    shares = [each if colour.startswith("color") else each / 255 for each in numbers]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
