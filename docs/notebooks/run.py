"""Runs the notebooks of this folder and writes what their cells give into them, without Jupyter.

    python docs/notebooks/run.py tour=demo.n2gdb smollm2_layer=smollm2.n2gdb

Each notebook is run on the database that is named for it; ``make notebooks`` runs both on the databases that
``N2GDB_DEMO_DB`` and ``N2GDB_SMOLLM2_DB`` name. Cells run as in Jupyter: what they print is kept, and what
their last expression shows, as HTML or SVG where it has these. A cell that needs a package that not everybody
has names it among its tags, and is left as it is where that is missing.
"""

from __future__ import annotations

import ast
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["NOTEBOOKS", "run_notebook", "write_notebook"]

FOLDER = Path(__file__).parent

#: The notebooks, and the variable that names the database of each.
NOTEBOOKS = {"tour": "N2GDB_DEMO_DB", "smollm2_layer": "N2GDB_SMOLLM2_DB"}

#: What a result shows beside its text, by the method that Jupyter asks.
_SHOWN = {"_repr_html_": "text/html", "_repr_svg_": "image/svg+xml"}


def run_notebook(notebook: Mapping[str, Any], database: Path) -> Iterator[list[dict[str, Any]] | None]:
    """Run a notebook's cells of code in order, and yield the outputs of each; None for one that is left out.

    ``n2gdb.open()`` opens ``database`` meanwhile. Raises what a cell raises.
    """
    before = os.environ.get("N2GDB_DB")
    os.environ["N2GDB_DB"] = str(database)
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for number, cell in enumerate(notebook["cells"]):
            if cell["cell_type"] != "code":
                continue
            needs = cell["metadata"].get("tags", [])
            if all(find_spec(each) is not None for each in needs):
                yield _outputs("".join(cell["source"]), f"cell {number}", names)
            else:
                yield None
    finally:
        os.environ.pop("N2GDB_DB")
        if before is not None:
            os.environ["N2GDB_DB"] = before


def _outputs(source: str, name: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """Run one cell; return what it prints and what its last expression gives, as a notebook holds them."""
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with redirect_stdout(printed):
        exec(compile(tree, name, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": _lines(printed.getvalue())})
    if value is not None:
        shown = {"text/plain": _lines(repr(value))}
        for method, kind in _SHOWN.items():
            if hasattr(value, method):
                shown[kind] = _lines(getattr(value, method)())
        outputs.append({"data": shown, "metadata": {}, "output_type": "execute_result"})
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def write_notebook(path: Path, database: Path) -> None:
    """Run a notebook and write its outputs into it."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, outputs) in enumerate(zip(code, run_notebook(notebook, database), strict=True), 1):
        if outputs is None:
            print(f"{path.name}: cell {number} needs {', '.join(cell['metadata']['tags'])}: left as it is")
            continue
        for each in outputs:
            if each["output_type"] == "execute_result":
                each["execution_count"] = number
        cell["execution_count"], cell["outputs"] = number, outputs
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Run the notebooks that are named, or those whose databases are."""
    named = dict(each.split("=", 1) for each in arguments)
    if not named:
        named = {name: os.environ[place] for name, place in NOTEBOOKS.items() if os.environ.get(place)}
    if not named or not named.keys() <= NOTEBOOKS.keys():
        raise SystemExit(f"name notebooks and their databases: {'=DB '.join(NOTEBOOKS)}=DB")
    for name, database in named.items():
        write_notebook(FOLDER / f"{name}.ipynb", Path(database))


if __name__ == "__main__":
    main(sys.argv[1:])
