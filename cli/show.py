"""`n2gdb show`: one neuron's graph, statistics and top examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.completion import complete_neurons
from n2gdb.cli.options import DatabaseOption, ForceOption, ModelOption
from n2gdb.cli.picture_files import Files
from n2gdb.cli.terminal import make_console, print_json

if TYPE_CHECKING:
    from n2gdb.database import Database
    from n2gdb.stored_neuron import Neuron

__all__ = ["print_neuron", "show"]

_PATTERNS, _EXAMPLES = 40, 10

_STATES = {
    "live": "",
    "unpredicted": " · its graph predicts no firing",
    "dead": " · dead: it never fires on the corpus",
}


def show(
    neurons: Annotated[
        list[str],
        typer.Argument(
            metavar="NEURON...",
            help="The neuron: L3N45, 3/45 or blocks.3.mlp/45; several for a sheet of pictures.",
            autocompletion=complete_neurons,
        ),
    ],
    db: DatabaseOption = None,
    model: ModelOption = None,
    patterns: Annotated[
        int, typer.Option(min=0, help="Patterns drawn, the strongest; 0 for all.")
    ] = _PATTERNS,
    examples: Annotated[int, typer.Option(min=0, help="Top examples shown.")] = _EXAMPLES,
    svg: Annotated[Path | None, typer.Option(help="Draw the graph into this file.")] = None,
    png: Annotated[
        Path | None, typer.Option(help="The same as pixels; needs the extra n2gdb[figures].")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="The same as a page.")] = None,
    dot: Annotated[Path | None, typer.Option(help="The same for Graphviz, one neuron.")] = None,
    side_by_side: Annotated[
        bool, typer.Option("--beside", help="Draw two neurons side by side, what they share marked.")
    ] = False,
    force: ForceOption = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with all patterns and examples.")
    ] = False,
) -> None:
    """Show a neuron: its graph as a tree from the activating token back, statistics, top examples.

    n2gdb show L0N12

    n2gdb show 3/45 --db neurons.n2gdb --json

    n2gdb show L4N358 --svg L4N358.svg --html L4N358.html

    n2gdb show L4N358 L4N137 --beside --svg both.svg

    A picture has activating tokens in red on the right, the context they need in blue to their left, a bold
    rim where a pattern may begin. A file named - is standard output; one that is there stays, unless --force
    is given.
    """
    import n2gdb
    from n2gdb.database import default_path

    files = Files(svg, png, html, dot, force, db or default_path())
    files.check(len(neurons), side_by_side=side_by_side)
    with n2gdb.open(db) as database:
        most = patterns or None
        if files.any:
            found = [database.neuron(name, model) for name in neurons]
            files.write(found, most, side_by_side=side_by_side)
            return
        for name in neurons:
            print_neuron(database, name, model, patterns=most, examples=examples, as_json=as_json)


def print_neuron(
    database: Database,
    name: str,
    model: str | None = None,
    *,
    patterns: int | None = _PATTERNS,
    examples: int = _EXAMPLES,
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
    from n2gdb.cli.drawing import draw_example, draw_graph
    from n2gdb.tokens import visible

    console = make_console()
    console.print(f"{neuron.name} of {visible(neuron.model)}{_STATES[neuron.state]}", style="bold")
    console.print(_scores(neuron))
    console.print(
        f"largest activation {neuron.max_activation:.3g} · {neuron.n_patterns} patterns,"
        f" {neuron.n_nodes} nodes, {neuron.n_activating} activating and {neuron.n_context} context tokens"
    )
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
