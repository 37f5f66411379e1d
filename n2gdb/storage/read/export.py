"""Export reader: many neurons with their graphs, read in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from n2gdb.core.units import NeuronName
from n2gdb.storage.columns import ANSWER_COLUMNS, STATISTICS
from n2gdb.storage.read.effects import WrittenToken, read_effects_between
from n2gdb.storage.read.evidence import read_class_names, read_evidence_between
from n2gdb.storage.read.names import neuron_of
from n2gdb.storage.read.records import ActivationHistogram, read_histograms_between

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.core.arrays import Float64Array, FloatArray, Int64Array
    from n2gdb.core.graph import NeuronGraph
    from n2gdb.evidence.weights import UnitEvidence
    from n2gdb.storage.connection import Connection
    from n2gdb.storage.read.catalog import ModelInfo

__all__ = ["ExportedNeuron", "blocks_of", "graphs_between", "read_blocks", "read_texts"]

_TOGETHER = 2048  # neurons of a block: some ten thousand nodes, whatever the database's size

_ROOTS = (
    "MATCH (n:Neuron)-[a:ACTIVATES_ON]->(t:Token) WHERE n.id >= $first AND n.id <= $last"
    " RETURN n.id AS neuron, a.pre AS pre, t.token AS token, 0 AS depth, -1 AS parent,"
    " 1.0 AS importance, a.`end` AS `end`, a.support AS support, a.confidence AS confidence"
)
_CONTEXT = (
    "MATCH (n:Neuron)-[c:CONTEXT]->(t:Token) WHERE n.id >= $first AND n.id <= $last"
    " RETURN n.id AS neuron, c.pre AS pre, t.token AS token, c.depth AS depth, c.parent AS parent,"
    " c.importance AS importance, c.`end` AS `end`, c.support AS support, c.confidence AS confidence"
)
_NEURONS = (
    "MATCH (n:Neuron) WHERE n.id >= $first AND n.id <= $last RETURN "
    + ", ".join(f"n.`{name}`" for name in ANSWER_COLUMNS)
    + " ORDER BY n.id"
)


@dataclass(frozen=True, slots=True)
class ExportedNeuron:
    """A neuron with its graph; ``texts`` gives the text of each of its model's token ids.

    ``classes`` are the names of the classes of tokens that its evidence may weigh.
    """

    key: int
    model: str
    name: NeuronName
    statistics: Mapping[str, Any]
    graph: NeuronGraph
    texts: Mapping[int, str]
    effects: tuple[WrittenToken, ...] = ()
    evidence: UnitEvidence | None = None
    classes: Mapping[int, str] = field(default_factory=dict)
    histogram: ActivationHistogram | None = None


def blocks_of(connection: Connection, wanted: Sequence[int] | None) -> list[list[int]]:
    """Return the Neuron.ids to read, in rising order and in blocks that lie together in the database.

    ``wanted`` are those to keep, None for all; a block without any is left out.
    """
    keys = [key for (key,) in connection.rows("MATCH (n:Neuron) RETURN n.id ORDER BY n.id")]
    chosen = set(keys if wanted is None else wanted)
    blocks = (keys[start : start + _TOGETHER] for start in range(0, len(keys), _TOGETHER))
    kept = ([key for key in block if key in chosen] for block in blocks)
    return [block for block in kept if block]


def read_texts(connection: Connection) -> dict[int, dict[int, str]]:
    """Return the text of every token id, by the number of its model."""
    texts: dict[int, dict[int, str]] = {}
    for model, token, text in connection.rows("MATCH (t:Token) RETURN t.model, t.token, t.text"):
        texts.setdefault(model, {})[token] = text
    return texts


def read_blocks(
    connection: Connection,
    blocks: Sequence[Sequence[int]],
    models: Sequence[ModelInfo],
    texts: Mapping[int, Mapping[int, str]],
    *,
    with_effects: bool = False,
) -> Iterator[list[ExportedNeuron]]:
    """Yield the neurons of each block; ``texts`` are by the number of a model.

    What they write, their evidence and their histograms are read where that is asked for.
    """
    classes = {model.number: read_class_names(connection, model.number) for model in models if with_effects}
    names = {model.number: model.name for model in models}
    for block in blocks:
        ends = {"first": block[0], "last": block[-1]}
        graphs = graphs_between(connection, ends)
        effects = read_effects_between(connection, block[0], block[-1]) if with_effects else {}
        evidence = read_evidence_between(connection, block[0], block[-1]) if with_effects else {}
        histograms = read_histograms_between(connection, block[0], block[-1]) if with_effects else {}
        chosen = set(block)
        yield [
            ExportedNeuron(
                row["id"],
                names[row["model"]],
                neuron_of(models, row["id"])[1],
                {name: row[name] for name in STATISTICS},
                graphs[row["id"]] if row["id"] in graphs else _empty(),
                texts[row["model"]],
                effects.get(row["id"], ()),
                evidence.get(row["id"]),
                classes.get(row["model"], {}),
                histograms.get(row["id"]),
            )
            for row in (
                dict(zip(ANSWER_COLUMNS, values, strict=True)) for values in connection.rows(_NEURONS, ends)
            )
            if row["id"] in chosen
        ]


def graphs_between(connection: Connection, ends: Mapping[str, int]) -> dict[int, NeuronGraph]:
    """Return the graphs of all neurons that have one, from key ``first`` to key ``last``, by Neuron.id."""
    import numpy as np

    from n2gdb.core.graph import NeuronGraph

    tables = [connection.table(cypher, ends) for cypher in (_ROOTS, _CONTEXT)]
    columns = {
        name: np.concatenate([_numbers(table[name], kind) for table in tables])
        for name, kind in (
            ("neuron", np.int64),
            ("pre", np.int64),
            ("token", np.int32),
            ("depth", np.int32),
            ("parent", np.int32),
            ("importance", np.float32),
            ("end", np.float32),
            ("support", np.float64),
            ("confidence", np.float32),
        )
    }
    order = np.lexsort((columns["pre"], columns["neuron"]))
    neuron = columns["neuron"][order]
    starts = np.flatnonzero(np.append(True, neuron[1:] != neuron[:-1])) if len(neuron) else neuron
    return {
        int(neuron[rows.start]): NeuronGraph(
            columns["token"][order[rows]],
            columns["depth"][order[rows]],
            columns["parent"][order[rows]],
            columns["importance"][order[rows]],
            columns["end"][order[rows]],
            *_occurrences(columns["support"][order[rows]], columns["confidence"][order[rows]]),
        )
        for rows in map(slice, starts, np.append(starts[1:], len(neuron)))
    }


def _numbers(column: pa.ChunkedArray, kind: Any) -> Any:
    """Return a column as numpy's, null as NaN; pandas, which pyarrow asks in places, need not be there."""
    import numpy as np
    import pyarrow as pa

    return np.asarray(column.cast(pa.from_numpy_dtype(kind)).to_numpy(), kind)


def _occurrences(
    support: Float64Array, confidence: FloatArray
) -> tuple[Int64Array | None, FloatArray | None]:
    """Support and confidence of a graph's nodes; support is NaN, or None, where it was not counted."""
    import numpy as np

    return (None, None) if np.isnan(support[0]) else (support.astype(np.int64), confidence)


def _empty() -> NeuronGraph:
    from n2gdb.core.graph import NeuronGraph

    return NeuronGraph.empty()
