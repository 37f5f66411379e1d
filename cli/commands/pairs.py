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
            help="tokens (the paper's similar pairs), subset (its subset pairs) or graph.",
            autocompletion=complete_metrics,
        ),
    ] = "tokens",
    subset: Annotated[bool, typer.Option("--subset", help="The same as --metric subset.")] = False,
    above: Annotated[float, typer.Option(min=0, max=1, help="The least similarity.")] = 0.9,
    across_layers: Annotated[
        bool, typer.Option("--across-layers", help="Leave out pairs of one layer.")
    ] = False,
    min_size: Annotated[
        int, typer.Option(min=1, help="Leave out pairs that share fewer tokens, or paths, than this.")
    ] = 1,
    limit: Annotated[int, typer.Option(min=0, help="Pairs shown, the most alike; 0 for all.")] = 20,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Find all pairs of neurons that are alike, exactly.

    n2gdb pairs --above 0.9 --min-size 3

    n2gdb pairs --subset --across-layers --limit 5

    The size is how much the two share: tokens of both roles, or root-to-node paths with --metric graph.
    Graphs of a single pattern are alike easily: --min-size leaves them out.
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
                min_size=min_size,
                progress=report,
            )
        shown = answer_of(found[: limit or None], found.columns)
        print_answer(shown, as_json=as_json, as_csv=as_csv)
    if len(shown) < len(found):
        typer.echo(f"{len(shown)} of {len(found):,} pairs: --limit 0 shows all", err=True)
    elif not len(found):
        typer.echo("no pair is so much alike", err=True)
