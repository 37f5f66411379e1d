"""Writes into the pages what their commands print and their queries find on a database of the demo model.

    python docs/refresh.py demo.n2gdb

It runs every command that a page shows with its output (``$ n2gdb ...``), counts the rows of every query in
the tables of docs/cookbook.md and of the demo's part of docs/effects.md, and names the pages that changed:
what is written around the figures has to be read again. The notebooks have a script of their own,
docs/notebooks/run.py.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.core.tokens import display

__all__ = ["refreshed_rows", "refreshed_runs", "run"]

ROOT = Path(__file__).parents[1]
RUNS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "grammar" / "README.md"]
ROWS = [ROOT / "docs" / "cookbook.md", ROOT / "docs" / "effects.md"]

_BLOCK = re.compile(r"^```\n(\$ .*?)^```$", re.MULTILINE | re.DOTALL)
#: A row of a table: what may stand before the query, the query, its counts, and what may stand behind.
_ROW = re.compile(r"^\|( [^`|]+ \|)? `(.+?)` \| ([\d,]+(?:, \d+)*) \| (.*) \|$", re.MULTILINE)
_WIDEST = 40  # characters of a path


def run(line: str, database: Path) -> str:
    """Run a command line of a page on a database; return what it prints, or what it says is wrong."""
    words = shlex.split(line.replace("\\$", "$"))[1:]
    result = CliRunner().invoke(app, words, env={"N2GDB_DB": str(database)})
    return result.stdout if result.exit_code == 0 else result.stderr


def refreshed_runs(page: str, run: Callable[[str], str]) -> str:
    """Return a page whose commands are followed by what ``run`` prints of them, tabs drawn as columns."""

    def again(block: re.Match[str]) -> str:
        parts = [each.partition("\n") for each in re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]]
        if not any(printed.strip() for _, _, printed in parts):
            return block[0]  # commands alone
        return "```\n" + "\n".join(f"$ {line}\n{_drawn(run(line))}\n" for line, _, _ in parts) + "```"

    return _BLOCK.sub(again, page)


def _drawn(printed: str) -> str:
    """Draw tab-separated lines as a table whose columns two spaces part."""
    lines = printed.rstrip().splitlines()
    rows = [line.split("\t") for line in lines]
    width = [
        max((len(row[at]) for row in rows if len(row) > at + 1), default=0)
        for at in range(max(map(len, rows), default=0))
    ]
    return "\n".join(
        "  ".join([*(cell.ljust(width[at]) for at, cell in enumerate(row[:-1])), row[-1]]).rstrip()
        for row in rows
    )


def refreshed_rows(page: str, database: n2gdb.Database) -> str:
    """Return a page whose tables count what their queries find; a question has its first row too."""

    def again(row: re.Match[str]) -> str:
        question, query, counts, behind = row[1] or "", row[2], row[3], row[4]
        answer = database.query(query.replace(r"\|", "|"))
        of_groups = ", " in counts
        counts = ", ".join(str(each.count) for each in answer) if of_groups else f"{answer.total:,}"
        if question:
            behind = next(_first(answer), "-").replace("|", r"\|")
        return f"|{question} `{query}` | {counts} | {behind} |"

    return _ROW.sub(again, page)


def _first(answer: n2gdb.Answer[object]) -> Iterator[str]:  # type: ignore[type-var]
    """Yield what a page says of each row: a neuron with its path, a token, or a group with its figures."""
    for each in answer:
        match each:
            case n2gdb.GroupCount():
                plain = each.as_dict().items()
                yield ", ".join(
                    f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}"
                    for name, value in plain
                )
            case n2gdb.TokenHit():
                yield display(each.token)
            case n2gdb.Hit() | n2gdb.PatternHit():
                path = each.path if len(each.path) <= _WIDEST else f"{each.path[:_WIDEST].rstrip()}…"
                yield f"{each.neuron}: {path}" if path else str(each.neuron)


def main(database: str) -> None:
    """Refresh every page, and name those that changed."""
    with n2gdb.open(database) as opened:
        for path in dict.fromkeys([*RUNS, *ROWS]):
            before = page = path.read_text(encoding="utf-8")
            page = refreshed_runs(page, lambda line: run(line, Path(database)))
            if path in ROWS:
                demo, heading, other = page.partition("## Three findings on SmolLM2")
                page = refreshed_rows(demo, opened) + heading + other
            if page != before:
                path.write_text(page, encoding="utf-8")
                print(f"{path.relative_to(ROOT)} changed: read what stands around its figures")


if __name__ == "__main__":
    main(*sys.argv[1:])
