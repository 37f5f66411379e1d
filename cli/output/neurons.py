"""One neuron on a terminal: its figures, its strongest patterns as trees, and its top examples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from n2gdb.cli.output.terminal import CONTEXT, FIRES, INHIBITS, WRITES, make_console, print_json

if TYPE_CHECKING:
    from n2gdb.database import Database
    from n2gdb.neuron import Neuron

__all__ = ["EXAMPLES", "PATTERNS", "print_neuron"]

#: Patterns and top examples that are printed unless others are asked for.
PATTERNS, EXAMPLES = 40, 10
#: Tokens that it promotes, and that it suppresses, which are printed.
WRITTEN = 10
#: Examples shown of each lesser strength.
OTHERS = 1

_STATES = {
    "live": "",
    "unpredicted": " · its graph predicts no firing",
    "dead": " · dead: it never fires on the corpus",
    "dense": " · dense: it fires too often for a graph, which was not learned",
}


def print_neuron(
    database: Database,
    name: str,
    model: str | None = None,
    *,
    patterns: int | None = PATTERNS,
    examples: int = EXAMPLES,
    as_json: bool = False,
) -> None:
    """Print a neuron with its strongest patterns, None for all, and its first top examples."""
    found = database.neuron(name, model)
    if as_json:
        print_json(found.as_dict())
    else:
        _print(found, _texts(database, found), patterns, examples)


def _texts(database: Database, neuron: Neuron) -> dict[int, str]:
    """Read the text of every token of the graph and the examples in one look-up."""
    tokens = set(neuron.graph.token.tolist())
    tokens.update(token for example in neuron.examples() for token in example.tokens)
    return database.texts(tokens, neuron.model)


def _print(neuron: Neuron, texts: dict[int, str], patterns: int | None, examples: int) -> None:
    from rich.text import Text

    from n2gdb.cli.output.graph_tree import draw_example, draw_graph
    from n2gdb.core.tokens import display, visible

    console = make_console()
    console.print(f"{neuron.name} of {visible(neuron.model)}{_STATES[neuron.state]}", style="bold")
    for line in _scores(neuron):
        console.print(Text(line), soft_wrap=True)
    console.print(
        f"largest activation {neuron.max_activation:.3g} · {neuron.n_patterns} patterns,"
        f" {neuron.n_nodes} nodes, {neuron.n_activating} activating and {neuron.n_context} context tokens"
    )
    for word, said, style in _evidence_lines(neuron):
        console.print(Text.assemble(f"{word:<11} ", (said, style)), soft_wrap=True)
    for word, written in (("promotes", neuron.promotes), ("suppresses", neuron.suppresses)):
        if written:
            shown = " ".join(display(each.text) for each in written[:WRITTEN])
            console.print(Text.assemble(f"{word} ", (shown, WRITES)), soft_wrap=True)
    for tree in draw_graph(neuron.graph, texts, patterns):
        console.print()
        console.print(tree)
    if patterns is not None and neuron.n_patterns > patterns:
        console.print(f"\n… {neuron.n_patterns - patterns} weaker patterns: --patterns 0 draws all")
    for line in histogram_lines(neuron):
        console.print(Text(line), soft_wrap=True)
    for example in neuron.examples[:examples]:
        console.print(
            f"\n{example.rank + 1}. activation {example.activation:.3g} · {example.split}", style="dim"
        )
        console.print(draw_example(example, texts), soft_wrap=True)
    for example in neuron.examples.others if examples else ():
        if example.rank < OTHERS:
            console.print(f"\n{_band(example.band)} · activation {example.activation:.3g}", style="dim")
            console.print(draw_example(example, texts), soft_wrap=True)


def _band(band: str) -> str:
    return "near miss" if band == "near" else f"from {band} of the largest on"


def _scores(neuron: Neuron) -> list[str]:
    """Say how well it is predicted: first on held-out text, then its graph on its top examples."""
    from n2gdb.evidence.quality import LEGEND, is_uncertain, written_share

    lines = []
    if neuron.heldout_f1 is not None:
        firings = neuron.heldout_firings
        shares = (
            f"{name} {written_share(getattr(neuron, f'heldout_{field}'), firings)}"
            for name, field in (("F1", "f1"), ("precision", "precision"), ("recall", "recall"))
        )
        used = "evidence" if neuron.evidence is not None else "graph"
        lines.append(f"held-out text: {' · '.join(shares)} by its {used} on {firings} firings")
        if is_uncertain(neuron.statistics):
            lines.append(f"  {LEGEND}")
    elif neuron.heldout_firings is not None:
        lines.append("held-out text: it never fires there")
    if neuron.state == "dense":
        lines.append("top examples: not judged, as there is no graph")
    elif neuron.f1 is None:
        lines.append("top examples: not judged, those kept for judging hold no firing")
    else:
        lines.append(
            f"top examples: F1 {neuron.f1:.2f} · precision {neuron.precision:.2f} · recall"
            f" {neuron.recall:.2f} by its graph on {neuron.true_firings} firings"
        )
    return lines


def _evidence_lines(neuron: Neuron) -> Iterator[tuple[str, str, str]]:
    """Say what makes it fire and what keeps it silent: its activating tokens, then context by its weight."""
    from n2gdb.evidence.influences import written_influences

    if own := [str(each) for each in neuron.activating_tokens[:WRITTEN]]:
        yield "fires on", " ".join(own), FIRES
    for word, weighed, style in (
        ("more after", neuron.excited_by, CONTEXT),
        ("less after", neuron.inhibited_by, INHIBITS),
    ):
        if weighed:
            yield word, written_influences(weighed, WRITTEN), style


def histogram_lines(neuron: Neuron) -> list[str]:
    """Draw how its activations are spread over the corpus, a line a quarter octave."""
    found = neuron.histogram
    if found is None or not found.active:
        return []
    share = found.active / found.positions if found.positions else 0.0
    lines = [
        "",
        f"active on {share:.2%} of {found.positions:,} tokens; by strength, in shares of the largest:",
    ]
    most = max(max(found.counts), 1)
    for edge, count in zip(found.edges, found.counts, strict=True):
        # The length is of the logarithm: weak activations are thousands of times as frequent.
        bar = "█" * round(40 * math.log1p(count) / math.log1p(most))
        lines.append(f"  {edge / found.maximum:>5.2f} {count:>9,} {bar}")
    return lines
