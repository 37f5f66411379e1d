"""`n2gdb query`: which neurons match, how well they are described, and on which pattern."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.options import DatabaseOption
from n2gdb.cli.terminal import make_console, print_json, print_table

if TYPE_CHECKING:
    from rich.text import Text

    from n2gdb.database import Answer
    from n2gdb.grammar import Query
    from n2gdb.hits import Evidence, Hit

__all__ = ["query"]

_MATCHED, _FAINT = "bold green", "dim"


def query(
    text: Annotated[str, typer.Argument(metavar="QUERY", help="The query, in quotes.")],
    db: DatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of the neurons found.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print the Cypher and its parameters; run nothing.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Neurons shown where the query has no LIMIT; 0 for all.")
    ] = 20,
) -> None:
    """Find neurons by the token patterns that they fire on.

    n2gdb query "neurons MATCHING 'the' BEFORE 'end'"

    n2gdb query "neurons MATCHING 'import' BEFORE/3 ... WHERE f1 >= 0.6 AND layer IN 0..2 LIMIT 5"

    Positions are in text order, and the last step is the token that the neuron fires on. Steps:
    'the' (any case, with or without a leading space), "the" (exactly), ... (any). Between them: BEFORE,
    BEFORE/3 (at most 3 positions on), THEN (the very next), AFTER. Then AND, OR, NOT between MATCHING
    clauses; WHERE, ORDER BY, LIMIT, OFFSET.
    """
    from n2gdb.compiler import read_query

    asked = read_query(text)
    shown = replace(asked, limit=limit) if asked.limit is None and limit else asked
    if explain:
        _print_explanation(shown, as_json)
        return
    import n2gdb

    with n2gdb.open(db) as database:
        answer = database.query(shown)
        models = [model.name for model in database.models()]
    if as_json:
        print_json([{**hit.as_dict(), "model": models[hit.model]} for hit in answer])
    elif len(answer) and sys.stdout.isatty():
        _print_for_people(answer, models)
    else:
        _print_lines(answer, models)
    for notice in _notices(asked, answer):
        typer.echo(notice, err=True)
    if answer.notices and not len(answer):
        raise typer.Exit(1)  # nothing was found because a token does not exist: scripts should notice


def _print_explanation(query: Query, as_json: bool) -> None:
    from n2gdb.clause import literal_key
    from n2gdb.compiler import compile_query

    compiled = compile_query(query)
    if as_json:
        print_json({"cypher": compiled.cypher, "parameters": compiled.parameters})
        return
    print(compiled.cypher)
    written = {literal_key(each): str(each) for each in compiled.literals}
    for name, value in compiled.parameters.items():
        print(f"${name} = {value!r}" + (f"  # the key of {written[value]}" if value in written else ""))


def _print_for_people(answer: Answer, models: Sequence[str]) -> None:
    """Print a table whose paths have the steps that the query names in colour."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("neuron")
    if len(models) > 1:
        table.add_column("model")
    for header in ("F1", "activation"):
        table.add_column(header, justify="right")
    table.add_column("path", overflow="fold")
    for hit in answer:
        owner = [models[hit.model]] if len(models) > 1 else []
        table.add_row(str(hit.neuron), *owner, *_figures(hit), _styled_paths(hit.evidence))
    make_console().print(table)


def _styled_paths(evidence: Sequence[Evidence]) -> Text:
    """Return one line a clause."""
    from rich.text import Text

    text = Text()
    for line, found in enumerate(evidence):
        for place, step in enumerate(found.path):
            text.append("\n" if line and not place else " · " if place else "", style=_FAINT)
            text.append(str(step), style=_MATCHED if step.matched else _FAINT if step.text is None else "")
    return text


def _print_lines(answer: Answer, models: Sequence[str]) -> None:
    """Print one tab-separated line a neuron; the paths of several clauses are joined by ``&``."""
    rows = [
        (hit.neuron, models[hit.model], *_figures(hit), " & ".join(str(found) for found in hit.evidence))
        for hit in answer
    ]
    print_table(("neuron", "model", "F1", "activation", "path"), rows)


def _figures(hit: Hit) -> list[str]:
    """Return F1 and activation; a neuron that was not judged, or matched on no pattern, has a dash."""
    return ["-" if value is None else f"{value:.2f}" for value in (hit.f1, hit.activation)]


def _notices(asked: Query, answer: Answer) -> list[str]:
    notices = list(answer.notices)
    if asked.limit is None and len(answer) < answer.total - (asked.offset or 0):
        notices.append(f"{len(answer)} of {answer.total:,} neurons: add LIMIT to the query to see more")
    elif not len(answer):
        notices.append(f"none left of {answer.total:,} neurons" if answer.total else "no neuron found")
    return notices
