"""Worlds at random: databases of several models, each with its own words and its own way to cut text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pyarrow as pa

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.tokens import normalise
from n2gdb.core.units import NeuronName
from n2gdb.storage import schema
from n2gdb.storage.build import loading
from n2gdb.storage.build.database import build_database
from n2gdb.storage.build.ddl import RELATIONSHIPS
from n2gdb.storage.columns import STATISTICS
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.shards import RunFolder
from tests.generators.measured import token_classes
from tests.generators.stored_evidence import classes_of, evidence_of, firings_of
from tests.generators.unit_sets import UnitSet, UnitSets
from tests.oracle.behaviours import counted
from tests.oracle.world import Model, Neuron, World
from tests.support.small_run import WINDOW, model_table, write_shards

__all__ = ["build_in_any_order", "build_models", "build_world", "unigram"]

#: Words that differ in case, space and class, that are parts of each other, and a few that are hard to write.
ENGLISH = (
    *("<eos>", " the", "the", " The", "THE", " end", "end", " of", "of", " dog", " cat", "cats", "s", "\n"),
    *(" New", " York", "New", " new", " york", " NEW", "7", " 42", ",", " .", "!?", " ", "  ", "\t"),
)
#: Another model's: some of the same texts at other ids.
FOREIGN = (
    *("<unk>", "end", " end", " dog", "The", " the", "of", " of", "s", " é", "É", "ß", "ẞ", "日本", "語"),
    *(" New", "York", "12", "3", "...", "\\", "'", '"', "/", " $x", "_", "\n\n", " العربية", "e\u0301"),
)
#: As byte-pair encoding leaves them: single letters, and a few merged.
LETTERS = (
    *("a", "b", "c", "d", "e", "n", "o", "t", "h", "w", " ", "th", "the", " t", " the", "an", "and", " a"),
    *("ne", "new", "N", "Ne", "New", "Y", "1", "2", "12", "T", "Th", "The"),
)
MERGES = (
    *(
        "t h",
        "th e",
        "Ġ t",
        "Ġ the",
        "a n",
        "an d",
        "n e",
        "ne w",
        "N e",
        "Ne w",
        "1 2",
        "T h",
        "Th e",
        "Ġ a",
    ),
)

LAYERS, WIDTH = 3, 6
#: Shares are so many tenths: 0.9 is not the same in 32 bits and in 64, as seven eighths are.
_PARTS = 10
#: What counts as firing: as ingested by default, and otherwise; patterns activate as much, less and more.
_THRESHOLDS = (0.5, 0.5, 0.625, 0.75)


@dataclass(frozen=True)
class _Kind:
    """A model to be made: its words, and the JSON of its tokenizer."""

    words: tuple[str, ...]
    tokenizer: str


def build_world(folder: Path, seed: int) -> tuple[Path, World]:
    """Build the database of a random world; return its path and what went into it."""
    random = Random(seed)
    chosen = random.sample(_kinds(), random.choice((1, 1, 2, 3)))
    models = tuple(
        Model(
            at,
            f"model-{at}",
            kind.words,
            kind.tokenizer,
            random.choice(_THRESHOLDS),
            sets=UnitSets.drawn(Random(f"sets {seed} {at}"), LAYERS, WIDTH),
        )
        for at, kind in enumerate(chosen)
    )
    return build_models(folder, models, random)


def build_models(folder: Path, models: tuple[Model, ...], random: Random) -> tuple[Path, World]:
    """Build a database of random neurons of these models; return its path and what went into it."""
    models = tuple(replace(each, classes=classes_of(token_classes(each.texts))) for each in models)
    runs: list[RunFolder] = []
    neurons: list[Neuron] = []
    for model in models:
        sets = model.sets
        graphs = dict(_graphs(random, model, neurons))
        seed = random.randrange(1 << 30)
        run = _write(folder / f"run{model.number}", model, graphs, seed)
        effects = _write_effects(Random(seed), run, model, graphs)
        runs.append(run)
        stored_graphs, evidence, firings = (
            graphs_from(run.nodes()),
            evidence_of(run),
            firings_of(run, model.fire_threshold),
        )
        rows = {sets.name_of(row["unit"]): row for row in run.neurons().to_pylist()}
        for name in sorted(rows):
            unit = rows[name]["unit"]
            stored = {field: value for field, value in rows[name].items() if field in STATISTICS}
            graph = stored_graphs.get(unit, graphs[name])
            statistics = stored | counted(graph)
            effect = effects.get(name, {})
            neurons.append(
                Neuron(model, name, statistics, graph, effect, evidence.get(unit), firings.get(unit, ()))
            )
    path = folder / "world.n2gdb"
    build_in_any_order(path, runs, random)
    return path, World(models, tuple(neurons))


def build_in_any_order(path: Path, runs: Sequence[RunFolder], random: Random) -> None:
    """Build a database, every other one with its relationships in any order: so threads may store them."""
    if random.random() < 0.5:
        build_database(path, runs)
        return

    def copy(write: loading.Write, table: str, rows: pa.Table) -> None:
        if table in RELATIONSHIPS:
            rows = rows.take(pa.array(random.sample(range(len(rows)), len(rows)), pa.int64()))
        in_order(write, table, rows)

    in_order = loading._copy
    loading._copy = copy
    try:
        build_database(path, runs)
    finally:
        loading._copy = in_order


def _kinds() -> list[_Kind]:
    return [
        _Kind(ENGLISH, unigram(ENGLISH)),
        _Kind(FOREIGN, unigram(FOREIGN)),
        _Kind((ENGLISH[0], *reversed(ENGLISH[1:])), _whole_words((ENGLISH[0], *reversed(ENGLISH[1:])))),
        _Kind(LETTERS, _byte_pairs()),
        _Kind(FOREIGN, ""),
    ]


def _graphs(
    random: Random, model: Model, others: Sequence[Neuron]
) -> Iterator[tuple[NeuronName, NeuronGraph]]:
    """Yield a graph a unit: some empty, some much like one before, some of another model's texts.

    Of most sets all units were learned, of negative sides few.
    """
    made: list[list[Pattern]] = []
    part: dict[UnitSet, bool] = {}
    for of, name in model.sets.names():
        if part.setdefault(of, not of.is_mlp and random.random() < 0.3) and random.random() < 0.4:
            continue
        if name.side == "-" and random.random() < 0.6:
            continue
        patterns = _patterns(random, model, made, others)
        made.append(patterns)
        yield name, NeuronGraph.from_patterns(patterns)


def _patterns(
    random: Random, model: Model, made: Sequence[list[Pattern]], others: Sequence[Neuron]
) -> list[Pattern]:
    fate = random.random()
    if fate < 0.08:
        return []
    fresh = [_pattern(random, len(model.texts)) for _ in range(random.randint(1, 4))]
    if fate < 0.3 and made:
        return [*random.choice(made), *fresh[:1]]
    if fate < 0.4 and made:
        return random.choice(made)[:3]
    if fate < 0.55 and others:
        return [*_translated(random.choice(others), model), *fresh[:2]]
    return fresh


def _translated(neuron: Neuron, model: Model) -> Iterator[Pattern]:
    """Yield the patterns of another model's neuron that this model has all tokens for."""
    for pattern in neuron.patterns.values():
        texts = [neuron.model.texts[step.token] for step in pattern.steps]
        if all(text in model.texts for text in texts):
            steps = [
                Step(step.depth, model.texts.index(text), step.importance)
                for step, text in zip(pattern.steps, texts, strict=True)
            ]
            yield Pattern(tuple(steps), pattern.activation)


def _pattern(random: Random, words: int) -> Pattern:
    """Activations are eighths, so that sums of them are exact and ties are ties in any order of adding."""
    spread = random.choice((1, 3, 6, 6))
    depths = [0, *sorted(random.sample(range(1, spread + 1), random.randint(0, min(4, spread))))]
    tokens = [random.randrange(words)]
    for _ in depths[1:]:
        tokens.append(random.choice(tokens) if random.random() < 0.2 else random.randrange(words))
    steps = (
        Step(depth, token, round(random.uniform(0.75, 1), 2))
        for depth, token in zip(depths, tokens, strict=True)
    )
    return Pattern(tuple(steps), random.choice((0.375, 0.5, 0.625, 0.75, 0.875, 1.0)))


def _write(folder: Path, model: Model, graphs: dict[NeuronName, NeuronGraph], seed: int) -> RunFolder:
    run = RunFolder.create(folder)
    about = model_table(model.name, graphs, len(model.texts))
    configuration = json.dumps({"top_k": 2, "fire_threshold": model.fire_threshold})
    for name, value in (("tokenizer", model.tokenizer), ("configuration", configuration)):
        place = about.schema.get_field_index(name)
        about = about.set_column(place, about.schema.field(place), pa.array([value]))
    run.write_model(about)
    columns = [
        range(len(model.texts)),
        list(model.texts),
        [normalise(text) for text in model.texts],
        [token == 0 for token in range(len(model.texts))],
    ]
    run.write_tokens(pa.table(columns, schema=schema.TOKENS))
    run.write_windows(pa.table([[0], [list(WINDOW)]], schema=schema.WINDOWS))
    run.write_classes(token_classes(model.texts))
    run.write_sources(model.sets.table())
    dense = {
        name
        for name, graph in graphs.items()
        if name.latent and not len(graph) and Random(f"{seed} {name}").random() < 0.6
    }
    write_shards(run, graphs, seed, recorded=seed % 4 != 0, sets=model.sets, dense=dense, parts=_PARTS)
    return run


def _write_effects(
    random: Random, run: RunFolder, model: Model, graphs: Mapping[NeuronName, NeuronGraph]
) -> dict[NeuronName, dict[int, float]]:
    """Let most neurons write some tokens, often of their own patterns; a last shard may have no effects."""
    written: dict[NeuronName, dict[int, float]] = {}
    shards = run.shards()
    for shard in shards[: max(1, len(shards) - random.randint(0, 1))]:
        rows = []
        for neuron in run.neurons([shard]).to_pylist():
            name = model.sets.name_of(neuron["unit"])
            own = sorted(set(graphs[name].token.tolist()))
            tokens = {
                random.choice(own) if own and random.random() < 0.5 else random.randrange(len(model.texts))
                for _ in range(random.randint(0, 6))
            }
            logits = {token: random.randint(-8, 8) / 4 for token in sorted(tokens)}
            written[name] = {token: logit for token, logit in logits.items() if logit}
            for sign in (1, -1):
                ranked = sorted(
                    (-abs(each), token) for token, each in written[name].items() if each * sign > 0
                )
                rows += [
                    {
                        "unit": neuron["unit"],
                        "token": token,
                        "rank": rank,
                        "logit": -sign * size,
                    }
                    for rank, (size, token) in enumerate(ranked)
                ]
        run.write_effects(shard, pa.Table.from_pylist(rows, schema.EFFECTS))
    return written


def unigram(words: Sequence[str]) -> str:
    """Cut into the fewest pieces; what has none is the first word."""
    vocabulary = [[word, -10.0 - at / 64] for at, word in enumerate(words)]
    return _tokenizer({"type": "Unigram", "unk_id": 0, "vocab": vocabulary, "byte_fallback": False})


def _whole_words(words: Sequence[str]) -> str:
    """Cut at spaces and signs, each word with its space; what is not a word is the first."""
    model = {"type": "WordLevel", "vocab": {word: at for at, word in enumerate(words)}, "unk_token": words[0]}
    split = {
        "type": "Split",
        "pattern": {"Regex": r" ?\w+| ?[^\w\s]+|\s+"},
        "behavior": "Isolated",
        "invert": False,
    }
    return _tokenizer(model, split)


def _byte_pairs() -> str:
    """Merge letters as GPT-2 does; what has no byte of its own is dropped."""
    vocabulary = {text.replace(" ", "Ġ"): at for at, text in enumerate(LETTERS)}
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "vocab": vocabulary,
        "merges": list(MERGES),
    }
    return _tokenizer(
        model, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    )


def _tokenizer(model: Mapping[str, object], before: Mapping[str, object] | None = None) -> str:
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": before,
            "post_processor": None,
            "decoder": None,
            "model": model,
        }
    )
