"""DOT output: a diagram in Graphviz's language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from n2gdb.drawing.diagram import Diagram, Mark
from n2gdb.drawing.labels import label_of

if TYPE_CHECKING:
    from n2gdb.core.neuron_view import WrittenView

__all__ = ["diagram_dot"]


def diagram_dot(
    diagram: Diagram,
    name: str,
    promoted: Sequence[WrittenView] = (),
    suppressed: Sequence[WrittenView] = (),
    silencing: Sequence[tuple[str, str]] = (),
) -> str:
    """Write a diagram as DOT: context on the left in blue, activating tokens on the right in red.

    Alternatives stand in one node, separated by ``|``. A bold rim marks where a pattern may begin; a dashed
    edge runs over as many any-tokens as it says; a dashed rim says that a pattern is seldom right. Promoted
    tokens stand in green, suppressed ones dashed; ``silencing`` tokens, each with its place, in purple.
    """
    lines = [
        f"digraph {_quoted(name)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="DejaVu Sans Mono", fontsize=11];',
        *_behaviours(diagram),
    ]
    for link in diagram.links:
        over = f' [style=dashed, label="{link.between}"]' if link.between else ""
        lines.append(f"  {link.earlier} -> {link.later}{over};")
    lines += [f"  {line}" for line in (*_written(promoted, suppressed), *_silencing(silencing))]
    return "\n".join([*lines, "}", ""])


def _written(promoted: Sequence[WrittenView], suppressed: Sequence[WrittenView]) -> Iterator[str]:
    """What a neuron writes: two clusters of their own."""
    for kind, tokens, look in (
        ("promotes", promoted, 'fillcolor="0.4 0.25 1.0"'),
        ("suppresses", suppressed, 'style="rounded,dashed"'),
    ):
        if tokens:
            yield f'subgraph cluster_{kind} {{ label="{kind}"; color=gray85;'
            yield from (
                f"  {kind}_{place} [label={_quoted(label_of(token.text))}, {look}];"
                for place, token in enumerate(tokens)
            )
            yield "}"


def _silencing(tokens: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What keeps a neuron silent, and where: a cluster of its own."""
    if tokens:
        yield 'subgraph cluster_silencing { label="less after"; color=gray85;'
        yield from (
            f'  silencing_{place} [label={_quoted(f"{text} {where}")}, color="0.74 0.61 0.63",'
            ' fillcolor="0.74 0.1 1.0"];'
            for place, (text, where) in enumerate(tokens)
        )
        yield "}"


def _behaviours(diagram: Diagram) -> Iterator[str]:
    """Every behaviour is a cluster, if there are several."""
    found = sorted({mark.behaviour for mark in diagram.marks})
    for behaviour in found:
        inside = [
            f"  {place} {_attributes(diagram, mark)};"
            for place, mark in enumerate(diagram.marks)
            if mark.behaviour == behaviour
        ]
        if len(found) == 1:
            yield from inside
        else:
            yield f"  subgraph cluster_{behaviour} {{ color=gray85;"
            yield from (f"  {line}" for line in inside)
            yield "  }"


def _attributes(diagram: Diagram, mark: Mark) -> str:
    label = " | ".join(label_of(token.text) for token in mark.tokens)
    if mark.depth:
        hue, strength = 0.6, max(map(diagram.strength, mark.tokens))
    else:
        hue, strength = 0.01, diagram.strength(mark.tokens[0])
    rim = ", penwidth=2.5" if mark.begins is not None else ""
    if diagram.is_seldom_right(place for token in mark.tokens for place in token.patterns):
        rim, strength = f'{rim}, style="rounded,filled,dashed"', 0.35 * strength
    shade = 0.08 + 0.5 * strength
    return f'[label={_quoted(label)}, fillcolor="{hue} {shade:.2f} 1.0"{rim}]'


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
