"""`n2gdb query`: answer a query."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.options import DatabaseOption
from n2gdb.errors import QuerySyntaxError

if TYPE_CHECKING:
    from n2gdb.grammar.ast import Statement
from n2gdb.cli.output.terminal import say

__all__ = ["query"]


def query(
    text: Annotated[list[str], typer.Argument(metavar="QUERY", help="The query, in quotes.")],
    db: DatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array, with all evidence.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one line a row.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how it would be answered, as EXPLAIN does.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Rows shown where the query has no LIMIT; 0 for all.")
    ] = 20,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="Give up after this many seconds.")] = None,
) -> None:
    """Find neurons by the token patterns that they fire on.

    n2gdb query "neurons MATCHING 'the' BEFORE 'end'"

    n2gdb query "neurons MATCHING 'import' BEFORE/3 ... WHERE f1 >= 0.6 AND layer IN 0..2 LIMIT 5"

    n2gdb query "COUNT neurons MATCHING ('the' | 'a') BEFORE ... BY layer" --json

    Positions are in text order, and the last step is the token that the neuron fires on. Steps:
    'the' (any case, with or without a leading space), "the" (exactly), ... (any), /.*ing/, <digit>.
    Between them: BEFORE, BEFORE/3 (at most 3 positions on), THEN (the very next), AFTER, NEAR/3. Then AND,
    OR, NOT between clauses; WHERE, ORDER BY, LIMIT, OFFSET. The language reference has them all.
    """
    from n2gdb.cli.output.answers import legend_of, limited_to, notices_of, print_answer
    from n2gdb.grammar.ast import Mode

    asked = _read(text)
    if explain and asked.mode is Mode.ANSWER:
        asked = replace(asked, mode=Mode.EXPLAIN)
    shown, limited = limited_to(limit, asked)
    import n2gdb
    from n2gdb.core.deadline import within

    with n2gdb.open(db) as database, within(timeout):
        answer = database.query(shown, timeout=timeout)
        print_answer(answer, as_json=as_json, as_csv=as_csv)
        legend = [] if as_json or as_csv else legend_of(answer)
        for notice in (*legend, *notices_of(answer, limited=limited, skipped=asked.offset or 0)):
            say(notice, err=True)
    if answer.notices and not len(answer):
        raise typer.Exit(1)  # nothing was found because a token does not exist: scripts should notice


def _read(words: list[str]) -> Statement:
    """Read a query; of several words the shell has taken the quotes that were in it."""
    from n2gdb.query.parse import read_query

    text = " ".join(words)
    try:
        return read_query(text)
    except QuerySyntaxError as error:
        if len(words) == 1:
            raise
        hint = "the shell reads quotes and < > $ * itself: put the whole query in double quotes"
        raise QuerySyntaxError(
            f"{error.message}; {hint}", text=text, line=error.line, column=error.column
        ) from error
