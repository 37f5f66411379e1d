"""Readings as HTML: tokens coloured by activation, truth above prediction, patterns on hover.

It needs no script: nothing runs where it is shown, and a notebook keeps it as it is.
"""

from __future__ import annotations

from html import escape
from itertools import groupby

from n2gdb.core.byte_tokens import side_by_side
from n2gdb.core.readings import ReadingRecord, ReadToken, shown_texts, token_lines
from n2gdb.core.tokens import display
from n2gdb.drawing.reading_style import READING_CLASS, reading_style

__all__ = ["reading_fragment", "reading_page"]

#: Activations below are not worth a hover.
_WORTH = 0.05

#: Tokens of unknown truth that are shown on either side of the others.
_NEAR = 16

#: Any-tokens of a pattern that are written one by one.
_RUN = 3


def reading_page(reading: ReadingRecord) -> str:
    """Return a page of its own: whole, light or dark as the reader's system is, nothing fetched."""
    title = escape(f"{reading.neuron} of {reading.model}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>:root{{color-scheme:light dark;"
        "background:light-dark(#fff,#15181c)}body{max-width:62rem;margin:1.2rem auto}</style></head>"
        f"<body><main>{reading_fragment(reading)}</main></body></html>\n"
    )


def reading_fragment(reading: ReadingRecord, most: int | None = None) -> str:
    """Return one element that holds its own style, for a notebook's output or a place in a page.

    ``most`` tokens are shown, the first ones, and how many more there are; all of them if None.
    """
    first, last = _worth_showing(reading)
    shown = reading.tokens[first:last][:most]
    depths = {token.position - at for token in shown for at in token.at[:-1]}
    rows = " two" if reading.has_truth else ""
    texts = shown_texts(reading.tokens)
    tokens = "".join(_token(token, texts[token.position], reading) for token in shown)
    before, after = _left_out(first), _left_out(len(reading.tokens) - first - len(shown))
    return (
        f'<div class="{READING_CLASS}"><style>{reading_style(depths)}</style>{_head(reading)}'
        f'<div class="text{rows}">{before}{tokens}{after}</div></div>'
    )


def _worth_showing(reading: ReadingRecord) -> tuple[int, int]:
    """Return the range to show: all, or what lies near where the truth is known or a pattern matches."""
    worth = [token for token in reading.tokens if token.true is not None or token.pattern is not None]
    if not reading.has_truth:
        return 0, len(reading.tokens)
    first = min(token.at[0] if token.at else token.position for token in worth)
    return max(0, first - _NEAR), worth[-1].position + 1 + _NEAR


def _left_out(count: int) -> str:
    return f'<span class="more">… {count:,} more token{"" if count == 1 else "s"}</span>' if count else ""


def _head(reading: ReadingRecord) -> str:
    title = f" · {escape(reading.title)}" if reading.title else ""
    rows = "".join(f"<span>{row}</span>" for row in _rows(reading))
    return (
        f'<p class="head"><b>{escape(reading.neuron)}</b> of {escape(reading.model)}{title}</p>'
        f'<p class="sum">{escape(reading.summary)}</p>'
        f'<p class="key">{rows}<span>0 <span class="scale"></span> 1</span>'
        f'<span><span class="w"><b class="on" style="--v:{reading.threshold:g}">fires</b></span>'
        f" from {reading.threshold:g} on</span></p>"
    )


def _rows(reading: ReadingRecord) -> list[str]:
    """Say what the rows are, and what is faint."""
    if not reading.has_truth:
        return [f"its {reading.by}’s prediction"]
    rows = ["on the text: its true activation", f"in the row below: its {reading.by}’s prediction"]
    if any(token.true is None for token in reading.tokens):
        rows.append("faint text: the truth is not known")
    return rows


def _token(token: ReadToken, text: str, reading: ReadingRecord) -> str:
    """Write a token: its rows, a break where it ends a line, and what is said on hover."""
    two = reading.has_truth
    above = (token.true or 0.0) if two else token.predicted
    upper = _colour(above, reading.threshold)
    lower = f"<s{_colour(token.predicted, reading.threshold)}></s>" if two else ""
    lines = token_lines(text)
    boxes = [
        f'<span class="w"><b{upper}>{_shown(part)}</b>{lower}</span>' if part else ""
        for part in (lines.ending, lines.beginning)
    ]
    apart = f'<span class="nl{" gap" if lines.breaks > 1 else ""}"></span>' if lines.breaks else ""
    return f"<span{_attributes(token, two)}>{apart.join(boxes)}{_gloss(token, reading)}</span>"


def _attributes(token: ReadToken, two: bool) -> str:
    classes = ["t"]
    if two and token.true is None:
        classes.append("far")
    if token.pattern is not None:
        classes += ["p", *(f"c{token.position - at}" for at in token.at[:-1])]
    focus = ' tabindex="0"' if token.pattern is not None else ""
    return f' class="{" ".join(classes)}"{focus}'


def _colour(activation: float, threshold: float) -> str:
    fires = ' class="on"' if activation >= threshold else ""
    share = min(max(activation, 0.0), 1.0)
    return f'{fires} style="--v:{share:.2f}"' if share >= 0.005 else fires


def _shown(text: str) -> str:
    """Write a token's text, marks for what is not visible made faint."""
    parts = []
    for marked, chars in groupby(text, key=lambda char: display(char) != char):
        shown = escape(display("".join(chars)))
        parts.append(f"<i>{shown}</i>" if marked else shown)
    return "".join(parts)


def _gloss(token: ReadToken, reading: ReadingRecord) -> str:
    """Write what is said on hover: the pattern that matches, and both activations."""
    if token.pattern is None and not (token.true is not None and token.true >= _WORTH):
        return ""
    figures = [] if token.pattern is None else [f"predicted {token.predicted:.2f}"]
    if token.true is not None:
        figures.append(f"true {token.true:.2f}")
    pattern = "<i>no pattern matches</i>" if token.pattern is None else _pattern(token, reading)
    return f'<span class="gloss">{pattern}<em>{" · ".join(figures)}</em></span>'


def _pattern(token: ReadToken, reading: ReadingRecord) -> str:
    """Write the matching pattern in text order, a long run of any-tokens as their number."""
    named = set(token.at)
    span = range(token.at[0], token.at[-1] + 1)
    texts = [reading.tokens[at].text if at in named else None for at in span]
    parts: list[str] = []
    for any_token, run in groupby(
        (text for _, _, text in side_by_side(texts)), key=lambda text: text is None
    ):
        pieces = [_shown(text) if text is not None else "<i>_</i>" for text in run]
        parts += [f"<i>_ × {len(pieces)}</i>"] if any_token and len(pieces) > _RUN else pieces
    return "<i> · </i>".join(parts)
