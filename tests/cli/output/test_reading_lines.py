"""A reading on a terminal: two rows that stay aligned, wrapped together, whatever the tokens are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rich.cells import cell_len

from n2gdb.cli.output.reading_lines import draw_reading
from n2gdb.core.readings import ReadToken
from n2gdb.core.tokens import display
from n2gdb.prediction.reading import Reading

WORDS = ("He", " said", ",", "\n\n    ", "x", " 你好", "\u202e", "\t", "-" * 50, "\n", " end")


def reading(words: Sequence[str], true: Sequence[float | None], predicted: Sequence[float]) -> Reading:
    tokens = [
        ReadToken(place, place, word, predicted[place], None, (), true[place])
        for place, word in enumerate(words)
    ]
    return Reading("L0N0", "world", 0.5, tuple(tokens))


@pytest.mark.parametrize("width", [8, 13, 30, 200])
def test_both_rows_say_the_text_and_stay_aligned(width: int) -> None:
    count = len(WORDS)
    lines = draw_reading(reading(WORDS, [0.9] * count, [0.1] * count), width)
    pairs = [(lines[place].plain, lines[place + 1].plain) for place in range(0, len(lines), 3)]
    assert all(not line.plain for line in lines[2::3])
    assert all(above[:7] == "true   " and below[:7] == "graph  " for above, below in pairs)
    assert all(above[7:] == below[7:] for above, below in pairs)
    assert "".join(above[7:] for above, _ in pairs) == "".join(map(display, WORDS))
    # a character that takes two columns does not fit a line of one
    assert all(cell_len(above) <= max(width, 9) for above, _ in pairs)


def test_lines_break_where_the_text_does() -> None:
    words = ("a", "\n\n    ", "b", "\n", "c")
    lines = draw_reading(reading(words, [None] * 5, [0.0] * 5), 80)
    assert [line.plain for line in lines] == ["a⏎⏎", "····b⏎", "c"]


def test_what_fires_is_marked_other_than_by_colour_alone() -> None:
    (line,) = draw_reading(reading(("quiet", "weak", "fires"), [None] * 3, [0.0, 0.3, 0.5]), 80)
    styles = {line.plain[span.start : span.end]: str(span.style) for span in line.spans}
    assert styles == {
        "weak": "rgb(171,105,75)",
        "fires": "bold underline black on rgb(214,137,96)",
    }


def test_each_row_has_its_own_colours() -> None:
    above, below = draw_reading(reading(("a", "b"), [1.0, -0.2], [0.0, 0.75]), 80)
    assert [above.plain[span.start : span.end] for span in above.spans if "bold" in str(span.style)] == ["a"]
    assert [below.plain[span.start : span.end] for span in below.spans if "bold" in str(span.style)] == ["b"]


def test_an_empty_text_has_no_lines() -> None:
    assert draw_reading(reading((), (), ()), 80) == []
