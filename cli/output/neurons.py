"""One neuron on a terminal: its figures, its strongest patterns as trees, and its top examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from n2gdb.cli.output.terminal import make_console, print_json

if TYPE_CHECKING:
    from n2gdb.database import Database
    from n2gdb.neuron import Neuron

__all__ = ["EXAMPLES", "PATTERNS", "print_neuron"]

#: Patterns and top examples that are printed unless others are asked for.
PATTERNS, EXAMPLES = 40, 10
#: Tokens that it promotes, and that it suppresses, which are printed.
WRITTEN = 10

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
    tokens.update(token for example in neuron.examples for token in example.tokens)
    return database.texts(tokens, neuron.model)


def _print(neuron: Neuron, texts: dict[int, str], patterns: int | None, examples: int) -> None:
    from rich.text import Text

    from n2gdb.cli.output.graph_tree import draw_example, draw_graph
    from n2gdb.core.tokens import display, visible

    console = make_console()
    console.print(f"{neuron.name} of {visible(neuron.model)}{_STATES[neuron.state]}", style="bold")
    console.print(_scores(neuron))
    console.print(
        f"largest activation {neuron.max_activation:.3g} · {neuron.n_patterns} patterns,"
        f" {neuron.n_nodes} nodes, {neuron.n_activating} activating and {neuron.n_context} context tokens"
    )
    for word, written in (("promotes", neuron.promotes), ("suppresses", neuron.suppresses)):
        if written:
            shown = " ".join(display(each.text) for each in written[:WRITTEN])
            console.print(Text(f"{word} {shown}"), soft_wrap=True)
    for tree in draw_graph(neuron.graph, texts, patterns):
        console.print()
        console.print(tree)
    if patterns is not None and neuron.n_patterns > patterns:
        console.print(f"\n… {neuron.n_patterns - patterns} weaker patterns: --patterns 0 draws all")
    for example in neuron.examples[:examples]:
        console.print(
            f"\n{example.rank + 1}. activation {example.activation:.3g} · {example.split}", style="dim"
        )
        console.print(draw_example(example, texts), soft_wrap=True)


def _scores(neuron: Neuron) -> str:
    if neuron.f1 is None:
        return "not judged: its test examples hold no firing"
    return (
        f"F1 {neuron.f1:.2f} · precision {neuron.precision:.2f} · recall {neuron.recall:.2f}"
        f" on {neuron.true_firings} firings in its test examples"
    )
