"""Runs small enough to write in a test: graphs over a handful of words, and the shards around them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.tokens import normalise
from n2gdb.core.units import NeuronName
from n2gdb.storage import schema
from n2gdb.storage.graph_rows import nodes_table
from n2gdb.storage.shards import RunFolder
from tests.generators.measured import measured_on_corpus, token_classes
from tests.generators.unit_sets import UnitSet, UnitSets

WORDS = ("<eos>", " the", "the", " The", " end", "end", " of", "of", " dog", " cat", "s", "\n", " except")
WINDOW = (0, 1, 8, 6, 3, 9, 12, 1, 4, 5)  # <eos> the dog of The cat except the end end


def random_graph(random: Random, words: int = len(WORDS), patterns: int = 6, depth: int = 6) -> NeuronGraph:
    """Return a graph of up to ``patterns`` random patterns, sometimes empty."""
    return NeuronGraph.from_patterns(
        random_pattern(random, words, depth) for _ in range(random.randint(0, patterns))
    )


def random_pattern(random: Random, words: int, depth: int) -> Pattern:
    """Return a pattern with gaps over token ids 1 and up; 0 is the special one."""
    depths = [0, *sorted(random.sample(range(1, depth + 1), random.randint(0, min(4, depth))))]
    steps = (Step(at, random.randrange(1, words), round(random.uniform(0.75, 1), 2)) for at in depths)
    return Pattern(tuple(steps), round(random.uniform(0.5, 1), 2))


def random_graphs(seed: int, layers: int = 3, neurons: int = 20) -> dict[NeuronName, NeuronGraph]:
    """Return a random graph for each of ``layers`` x ``neurons``."""
    random = Random(seed)
    return {NeuronName(i, j): random_graph(random) for i in range(layers) for j in range(neurons)}


def write_run(
    folder: Path,
    graphs: Mapping[NeuronName, NeuronGraph],
    words: Sequence[str] = WORDS,
    seed: int = 0,
    *,
    weighed: bool = True,
    sets: UnitSets | None = None,
) -> RunFolder:
    """Write one complete run named like its folder; scores are random, those of every fifth neuron absent.

    Neurons have evidence where they are ``weighed``, two of three. ``sets`` are as in ``write_shards``.
    """
    run = RunFolder.create(folder)
    run.write_model(model_table(folder.name, graphs, len(words)))
    run.write_tokens(
        pa.table(
            [
                range(len(words)),
                list(words),
                [normalise(word) for word in words],
                [i == 0 for i in range(len(words))],
            ],
            schema=schema.TOKENS,
        )
    )
    run.write_windows(pa.table([[0], [list(WINDOW)]], schema=schema.WINDOWS))
    run.write_classes(token_classes(words))
    if sets is not None:
        run.write_sources(sets.table())
    write_shards(run, graphs, seed, weighed=weighed, sets=sets)
    return run


def write_shards(
    run: RunFolder,
    graphs: Mapping[NeuronName, NeuronGraph],
    seed: int = 0,
    *,
    weighed: bool = True,
    recorded: bool = True,
    sets: UnitSets | None = None,
    dense: Collection[NeuronName] = (),
    parts: int = 8,
) -> None:
    """Write one shard a set of units; without the positions of firings where they are not ``recorded``.

    Units are neurons of MLPs, unless ``sets`` says what else there is. ``dense`` ones fire so often that
    they have examples and no graph. Precision, recall and confidence are so many ``parts`` of one.
    """
    random = Random(seed)
    sets = sets or UnitSets.of_mlps(graphs)
    words = run.tokens()["text"].to_pylist() if (run.path / "tokens.parquet").exists() else list(WORDS)
    for of in sets.sets:
        here = [
            (name, graph)
            for name, graph in sorted(graphs.items(), key=lambda item: item[0])
            if name.layer == of.layer and sets.set_of(name) is of
        ]
        units = [sets.number_of(name) for name, _ in here]
        rows = [
            _neuron(random, name, graph, unit, of, name in dense, parts)
            for (name, graph), unit in zip(here, units, strict=True)
        ]
        measured = [
            measured_on_corpus(
                Random(f"{seed} {name}"),
                unit,
                name,
                graph,
                len(words),
                weighed=weighed,
                alive=len(graph) > 0 or name in dense,
                parts=parts,
            )
            for (name, graph), unit in zip(here, units, strict=True)
        ]
        neurons = [row | each.figures for row, each in zip(rows, measured, strict=True)]
        examples = [example for row in rows if row["state"] != "dead" for example in _examples(row["unit"])]
        run.write_shard(
            f"L{of.layer}" if of.is_mlp else f"L{of.layer}-{of.number}",
            pa.Table.from_pylist(neurons, schema=schema.NEURONS),
            nodes_table([(unit, each.graph) for unit, each in zip(units, measured, strict=True)]),
            pa.Table.from_pylist(examples, schema=schema.EXAMPLES),
            _table([row for each in measured for row in each.scores], schema.SCORES),
            _table([row for each in measured for row in each.evidence], schema.EVIDENCE),
            _table(
                [each.record | ({} if recorded else {"firings": None}) for each in measured], schema.RECORDS
            ),
        )


def _table(rows: Sequence[Mapping[str, object]], wanted: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=wanted)


def write_effects(run: RunFolder, words: int = len(WORDS), seed: int = 0) -> None:
    """Let every neuron of a run promote three random tokens and suppress two."""
    random = Random(seed)
    for shard in run.shards():
        rows = []
        for neuron in run.neurons([shard]).select(["unit"]).to_pylist():
            drawn = random.sample(range(1, words), 5)
            for place, (token, logit) in enumerate(zip(drawn, (2.0, 1.5, 0.5, -1.0, -0.5), strict=True)):
                rows.append({**neuron, "token": token, "rank": place % 3, "logit": logit})
        run.write_effects(shard, pa.Table.from_pylist(rows, schema.EFFECTS))


def model_table(name: str, graphs: Mapping[NeuronName, NeuronGraph], words: int) -> pa.Table:
    row = {
        "name": name,
        "n_layers": 1 + max(neuron.layer for neuron in graphs),
        "d_mlp": 1 + max(neuron.index for neuron in graphs),
        "d_vocab": words,
        "n_ctx": len(WINDOW),
        "activation_function": "solu",
        "site": "blocks.{layer}.mlp.hook_post",
        "corpus": "ten words",
        "corpus_tokens": len(WINDOW),
        "model_fingerprint": "0123456789abcdef",
        "tokenizer_fingerprint": "123456789abcdef0",
        "corpus_fingerprint": "23456789abcdef01",
        "configuration": json.dumps({"top_k": 2}),
        "code_version": "0.1.0",
        "tokenizer": "",
    }
    return pa.Table.from_pylist([row], schema=schema.MODEL)


def _neuron(
    random: Random, name: NeuronName, graph: NeuronGraph, unit: int, of: UnitSet, dense: bool, parts: int
) -> dict[str, object]:
    judged = len(graph) > 0 and name.index % 5 != 4
    precision, recall = random.randint(1, parts) / parts, random.randint(1, parts) / parts
    return {
        "unit": unit,
        "layer": name.layer,
        "index": name.index,
        "source": of.name,
        "kind": of.kind,
        "side": name.side,
        "density": round(random.random() / (2 if dense else 50), 4),
        "state": "dense" if dense else "live" if len(graph) else "dead",
        "max_activation": round(random.uniform(1, 9), 2) if dense or len(graph) else 0.0,
        "precision": precision if judged else None,
        "recall": recall if judged else None,
        "f1": 2 * precision * recall / (precision + recall) if judged else None,
        "true_firings": 8 if judged else 0,
        "predicted_firings": 8 if judged else 0,
        "n_patterns": graph.n_patterns,
        "n_nodes": len(graph),
        "n_activating": len(set(graph.token[graph.depth == 0].tolist())),
        "n_context": len(set(graph.token[graph.depth > 0].tolist())),
    }


def _examples(unit: object) -> list[dict[str, object]]:
    """Two top examples, one of each lesser band but the weakest, and a near miss."""
    top = [_example(unit, "top", rank, 4.0 - rank) for rank in range(2)]
    lesser = {"0.75": 3.5, "0.5": 2.5, "0.25": 1.5, "near": 1.75}
    return [*top, *(_example(unit, band, 0, activation) for band, activation in lesser.items())]


def _example(unit: object, band: str, rank: int, activation: float) -> dict[str, object]:
    trace = np.linspace(0, activation / 4, 5).astype(np.float16)
    split = "" if band != "top" else "train" if rank % 2 == 0 else "test"
    return {
        "unit": unit,
        "band": band,
        "rank": rank,
        "window": 0,
        "pivot": 8,
        "activation": activation,
        "split": split,
        "start": 4,
        "trace": trace.tobytes(),
    }
