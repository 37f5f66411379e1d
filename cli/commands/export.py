"""`n2gdb export` and `n2gdb export-site`: neurons as files for other programs, or as pages for a web host."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.completion import complete_databases, complete_query, complete_words
from n2gdb.cli.options import DatabaseOption, ForceOption
from n2gdb.cli.output.terminal import say
from n2gdb.errors import QueryError, StorageError, UsageError

if TYPE_CHECKING:
    from n2gdb.cli.output.export_formats import Writer
    from n2gdb.database import Database
    from n2gdb.storage.connection import Connection

__all__ = ["export", "export_site"]

_PATIENCE = 2.0  # seconds before progress is shown

_FORMATS = "jsonl, csv, parquet or graphml"


def export(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; - is standard output.")],
    db: DatabaseOption = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help=f"{_FORMATS}.",
            show_default="by the file's ending, else jsonl",
            autocompletion=complete_words("jsonl", "csv", "parquet", "graphml"),
        ),
    ] = None,
    what: Annotated[
        str,
        typer.Option(
            help="Rows of a csv or parquet file: patterns, neurons or nodes.",
            autocompletion=complete_words("patterns", "neurons", "nodes"),
        ),
    ] = "patterns",
    query: Annotated[
        str | None,
        typer.Option(help="Only the neurons that this query finds.", autocompletion=complete_query),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Write neurons with their statistics and patterns to a file.

    n2gdb export neurons.jsonl

    n2gdb export layer4.parquet --what nodes --query "neurons WHERE layer = 4 AND f1 >= 0.6"

    n2gdb export the.graphml --query "neurons MATCHING 'the' BEFORE ... LIMIT 50"

    jsonl has one neuron per line, with its patterns; csv and parquet have one row per pattern, or per --what;
    graphml, for NetworkX and Gephi, has neurons and tokens as nodes and every node of a neuron's graph as
    an edge between them. The file appears only when it is complete.
    """
    from n2gdb.cli.output.export_formats import Format, What, open_writer
    from n2gdb.cli.output.written_file import check_written, written_file
    from n2gdb.database import Database, default_path
    from n2gdb.storage.connection import Connection

    chosen = Format(_one_of(form or _ending(out), [each.value for each in Format], "--format"))
    rows = What(_one_of(what, [each.value for each in What], "--what"))
    source = db or default_path()
    check_written(out, force=force, reads=(source,))
    with Connection.open(source) as connection:
        wanted = None if query is None else _found(Database(connection), query)
        with written_file(out, force=force, reads=(source,)) as partial:
            count = _write(connection, wanted, open_writer(partial, chosen, rows))
    say(f"{out}: {count:,} neurons", err=True)


def _ending(out: Path) -> str:
    from n2gdb.cli.output.export_formats import Format

    ending = out.suffix.lower().removeprefix(".")
    return ending if ending in {each.value for each in Format} else Format.JSONL.value


def _one_of(word: str, allowed: list[str], option: str) -> str:
    if word.lower() not in allowed:
        raise UsageError(f"{option} {word} is not known: write {', '.join(allowed[:-1])} or {allowed[-1]}")
    return word.lower()


def _found(database: Database, text: str) -> list[int]:
    """Return the Neuron.ids that a query finds."""
    from n2gdb.grammar.ast import Mode, Query, Subject
    from n2gdb.query.parse import read_query
    from n2gdb.storage.read.names import neuron_key

    asked = read_query(text)
    if (
        not isinstance(asked, Query)
        or asked.subject is Subject.PATTERNS
        or asked.count is not None
        or asked.mode is not Mode.ANSWER
    ):
        raise UsageError("--query takes a query that finds neurons, as in \"neurons MATCHING 'the'\"")
    models = {model.name: model for model in database.models()}
    keys = (neuron_key(models[hit.model], hit.neuron) for hit in database.query(asked))
    return [key for key in keys if key is not None]


def _write(connection: Connection, wanted: list[int] | None, writer: Writer) -> int:
    """Write the neurons, and end the file; return how many."""
    from n2gdb.cli.output.progress import stages
    from n2gdb.storage.read.catalog import read_models
    from n2gdb.storage.read.export import blocks_of, read_blocks, read_texts

    models = read_models(connection)
    blocks = blocks_of(connection, wanted)
    total = sum(map(len, blocks))
    begun, done = time.monotonic(), 0
    with stages() as report:
        try:
            for neurons in read_blocks(
                connection, blocks, models, read_texts(connection), with_effects=writer.takes_effects
            ):
                writer.write(neurons)
                done += len(neurons)
                if time.monotonic() - begun > _PATIENCE:
                    report("export", done, total)
        finally:
            writer.close()
    return done


#: Neurons of a site.
_MOST_PAGES = 5_000


def export_site(
    db: Annotated[
        Path, typer.Argument(metavar="DB", help="Database file.", autocompletion=complete_databases)
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; new, or empty.")],
    query: Annotated[
        str, typer.Option(help="Which neurons: a query for neurons.", autocompletion=complete_query)
    ] = "neurons LIMIT 100",
    title: Annotated[str, typer.Option(help="Heading of the site.")] = "Neurons as graphs",
    force: ForceOption = False,
) -> None:
    """Write neurons as a static site, to be put beside a paper: pages, pictures, a search.

    n2gdb export-site neurons.n2gdb site --query "neurons MATCHING 'the' BEFORE ... WHERE f1 >= 0.6"

    python -m http.server --directory site

    Each neuron has a page with its picture, its patterns, its top examples and what it writes. The search
    finds names and tokens. Nothing is fetched from elsewhere, and links are relative.
    """
    import n2gdb
    from n2gdb.explorer.site import write_site

    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is not a folder, as a site is: name another")
    if folder.exists() and any(folder.iterdir()) and not force:
        raise StorageError(f"{folder} exists and is not empty: name another folder, or give --force")
    with n2gdb.open(db) as database:
        found = database.query(query)
        if "neuron" not in found.columns or not all(hasattr(hit, "evidence") for hit in found[:1]):
            raise QueryError("a site shows neurons: begin the query with neurons")
        if len(found) > _MOST_PAGES:
            raise QueryError(
                f"{len(found):,} neurons are too many for a site: narrow the query, or LIMIT {_MOST_PAGES}"
            )
        neurons = [database.neuron(hit.neuron, hit.model) for hit in found]
        from n2gdb.cli.output.progress import stages

        with stages() as report:
            count = write_site(
                database,
                folder,
                neurons,
                title=title,
                query=query,
                progress=lambda done, of: report("write pages", done, of),
            )
    say(f"{count:,} neurons in {folder}: open {folder / 'index.html'} from any web server")
