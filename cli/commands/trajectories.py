"""`n2gdb trajectories`: how far back neurons look, by layer, or for one neuron by token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.completion import complete_neurons
from n2gdb.cli.options import DatabaseOption, DeviceOption, ForceOption, JsonOption, ModelOption
from n2gdb.cli.output.terminal import print_json, print_table
from n2gdb.core.trajectories import SAMPLE

if TYPE_CHECKING:
    from n2gdb.core.trajectories import ExampleTrajectory, LayerTrajectory, NeuronTrajectories
    from n2gdb.database import Database

__all__ = ["trajectories"]

_LENGTHS = (1, 2, 4, 8, 16, 30)


def trajectories(
    neuron: Annotated[
        str | None,
        typer.Argument(
            metavar="NEURON",
            help="One neuron: L3N45, 3/45 or blocks.3.mlp/45. Default: all layers.",
            autocompletion=complete_neurons,
        ),
    ] = None,
    db: DatabaseOption = None,
    model: ModelOption = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help=f"Neurons drawn of each layer. [default: {SAMPLE}]", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of --sample.")] = 0,
    figure: Annotated[
        Path | None, typer.Option(help="Draw a figure into this file: .svg, .png or .pdf.")
    ] = None,
    force: ForceOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show how much of a neuron's activation is left when its prompt is cut short.

    n2gdb trajectories --sample 10 --figure layers.svg

    n2gdb trajectories L5N100 --figure L5N100.svg

    The model runs again on the top examples, cut to their last 1, 2, 4, ... tokens. For a single neuron,
    each example is shown as it was pruned, with important tokens in brackets.
    """
    import n2gdb
    from n2gdb.database import default_path

    if neuron is not None and sample is not None:
        raise typer.BadParameter("--sample draws neurons of the layers: leave it out where one is named")
    if figure is not None:
        from n2gdb.plotting import check_figure

        check_figure(figure, force=force, reads=(db or default_path(),))
    with n2gdb.open(db) as database:
        if neuron is None:
            layers = _follow_layers(database, model, sample or SAMPLE, seed, device)
            _show_layers(layers, figure, as_json, force=force)
        else:
            found = _follow_neuron(database, neuron, model, device)
            _show_neuron(found, figure, as_json, force=force)


def _follow_layers(
    database: Database, model: str | None, sample: int, seed: int, device: str
) -> list[LayerTrajectory]:
    from n2gdb.cli.output.progress import stages

    info = database.model(model)
    with stages() as report:
        report("load model", 0, None)
        from n2gdb.ingest.evaluation.trajectories import layer_trajectories
        from n2gdb.ingest.inference.engine import Engine
        from n2gdb.ingest.models.stored import load_stored_model

        engine = Engine(load_stored_model(info, device))
        return layer_trajectories(database, engine, info.name, sample=sample, seed=seed, report=report)


def _follow_neuron(database: Database, name: str, model: str | None, device: str) -> NeuronTrajectories:
    from n2gdb.cli.output.progress import stages

    neuron, info = database.neuron(name, model), database.model(model)
    with stages() as report:
        report("load model", 0, None)
        from n2gdb.ingest.evaluation.trajectories import neuron_trajectories
        from n2gdb.ingest.inference.engine import Engine
        from n2gdb.ingest.models.stored import load_stored_model, stored_config

        engine = Engine(load_stored_model(info, device, neuron.name))
        return neuron_trajectories(database, engine, neuron, stored_config(info))


def _show_layers(
    layers: Sequence[LayerTrajectory], figure: Path | None, as_json: bool, *, force: bool
) -> None:
    if figure is not None:
        from n2gdb.plotting import draw_trajectories

        draw_trajectories(layers, figure, force=force)
    if as_json:
        print_json([each.as_dict() for each in layers])
        return
    headers = ("layer", "neurons", *map(str, _LENGTHS), "whole")
    rows = [(each.layer, each.neurons, *map(_share, _means(each)), _share(each.whole)) for each in layers]
    print_table(headers, rows, right=headers)
    print(
        "mean activation, 1 being a neuron's largest, on prompts of at most so many tokens, the last of them"
    )
    print("the activating token, and in the whole window; an activation below zero counts as 0")


def _means(layer: LayerTrajectory) -> list[float]:
    return [mean for length, mean in zip(layer.lengths, layer.mean, strict=True) if length in _LENGTHS]


def _show_neuron(found: NeuronTrajectories, figure: Path | None, as_json: bool, *, force: bool) -> None:
    if figure is not None:
        from n2gdb.plotting import draw_neuron_trajectories

        draw_neuron_trajectories(found, figure, force=force)
    if as_json:
        print_json(found.as_dict())
        return
    lengths = [length for length in _LENGTHS if length <= len(found.mean())]
    headers = ("example", *map(str, lengths), "whole", "pruned prompt")
    rows = [
        (
            f"{example.rank + 1} {example.split}",
            *(_share(value) for value in _at(example, lengths)),
            _share(example.whole),
            _pruned(found, example),
        )
        for example in found.examples
    ]
    means = (*(found.mean()[length - 1] for length in lengths), found.whole())
    print_table(headers, [*rows, ("mean", *map(_share, means), "")], right=headers[1:-1])
    print("activation, 1 being the neuron's largest, on prompts of so many tokens, the last of them the")
    print("activating token, and in the whole window; a mean counts shorter examples as they are")


def _at(example: ExampleTrajectory, lengths: Sequence[int]) -> list[float | None]:
    """Return the activation after so many tokens; None if the example has fewer."""
    return [example.activation[-length] if length <= len(example.activation) else None for length in lengths]


def _pruned(found: NeuronTrajectories, example: ExampleTrajectory) -> str:
    """Write the pruned prompt, important tokens in brackets."""
    from n2gdb.core.tokens import display

    last = len(example.texts) - 1
    kept = [
        f"[{display(text)}]" if important else display(text)
        for place, (text, weight, important) in enumerate(
            zip(example.texts, example.importance, found.important(example), strict=True)
        )
        if weight is not None or place == last
    ]
    return "".join(kept)


def _share(value: float | None) -> str | None:
    return None if value is None else f"{round(value, 2) + 0.0:.2f}"  # + 0.0: never -0.00
