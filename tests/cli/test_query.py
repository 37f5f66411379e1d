"""`n2gdb query` as a person and as a program meets it."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.color import ColorSystem
from rich.style import Style
from typer.testing import CliRunner

import n2gdb
from n2gdb.cli.main import app
from n2gdb.cli.output.terminal import CONTEXT, FIRES
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.units import NeuronName
from n2gdb.storage.build.database import build_database
from tests.support.small_run import WORDS, write_run

EXCEPT, THE, END, DOG = (WORDS.index(word) for word in (" except", " the", " end", " dog"))


def graph(*patterns: tuple[float, dict[int, int]]) -> NeuronGraph:
    """Return a graph of patterns given as (activation, token by depth)."""
    return NeuronGraph.from_patterns(
        Pattern(tuple(Step(depth, token, 0.9) for depth, token in sorted(steps.items())), activation)
        for activation, steps in patterns
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty neurons: L0N0 fires on *the* after *except*, L0N1 on *end*, all others on *dog*."""
    graphs = {NeuronName(0, index): graph((0.75, {0: DOG})) for index in range(30)}
    graphs[NeuronName(0, 0)] = graph((0.5, {0: THE}), (1.0, {0: THE, 2: EXCEPT}))
    graphs[NeuronName(0, 1)] = graph((0.875, {0: END, 1: THE}))
    folder = tmp_path_factory.mktemp("cli")
    build_database(folder / "db.n2gdb", [write_run(folder / "tiny", graphs)])
    return folder / "db.n2gdb"


def run(path: Path, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["query", *arguments, "--db", str(path)])
    return result.exit_code, result.stdout, result.stderr


def test_a_pipe_gets_one_line_a_neuron(path: Path) -> None:
    code, out, err = run(path, "neurons MATCHING 'Except' BEFORE 'the'")
    header, line = out.splitlines()
    assert header.split("\t") == ["neuron", "heldout_f1", "heldout_firings", "activation", "path"]
    neuron, f1, firings, activation, shown = line.split("\t")
    assert (neuron, activation, shown) == ("L0N0", "1.00", "·except · _ · ·the")
    assert 0 < float(f1.rstrip("?")) <= 1
    assert f1.endswith("?") == (int(firings) < 10) == bool(err)
    assert code == 0


def test_figures_from_few_firings_are_marked_for_people_alone(path: Path) -> None:
    _, plain, silent = run(path, "neurons WHERE heldout_firings IN 1..40 LIMIT 40", "--csv")
    _, table, legend = run(path, "neurons WHERE heldout_firings IN 1..40 LIMIT 40")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    assert {f1.endswith("?") for _, f1, firings, *_ in rows if int(firings) < 10} == {True}
    assert {f1.endswith("?") for _, f1, firings, *_ in rows if int(firings) >= 10} == {False}
    assert "?: judged on fewer than 10 firings of held-out text" in legend
    assert "?" not in plain + silent
    assert [int(firings) >= 10 for _, _, firings, *_ in rows] == sorted(
        (int(firings) >= 10 for _, _, firings, *_ in rows), reverse=True
    )


def test_json_is_an_array_of_neurons_with_their_evidence(path: Path) -> None:
    code, out, _ = run(path, "neurons MATCHING 'except' BEFORE 'the'", "--json")
    (hit,) = json.loads(out)
    assert code == 0
    assert (hit["neuron"], hit["model"], hit["layer"], hit["index"]) == ("L0N0", "tiny", 0, 0)
    assert hit["activation"] == 1.0
    assert hit["importance"] == pytest.approx(0.9)
    assert {"f1", "precision", "recall", "state", "n_patterns"} <= set(hit)
    (evidence,) = hit["evidence"]
    assert evidence["path"] == hit["path"] == "·except · _ · ·the"
    assert [(step["depth"], step["text"], step["matched"]) for step in evidence["steps"]] == [
        (2, " except", True),
        (1, None, False),
        (0, " the", True),
    ]


def test_a_query_without_limit_shows_twenty_and_says_how_many_there_are(path: Path) -> None:
    code, out, err = run(path, "neurons MATCHING 'dog'")
    assert code == 0
    assert len(out.splitlines()) == 1 + 20
    assert err.splitlines()[-1] == "20 of 28 rows: add LIMIT to the query to see more"


@pytest.mark.parametrize(
    ("query", "options", "count"),
    [
        ("neurons MATCHING 'dog'", ["--limit", "3"], 3),
        ("neurons MATCHING 'dog'", ["--limit", "0"], 28),
        ("neurons MATCHING 'dog' LIMIT 25", [], 25),
        ("neurons MATCHING 'dog' LIMIT 25", ["--limit", "3"], 25),
        ("neurons MATCHING 'dog' LIMIT 25 OFFSET 26", [], 2),
        ("neurons", ["--limit", "0"], 30),
    ],
)
def test_limits(path: Path, query: str, options: list[str], count: int) -> None:
    _, out, _ = run(path, query, "--json", *options)
    assert len(json.loads(out)) == count


def test_nothing_found_is_an_answer(path: Path) -> None:
    code, out, err = run(path, "neurons MATCHING 'dog' BEFORE 'end'", "--json")
    assert (code, json.loads(out), err) == (0, [], "nothing found\n")


def test_a_token_that_the_model_lacks_is_said(path: Path) -> None:
    code, _, err = run(path, "neurons MATCHING 'excep'")
    assert code == 1
    assert "no token of tiny reads 'excep'" in err
    assert "except" in err


def test_explain_shows_every_statement_with_its_parameters(path: Path) -> None:
    code, out, _ = run(path, "neurons MATCHING 'the' LIMIT 5", "--explain")
    assert code == 0
    assert "   MATCH (n:Neuron)\n" in out
    assert "   $p1 = 5\n" in out
    assert " expected, " in out and " looked at)\n" in out
    assert run(path, "EXPLAIN neurons MATCHING 'the' LIMIT 5")[1] == out
    _, out, _ = run(path, "neurons MATCHING 'the'", "--explain", "--json")
    assert any(stage["most_rows"] is not None for stage in json.loads(out))
    assert 20 in [value for stage in json.loads(out) for value in (stage["parameters"] or {}).values()]


def test_profile_says_how_long_each_step_takes(path: Path) -> None:
    code, out, _ = run(path, "PROFILE neurons MATCHING 'the'")
    assert code == 0
    assert " ms" in out and " expected" in out


def test_csv_has_a_line_a_row(path: Path) -> None:
    code, out, _ = run(path, "neurons MATCHING 'except' BEFORE 'the'", "--csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert code == 0
    assert (row["neuron"], row["activation"], row["path"]) == ("L0N0", "1.0", "·except · _ · ·the")


def test_other_answers_than_neurons(path: Path) -> None:
    assert run(path, "COUNT neurons MATCHING 'dog'")[1].splitlines()[1].endswith("\t28")
    assert run(path, "COUNT neurons BY layer", "--csv")[1] == "group,count\n0,30\n"
    assert json.loads(run(path, "tokens ACTIVATING L0N1", "--json")[1])[0]["token"] == " end"
    assert len(run(path, "patterns MATCHING ...", "--limit", "0")[1].splitlines()) == 1 + 31


def test_a_query_that_does_not_parse_is_pointed_at(path: Path) -> None:
    code, out, err = run(path, "neurons MATCHING the")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: the token the needs quotes: write 'the'",
        "  neurons MATCHING the",
        "                   ^",
    ]


def test_a_database_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    code, out, err = run(tmp_path / "absent.n2gdb", "neurons")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "absent.n2gdb" in err


def test_a_terminal_gets_a_table_in_the_colours_of_pictures_with_what_matched_underlined(path: Path) -> None:
    shown = in_terminal(["query", "neurons MATCHING 'except' BEFORE 'the'", "--db", str(path)])
    assert "neuron" in shown
    for token, role in (("·the", FIRES), ("·except", CONTEXT)):
        style = Style.parse(f"{role} underline")
        assert style.render(token, color_system=ColorSystem.EIGHT_BIT) in shown, token
    assert "\x1b[2m_\x1b[0m" in shown


def in_terminal(arguments: list[str]) -> str:
    """Run the command with its output on a terminal; return what it wrote there."""
    code = f"import sys; sys.argv = ['n2gdb', *{arguments!r}]; from n2gdb.cli.main import run; run()"
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    done = subprocess.run([sys.executable, "-c", code], stdout=theirs, env=environment, check=True)
    os.close(theirs)
    assert done.returncode == 0
    written = b""
    try:
        while part := os.read(ours, 1 << 16):
            written += part
    except OSError:  # how a terminal ends on Linux
        pass
    os.close(ours)
    return written.decode()


def test_a_query_loads_neither_torch_nor_arrow_nor_numpy_nor_rich(path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['n2gdb', 'query', 'neurons LIMIT 1', '--db', {str(path)!r}]\n"
        "from n2gdb.cli.main import app\n"
        "app(standalone_mode=False)\n"
        "slow = {'torch', 'transformer_lens', 'pyarrow', 'rich', 'numpy'}\n"
        "print(*slow & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def as_a_command(
    environment: dict[str, str], *arguments: str, slow: tuple[str, ...] = ("typer",)
) -> tuple[int, str, str]:
    """Run the command in a process; what it loaded follows what it wrote to standard error."""
    code = (
        "import atexit, sys\n"
        "from n2gdb.cli.main import run\n"
        f"slow = {set(slow)!r}\n"
        "atexit.register(lambda: print('loaded:', *sorted(slow & set(sys.modules)), file=sys.stderr))\n"
        "sys.argv[0] = 'n2gdb'\n"
        "run()"
    )
    command = [sys.executable, "-c", code, "query", *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "query",
    [
        "neurons MATCHING 'dog'",
        "COUNT neurons BY layer",
        "neurons MATCHING 'nowhere'",
        "neurons WHERE f1 > 2",
        "neuron",
        "neurons WHERE layers = 3",
        "",
    ],
)
def test_a_query_alone_is_answered_as_one_with_options(path: Path, query: str) -> None:
    code, out, err = run(path, query, "--limit", "20")
    assert as_a_command({"N2GDB_DB": str(path)}, query) == (code, out, f"{err}loaded:\n")


def test_a_query_alone_may_name_its_database(path: Path) -> None:
    query, named = "neurons MATCHING 'except' BEFORE 'the'", ("--db", str(path))
    code, out, err = run(path, query)
    slow = ("typer", "lark", "numpy", "hashlib", "html", "shutil")
    for words in ([query, *named], [*named, query]):
        assert as_a_command({"N2GDB_DB": ""}, *words, slow=slow) == (code, out, f"{err}loaded:\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-"], 2),
        (["--help"], 0),
        (["--db"], 2),
        (["neurons", "LIMIT", "1"], 0),
        (["neurons", "--csv"], 0),
        ([], 2),
    ],
)
def test_anything_else_is_read_as_options_are(path: Path, words: list[str], code: int) -> None:
    ended, _, err = as_a_command({"N2GDB_DB": str(path)}, *words)
    assert (ended, err.splitlines()[-1]) == (code, "loaded: typer")


def test_a_query_alone_of_no_database_is_one_line(tmp_path: Path) -> None:
    code, out, err = as_a_command({}, "neurons", "--db", str(tmp_path / "none.n2gdb"))
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 2  # and what it loaded


def test_python_gives_the_same_hits(path: Path) -> None:
    with n2gdb.open(path) as database:
        (hit,) = database.query("neurons MATCHING 'except' BEFORE 'the'")
    assert hit.neuron == NeuronName(0, 0)
    assert str(hit.evidence[0]) == hit.path == "·except · _ · ·the"
