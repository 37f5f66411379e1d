"""A neuron's graph as a tree of text lines, and its top examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text
from rich.tree import Tree

from n2gdb.cli.output.terminal import heat_style
from n2gdb.core.byte_tokens import side_by_side
from n2gdb.core.paths import PathStep, filled, written
from n2gdb.core.tokens import display

if TYPE_CHECKING:
    from n2gdb.core.graph import NeuronGraph, Pattern
    from n2gdb.core.readings import Example

__all__ = ["draw_example", "draw_graph", "write_path"]

_BEFORE, _AFTER = 24, 6  # tokens shown around a pivot


def draw_graph(graph: NeuronGraph, texts: Mapping[int, str], most: int | None = None) -> list[Tree]:
    """Draw a tree for each activating token, the strongest first; each level goes back through the text.

    ``most`` keeps that many patterns, the strongest; None keeps all. An any-token is drawn as ``_``.
    """
    kept = _nodes_of_strongest(graph, most)
    drawn: dict[int, Tree] = {}
    roots: list[int] = []
    for node in kept:
        parent = int(graph.parent[node])
        label = _label(graph, node, texts)
        if parent < 0:
            roots.append(node)
            drawn[node] = Tree(label)
        else:
            drawn[node] = drawn[parent].add(label)
    return [drawn[root] for root in sorted(roots, key=lambda root: -graph.best[root])]


def draw_example(example: Example, texts: Mapping[int, str]) -> Text:
    """Write the text around an example's pivot, coloured by activation, the activating token in brackets."""
    first = max(0, example.pivot - _BEFORE)
    line = Text("" if first == 0 else "…")
    last = min(len(example.tokens), example.pivot + _AFTER + 1)
    for start, stop, text in side_by_side([texts[token] for token in example.tokens[first:last]]):
        positions = range(first + start, first + stop)
        shown = display(text or "")
        value = max(_activation(example, position) for position in positions)
        style = heat_style(value, background=True) if value > 0 else ""
        line.append(f"[{shown}]" if example.pivot in positions else shown, style=style)
    return line


def _activation(example: Example, position: int) -> float:
    at = position - example.start
    return example.trace[at] if 0 <= at < len(example.trace) else 0.0


def write_path(pattern: Pattern, texts: Mapping[int, str]) -> str:
    """Write a pattern in text order, ``·the · _ · ·end``; an any-token is ``_``."""
    return written(filled([PathStep(step.depth, step.token, texts[step.token]) for step in pattern.steps]))


def _nodes_of_strongest(graph: NeuronGraph, most: int | None) -> list[int]:
    """Return, in preorder, the nodes on the paths of the strongest patterns."""
    ends = np.flatnonzero(~np.isnan(graph.end))
    strongest = ends[np.argsort(-graph.end[ends], kind="stable")][:most]
    return sorted({node for end in strongest for node in graph.path(int(end))})


def _label(graph: NeuronGraph, node: int, texts: Mapping[int, str]) -> Text:
    parent = int(graph.parent[node])
    shown = display(texts[int(graph.token[node])])
    label = Text()
    if parent < 0:
        label.append(shown, style=f"bold {heat_style(float(graph.best[node]))}")
    else:
        gap = int(graph.depth[node] - graph.depth[parent]) - 1
        label.append("_ " * gap, style="dim")
        importance = float(graph.importance[node])
        label.append(shown, style=heat_style(importance, context=True))
        label.append(f"  importance {importance:.2f}", style="dim")
    end = float(graph.end[node])
    if not np.isnan(end):
        label.append(f"  activation {end:.2f}", style=heat_style(end))
        label.append(_occurrences(graph, node), style="dim")
    return label


def _occurrences(graph: NeuronGraph, node: int) -> str:
    """Say how often the pattern that ends at a node occurs in the corpus, and is right."""
    if graph.support is None or graph.confidence is None:
        return ""
    support, confidence = int(graph.support[node]), float(graph.confidence[node])
    right = "" if np.isnan(confidence) else f", right on {confidence:.0%}"
    return f"  {support:,} in the corpus{right}"
