"""Printing answers: tables on a terminal, lines in a pipe, JSON or CSV for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from n2gdb.cli.output.terminal import (
    CONTEXT,
    FIRES,
    make_console,
    plain_json,
    print_exactly,
    print_json,
    print_table,
    say,
)
from n2gdb.errors import UsageError
from n2gdb.query.answer import cell_of

if TYPE_CHECKING:
    from rich.text import Text

    from n2gdb.core.paths import PathStep
    from n2gdb.database import Database
    from n2gdb.grammar.ast import Statement
    from n2gdb.query.answer import Answer
    from n2gdb.query.execution.context import Stage

__all__ = ["legend_of", "limited_to", "notices_of", "print_answer", "save_neurons"]

_FAINT = "dim"
_WORDS = frozenset({"neuron", "model", "state", "path", "token", "group", "first", "second"})


def print_answer(
    answer: Answer[Any], *, as_json: bool = False, as_csv: bool = False, as_lines: bool = False
) -> None:
    """Print the records of an answer."""
    from n2gdb.query.execution.context import Stage

    if as_json:
        print_json(answer.to_dicts())
    elif as_lines:
        for record in answer.to_dicts():
            print(plain_json(record))
    elif as_csv:
        print_exactly(answer.to_csv())
    elif len(answer) and isinstance(answer[0], Stage):
        _print_stages(answer)
    elif sys.stdout.isatty() and len(answer):
        _print_for_people(answer)
    else:
        print_table(answer.columns, answer.cells())


def limited_to(most: int, asked: Statement) -> tuple[Statement, bool]:
    """Return what is asked with a limit where it has none, and whether that was so; 0 limits nothing."""
    if asked.limit is not None or not most:
        return asked, False
    return replace(asked, limit=most), True


def notices_of(answer: Answer[Any], *, limited: bool, skipped: int = 0) -> list[str]:
    """Return what the reader should know; ``limited`` says that only the first rows are shown unasked."""
    notices = list(answer.notices)
    if limited and len(answer) < answer.total - skipped:
        notices.append(f"{len(answer)} of {answer.total:,} rows: add LIMIT to the query to see more")
    elif not len(answer):
        notices.append(f"none left of {answer.total:,} rows" if answer.total else "nothing found")
    return notices


def legend_of(answer: Answer[Any]) -> list[str]:
    """Return what marks in a table mean, where it has any."""
    from n2gdb.evidence.quality import LEGEND

    marked = any(cell.endswith("?") for cells in answer.cells() for cell in _heldout(answer, cells))
    return [LEGEND] if marked else []


def _heldout(answer: Answer[Any], cells: Sequence[str]) -> list[str]:
    named = zip(answer.columns, cells, strict=True)
    return [cell for column, cell in named if column.startswith("heldout_")]


def _print_for_people(answer: Answer[Any]) -> None:
    """Print a table whose paths are in the pictures' colours, the steps that the query names underlined."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in answer.columns:
        justify: Literal["left", "right"] = "left" if column in _WORDS else "right"
        table.add_column(column, justify=justify, overflow="fold")
    for record in answer:
        values = record.as_dict()
        cells = {column: cell_of(column, values) for column in answer.columns if column != "path"}
        table.add_row(*(cells[each] if each in cells else _styled_path(record) for each in answer.columns))
    make_console().print(table)


def _styled_path(record: Any) -> Text:
    """Return a neuron's paths, one line a clause, or a pattern's own."""
    from rich.text import Text

    paths = [found.path for found in record.evidence] if hasattr(record, "evidence") else [record.steps]
    text = Text()
    for line, steps in enumerate(paths):
        text.append("\n" if line else "")
        _append_path(text, steps)
    return text


def _append_path(text: Text, steps: Sequence[PathStep]) -> None:
    for place, step in enumerate(steps):
        text.append(" · " if place else "", style=_FAINT)
        role = _FAINT if step.text is None else FIRES if step.depth == 0 else CONTEXT
        text.append(str(step), style=f"{role} underline" if step.matched else role)


def _print_stages(stages: Answer[Stage]) -> None:
    """Print the steps of an answer, each statement with its parameters."""
    for number, stage in enumerate(stages, 1):
        say(f"{number}. {stage.step}{_figures(stage)}")
        if stage.cypher is not None:
            say("\n".join(f"   {line}" for line in stage.cypher.splitlines()))
        for name, value in (stage.parameters or {}).items():
            say(f"   ${name} = {_shortened(plain_json(value))}")


def _figures(stage: Stage) -> str:
    """Write what a step gave and took, and what is expected of it."""
    figures = []
    if stage.milliseconds is not None:
        figures += [f"{stage.rows:,} rows", f"{stage.milliseconds:.1f} ms"]
    if stage.estimate is not None:
        figures.append(f"{stage.estimate} expected, {stage.estimate.reads:,} looked at")
    return f"  ({', '.join(figures)})" if figures else ""


def _shortened(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def save_neurons(database: Database, name: str, answer: Answer[Any]) -> None:
    """Save the neurons of an answer as a set; where there are none, a set of this name stays as it is."""
    from n2gdb.query.execution.hits import Hit

    if not all(isinstance(each, Hit) for each in answer):
        raise UsageError("a set holds neurons: save a query that finds them, as neurons MATCHING 'the'")
    if not answer:
        say(f"nothing is saved as ${name.lower()}: no neuron was found", err=True)
        return
    database.save_set(name, answer)
    say(f"${name.lower()}: {len(answer):,} neurons; neurons IN ${name.lower()} asks for them", err=True)
