"""`n2gdb pairs`: all pairs of similar neurons."""

from __future__ import annotations

from typing import Annotated

import typer

from n2gdb.cli.completion import complete_metrics
from n2gdb.cli.options import CsvOption, DatabaseOption, JsonOption, ModelOption
from n2gdb.cli.output.progress import stages

__all__ = ["pairs"]


def pairs(
    db: DatabaseOption = None,
    model: ModelOption = None,
    metric: Annotated[
        str,
        typer.Option(
            help="graph, cofiring (fire together), tokens (the paper's similar pairs) or subset (its subset"
            " pairs).",
            autocompletion=complete_metrics,
        ),
    ] = "graph",
    subset: Annotated[bool, typer.Option("--subset", help="The same as --metric subset.")] = False,
    above: Annotated[
        float | None, typer.Option(min=0, max=1, help="The least similarity; by default the metric's own.")
    ] = None,
    across_layers: Annotated[
        bool, typer.Option("--across-layers", help="Leave out pairs of one layer.")
    ] = False,
    sharing: Annotated[
        int, typer.Option(min=1, help="Leave out pairs that share less: steps, firings or tokens.")
    ] = 3,
    limit: Annotated[int, typer.Option(min=0, help="Pairs shown, the most alike; 0 for all.")] = 20,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Find all pairs of neurons that are alike, exactly.

    n2gdb pairs --metric tokens --above 0.9 --sharing 1

    n2gdb pairs --subset --across-layers --limit 5

    The size is how much the two share: steps of their graphs, tokens of both roles with --metric tokens or
    subset, and with cofiring recorded firings. Graphs of a single pattern are easily alike: --sharing leaves
    them out.
    """
    import n2gdb
    from n2gdb.cli.output.answers import print_answer
    from n2gdb.query.answer import answer_of

    with n2gdb.open(db) as database:
        with stages() as report:
            found = database.pairs(
                "subset" if subset else metric,
                above=above,
                model=model,
                across_layers=across_layers,
                sharing=sharing,
                progress=report,
            )
        shown = answer_of(found[: limit or None], found.columns)
        print_answer(shown, as_json=as_json, as_csv=as_csv)
        for notice in found.notices:
            typer.echo(notice, err=True)
    if len(shown) < len(found):
        typer.echo(f"{len(shown)} of {len(found):,} pairs: --limit 0 shows all", err=True)
    elif not len(found):
        typer.echo("no pair is so much alike", err=True)
