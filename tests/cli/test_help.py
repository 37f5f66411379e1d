"""Every help text: its examples run, and the README lists the commands that there are."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner, Result

from n2gdb.cli.main import app
from tests.support.cli_world import build_cli_world

ROOT = Path(__file__).parents[2]


def group() -> TyperGroup:
    found = typer.main.get_command(app)
    assert isinstance(found, TyperGroup)
    return found


CONTEXT = typer.Context(group(), info_name="n2gdb")
COMMANDS = group().list_commands(CONTEXT)


def examples(command: str) -> Iterator[str]:
    """The lines of a command's docstring that run something."""
    module = import_module(f"n2gdb.cli.commands.{command.partition('-')[0]}")
    text = getattr(module, command.replace("-", "_")).__doc__
    for line in text.splitlines():
        if re.match(r" {4,}(?:n2gdb|echo) ", line):
            yield line.strip()


ALL_EXAMPLES = [(command, example) for command in COMMANDS for example in examples(command)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``neurons.n2gdb`` in it, the database that is used when none is named."""
    return build_cli_world(tmp_path_factory.mktemp("help")).parent


def invoke(line: str) -> Result:
    """Run a line as a POSIX shell would, an ``echo`` before a pipe included; a server only checks."""
    if line.startswith("n2gdb serve"):
        line = f"{line} --check"
    echoed, pipe, rest = line.partition(" | n2gdb ")
    if pipe:
        text = " ".join(shlex.split(echoed)[1:])
        return CliRunner().invoke(app, shlex.split(rest), input=f"{text}\n")
    return CliRunner().invoke(app, shlex.split(line)[1:])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_that_its_help_shows(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"]).stdout
    found = list(examples(command))
    assert found
    for example in found:
        assert " ".join(example.split()) in " ".join(shown.split())


def needs_the_model(command: str, example: str) -> bool:
    """Whether a model is loaded, which this test's database has none of."""
    return command in ("ingest", "effects", "trajectories") or "--heldout" in example or "--true" in example


@pytest.mark.parametrize(
    ("command", "example"),
    [pair for pair in ALL_EXAMPLES if not needs_the_model(*pair)],
    ids=lambda value: value,
)
def test_the_example_runs(command: str, example: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("N2GDB_DB", raising=False)
    result = invoke(example)
    assert result.exit_code == 0, result.output
    assert result.stdout or command == "export" or "--svg" in example or example == "n2gdb shell"


@pytest.mark.parametrize("example", [pair[1] for pair in ALL_EXAMPLES if needs_the_model(*pair)])
def test_an_example_that_needs_the_model_is_well_formed(example: str) -> None:
    """They run on the demo model, in the tests of ingest, trajectories, report and true activations."""
    _, name, *arguments = shlex.split(example)
    command = group().get_command(CONTEXT, name)
    assert command is not None
    command.make_context(name, arguments)  # raises where an option is not known


def test_the_help_lists_every_command_once_in_its_group() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    listed = re.findall(r"^  ([a-z-]+)  +\S", shown.split("--help")[1], re.MULTILINE)
    assert listed == COMMANDS
    assert {
        "query",
        "show",
        "info",
        "ingest",
        "predict",
        "firing",
        "tokens",
        "shell",
        "cypher",
        "export",
    } <= set(listed)


def test_the_readme_names_every_command_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(
        re.findall(
            r"\bn2gdb ([a-z]+(?:-[a-z]+)*)\b",
            "\n".join(re.findall(r"`[^`\n]+`|^.*n2gdb .*$", text, re.MULTILINE)),
        )
    )
    assert set(COMMANDS) <= named
    code = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    run = {
        found for block in code for found in re.findall(r"(?:^|&& |\| )n2gdb ([a-z]+)", block, re.MULTILINE)
    }
    assert run <= set(COMMANDS)


def test_only_the_command_that_runs_is_loaded() -> None:
    code = (
        "import sys; sys.argv = ['n2gdb', 'info', '--help']\n"
        "from n2gdb.cli.main import app\n"
        "app(standalone_mode=False)\n"
        "print(*(name for name in sys.modules if name.startswith('n2gdb.cli.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert {f"n2gdb.cli.commands.{command}" for command in COMMANDS} & loaded == {"n2gdb.cli.commands.info"}
