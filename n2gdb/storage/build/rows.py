"""Rows of the database's tables from a run's shards, whole columns at a time.

Keys hold the model's number in their high bits, so that several models share one database: see ``units``.
A step's is a hash of its tokens' texts, the same in every model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from n2gdb.core.arrays import Float64Array, Int64Array, is_in, stable_order
from n2gdb.core.reals import decimals
from n2gdb.core.tokens import kinds_of, text_key
from n2gdb.core.tries import GraphSteps, Tries, graph_steps
from n2gdb.core.units import item_key, token_key
from n2gdb.errors import DatabaseFormatError
from n2gdb.storage.build.measures import NeuronMeasures
from n2gdb.storage.read.outline import OutlinePart
from n2gdb.storage.shards import RunFolder
from n2gdb.version import SCHEMA_VERSION

__all__ = ["ModelRows"]


_ACTIVATES_ON = [
    "neuron",
    "token_key",
    "pre",
    "last",
    "activation",
    "end",
    "written",
    "support",
    "confidence",
]
_CONTEXT = ["neuron", "token_key", "act_token", "depth", "importance", "pre", "last", "parent", "repeats"]
_CONTEXT += ["activation", "end", "least", "written", "support", "confidence"]

#: Columns of trie nodes that the database takes over as they are.
_OF_NODES = ("pre", "depth", "importance", "parent", "end", "support", "confidence")


@dataclass(frozen=True, slots=True)
class ModelRows:
    """The rows of one run as model number ``number``; what is of every token id is (tokens,)."""

    run: RunFolder
    number: int
    text_keys: Int64Array
    norm_keys: Int64Array  # of the texts with case and space aside
    places: Int64Array  # in the table of the tokens of all models
    tokens: Int64Array  # the ids in the order of that table
    tokens_before: int  # of the models before this one

    @classmethod
    def of(cls, run: RunFolder, number: int, tokens_before: int = 0) -> ModelRows:
        """Read the vocabulary of a run; raise DatabaseFormatError if two texts have the same key."""
        tokens = run.tokens()
        token = tokens["token"].to_numpy()
        of_token = np.zeros((3, int(token.max(initial=-1)) + 1), np.int64)
        for place, column in enumerate(("text", "norm")):
            of_token[place, token] = _text_keys(tokens[column]).to_numpy()
        of_token[2, token] = tokens_before + np.arange(len(token))
        text_keys, norm_keys, places = of_token
        return cls(run, number, text_keys, norm_keys, places, token.astype(np.int64), tokens_before)

    @property
    def tokens_up_to(self) -> int:
        """How many tokens the models up to this one have."""
        return self.tokens_before + len(self.tokens)

    def entities(self, measures: NeuronMeasures) -> Iterator[tuple[str, pa.Table]]:
        """Yield (database table, its rows) of what relationships join."""
        model = self._keyed(self.run.model(), np.array([self.number], np.int64), of_model=False)
        model = model.append_column("sources", self._sources())
        yield "Model", model.append_column("schema_version", pa.array([SCHEMA_VERSION], pa.int64()))
        yield "Token", self._tokens()
        neurons = self.run.neurons()
        key = self._neuron_key(neurons)
        rows = self._keyed(neurons.drop_columns(["unit"]), key)
        for name, values in measures.of(key).items():
            rows = rows.append_column(name, pa.array(values))
        records = decimals(self.run.records())
        own = records.drop_columns(["unit"]).take(pc.index_in(neurons["unit"], records["unit"]))
        yield "Neuron", pa.table([*rows.columns, *own.columns], [*rows.column_names, *own.column_names])
        windows = self.run.windows()
        yield "Window", self._keyed(windows, self._window_key(windows["window"].to_numpy()))
        classes = self.run.classes()
        yield "TokenClass", self._keyed(classes, self._class_key(classes["class"].to_numpy()))

    def relationships(
        self, shards: Sequence[Path]
    ) -> tuple[NeuronMeasures, OutlinePart, Float64Array, Iterator[tuple[str, pa.Table]]]:
        """Return what follows from the graphs of some shards, and (database table, its rows) of them.

        The former are measures of the neurons, the outline of their tries, and the largest activation of any
        pattern through each node.
        """
        nodes = decimals(self.run.nodes(shards))
        tries, neuron = Tries.of(nodes), self._neuron_key(nodes)

        def tables() -> Iterator[tuple[str, pa.Table]]:
            effects = self._effects(shards)
            yield from self._trie_rows(nodes, tries, neuron, effects)
            yield from self._evidence_rows(shards)
            yield "WRITES", effects
            yield from self._example_rows(shards)
            yield "SCORE", self._scores(shards)

        outline = self._outline(nodes, tries, neuron)
        return NeuronMeasures.measured(tries, neuron), outline, tries.best, tables()

    def steps(self, outline: OutlinePart, best: Float64Array) -> tuple[GraphSteps, GraphSteps]:
        """Return the steps of graphs as they are written, and with case and space aside."""
        token = self.tokens[outline.token.astype(np.int64) - self.tokens_before]
        texts = self.text_keys[token], self.norm_keys[token]
        root = np.maximum.accumulate(np.where(outline.gap == 0, np.arange(len(token)), 0))
        return graph_steps(outline.neuron, *texts, root, outline.depth, best)

    def _outline(self, nodes: pa.Table, tries: Tries, neuron: Int64Array) -> OutlinePart:
        row, pre = np.arange(len(neuron)), nodes["pre"].to_numpy()
        return OutlinePart(
            neuron,
            self.places[tries.token],
            tries.depth,
            np.where(tries.above < 0, 0, row - tries.above),
            tries.last - pre,
            nodes["end"].is_valid().to_numpy(),
            tries.repeats,
        ).narrow()

    def _example_rows(self, shards: Sequence[Path]) -> Iterator[tuple[str, pa.Table]]:
        examples = decimals(self.run.examples(shards))
        ends = {
            "neuron": pa.array(self._neuron_key(examples)),
            "window_key": pa.array(self._window_key(examples["window"].to_numpy())),
        }
        own = examples.drop_columns(["unit", "window"])
        rows = pa.table([*ends.values(), *own.columns], [*ends, *own.column_names])
        is_top = pc.equal(examples["band"], "top")
        yield "TOP_EXAMPLE", rows.filter(is_top).drop_columns(["band"])
        yield "EXAMPLE", rows.filter(pc.invert(is_top))

    def _evidence_rows(self, shards: Sequence[Path]) -> Iterator[tuple[str, pa.Table]]:
        """Yield the weights of tokens, and those of classes, which are numbered on from the vocabulary."""
        evidence = decimals(self.run.evidence(shards))
        token = evidence["token"].to_numpy().astype(np.int64)
        is_class = token >= len(self.text_keys)
        for table, chosen, keys in (
            ("EVIDENCE", ~is_class, self._token_key),
            ("CLASS_EVIDENCE", is_class, self._class_key),
        ):
            columns = {"neuron": self._neuron_key(evidence), "key": keys(token)}
            rows = pa.table(columns | {name: evidence[name] for name in ("depth", "weight")})
            yield table, rows.filter(pa.array(chosen))

    def _effects(self, shards: Sequence[Path]) -> pa.Table:
        """What the neurons of some shards write: rows of WRITES."""
        effects = decimals(self.run.effects(shards))
        columns = {
            "neuron": self._neuron_key(effects),
            "token_key": self._token_key(effects["token"].to_numpy()),
            "rank": effects["rank"],
            "logit": effects["logit"],
        }
        return pa.table(columns)

    def _trie_rows(
        self, nodes: pa.Table, tries: Tries, neuron: Int64Array, effects: pa.Table
    ) -> Iterator[tuple[str, pa.Table]]:
        columns = {
            "neuron": neuron,
            "token_key": self._token_key(tries.token),
            "act_token": self._token_key(tries.token[tries.root]),
            "last": tries.last,
            "repeats": tries.repeats,
            "activation": pa.array(tries.best, mask=np.isnan(tries.best)),
            "least": tries.smallest(nodes["importance"].to_numpy()),
            "written": _written(neuron, self._token_key(tries.token), effects),
        }
        rows = pa.table(columns | {name: nodes[name] for name in _OF_NODES})
        is_root = tries.above < 0
        yield "ACTIVATES_ON", rows.select(_ACTIVATES_ON).filter(pa.array(is_root))
        # The engine lays them out by token, too: in a quarter less time where many of one come together.
        context = np.flatnonzero(~is_root)
        context = context[stable_order(tries.token[context])]
        yield "CONTEXT", rows.select(_CONTEXT).take(pa.array(context))

    def _sources(self) -> pa.Array:
        """Return the sources of the model, one list of records, in the order of layers."""
        sources = self.run.sources().sort_by([("layer", "ascending"), ("number", "ascending")])
        return pa.array([sources.to_pylist()], pa.list_(pa.struct(list(sources.schema))))

    def _scores(self, shards: Sequence[Path]) -> pa.Table:
        """How the predictors of the neurons of some shards do: rows of SCORE."""
        scores = decimals(self.run.scores(shards))
        ends = {"neuron": self._neuron_key(scores), "owner": np.full(len(scores), self.number, np.int64)}
        own = scores.drop_columns(["unit", "layer", "index"])
        return pa.table([*map(pa.array, ends.values()), *own.columns], [*ends, *own.column_names])

    def _tokens(self) -> pa.Table:
        tokens = self.run.tokens()
        each = zip(tokens["text"].to_pylist(), tokens["special"].to_pylist(), strict=True)
        kinds = pa.array([kinds_of(text, special=special) for text, special in each], pa.int64())
        keyed = self._keyed(tokens, self._token_key(tokens["token"].to_numpy()))
        keyed = keyed.append_column("text_key", _text_keys(tokens["text"]))
        return keyed.append_column("norm_key", _text_keys(tokens["norm"])).append_column("classes", kinds)

    def _keyed(self, table: pa.Table, key: Int64Array, *, of_model: bool = True) -> pa.Table:
        """Put the key, and the number of the model it belongs to, in front of a table's own columns."""
        table = decimals(table)
        first = {"key": key}
        if of_model:
            first["owner"] = np.full(len(key), self.number, np.int64)
        return pa.table([*map(pa.array, first.values()), *table.columns], [*first, *table.column_names])

    def _token_key(self, token: Int64Array) -> Int64Array:
        return token_key(self.number, token.astype(np.int64))

    def _class_key(self, number: Int64Array) -> Int64Array:
        return item_key(self.number, number.astype(np.int64))

    def _window_key(self, window: Int64Array) -> Int64Array:
        return item_key(self.number, window.astype(np.int64))

    def _neuron_key(self, table: pa.Table) -> Int64Array:
        return item_key(self.number, table["unit"].to_numpy())


def _written(neuron: Int64Array, token: Int64Array, effects: pa.Table) -> pa.Array:
    """Return the logit that each node's neuron writes to the node's own token: (nodes,), null for none."""
    if not len(effects):
        return pa.nulls(len(neuron), pa.float64())
    neurons, tokens = np.unique(neuron), np.unique(token)

    def number(neuron: Int64Array, token: Int64Array) -> Int64Array:
        return np.searchsorted(neurons, neuron) * len(tokens) + np.searchsorted(tokens, token)

    writer, writes = effects["neuron"].to_numpy(), effects["token_key"].to_numpy()
    among = is_in(writer, neurons) & is_in(writes, tokens)
    pair = number(writer[among], writes[among])
    order = np.argsort(pair)
    node = number(neuron, token)
    known = is_in(node, pair[order])
    logit = np.zeros(len(node))
    logit[known] = effects["logit"].to_numpy()[among][order][np.searchsorted(pair[order], node[known])]
    return pa.array(logit, mask=~known)


def _text_keys(texts: pa.ChunkedArray) -> pa.Array:
    """Number every text; equal numbers mean equal texts."""
    keys = {text: text_key(text) for text in texts.unique().to_pylist()}
    if len(set(keys.values())) < len(keys):
        raise DatabaseFormatError("two tokens of the vocabulary have the same 63-bit key")
    return pa.array([keys[text] for text in texts.to_pylist()], pa.int64())
