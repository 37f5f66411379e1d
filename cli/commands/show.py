"""`n2gdb show`: one neuron's graph, statistics and top examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from n2gdb.cli.completion import complete_neurons
from n2gdb.cli.options import DatabaseOption, ForceOption, ModelOption
from n2gdb.cli.output.neurons import EXAMPLES, PATTERNS, print_neuron
from n2gdb.cli.output.picture_files import Files

__all__ = ["show"]


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
    ] = PATTERNS,
    examples: Annotated[int, typer.Option(min=0, help="Top examples shown.")] = EXAMPLES,
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
    rim where a pattern may begin. A file named - is standard output; an existing file is only replaced with
    --force.
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
