"""Neurons over HTTP: figures, patterns, examples, similar neurons, readings and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from n2gdb.core.readings import Example, shown_texts
from n2gdb.core.tokens import display
from n2gdb.database import Database
from n2gdb.errors import QueryError
from n2gdb.evidence.influences import WeighedToken
from n2gdb.evidence.quality import is_uncertain, written_share
from n2gdb.explorer.plain import plain_path
from n2gdb.neuron import Neuron
from n2gdb.prediction.reading import Reading
from n2gdb.storage.read.effects import WrittenToken
from n2gdb.storage.read.layers import neighbours, stepped
from n2gdb.storage.read.names import neuron_key, neuron_of

__all__ = [
    "ModelRunner",
    "describe_neuron",
    "list_examples",
    "list_patterns",
    "plain_tokens",
    "read_truly",
    "read_typed",
    "step_from",
]

#: Tokens of a text that the model is run on.
_LONGEST_RUN = 2_000

#: The strongest examples.
TOP = "top"

#: Characters of a text that is typed; patterns, examples and neurons in one answer.
_LONGEST, _MOST = 4_000, 200

_ON_HELDOUT = (
    "On text that was kept out of everything it is predicted with F1 {f1}, by its {by}: it fires on {firings}"
    " tokens there.{few} "
)
_MEASURED = (
    "On top examples, F1, precision and recall compare what its graph predicts with what it does in the half"
    " of these that the graph was not built from: it fires on {firings} tokens there."
)
_NO_GRAPH = "It has no graph that could be judged: it fires on too many tokens for one."
_NOT_MEASURED = "Its graph is not judged: the half of its top examples that is kept for that holds no firing."


class ModelRunner(Protocol):
    """Runs models on texts; what it raises as N2gdbError is told to whoever asked.

    What a run costs are ``load_seconds`` (once), ``run_seconds`` and ``memory`` in bytes.
    """

    def activations(self, neuron: Neuron, tokens: Sequence[int]) -> tuple[list[float], Mapping[str, Any]]:
        """Return a neuron's normalised activation on each token, and what that cost."""

    def trajectories(self, neuron: Neuron) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return what is left of a neuron's activation when its top examples are cut, and what that cost."""


def describe_neuron(database: Database, neuron: Neuron) -> dict[str, Any]:
    """Return a neuron's figures, how they were measured, and its neighbours in the layer."""
    quality = neuron.quality
    several = len(database.models()) > 1
    named = f"{str(neuron.name)!r}, {neuron.model!r}" if several else repr(str(neuron.name))
    before, after = _neighbours(database, neuron)
    return {
        "neuron": str(neuron.name),
        "model": neuron.model,
        "layer": neuron.name.layer,
        "index": neuron.name.index,
        **neuron.statistics,
        "measured": _measured(neuron),
        "quality": None
        if quality is None
        else {
            "f1": quality.f1,
            "written": quality.written,
            "text": quality.text,
            "firings": quality.firings,
            "uncertain": quality.is_uncertain,
        },
        "activating": _weighed(neuron.activating_tokens),
        "excited_by": _weighed(neuron.excited_by),
        "inhibited_by": _weighed(neuron.inhibited_by),
        "histogram": None if neuron.histogram is None else neuron.histogram.as_dict(),
        "promotes": _written(neuron.promotes),
        "suppresses": _written(neuron.suppresses),
        "python": f"neuron = n2gdb.open({str(database.path)!r}).neuron({named})",
        "previous": before,
        "next": after,
    }


def list_patterns(neuron: Neuron, *, limit: int, offset: int) -> dict[str, Any]:
    """Return some of a neuron's patterns, the strongest first."""
    patterns = neuron.patterns()
    part = patterns[offset : offset + min(limit, _MOST)]
    shown = [
        {
            "activation": each.activation,
            "support": each.support,
            "confidence": each.confidence,
            "path": plain_path(each.path),
        }
        for each in part
    ]
    return {"total": len(patterns), "patterns": shown}


def list_examples(neuron: Neuron, *, limit: int, band: str | None = None) -> dict[str, Any]:
    """Return a neuron's examples of one strength token by token: what it does, and what is predicted.

    ``band`` is that strength, top unless given; ``bands`` are all that there are, near misses last.
    """
    found = neuron.examples(band or TOP)
    return {
        "total": len(found),
        "examples": [_example(neuron, each) for each in found[: min(limit, _MOST)]],
        "bands": list(dict.fromkeys(each.band for each in neuron.examples())),
    }


def _example(neuron: Neuron, example: Example) -> dict[str, Any]:
    return {
        "rank": example.rank,
        "band": example.band,
        "activation": example.activation,
        "split": example.split,
        "pivot": example.pivot,
        "tokens": plain_tokens(neuron.read_example(example)),
    }


def read_typed(neuron: Neuron, text: str) -> dict[str, Any]:
    """Return what is predicted of a neuron on each token of a text."""
    if len(text) > _LONGEST:
        raise QueryError(f"a text of {len(text):,} characters is too long: type {_LONGEST:,} or fewer")
    return {"tokens": plain_tokens(neuron.read(text))}


def read_truly(runner: ModelRunner, neuron: Neuron, text: str) -> tuple[Reading, Mapping[str, Any]]:
    """Read a text with the true activations beside what the graph predicts; return what that cost, too."""
    tokens = neuron.tokenize(text)
    if len(tokens) > _LONGEST_RUN:
        raise QueryError(
            f"a text of {len(tokens):,} tokens is too long to run: type {_LONGEST_RUN:,} or fewer"
        )
    activations, cost = runner.activations(neuron, tokens)
    return neuron.read(tokens, activations), cost


def step_from(database: Database, neuron: Neuron, by: int, *, back: bool) -> dict[str, str]:
    """Return the neuron so many after one in its layer, or before; the last of the layer where it ends."""
    owner = database.model(neuron.model)
    key = neuron_key(owner, neuron.name)
    assert key is not None, "it was read from the database"
    found = stepped(database.connection, owner.number, neuron.name.layer, key, max(1, by), back=back)
    return {"neuron": str(neuron_of([owner], found)[1])}


def plain_tokens(reading: Reading) -> list[dict[str, Any]]:
    """Return the tokens, each with whether the neuron fires there: truly, and as is predicted."""
    return [
        {
            **token,
            "shown": display(text),
            "fires": {
                "true": (token["true"] or 0.0) >= reading.threshold,
                "predicted": token["predicted"] >= reading.threshold,
            },
        }
        for token, text in zip(reading.as_dicts(), shown_texts(reading.tokens), strict=True)
    ]


def _measured(neuron: Neuron) -> str:
    """Say on which texts the neuron was judged, and by how many firings."""
    said = ""
    if neuron.heldout_f1 is not None:
        firings = neuron.heldout_firings or 0
        said = _ON_HELDOUT.format(
            f1=written_share(neuron.heldout_f1, firings),
            by="graph" if neuron.evidence is None else "evidence",
            firings=f"{firings:,}",
            few=" These are few: the figure says little." if is_uncertain(neuron.statistics) else "",
        )
    if neuron.f1 is None:
        return said + (_NO_GRAPH if neuron.state == "dense" else _NOT_MEASURED)
    return said + _MEASURED.format(firings=f"{neuron.true_firings:,}")


def _weighed(tokens: Iterable[WeighedToken]) -> list[dict[str, Any]]:
    return [{**each.as_dict(), "shown": str(each), "place": each.place} for each in tokens]


def _written(tokens: Iterable[WrittenToken]) -> list[dict[str, Any]]:
    return [{**each.as_dict(), "shown": display(each.text)} for each in tokens]


def _neighbours(database: Database, neuron: Neuron) -> tuple[str | None, str | None]:
    """Return the names of the ingested neurons before and after one in its layer."""
    owner = database.model(neuron.model)
    key = neuron_key(owner, neuron.name)
    assert key is not None, "it was read from the database"
    around = neighbours(database.connection, owner.number, neuron.name.layer, key)
    named = [None if near is None else str(neuron_of([owner], near)[1]) for near in around]
    return named[0], named[1]
