"""A database for the command line's tests: the demo model's tokens, and a few neurons made by hand."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from tokenizers import Tokenizer

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.tokens import normalise
from n2gdb.core.units import NeuronName
from n2gdb.storage import schema
from n2gdb.storage.build.database import build_database
from tests.generators.measured import token_classes
from tests.support.small_run import WINDOW, model_table, write_effects, write_shards

__all__ = ["build_cli_world", "text_of", "token_of"]

_STORED = (Path(__file__).parents[2] / "ingest" / "demo" / "tokenizer.json").read_text(encoding="utf-8")
_TOKENIZER = Tokenizer.from_str(_STORED)
_TEXTS = [
    _TOKENIZER.decode([token], skip_special_tokens=False) for token in range(_TOKENIZER.get_vocab_size())
]

#: By neuron: patterns as (activation, tokens in text order, None for any token).
_PATTERNS: dict[str, list[tuple[float, tuple[str | None, ...]]]] = {
    "L0N12": [(0.75, (" the",)), (1.0, (" of", " the"))],
    "L1N7": [(1.0, (" other",))],
    "L3N45": [(0.5, (" the", None, " end")), (0.875, (" the", " end"))],
    "L4N12": [(1.0, (" the", " other")), (0.625, (" the", " end"))],
    "L4N137": [(1.0, (" the", " other"))],
    "L4N358": [(1.0, (" the", " other")), (0.5, (" on", None, " other")), (0.75, (" an", " other"))],
    "L5N3": [],
}


def token_of(text: str) -> int:
    """Return the token that reads exactly so."""
    return _TEXTS.index(text)


def text_of(token: int) -> str:
    return _TEXTS[token]


def build_cli_world(folder: Path) -> Path:
    """Build ``neurons.n2gdb`` in a folder: one model, ``world``, with the tokenizer of the demo."""
    shutil.copytree(_built().name, folder, dirs_exist_ok=True)
    return folder / "neurons.n2gdb"


@cache
def _built() -> TemporaryDirectory[str]:
    """The folder that is copied for each test that asks for one."""
    from n2gdb.storage.shards import RunFolder

    made = TemporaryDirectory()
    folder = Path(made.name)
    graphs = {NeuronName.parse(name): _graph(patterns) for name, patterns in _PATTERNS.items()}
    run = RunFolder.create(folder / "world")
    (row,) = model_table("world", graphs, len(_TEXTS)).to_pylist()
    run.write_model(pa.Table.from_pylist([row | {"tokenizer": _STORED}], schema=schema.MODEL))
    columns = [range(len(_TEXTS)), _TEXTS, [normalise(text) for text in _TEXTS], [False] * len(_TEXTS)]
    run.write_tokens(pa.table(columns, schema=schema.TOKENS))
    run.write_windows(pa.table([[0], [list(WINDOW)]], schema=schema.WINDOWS))
    run.write_classes(token_classes(_TEXTS))
    write_shards(run, graphs)
    write_effects(run, len(_TEXTS))
    build_database(folder / "neurons.n2gdb", [run])
    return made


def _graph(patterns: list[tuple[float, tuple[str | None, ...]]]) -> NeuronGraph:
    return NeuronGraph.from_patterns(_pattern(activation, texts) for activation, texts in patterns)


def _pattern(activation: float, texts: tuple[str | None, ...]) -> Pattern:
    named = ((depth, text) for depth, text in enumerate(reversed(texts)) if text is not None)
    return Pattern(tuple(Step(depth, token_of(text), 0.875) for depth, text in named), activation)
