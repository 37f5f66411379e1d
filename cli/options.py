"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from n2gdb.cli.completion import (
    DEVICES,
    complete_databases,
    complete_models,
    complete_neurons,
    complete_words,
)

__all__ = [
    "By",
    "ByOption",
    "CsvOption",
    "DatabaseOption",
    "DeviceOption",
    "ForceOption",
    "JsonOption",
    "ModelOption",
    "NeuronArgument",
    "TimeoutOption",
]


class By(StrEnum):
    """What predicts where neurons fire."""

    EVIDENCE = "evidence"
    GRAPH = "graph"


ByOption = Annotated[
    By, typer.Option("--by", help="What predicts: evidence, and the graph where there is none; or the graph.")
]
DatabaseOption = Annotated[
    Path | None,
    typer.Option(
        envvar="N2GDB_DB",
        help="Database file.",
        show_default="neurons.n2gdb",
        autocompletion=complete_databases,
    ),
]
DeviceOption = Annotated[
    str, typer.Option(help="auto, cpu, cuda or mps.", autocompletion=complete_words(*DEVICES))
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")]
ModelOption = Annotated[
    str | None,
    typer.Option(help="The model, where the database holds several.", autocompletion=complete_models),
]
NeuronArgument = Annotated[
    str,
    typer.Argument(
        metavar="NEURON",
        help="The neuron: L3N45, 3/45 or blocks.3.mlp/45.",
        autocompletion=complete_neurons,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV, one line per row.")]
TimeoutOption = Annotated[float | None, typer.Option(min=0.001, help="Give up after this many seconds.")]
