"""`n2gdb effects`: add to a database the tokens that its neurons promote and suppress."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from n2gdb.cli.completion import complete_databases, complete_ingested
from n2gdb.cli.options import DeviceOption

__all__ = ["effects"]


def effects(
    database: Annotated[
        Path,
        typer.Argument(
            metavar="DB",
            help="The database; its shards lie beside it.",
            autocompletion=complete_databases,
        ),
    ],
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="The model that it was learned from, as ingest takes it.",
            autocompletion=complete_ingested,
        ),
    ],
    device: DeviceOption = "auto",
) -> None:
    """Add the tokens that each unit promotes and suppresses most to a database that was built without them.

    n2gdb effects demo.n2gdb demo

    Ingest stores them by default. No corpus is read: the logits follow from the model's weights. The database
    is built again from its shards, and replaced as a whole at the end.
    """
    from n2gdb.cli.output.progress import stages

    with stages() as report:
        from n2gdb.ingest.adding_effects import add_effects, check_present

        check_present(database)  # the model may take minutes to load
        report("load model", 0, None)
        from n2gdb.ingest.models.subject import load_model

        added = add_effects(database, load_model(model, device), report)
    typer.echo(f"{database}: effects of {added:,} neurons added")
