"""Asks queries and prints their answers, as `n2gdb query` does."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from n2gdb.cli.output.terminal import say
from n2gdb.errors import QuerySyntaxError, UsageError

if TYPE_CHECKING:
    from n2gdb.grammar.ast import Statement

__all__ = ["SHOWN", "ask"]

#: Rows shown where a query has no LIMIT.
SHOWN = 20


def ask(
    words: list[str],
    db: Path | None = None,
    file: Path | None = None,
    *,
    as_json: bool = False,
    as_csv: bool = False,
    as_lines: bool = False,
    output: Path | None = None,
    force: bool = False,
    save: str | None = None,
    explain: bool = False,
    limit: int = SHOWN,
    timeout: float | None = None,
) -> bool:
    """Answer the queries of a command line, with its options.

    Return False where nothing was found because a token does not exist: scripts should notice.
    """
    from n2gdb.cli.output.answers import legend_of, limited_to, notices_of, print_answer, save_neurons
    from n2gdb.database import default_path
    from n2gdb.grammar.ast import Mode

    statements = _statements(words, file)
    reads = (db or default_path(), file)
    if output is not None:
        from n2gdb.cli.output.answer_files import check_answer_file

        check_answer_file(output, force=force, reads=reads)
    if len(statements) > 1 and (output is not None or save is not None):
        raise UsageError("--output and --save take one query")
    import n2gdb
    from n2gdb.core.deadline import within

    failed = False
    with n2gdb.open(db) as database:
        for asked in statements:
            if explain and asked.mode is Mode.ANSWER:
                asked = replace(asked, mode=Mode.EXPLAIN)
            shown, limited = limited_to(0 if output is not None or save is not None else limit, asked)
            with within(timeout):
                answer = database.query(shown, timeout=timeout)
                if save is not None:
                    save_neurons(database, save, answer)
                elif output is not None:
                    from n2gdb.cli.output.answer_files import write_answer

                    write_answer(output, answer, force=force, reads=reads)
                else:
                    print_answer(answer, as_json=as_json, as_csv=as_csv, as_lines=as_lines)
                in_table = not (as_json or as_csv or as_lines or output or save)
                legend = legend_of(answer) if in_table else []
                for notice in (*legend, *notices_of(answer, limited=limited, skipped=asked.offset or 0)):
                    say(notice, err=True)
            failed |= bool(answer.notices) and not len(answer)
    return not failed


def _statements(words: list[str], file: Path | None) -> list[Statement]:
    """Read the query that is given, or those of a file or of standard input."""
    if (file is None) == (not words):
        raise UsageError("give one query, in quotes, - for standard input, or --file")
    if file is None and words != ["-"]:
        return [_read(words)]
    from n2gdb.query.completion import statements_in
    from n2gdb.query.parse import read_query

    if file is None:
        given = sys.stdin.read()
    else:
        try:
            given = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {error}") from error
    if not (texts := statements_in(given)):
        raise UsageError(f"{file or 'standard input'} holds no query")
    return [read_query(each) for each in texts]


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
