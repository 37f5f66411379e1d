"""Tokens that are parts of characters are shown as the characters that they make."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from n2gdb.cli.output.graph_tree import draw_example, write_path
from n2gdb.cli.output.reading_lines import draw_reading
from n2gdb.core.byte_tokens import side_by_side, together
from n2gdb.core.graph import Pattern, Step
from n2gdb.core.paths import PathStep, filled, written
from n2gdb.core.readings import Example, ReadToken
from n2gdb.core.tokens import text_of_bytes
from n2gdb.explorer.plain import plain_path
from n2gdb.prediction.reading import Reading

TEXT = " سلام 天地🙂é!"


@st.composite
def cut(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Draw a text, and the tokens that its bytes are cut into."""
    text = draw(st.text(st.sampled_from("a x é天地ا🙂\n"), max_size=12))
    raw = text.encode()
    places = sorted({0, len(raw), *draw(st.lists(st.integers(0, len(raw)), max_size=12))})
    return text, [text_of_bytes(raw[a:b]) for a, b in pairwise(places)]


@given(cut())
def test_what_tokens_make_is_read(text_and_tokens: tuple[str, list[str]]) -> None:
    text, tokens = text_and_tokens
    assert "".join(together(tokens)) == text
    assert len(together(tokens)) == len(tokens)


@given(st.lists(st.binary(min_size=1, max_size=3).map(text_of_bytes) | st.none()))
def test_pieces_part_all_tokens_whatever_they_are(texts: list[str | None]) -> None:
    pieces = list(side_by_side(texts))
    assert [place for start, stop, _ in pieces for place in range(start, stop)] == list(range(len(texts)))
    for start, stop, text in pieces:
        if stop - start > 1:
            assert text is not None
            assert "\\x" not in text
        else:
            assert text == texts[start] or "\\x" in (texts[start] or "")


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        ([r"\xE5", r"\xA4", r"\xA9"], ["", "", "天"]),
        ([r"\xE5\xA4", r"\xA9\xE5", r"\x9C\xB0"], ["", "", "天地"]),
        ([r"\x20\xD8", r"\xA7"], ["", " ا"]),
        ([r"\xA4", r"\xE5", " the", r"\xA9"], [r"\xA4", r"\xE5", " the", r"\xA9"]),
        ([r"\xE5", r"\xE5", r"\xA4", r"\xA9"], [r"\xE5", "", "", "天"]),
        (["天", r"\xE5", r"\xA4"], ["天", r"\xE5", r"\xA4"]),
    ],
)
def test_only_what_is_whole_is_joined(texts: list[str], shown: list[str]) -> None:
    assert together(texts) == shown


def bytewise(text: str) -> list[str]:
    return [text_of_bytes(bytes([byte])) for byte in text.encode()]


def read(texts: list[str], fires: int | None = None) -> Reading:
    tokens = tuple(
        ReadToken(place, place, text, 0.9 * (place == fires), "p" if place == fires else None, (place,), None)
        for place, text in enumerate(texts)
    )
    return Reading("L0N0", "m", 0.5, tokens)


def test_a_reading_shows_characters() -> None:
    reading = read(bytewise(TEXT))
    assert "".join(line.plain for line in draw_reading(reading, 80)) == TEXT.replace(" ", "·")
    assert "\\x" not in reading.html()
    assert all(char in reading.html() for char in TEXT if char != " ")


def test_part_of_a_character_that_fires_is_seen() -> None:
    reading = read([r"\xE5", r"\xA4", r"\xA9"], fires=0)
    assert draw_reading(reading, 80)[0].plain == r"\xE5天"
    assert r"\xE5" in reading.html()


def test_an_example_shows_characters_the_pivot_in_brackets() -> None:
    texts = dict(enumerate([*bytewise("天"), " the", *bytewise("地")]))
    for pivot, shown in ((1, "[天]·the地"), (3, "天[·the]地"), (4, "天·the[地]")):
        example = SimpleNamespace(pivot=pivot, tokens=tuple(texts), start=0, trace=(0.5,) * len(texts))
        assert draw_example(cast(Example, example), texts).plain == shown


def test_a_path_shows_characters_of_adjacent_tokens() -> None:
    texts = dict(enumerate(bytewise("天天")))
    steps = [PathStep(5 - place, place, text, 0.5) for place, text in texts.items()]
    assert written(steps) == "天 · 天"
    assert written(filled([steps[0], *steps[2:]])) == r"\xE5 · _ · \xA9 · 天"
    assert [step["shown"] for step in plain_path(steps)["steps"]] == ["天", "天"]
    pattern = Pattern(tuple(Step(depth, 5 - depth, 0.5) for depth in range(6)), 0.9)
    assert write_path(pattern, texts) == "天 · 天"
