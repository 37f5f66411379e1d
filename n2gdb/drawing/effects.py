"""Effects in pictures: what a neuron writes, in a column to the right of what it fires on."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from n2gdb.core.tokens import display
from n2gdb.drawing.labels import HEIGHT, label_of, label_width
from n2gdb.drawing.svg import Panel

if TYPE_CHECKING:
    from n2gdb.core.neuron_view import NeuronView, WrittenView

__all__ = ["with_effects", "written_tokens"]

#: Tokens of each kind that are drawn.
_PROMOTED, _SUPPRESSED = 5, 3

_GAP, _ROW, _HEAD = 46.0, HEIGHT + 7.0, 22.0


def written_tokens(neuron: NeuronView) -> tuple[Sequence[WrittenView], Sequence[WrittenView]]:
    """Return the promoted and the suppressed tokens of a neuron that its picture shows."""
    return neuron.promotes[:_PROMOTED], neuron.suppresses[:_SUPPRESSED]


def with_effects(panel: Panel, neuron: NeuronView) -> Panel:
    """Set what a neuron writes to the right of its graph; nothing where its effects are not known."""
    promoted, suppressed = written_tokens(neuron)
    if not promoted and not suppressed:
        return panel
    drawn = _column(promoted, suppressed)
    x, middle = panel.width + _GAP, max(panel.height, drawn.height) / 2
    elements = (
        f'<g transform="translate(0 {middle - panel.height / 2:.1f})">{panel.elements}</g>'
        f'<path d="M{panel.width + 8:.1f} {middle:.1f}H{x - 14:.1f}m-6 -4l6 4l-6 4"/>'
        f'<g transform="translate({x:.1f} {middle - drawn.height / 2:.1f})">{drawn.elements}</g>'
    )
    return Panel(elements, x + drawn.width, max(panel.height, drawn.height))


def _column(promoted: Sequence[WrittenView], suppressed: Sequence[WrittenView]) -> Panel:
    """Draw promoted tokens in green, and below them suppressed ones with dashed rims."""
    parts: list[str] = []
    y, width = 0.0, 88.0
    for tokens, heading, kind, moved in (
        (promoted, "↑ promotes", "u", "promoted"),
        (suppressed, "↓ suppresses", "u z", "suppressed"),
    ):
        if not tokens:
            continue
        parts.append(f'<text class="s" x="0" y="{y + 13:.1f}">{heading}</text>')
        y += _HEAD
        most = max(abs(token.logit) for token in tokens) or 1.0
        for token in tokens:
            wide = label_width(label_of(token.text))
            shade = 0.0 if token.logit < 0 else 0.12 + 0.4 * token.logit / most
            tip = f"{display(token.text)}\n{moved} by {abs(token.logit):.3g} at its largest activation"
            parts.append(
                f'<g data-w="{token.logit:.4g}"><title>{_text(tip)}</title><rect class="{kind}" x="0"'
                f' y="{y:.1f}" width="{wide:.1f}" height="{HEIGHT:g}" rx="7" fill-opacity="{shade:.2f}"/>'
                f'<text x="{wide / 2:.1f}" y="{y + HEIGHT / 2 + 4.5:.1f}" text-anchor="middle">'
                f"{_text(label_of(token.text))}</text></g>"
            )
            width = max(width, wide)
            y += _ROW
        y += 6.0
    return Panel("".join(parts), width, y)


def _text(text: str) -> str:
    return escape("".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text))
