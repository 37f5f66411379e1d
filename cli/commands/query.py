"""`n2gdb query`: answer a query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from n2gdb.cli.asking import SHOWN, ask
from n2gdb.cli.completion import complete_query, complete_sets
from n2gdb.cli.options import DatabaseOption, ForceOption

__all__ = ["query"]


def query(
    text: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help="The query, in quotes; - reads it from standard input.",
            autocompletion=complete_query,
        ),
    ] = None,
    db: DatabaseOption = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Read queries from a file, with semicolons between them."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array, with all evidence.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_lines: Annotated[
        bool, typer.Option("--jsonl", help="Print JSON lines, one a row, with all evidence.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write there: .json, .jsonl, .csv or .parquet.")
    ] = None,
    force: ForceOption = False,
    save: Annotated[
        str | None,
        typer.Option(help="Save the neurons as a set: IN $NAME asks for them.", autocompletion=complete_sets),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how it would be answered, as EXPLAIN does.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Rows shown where the query has no LIMIT; 0 for all.")
    ] = SHOWN,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="Give up after this many seconds.")] = None,
) -> bool:
    """Find neurons by the token patterns that they fire on.

    n2gdb query "neurons MATCHING 'the' BEFORE 'end'"

    n2gdb query "neurons MATCHING 'import' BEFORE/3 ... WHERE f1 >= 0.6 AND layer IN 0..2 LIMIT 5"

    n2gdb query "COUNT neurons MATCHING ('the' | 'a') BEFORE ... BY layer" --json

    n2gdb query "neurons MATCHING 'the'" --jsonl

    Positions are in text order, and the last step is the token that the neuron fires on. Steps:
    'the' (any case, with or without a leading space), "the" (exactly), ... (any), /.*ing/, <digit>.
    Between them: BEFORE, BEFORE/3 (at most 3 positions on), THEN (the very next), AFTER, NEAR/3. Then AND,
    OR, NOT between clauses; WHERE, ORDER BY, LIMIT, OFFSET. The language reference has them all.
    """
    return ask(
        text or [],
        db,
        file,
        as_json=as_json,
        as_csv=as_csv,
        as_lines=as_lines,
        output=output,
        force=force,
        save=save,
        explain=explain,
        limit=limit,
        timeout=timeout,
    )
