"""README and docs: every command in them runs and prints what they say."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from n2gdb.cli.main import app
from tests.cli.test_help import CONTEXT, group, invoke, needs_the_model
from tests.support.cli_world import build_cli_world

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "grammar" / "README.md"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: A database of the whole demo model, ``n2gdb ingest demo``: what the pages print comes from one.
DEMO = os.environ.get("N2GDB_DEMO_DB")


@dataclass(frozen=True, slots=True)
class Shown:
    """A command on a page, and what the page says it prints; None where it says nothing."""

    page: str
    line: str
    printed: str | None

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def shown() -> Iterator[Shown]:
    """Every command of the pages, those before a pipe or in front of one left as they stand."""
    for page in PAGES:
        for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if kind == "sh":
                for line in text.replace("&&\n", "&& ").splitlines():
                    for part in line.split(" && "):
                        if part.startswith(("n2gdb ", "echo ")):
                            yield Shown(page.name, part, None)
            elif text.startswith("$ "):
                for one in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                    line, _, printed = one.partition("\n")
                    yield Shown(page.name, line, f"{printed.rstrip()}\n")


SHOWN = list(dict.fromkeys(shown()))
PRINTED = [each for each in SHOWN if each.printed is not None]


def plain(line: str) -> str:
    """A shell takes the backslash off a quoted dollar, shlex does not."""
    return line.replace("\\$", "$")


def words(line: str) -> list[str]:
    _, piped, command = line.rpartition(" | n2gdb ")
    return shlex.split(plain(f"n2gdb {command}" if piped else line))


def asks_the_model(line: str) -> bool:
    return needs_the_model(words(line)[1], line)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("readme")).parent


def test_the_pages_show_commands() -> None:
    assert len(SHOWN) > 20
    assert len(PRINTED) > 6


@pytest.mark.parametrize("each", [each for each in SHOWN if not asks_the_model(each.line)], ids=str)
def test_a_command_runs(each: Shown, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("N2GDB_DB", raising=False)
    result = invoke(plain(each.line))
    mistaken = each.printed is not None and each.printed.startswith("error: ")
    assert result.exit_code == (2 if mistaken else 0), result.output
    if mistaken:
        assert f"{result.stderr.rstrip()}\n" == each.printed


@pytest.mark.parametrize("each", [each for each in SHOWN if asks_the_model(each.line)], ids=str)
def test_a_command_that_needs_the_model_is_well_formed(each: Shown) -> None:
    """Their like run on the demo model in test_cli_ingest.py, test_cli_trajectories.py and test_report.py."""
    _, name, *arguments = words(each.line)
    command = group().get_command(CONTEXT, name)
    assert command is not None
    command.make_context(name, arguments)  # raises where an option is not known


@pytest.mark.skipif(DEMO is None, reason="N2GDB_DEMO_DB names no database of the whole demo model")
@pytest.mark.parametrize("each", PRINTED, ids=str)
def test_a_command_prints_what_the_page_says(each: Shown) -> None:
    result = CliRunner().invoke(app, words(each.line)[1:], env={"N2GDB_DB": DEMO})
    printed = result.stdout if result.exit_code == 0 else result.stderr
    assert aligned(printed) == aligned(each.printed or "")


def aligned(text: str) -> list[list[str]]:
    """A page's columns are drawn with spaces, a pipe's with tabs."""
    return [re.split(r"\t| {2,}", line.strip()) for line in text.strip().splitlines()]
