"""What the user's shell completes: commands, options, names of the database, and the values of options."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer._completion_classes import BashComplete

from n2gdb.cli import completion
from n2gdb.cli.options import By
from n2gdb.cli.output.export_formats import Format, What
from n2gdb.database import open_database
from n2gdb.grammar.ast import Metric
from n2gdb.ingest.models.devices import PRECISIONS
from n2gdb.ingest.n2g.augment import HELPERS
from n2gdb.ingest.sources.places import SITES_BY_NAME
from tests.cli.test_help import CONTEXT, group
from tests.support.cli_world import build_cli_world

GROUP = group()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("completion"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program ``n2gdb`` in it, whether the package is installed or not."""
    folder = tmp_path_factory.mktemp("bin")
    file = folder / "n2gdb"
    root = Path(__file__).parents[2]
    file.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
        "from n2gdb.cli.main import run\nrun()\n",
        encoding="utf-8",
    )
    file.chmod(0o755)
    return file


def completed(program: Path, path: Path, *words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    done = subprocess.run(
        [str(program)],
        env={
            **os.environ,
            "N2GDB_DB": str(path),
            "_N2GDB_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["n2gdb", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pre"], ["predict"]),
        (["show", ""], ["L0N", "L1N", "L3N", "L4N", "L5N"]),
        (["show", "L4"], ["L4N12", "L4N137", "L4N358"]),
        (["show", "L4N1"], ["L4N12", "L4N137"]),
        (["predict", "l4n3"], ["l4n358"]),
        (["show", "L9N"], []),
        (["show", "--model", "w"], ["world"]),
        (["export", "--fo"], ["--format", "--force"]),
        (["export", "x.csv", "--format", "p"], ["parquet"]),
        (["query", '"neurons MATC'], ["neurons", "MATCHING"]),  # one value, in the quotes that are open
    ],
)
def test_bash_is_offered(words: list[str], expected: list[str], program: Path, path: Path) -> None:
    assert completed(program, path, *words) == expected


def test_a_database_that_is_not_there_offers_nothing(program: Path, tmp_path: Path) -> None:
    assert completed(program, tmp_path / "absent.n2gdb", "show", "L4N1") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_one_command_installs_completion_for_bash(program: Path, path: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "N2GDB_DB": str(path),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }
    installed = subprocess.run(
        ["n2gdb", "--install-completion", "bash"], env=environment, capture_output=True, text=True, check=True
    )
    assert "completion installed" in installed.stdout
    script = (
        "source ~/.bashrc; COMP_WORDS=(n2gdb show L4N1); COMP_CWORD=2;"
        ' _n2gdb_completion n2gdb; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["L4N12", "L4N137"]


# -- values of options


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a database, in which a set is saved, and with other files."""
    folder = build_cli_world(tmp_path_factory.mktemp("values")).parent
    (folder / "notes.txt").write_text("no database")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "other.n2gdb").write_bytes(b"")
    with open_database(folder / "neurons.n2gdb") as database:
        database.save_set("articles", ["L0N12"])
        database.save_set("others", ["L1N7"])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("N2GDB_DB", raising=False)
        yield folder


def offered(line: list[str], begun: str) -> list[str]:
    """The values that are offered after a line, by the completer that a shell calls."""
    found = BashComplete(GROUP, {}, "n2gdb", "_N2GDB_COMPLETE").get_completions(line, begun)
    return [each.value for each in found]


@pytest.mark.parametrize(
    ("line", "begun", "expected"),
    [
        (["export", "x", "--format"], "", ["jsonl", "csv", "parquet", "graphml"]),
        (["export", "x", "--format"], "p", ["parquet"]),
        (["export", "x", "--what"], "n", ["neurons", "nodes"]),
        (["similar", "L4N12", "--metric"], "", [each.value for each in Metric]),
        (["pairs", "--metric"], "su", ["subset"]),
        (["similar", "L4N12", "--within"], "", ["world"]),
        (["pairs", "--model"], "", ["world"]),
        (["firing", "x", "--model"], "w", ["world"]),
        (["firing", "x", "--layer"], "", ["0", "1", "3", "4", "5"]),
        (["firing", "x", "--layer", "1", "--layer"], "4", ["4"]),
        (["firing", "x", "--by"], "", [each.value for each in By]),
        (["predict", "L4N12", "x", "--by"], "g", ["graph"]),
        (["predict", "L4N12", "x", "--device"], "", ["auto", "cpu", "cuda", "mps"]),
        (["ingest", "demo", "--device"], "c", ["cpu", "cuda"]),
        (["effects", "x", "demo", "--device"], "m", ["mps"]),
        (["report", "--device"], "au", ["auto"]),
        (["serve", "--device"], "cp", ["cpu"]),
        (["trajectories", "--device"], "cu", ["cuda"]),
        (["ingest", "demo", "--precision"], "", list(PRECISIONS)),
        (["ingest", "demo", "--weights"], "", ["float32", "bfloat16"]),
        (["ingest", "demo", "--sides"], "", ["auto", "both", "+", "-"]),
        (["ingest", "demo", "--site"], "", list(SITES_BY_NAME)),
        (["ingest", "demo", "--site", "attn_z", "--site"], "mlp", ["mlp_in", "mlp_out"]),
        (["ingest", "demo", "--augment"], "", list(completion.AUGMENTING)),
        (["ingest", "demo", "--augment"], "embedding,m", ["embedding,model", "embedding,masked"]),
        (["ingest", "demo", "--augment"], "form,f", []),
        (["ingest", "demo", "--ray"], "", ["local", "auto"]),
        (["ingest", "demo", "--sae"], "mistral-7b-r", ["mistral-7b-res-wg"]),
        (["ingest", "demo", "--sae"], "mine=mistral-7b-r", ["mine=mistral-7b-res-wg"]),
        (["ingest"], "de", ["demo"]),
        (["ingest"], "solu-1", ["solu-1l", "solu-10l", "solu-12l"]),
        (["effects", "x"], "d", ["demo"]),
        (["info", "--db"], "", ["neurons.n2gdb"]),
        (["info", "--db"], "deeper/", ["deeper/other.n2gdb"]),
        (["info", "--db"], "no", []),
        (["info", "--db"], "absent/", []),
        (["export-site"], "n", ["neurons.n2gdb"]),
        (["effects"], "neu", ["neurons.n2gdb"]),
        (["query", "x", "--save"], "", ["articles", "others"]),
        (["query", "x", "--save"], "o", ["others"]),
        (["query"], "neur", ["neurons"]),
        (["query"], "neurons MATC", ["neurons MATCHING"]),
        (["query"], "neurons WHERE heldout_f", ["neurons WHERE heldout_f1", "neurons WHERE heldout_firings"]),
        (["query"], "neurons ORDER BY polys", ["neurons ORDER BY polysemy"]),
        (["query"], "neurons MATCHING <dig", ["neurons MATCHING <digit>"]),
        (["query"], "neurons SIMILAR TO L4N12 USING t", ["neurons SIMILAR TO L4N12 USING tokens"]),
        (["query"], "neurons IN MODEL 'w", ["neurons IN MODEL 'world'"]),
        (["export", "x", "--query"], "neurons WHERE lay", ["neurons WHERE layer"]),
        (
            ["export-site", "neurons.n2gdb", "x", "--query"],
            "neurons ORDER BY rec",
            ["neurons ORDER BY recall"],
        ),
    ],
)
def test_a_value_is_offered(line: list[str], begun: str, expected: list[str]) -> None:
    assert offered(line, begun) == expected


def test_a_home_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert offered(["info", "--db"], "~/") == ["~/neurons.n2gdb"]
    assert offered(["info", "--db"], f"{folder}/n") == [f"{folder}/neurons.n2gdb"]


def test_the_database_that_is_named_is_asked(tmp_path: Path) -> None:
    named = ["--db", str(tmp_path / "absent.n2gdb")]
    assert offered(["query", *named, "x", "--save"], "") == []
    assert offered(["similar", "L4N12", *named, "--within"], "") == []
    assert offered(["query", *named], "neurons WHERE lay") == []


def test_saved_sets_that_cannot_be_read_offer_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.n2gdb.sets.json").write_text("[", encoding="utf-8")
    assert offered(["query", "--db", str(tmp_path / "x.n2gdb"), "q", "--save"], "") == []


def test_what_is_offered_is_what_is_taken() -> None:
    assert {each.value for each in Format} == set(offered(["export", "x", "--format"], ""))
    assert {each.value for each in What} == set(offered(["export", "x", "--what"], ""))
    assert set(completion.SITES) == set(SITES_BY_NAME)
    assert completion.PRECISIONS == PRECISIONS
    assert {*completion.AUGMENTING} == {*HELPERS, "none"}


#: Options whose values no list can hold: numbers, files, texts and names that one makes up.
FREE = {
    *("above", "at", "batch_tokens", "causal", "dense", "examples", "k", "latents", "layers", "limit"),
    *(
        "max_memory",
        "min_f1",
        "min_size",
        "neurons",
        "patterns",
        "port",
        "processes",
        "sample",
        "seed",
        "sharing",
    ),
    *("timeout", "tokens", "top_k"),
    *("corpus", "dot", "figure", "file", "folder", "heldout", "html", "notes", "out", "output", "png", "svg"),
    *("cypher", "field", "host", "name", "param", "statement", "text", "title"),
}


def test_every_other_option_is_free_or_a_switch() -> None:
    for name in GROUP.list_commands(CONTEXT):
        command = GROUP.get_command(CONTEXT, name)
        assert command is not None
        for each in command.params:
            is_switch = getattr(each, "is_flag", False)
            has_completion = each._custom_shell_complete is not None or hasattr(each.type, "choices")
            assert is_switch or has_completion or each.name in FREE, f"{name}: {each.name}"
