"""`n2gdb firing`: the neurons predicted to fire on each token of a text."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.completion import complete_layers
from n2gdb.cli.options import By, ByOption, DatabaseOption, ModelOption
from n2gdb.cli.output.terminal import print_json, print_table
from n2gdb.cli.text_input import TextArgument, TextFileOption, given_text

if TYPE_CHECKING:
    from n2gdb.prediction.fired_tokens import FiredNeuron, FiredToken

__all__ = ["firing"]

_SHOWN = 5
_FIGURES = ("f1", "heldout_f1", "heldout_firings")


def firing(
    text: TextArgument = None,
    file: TextFileOption = None,
    db: DatabaseOption = None,
    model: ModelOption = None,
    at: Annotated[
        int | None, typer.Option(help="Only this token of the text: 0 is the first, -1 the last.")
    ] = None,
    layer: Annotated[
        list[int] | None,
        typer.Option(
            min=0, help="Only neurons of this layer; may be repeated.", autocompletion=complete_layers
        ),
    ] = None,
    by: ByOption = By.EVIDENCE,
    min_f1: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only neurons that are predicted this well.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Neurons shown a token; 0 for all.")] = _SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of the tokens.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one line a token and neuron.")] = False,
) -> None:
    """Predict which neurons fire on each token of a text, without the model.

    n2gdb firing "Once upon a time"

    n2gdb firing "Once upon a time" --at -1 --min-f1 0.6 --layer 2 --layer 3

    Each neuron is followed by its predicted activation and by how well it is predicted: its F1 on held-out
    text if that is known, marked ? if it rests on few firings, else on its top examples.
    """
    import n2gdb

    asked = given_text(text, file)
    with n2gdb.open(db) as database:
        found = database.firing(asked, model, at=at, layers=layer or (), min_f1=min_f1, by=by.value)
        texts = database.texts({each.token for each in found}, model)
    if as_json:
        print_json([_as_dict(each, texts[each.token], limit) for each in found])
    elif as_csv:
        _print_csv(found, texts, limit)
    else:
        _print(found, texts, limit)
    if not found:
        typer.echo("the text has no tokens", err=True)


def _shown(found: FiredToken, limit: int) -> Sequence[FiredNeuron]:
    return found.neurons[:limit] if limit else found.neurons


def _print(found: Sequence[FiredToken], texts: dict[int, str], limit: int) -> None:
    from n2gdb.core.tokens import display

    rows = [(each.position, display(texts[each.token]), _summary(each, limit)) for each in found]
    print_table(("position", "token", "neurons"), rows, right=("position",))


def _summary(found: FiredToken, limit: int) -> str:
    """Return the strongest neurons, ``L3N45 0.93 (F1 0.71)``, and how many more there are."""
    shown = _shown(found, limit)
    parts = [f"{each.neuron} {each.activation:.2f} ({_score(each)})" for each in shown]
    if more := len(found.neurons) - len(shown):
        parts.append(f"and {more:,} more")
    return ", ".join(parts) or "-"


def _score(fired: FiredNeuron) -> str:
    if fired.heldout_f1 is not None:
        from n2gdb.evidence.quality import written_share

        return f"F1 {written_share(fired.heldout_f1, fired.heldout_firings)}"
    return "not judged" if fired.f1 is None else f"F1 {fired.f1:.2f}"


def _as_dict(found: FiredToken, text: str, limit: int) -> dict[str, object]:
    return {
        "position": found.position,
        "token": found.token,
        "text": text,
        "total": len(found.neurons),
        "neurons": [each.as_dict() for each in _shown(found, limit)],
    }


def _print_csv(found: Sequence[FiredToken], texts: dict[int, str], limit: int) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("position", "token", "text", "neuron", "activation", *_FIGURES))
    for token in found:
        for each in _shown(token, limit):
            figures = (getattr(each, name) for name in _FIGURES)
            writer.writerow(
                (token.position, token.token, texts[token.token], each.neuron, each.activation, *figures)
            )
