"""`n2gdb predict`: what one neuron is predicted to do on a text, beside its true activations."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.completion import DEVICES, complete_words
from n2gdb.cli.options import (
    By,
    ByOption,
    CsvOption,
    DatabaseOption,
    ForceOption,
    JsonOption,
    ModelOption,
    NeuronArgument,
)
from n2gdb.cli.output.terminal import make_console, print_csv, print_json, print_table, say
from n2gdb.cli.text_input import TextArgument, TextFileOption, given_text

if TYPE_CHECKING:
    from n2gdb.core.readings import ReadToken
    from n2gdb.database import Database
    from n2gdb.neuron import Neuron
    from n2gdb.prediction.reading import Reading

__all__ = ["predict"]

#: Tokens up to which a terminal's table lists each; of a longer text it lists those where something fires.
_LISTED = 60


def predict(
    neuron: NeuronArgument,
    text: TextArgument = None,
    file: TextFileOption = None,
    by: ByOption = By.EVIDENCE,
    true: Annotated[
        bool, typer.Option("--true", help="Run the model too: what the neuron really does on each token.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write the coloured text into this page; - is standard output."),
    ] = None,
    db: DatabaseOption = None,
    model: ModelOption = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="With --true: auto, cpu, cuda or mps.",
            show_default="auto",
            autocompletion=complete_words(*DEVICES),
        ),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Predict a neuron's activation on every token of a text, without the model.

    n2gdb predict L4N358 "I saw him on the other side of the street"

    n2gdb predict L4N358 "I saw him on the other side of the street" --html street.html

    n2gdb predict L4N358 "I saw him on the other side of the street" --true

    echo "I saw him on the other side of the street" | n2gdb predict L4N358 --file - --json

    A firing is predicted at the threshold that the model was ingested with, by default 0.5. If the neuron has
    evidence, that predicts: the figure says how far the odds of firing lie above the neuron's own threshold,
    followed by the tokens that excite it. Otherwise, or with --by graph, the graph does: 1 is the largest
    activation, followed by the pattern that matches, the longest if there are several. With --true the model
    is loaded, and the true activation is shown above the predicted one; a text longer than the model's
    context is read in windows that overlap by half. The page of --html shows the text in colours, patterns
    on hover.
    """
    import n2gdb
    from n2gdb.cli.output.written_file import check_written, write_text_file
    from n2gdb.database import default_path

    reads = (db or default_path(), file)
    check_written(html, force=force, reads=reads)
    asked = given_text(text, file)
    _check_options(true=true, device=device, html=html, machine=as_json or as_csv)
    with n2gdb.open(db) as database:
        found = database.neuron(neuron, model)
        reading = _read(database, found, asked, file, by=by, true=true, device=device or "auto")
    if html is not None:
        write_text_file(html, reading.html(), force=force, reads=reads)
        if str(html) != "-":
            typer.echo(f"wrote {html}", err=True)
    if as_json:
        print_json([_as_dict(each, true) for each in reading.tokens])
    elif as_csv:
        rows = (
            (each.position, each.text, *_activations(each, true), each.pattern) for each in reading.tokens
        )
        print_csv(_headers(true), rows)
    elif html is None:
        _print(found, reading, true)
    elif str(html) != "-":
        say(f"{found.name} of {found.model}: {reading.summary}")
    if not reading.tokens:
        typer.echo("the text has no tokens", err=True)


def _check_options(*, true: bool, device: str | None, html: Path | None, machine: bool) -> None:
    if device is not None and not true:
        raise typer.BadParameter("--device is where the model runs: give --true as well")
    if str(html) == "-" and machine:
        raise typer.BadParameter(
            "--html - and --json or --csv would both write to standard output: name a file"
        )


def _read(
    database: Database, neuron: Neuron, text: str, file: Path | None, *, by: By, true: bool, device: str
) -> Reading:
    from n2gdb.prediction.reading import read_text

    tokens = neuron.tokenize(text)
    activations = _truth(database, neuron, tokens, device) if true else None
    title = "" if file is None or str(file) == "-" else file.name
    return read_text(neuron, tokens, activations, title=title, by=by.value)


def _truth(database: Database, neuron: Neuron, tokens: tuple[int, ...], device: str) -> list[float]:
    from n2gdb.cli.output.progress import stages

    info = database.model(neuron.model)
    with stages() as report:
        report("load model", 0, None)
        from n2gdb.ingest.evaluation.true_activations import true_activations
        from n2gdb.ingest.inference.engine import Engine
        from n2gdb.ingest.models.stored import load_stored_model

        engine = Engine(load_stored_model(info, device, neuron.name))
        found: list[float] = true_activations(engine, neuron, tokens, report).tolist()
    return found


def _headers(true: bool) -> tuple[str, ...]:
    return ("position", "token", *(("true",) if true else ()), "activation", "pattern")


def _activations(token: ReadToken, true: bool) -> tuple[float | None, ...]:
    return (token.true, token.predicted) if true else (token.predicted,)


def _as_dict(token: ReadToken, true: bool) -> dict[str, object]:
    truth = {"true": token.true} if true else {}
    return {
        "position": token.position,
        "token": token.token,
        "text": token.text,
        **truth,
        "activation": token.predicted,
        "pattern": token.pattern,
    }


def _print(neuron: Neuron, reading: Reading, true: bool) -> None:
    listed = reading.tokens
    if sys.stdout.isatty():
        _draw(neuron, reading)
        if len(listed) > _LISTED:
            listed = tuple(each for each in listed if _is_seen(each, reading.threshold))
    headers = _headers(true)
    print_table(headers, (_row(each, true) for each in listed), right=("position", "true", "activation"))
    if left_out := len(reading.tokens) - len(listed):
        print(f"and {left_out:,} tokens on which nothing fires")


def _draw(neuron: Neuron, reading: Reading) -> None:
    from n2gdb.cli.output.reading_lines import draw_reading
    from n2gdb.core.tokens import visible

    console = make_console()
    score = "not judged" if neuron.quality is None else str(neuron.quality)
    console.print(f"{neuron.name} of {visible(neuron.model)} · {score}", style="bold")
    console.print(reading.summary)
    console.print()
    for line in draw_reading(reading, console.width):
        console.print(line, soft_wrap=True)


def _is_seen(token: ReadToken, threshold: float) -> bool:
    return token.pattern is not None or (token.true is not None and token.true >= threshold)


def _row(token: ReadToken, true: bool) -> tuple[object, ...]:
    from n2gdb.core.tokens import display

    predicted = "-" if token.pattern is None else f"{token.predicted:.2f}"
    truth = () if not true else ("-" if token.true is None else _rounded(token.true),)
    return (token.position, display(token.text), *truth, predicted, token.pattern or "-")


def _rounded(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # + 0.0: never -0.00
