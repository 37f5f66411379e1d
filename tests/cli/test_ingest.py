"""What `n2gdb ingest` says and returns, bad input above all: one line, a proper exit code, nothing lost."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
import typer
from filelock import FileLock

import n2gdb
from n2gdb.cli.commands.ingest import parse_ranges
from n2gdb.storage.shards import shards_folder

ROOT = Path(__file__).parents[2]
QUICK = ("--tokens", "6000", "--sample", "6", "--batch-tokens", "1024")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from n2gdb.cli.main import run; run()", *arguments]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def one_error(result: subprocess.CompletedProcess[str], code: int = 1) -> str:
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return line


def test_a_run_prints_a_summary_and_its_database_answers(tmp_path: Path) -> None:
    database = tmp_path / "demo.n2gdb"
    done = run("ingest", "demo", "--db", str(database), *QUICK)
    assert done.returncode == 0, done.stderr
    assert "6 neurons" in done.stdout and " MB, " in done.stdout
    for stage in ("tokenise", "scan", "neurons", "load"):
        assert stage in done.stderr
    found = run("query", "neurons LIMIT 3", "--json", N2GDB_DB=str(database))
    assert len(json.loads(found.stdout)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no/such-model",), "no/such-model"),
        (("./no-such-directory",), "no such directory"),
        (("demo", "--corpus", "no-such-file.txt"), "no-such-file.txt"),
        (("demo", "--layers", "4-9"), "no layer 6: this model has layers 0 to 5"),
        (("demo", "--neurons", "9000"), "no neuron 9000: this model has neurons 0 to 767"),
        (("demo", "--device", "tpu"), "tpu"),
        (("demo", "--augment", "wordnet", *QUICK), "no augmentation helper 'wordnet'"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    database = tmp_path / "x.n2gdb"
    assert message in one_error(run("ingest", *arguments, "--db", str(database)))
    assert not database.exists()


def test_a_corpus_without_the_field_names_those_it_has(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl.gz"
    with gzip.open(corpus, "wt") as file:
        file.write(json.dumps({"body": "some text"}) + "\n")
    line = one_error(run("ingest", "demo", "--corpus", str(corpus), "--db", str(tmp_path / "x.n2gdb")))
    assert "text" in line and "body" in line and "--field" in line


def test_text_that_is_no_text_is_one_line_with_its_place(tmp_path: Path) -> None:
    corpus = tmp_path / "pile.jsonl.zst"
    lines = b'{"text": "fine"}\n{"text": null}\n{"text": "half \\ud83d"}\n'
    corpus.write_bytes(pa.compress(lines, codec="zstd", asbytes=True))
    line = one_error(run("ingest", "demo", "--corpus", str(corpus), "--db", str(tmp_path / "x.n2gdb")))
    assert f"{corpus}, line 3: field 'text' holds half a character, \\ud83d" in line


def test_standard_input_is_a_corpus(tmp_path: Path) -> None:
    text = "".join(json.dumps({"text": f"Story {number}, of the sea."}) + "\n" for number in range(400))
    text += '{"text": null}\n{"text": " "}\n'
    database = tmp_path / "x.n2gdb"
    options = ("--corpus", "-", "--tokens", "900", "--layers", "0", "--neurons", "0-2", "--no-refine")
    done = subprocess.run(
        command("ingest", "demo", "--db", str(database), *options),
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "rows without text, passed over: 2" in done.stderr
    with n2gdb.open(database) as opened:
        assert opened.models()[0].corpus_tokens == 900


def test_an_empty_corpus_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    arguments = ("--corpus", str(tmp_path / "empty.txt"), "--db", str(tmp_path / "x.n2gdb"))
    assert "empty.txt has no text" in one_error(run("ingest", "demo", *arguments))


def test_processes_beside_a_cluster_are_refused(tmp_path: Path) -> None:
    database = ("--db", str(tmp_path / "x.n2gdb"))
    done = run("ingest", "demo", *database, "--ray", "local", "--processes", "2")
    assert done.returncode == 2 and "--processes is for one machine" in done.stderr


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = one_error(run("ingest", "demo", "--db", str(tmp_path / "file" / "x.n2gdb"), *QUICK))
    assert "cannot be written" in line


def test_a_second_ingest_at_the_same_time_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "x.n2gdb"
    shards_folder(database).mkdir()
    with FileLock(shards_folder(database) / ".lock"):
        line = one_error(run("ingest", "demo", "--db", str(database), *QUICK))
    assert "another ingest is writing" in line


@pytest.mark.parametrize(("processes", "stage"), [("0", "scan"), ("2", "scan"), ("2", "neurons")])
def test_control_c_says_how_to_go_on_and_the_next_run_does(
    processes: str, stage: str, tmp_path: Path
) -> None:
    """The signal goes to every process of the terminal's group, as Ctrl-C does."""
    database = tmp_path / "x.n2gdb"
    options = ("--neurons", "0-99", "--layers", "3,4", "--tokens", "60000", "--processes", processes)
    arguments = ("ingest", "demo", "--db", str(database), *options)
    running = subprocess.Popen(
        command(*arguments), cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith(stage):
            break
    time.sleep(0.2)
    os.killpg(running.pid, signal.SIGINT)
    rest = running.stderr.read()
    assert running.wait(timeout=60) == 130
    assert "interrupted: run the same command again" in rest and "Traceback" not in rest
    assert not database.exists()
    assert run(*arguments).returncode == 0
    assert database.exists()


def test_no_space_left_is_one_line_and_the_old_database_stays(tmp_path: Path) -> None:
    database = tmp_path / "x.n2gdb"
    assert run("ingest", "demo", "--db", str(database), *QUICK).returncode == 0
    before = database.read_bytes()
    limited = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "from n2gdb.cli.main import run; run()"
    )
    arguments = ("ingest", "demo", "--db", str(database), "--tokens", "60000", *QUICK[2:])
    full = subprocess.run(
        [sys.executable, "-c", limited, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "cannot be written" in one_error(full)
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "numbers"), [("0-2,5", (0, 1, 2, 5)), ("7", (7,)), (" 1 , 3 - 4", (1, 3, 4))]
)
def test_ranges(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_ranges(text) == numbers


@pytest.mark.parametrize("text", ["", "a", "1-", "5-2", "1;2", "-3"])
def test_bad_ranges_are_misuse(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_ranges(text)
