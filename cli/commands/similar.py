"""`n2gdb similar`: the neurons most similar to one."""

from __future__ import annotations

from typing import Annotated

import typer

from n2gdb.cli.completion import complete_metrics, complete_models
from n2gdb.cli.options import CsvOption, DatabaseOption, JsonOption, ModelOption, NeuronArgument

__all__ = ["similar"]


def similar(
    neuron: NeuronArgument,
    db: DatabaseOption = None,
    model: ModelOption = None,
    metric: Annotated[
        str,
        typer.Option(
            help="graph (order, distance and rarity count), cofiring (how often both fire together), tokens"
            " (the paper's rule) or subset.",
            autocompletion=complete_metrics,
        ),
    ] = "graph",
    above: Annotated[float, typer.Option(min=0, max=1, help="The least similarity.")] = 0.0,
    sharing: Annotated[
        int, typer.Option(min=1, help="The least size: steps, firings or tokens that both have.")
    ] = 1,
    k: Annotated[int, typer.Option("-k", min=1, help="Neurons shown.")] = 20,
    within: Annotated[
        str | None,
        typer.Option(help="Search only this model; by default all.", autocompletion=complete_models),
    ] = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Find the neurons most similar to a given one, in any layer.

    n2gdb similar L4N358

    n2gdb similar L4N358 --metric cofiring --sharing 3

    n2gdb similar L4N358 --metric tokens --above 0.5 -k 10

    The size is how much the two share: steps of their graphs, recorded firings, or tokens of both roles. A
    small one means little, however high the score.
    """
    import n2gdb
    from n2gdb.cli.output.answers import print_answer

    with n2gdb.open(db) as database:
        answer = database.similar(neuron, k, metric, above=above, sharing=sharing, model=model, within=within)
        print_answer(answer, as_json=as_json, as_csv=as_csv)
        for notice in answer.notices:
            typer.echo(notice, err=True)
    if not len(answer):
        typer.echo(
            "no neuron shares anything with it" if above == 0 and sharing == 1 else "no neuron is so like it",
            err=True,
        )
