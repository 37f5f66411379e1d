"""`n2gdb predict`: one neuron's stored graph, run on a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.options import CsvOption, DatabaseOption, JsonOption, ModelOption, NeuronArgument
from n2gdb.cli.terminal import make_console, print_csv, print_json, print_table

if TYPE_CHECKING:
    from n2gdb.database import Database
    from n2gdb.stored_neuron import Neuron

__all__ = ["predict"]

_HEADERS = ("position", "token", "activation", "pattern")


@dataclass(frozen=True, slots=True)
class _Prediction:
    """A token of the text: ``activation`` is 0 and ``pattern`` None where no pattern matches."""

    position: int
    token: int
    text: str
    activation: float
    pattern: str | None

    def as_dict(self) -> dict[str, object]:
        return {
            "position": self.position,
            "token": self.token,
            "text": self.text,
            "activation": self.activation,
            "pattern": self.pattern,
        }


def predict(
    neuron: NeuronArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text, in quotes.")],
    db: DatabaseOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Run a neuron's graph on a text, without the model: the predicted activation of every token.

    n2gdb predict L4N358 "on the other side of the room"

    n2gdb predict L4N358 "on the other side of the room" --json

    Activations are normalised: 1 is the neuron's largest, and from 0.5 on it fires. Behind each stands the
    pattern of the graph that matches there, the longest if there are several.
    """
    import n2gdb

    with n2gdb.open(db) as database:
        found = database.neuron(neuron, model)
        predictions = _predictions(database, found, text)
    if as_json:
        print_json([each.as_dict() for each in predictions])
    elif as_csv:
        rows = ((each.position, each.text, each.activation, each.pattern) for each in predictions)
        print_csv(_HEADERS, rows)
    else:
        _print(found, predictions)
    if not predictions:
        typer.echo("the text has no tokens", err=True)


def _predictions(database: Database, neuron: Neuron, text: str) -> list[_Prediction]:
    from n2gdb.cli.drawing import write_path

    graph = neuron.graph
    tokens = database.tokenizer(neuron.model).cut(text)
    texts = database.texts({*tokens, *graph.token.tolist()}, neuron.model)
    ends = graph.matched(tokens).tolist()
    patterns = [graph.pattern(end) if end >= 0 else None for end in ends]
    return [
        _Prediction(
            position,
            token,
            texts[token],
            0.0 if pattern is None else pattern.activation,
            None if pattern is None else write_path(pattern, texts),
        )
        for position, (token, pattern) in enumerate(zip(tokens, patterns, strict=True))
    ]


def _print(neuron: Neuron, predictions: list[_Prediction]) -> None:
    import sys

    from n2gdb.cli.drawing import draw_trace
    from n2gdb.tokens import display

    if sys.stdout.isatty():
        console = make_console()
        score = "not judged" if neuron.f1 is None else f"F1 {neuron.f1:.2f}"
        console.print(f"{neuron.name} of {neuron.model} · {score}", style="bold")
        line = draw_trace([each.text for each in predictions], [each.activation for each in predictions])
        console.print(line, soft_wrap=True)
    rows = (
        (
            each.position,
            display(each.text),
            f"{each.activation:.2f}" if each.pattern is not None else "-",
            each.pattern or "-",
        )
        for each in predictions
    )
    print_table(_HEADERS, rows, right=("position", "activation"))
