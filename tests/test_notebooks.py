"""The notebooks: their cells run on a small database, and show what they showed where their own is there."""

from __future__ import annotations

import json
import os
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from n2gdb.storage.build.database import build_database
from n2gdb.storage.shards import RunFolder
from tests.generators.stored_world import SMOLLM
from tests.support.cli_world import build_cli_world

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
RUN = runpy.run_path(str(FOLDER / "run.py"))
NOTEBOOKS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.ipynb")}

#: A notebook with its outputs is read on a web page, and diffs of it by people.
MOST_BYTES = 80_000


def cells(name: str) -> list[dict[str, Any]]:
    return [cell for cell in NOTEBOOKS[name]["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the shards of 48 neurons of SmolLM2, where they are."""
    if not SMOLLM.is_dir():
        pytest.skip("the shards of SmolLM2 are not there")
    path = tmp_path_factory.mktemp("smollm2") / "smollm2.n2gdb"
    build_database(path, runs_in(SMOLLM))
    return path


def runs_in(folder: Path) -> list[RunFolder]:
    return [RunFolder(each) for each in sorted(folder.iterdir()) if each.is_dir()]


def shown(outputs: list[dict[str, Any]] | None) -> list[tuple[str, dict[str, str]]]:
    """What a cell shows: its texts, and which kinds of pictures and tables, whose drawing may change."""
    found = []
    for each in outputs or []:
        kinds = each.get("data") or {"text/plain": each["text"]}
        texts = {kind: "".join(text) for kind, text in kinds.items() if kind == "text/plain"}
        found.append((",".join(sorted(kinds)), texts))
    return found


def test_every_notebook_has_a_database() -> None:
    assert set(NOTEBOOKS) == set(RUN["NOTEBOOKS"])
    with pytest.raises(SystemExit, match="name notebooks"):
        RUN["main"](["other=x.n2gdb"])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_complete_small_and_says_something(name: str) -> None:
    assert (FOLDER / f"{name}.ipynb").stat().st_size < MOST_BYTES
    assert NOTEBOOKS[name]["nbformat"] == 4
    code = cells(name)
    assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)]
    assert all(cell["outputs"] for cell in code[:-1])  # the last closes the database
    errors = [each for cell in code for each in cell["outputs"] if each["output_type"] == "error"]
    assert not errors
    told = "\n\n".join("".join(cell["source"]) for cell in NOTEBOOKS[name]["cells"] if cell not in code)
    assert told.count("\n## ") >= 3
    for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", told):
        assert (FOLDER / link).exists(), link


def test_the_tour_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = list(RUN["run_notebook"](NOTEBOOKS["tour"], build_cli_world(tmp_path)))
    ran = [(cell, outputs) for cell, outputs in zip(cells("tour"), found, strict=True) if outputs is not None]
    assert len(ran) >= len(found) - 1  # pandas is not everywhere
    for cell, outputs in ran:
        assert [kinds for kinds, _ in shown(outputs)] == [kinds for kinds, _ in shown(cell["outputs"])]
    assert not capsys.readouterr().out


def test_the_study_gives_what_it_shows(smollm2: Path) -> None:
    found = list(RUN["run_notebook"](NOTEBOOKS["smollm2_layer"], smollm2))
    assert [shown(outputs) for outputs in found] == [
        shown(cell["outputs"]) for cell in cells("smollm2_layer")
    ]


@pytest.mark.skipif(not os.environ.get("N2GDB_DEMO_DB"), reason="N2GDB_DEMO_DB names no database of the demo")
def test_the_tour_gives_what_it_shows() -> None:
    found = list(RUN["run_notebook"](NOTEBOOKS["tour"], Path(os.environ["N2GDB_DEMO_DB"])))
    for cell, outputs in zip(cells("tour"), found, strict=True):
        assert outputs is None or shown(outputs) == shown(cell["outputs"])


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """A notebook whose outputs are out of date, one cell of which needs a package that nobody has."""
    path = tmp_path / "small.ipynb"
    code: dict[str, Any] = {"cell_type": "code", "execution_count": None, "outputs": [], "metadata": {}}
    sources = [
        "import n2gdb\n",
        "print(len(n2gdb.open()))\n1 + 1",
        "absent",
        "n2gdb.open()['L4N358'].picture()",
    ]
    made = [code | {"source": source.splitlines(keepends=True)} for source in sources]
    made[2]["metadata"] = {"tags": ["no_such_package"]}
    path.write_text(json.dumps({"cells": made, "nbformat": 4}), encoding="utf-8")
    yield path


def test_outputs_are_refreshed(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RUN["write_notebook"](written, build_cli_world(tmp_path))
    assert capsys.readouterr().out == "small.ipynb: cell 3 needs no_such_package: left as it is\n"
    silent, printing, left, drawing = json.loads(written.read_text(encoding="utf-8"))["cells"]
    assert (silent["outputs"], silent["execution_count"]) == ([], 1)
    assert (left["outputs"], left["execution_count"]) == ([], None)
    stream, result = printing["outputs"]
    assert (stream["text"], result["data"]) == (["7\n"], {"text/plain": ["2"]})
    assert result["execution_count"] == 2
    assert drawing["outputs"][0]["data"]["image/svg+xml"][0].startswith("<svg")
    before = written.read_bytes()
    RUN["write_notebook"](written, tmp_path / "neurons.n2gdb")
    assert written.read_bytes() == before
