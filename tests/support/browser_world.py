"""A database for the browser: neurons that are plain, hostile, large and dead."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pyarrow as pa
from tokenizers import Tokenizer

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.tokens import normalise
from n2gdb.core.units import NeuronName
from n2gdb.storage import schema
from n2gdb.storage.build.database import build_database
from n2gdb.storage.shards import RunFolder
from tests.generators.measured import token_classes
from tests.generators.unit_sets import UnitSet, UnitSets
from tests.support.small_run import WINDOW, model_table, random_graph, random_graphs, write_run, write_shards

__all__ = ["HOSTILE", "build_browser_world", "build_latents", "build_two_models"]

_STORED = (Path(__file__).parents[2] / "ingest" / "demo" / "tokenizer.json").read_text(encoding="utf-8")
_TOKENIZER = Tokenizer.from_str(_STORED)

#: Texts of tokens that a page could take for something else.
HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "</title></text></svg><script>window.hacked=1</script>",
    "\u202eright\u05d0",
    "\n\n\t",
    "'&quot;\\",
)


def build_browser_world(folder: Path) -> Path:
    """Build ``neurons.n2gdb``; L2N0 fires on hostile tokens, L2N1 has 130 patterns, L2N3 wide ones."""
    texts = [_TOKENIZER.decode([token], skip_special_tokens=False) for token in range(4096)]
    first = len(texts) - len(HOSTILE)
    texts[first:] = HOSTILE
    place = {text: token for token, text in enumerate(texts)}
    the, end, on, other = (place[text] for text in (" the", " end", " on", " other"))
    hostile = range(first, len(texts))
    behind = [*hostile[1:], the]
    graphs = {
        NeuronName(0, 0): _graph((0.75, the), (1.0, the, place[" of"])),
        NeuronName(1, 0): _graph((1.0, end, the)),
        NeuronName(1, 1): _graph((1.0, end, the), (0.6, end)),
        NeuronName(1, 2): _graph((0.8, other, the, on), (0.6, other, place[" an"]), (0.7, place["ious"])),
        NeuronName(2, 0): _graph(
            *((0.9, token, before) for token, before in zip(hostile, behind, strict=True))
        ),
        NeuronName(2, 1): _graph(*((0.5 + token / 1000, 300 + token, the) for token in range(130))),
        NeuronName(2, 2): NeuronGraph.empty(),
        NeuronName(2, 3): _graph(
            *((0.6 + each / 100, *range(700 + 20 * each, 712 + 20 * each)) for each in range(20))
        ),
    }
    run = RunFolder.create(folder / "world")
    (row,) = model_table("world", graphs, len(texts)).to_pylist()
    run.write_model(pa.Table.from_pylist([row | {"tokenizer": _STORED}], schema=schema.MODEL))
    columns = [range(len(texts)), texts, [normalise(text) for text in texts], [False] * len(texts)]
    run.write_tokens(pa.table(columns, schema=schema.TOKENS))
    window = [*WINDOW[:3], *hostile, the][: len(WINDOW)]
    run.write_windows(pa.table([[0], [window]], schema=schema.WINDOWS))
    run.write_classes(token_classes(texts))
    write_shards(run, graphs)
    build_database(folder / "neurons.n2gdb", [run])
    return folder / "neurons.n2gdb"


def build_two_models(folder: Path) -> Path:
    """Build ``two.n2gdb``: ``first`` of three layers, ``deep`` of thirty, of which one is held."""
    first = write_run(folder / "first", random_graphs(1, neurons=4))
    random = Random(2)
    deep = {NeuronName(7, index): random_graph(random) for index in range(4)}
    run = write_run(folder / "deep", deep)
    (row,) = run.model().to_pylist()
    run.write_model(pa.Table.from_pylist([row | {"n_layers": 30}], schema=schema.MODEL))
    build_database(folder / "two.n2gdb", [first, run])
    return folder / "two.n2gdb"


def build_latents(folder: Path) -> Path:
    """Build ``latents.n2gdb``: nine latents in layer 1 of a model of whose neurons none was ingested."""
    random = Random(4)
    sets = UnitSets((UnitSet(1, 0, "mlp", "mlp", 4), UnitSet(1, 1, "res-jb", "sae", 9)))
    graphs = {NeuronName(1, index, latent=True): random_graph(random) for index in range(9)}
    build_database(folder / "latents.n2gdb", [write_run(folder / "latents", graphs, sets=sets)])
    return folder / "latents.n2gdb"


def _graph(*patterns: tuple[float, *tuple[int, ...]]) -> NeuronGraph:
    """Return a graph of patterns: an activation, then tokens from the activating one back."""
    return NeuronGraph.from_patterns(
        Pattern(tuple(Step(depth, token, 0.875) for depth, token in enumerate(tokens)), activation)
        for activation, *tokens in patterns
    )
