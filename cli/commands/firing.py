"""`n2gdb firing`: the neurons that fire on each token of a text, by their stored graphs."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.options import DatabaseOption
from n2gdb.cli.output.terminal import print_json, print_table
from n2gdb.cli.text_input import TextArgument, TextFileOption, given_text

if TYPE_CHECKING:
    from n2gdb.prediction.fired_tokens import FiredNeuron, FiredToken

__all__ = ["firing"]

_SHOWN = 5


def firing(
    text: TextArgument = None,
    file: TextFileOption = None,
    db: DatabaseOption = None,
    model: Annotated[str | None, typer.Option(help="The model, where the database holds several.")] = None,
    at: Annotated[
        int | None, typer.Option(help="Only this token of the text: 0 is the first, -1 the last.")
    ] = None,
    layer: Annotated[
        list[int] | None, typer.Option(min=0, help="Only neurons of this layer; may be repeated.")
    ] = None,
    min_f1: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only neurons whose graphs score this well.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Neurons shown a token; 0 for all.")] = _SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of the tokens.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one line a token and neuron.")] = False,
) -> None:
    """Run every stored graph on a text, without the model: which neurons fire on which token.

    n2gdb firing "Once upon a time"

    n2gdb firing "Once upon a time" --at -1 --min-f1 0.6 --layer 2 --layer 3

    Behind each neuron stand its predicted activation, 1 being its largest, and the F1 of its graph.
    """
    import n2gdb

    asked = given_text(text, file)
    with n2gdb.open(db) as database:
        found = database.firing(asked, model, at=at, layers=layer or (), min_f1=min_f1)
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
    parts = [f"{each.neuron} {each.activation:.2f} ({_score(each.f1)})" for each in shown]
    if more := len(found.neurons) - len(shown):
        parts.append(f"and {more:,} more")
    return ", ".join(parts) or "-"


def _score(f1: float | None) -> str:
    return "not judged" if f1 is None else f"F1 {f1:.2f}"


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
    writer.writerow(("position", "token", "text", "neuron", "activation", "f1"))
    for token in found:
        for each in _shown(token, limit):
            writer.writerow(
                (token.position, token.token, texts[token.token], each.neuron, each.activation, each.f1)
            )
