"""Catalog: the models of a database, and figures of their neurons by layer."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from n2gdb.core.readings import counted
from n2gdb.core.units import HeldUnits
from n2gdb.grammar.records import dataclass
from n2gdb.storage.connection import Connection
from n2gdb.storage.shapes import settled
from n2gdb.version import SCHEMA_VERSION

__all__ = [
    "FIRE_THRESHOLD",
    "Inventory",
    "LayerFigures",
    "ModelInfo",
    "SourceInfo",
    "count_nodes",
    "read_held",
    "read_inventory",
    "read_models",
]

#: The paper's threshold.
FIRE_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """One set of units of a layer: its MLP, which has number 0, or another that was read there."""

    layer: int
    number: int
    name: str
    kind: str  # one of units.KINDS
    site: str
    width: int
    sides: str  # of units.SIDES, "+" or "+-"
    architecture: str
    origin: str
    revision: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model of a database, its corpus and the configuration it was ingested with.

    >>> model = db.models()[0]
    >>> model.n_layers, model.fire_threshold
    (6, 0.5)
    """

    number: int  # in the high bits of the keys of all that belongs to it
    name: str
    n_layers: int
    d_mlp: int
    d_vocab: int
    n_ctx: int
    activation_function: str
    site: str
    corpus: str
    corpus_tokens: int
    model_fingerprint: str
    tokenizer_fingerprint: str
    corpus_fingerprint: str
    configuration: str  # JSON
    code_version: str
    sources: tuple[SourceInfo, ...] = ()

    def __repr__(self) -> str:
        return f"<ModelInfo {self.name}: {self.n_layers} layers of {self.d_mlp:,}, {self.d_vocab:,} tokens>"

    @property
    def most_units(self) -> int:
        """Units of the layer that has most of them, of all sources and sides.

        >>> db.model().most_units
        359
        """
        units = [0] * self.n_layers
        for source in self.sources:
            units[source.layer] += source.width * len(source.sides)
        return max(units, default=0)

    @property
    def source(self) -> str:
        """Where the model was loaded from: the absolute path of its directory, or a name.

        >>> db.model().source
        'world'
        """
        return str(json.loads(self.configuration).get("source", self.name))

    @property
    def fire_threshold(self) -> float:
        """The normalised activation from which on a neuron fires; where no other was chosen, 0.5.

        >>> db.model().fire_threshold
        0.5
        """
        return float(json.loads(self.configuration).get("fire_threshold", FIRE_THRESHOLD))


@dataclass(frozen=True, slots=True)
class LayerFigures:
    """Figures of one layer of one model.

    The means are over judged neurons: those whose test examples hold a firing. One whose graph predicts
    none counts as 0; dead and dense ones are counted apart. ``mean_heldout_f1`` is over the
    ``heldout_judged`` that fire on held-out text, of what predicts them by default; None where no text was
    held out.
    """

    model: str
    layer: int
    neurons: int
    dead: int
    unpredicted: int
    dense: int
    patterns: int
    judged: int
    mean_precision: float | None
    mean_recall: float | None
    mean_f1: float | None
    heldout_judged: int
    mean_heldout_f1: float | None


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a database holds, as ``n2gdb info`` prints it; ``size`` is the file's, in bytes.

    >>> held = db.info()
    >>> [model.name for model in held.models], sum(layer.neurons for layer in held.layers)
    (['world'], 7)
    """

    path: Path
    size: int
    schema_version: int
    models: tuple[ModelInfo, ...]
    layers: tuple[LayerFigures, ...]

    def __repr__(self) -> str:
        neurons = counted(sum(layer.neurons for layer in self.layers), "neuron")
        return f"<Inventory {self.path}, {', '.join(model.name for model in self.models)}: {neurons}>"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, the configurations as objects.

        >>> sorted(db.info().as_dict())
        ['layers', 'models', 'path', 'schema_version', 'size']
        """
        plain = asdict(self) | {"path": str(self.path)}
        for model in plain["models"]:
            model["configuration"] = json.loads(model["configuration"])
        return plain


_MODEL_FIELDS = tuple(ModelInfo.__annotations__)[1:]


def read_models(connection: Connection) -> tuple[ModelInfo, ...]:
    """Read the models, by number."""
    fields = ", ".join(f"m.{name}" for name in _MODEL_FIELDS)
    rows = connection.rows(f"MATCH (m:Model) RETURN m.id, {fields} ORDER BY m.id")
    return tuple(
        replace(ModelInfo(*own), sources=tuple(SourceInfo(**each) for each in sources))
        for *own, sources in rows
    )


def read_held(connection: Connection) -> tuple[HeldUnits, ...]:
    """Read of which sources there are units: of those of a model, some may not have been ingested."""
    found = connection.rows("MATCH (n:Neuron) RETURN DISTINCT n.model, n.kind, n.source")
    return tuple(HeldUnits(*row) for row in sorted(found))


def read_inventory(connection: Connection, models: tuple[ModelInfo, ...]) -> Inventory:
    """Read the figures by model and layer."""
    rows = connection.rows(
        "MATCH (n:Neuron) RETURN n.model, n.layer, count(n.id),"
        " sum(CASE WHEN n.state = 'dead' THEN 1 ELSE 0 END),"
        " sum(CASE WHEN n.state = 'unpredicted' THEN 1 ELSE 0 END),"
        " sum(CASE WHEN n.state = 'dense' THEN 1 ELSE 0 END),"
        f" sum(n.n_patterns), count(n.f1), {settled('avg(n.precision)')}, {settled('avg(n.recall)')},"
        f" {settled('avg(n.f1)')}, count(n.heldout_f1), {settled('avg(n.heldout_f1)')}"
        " ORDER BY n.model, n.layer"
    )
    names = {model.number: model.name for model in models}
    layers = tuple(
        LayerFigures(
            model=names[number],
            layer=layer,
            neurons=int(neurons),
            dead=int(dead),
            unpredicted=int(unpredicted),
            dense=int(dense),
            patterns=int(patterns),
            judged=int(judged),
            mean_precision=precision,
            mean_recall=recall,
            mean_f1=f1,
            heldout_judged=int(held),
            mean_heldout_f1=heldout,
        )
        for number, layer, neurons, dead, unpredicted, dense, patterns, judged, *rest in rows
        for precision, recall, f1, held, heldout in (rest,)
    )
    size = connection.path.stat().st_size
    return Inventory(connection.path, size, SCHEMA_VERSION, models, layers)


def count_nodes(connection: Connection) -> int:
    """Count the nodes of all tries."""
    ((nodes,),) = connection.rows("MATCH (n:Neuron) RETURN sum(n.n_nodes)")
    return int(nodes or 0)
