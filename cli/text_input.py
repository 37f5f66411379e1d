"""The text argument of a command: given directly, read from a file, or from standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["TextArgument", "TextFileOption", "given_text"]

#: Words, of which there are several where a text was not put in quotes: click would say it in its own words.
TextArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT", help="The text, in quotes; or --file.", show_default=False),
]
TextFileOption = Annotated[
    Path | None,
    typer.Option("--file", metavar="PATH", help="Read the text from this file; - is standard input."),
]


def given_text(words: list[str] | None, file: Path | None) -> str:
    """Return the text that was given, exactly as it stands in its file, line ends and all.

    Raises typer.BadParameter if there is none or two, where it is not in quotes, and where the file
    cannot be read as UTF-8.
    """
    if words and file is not None:
        raise typer.BadParameter("give TEXT or --file, not both")
    if words and len(words) > 1:
        raise typer.BadParameter(f"put the text in quotes: {_shortened(' '.join(words))}")
    if words:
        return words[0]
    if file is None:
        raise typer.BadParameter("there is no text: give TEXT in quotes, or --file PATH")
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(
            f"{file} is not UTF-8: byte {error.start} is part of no character"
        ) from error


def _shortened(text: str) -> str:
    return json.dumps(text if len(text) <= 60 else f"{text[:59]}…", ensure_ascii=False)
