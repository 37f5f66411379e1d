"""Readings: one neuron on a text, token by token, as it is predicted and as it truly fires."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from n2gdb.core import arguments
from n2gdb.core.arguments import shown
from n2gdb.core.neuron_view import NeuronView
from n2gdb.core.paths import PathStep, filled, written
from n2gdb.core.readings import Example, ReadingRecord, ReadToken, tokens_counted
from n2gdb.core.reals import as_decimal
from n2gdb.errors import ArgumentError
from n2gdb.prediction.firing import Predictor
from n2gdb.prediction.strength import log_odds_of, predicted_activations

if TYPE_CHECKING:
    from n2gdb.core.arrays import Int64Array
    from n2gdb.evidence.weights import UnitEvidence

__all__ = ["ReadNeuron", "Reading", "read_example", "read_text"]


#: Tokens that a notebook shows: more would swell its file.
_NOTEBOOK = 3000


class ReadNeuron(NeuronView, Protocol):
    """A neuron that a text can be read by."""

    @property
    def evidence(self) -> UnitEvidence | None:
        """Its evidence, None where it has none."""

    @property
    def token_classes(self) -> Int64Array | None:
        """The classes of every token that evidence may weigh: (kinds, tokens)."""


@dataclass(frozen=True, slots=True)
class Reading(ReadingRecord):
    """A text read by one neuron; a notebook shows it in colours.

    >>> reading = neuron.read(" on the other side")
    >>> reading.summary
    'its evidence fires on 1 of 4 tokens'
    >>> [token.predicted for token in reading.tokens]
    [0.0, 0.0, 0.70889014, 0.0]
    """

    def __repr__(self) -> str:
        return f"<Reading {self.neuron} of {self.model}: {self.summary}>"

    def html(self) -> str:
        """Return a standalone page, light or dark as the reader's system is; it fetches nothing.

        >>> reading = neuron.read(" on the other side")
        >>> reading.html().splitlines()[0]
        '<!doctype html>'
        """
        from n2gdb.drawing.reading_html import reading_page

        return reading_page(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the same without the page around it, of a long text the beginning."""
        from n2gdb.drawing.reading_html import reading_fragment

        return reading_fragment(self, _NOTEBOOK)


def read_text(
    neuron: ReadNeuron,
    text: str | Sequence[int],
    true: Sequence[float | None] | None = None,
    *,
    title: str = "",
    by: Predictor = "evidence",
) -> Reading:
    """Run a neuron on a text, or on token ids, without the model.

    Its evidence predicts where it has any, else its graph, as with ``by="graph"``.

    ``true`` are the neuron's normalised activations, one a token, where they are known. Raises ArgumentError
    where there are more or fewer of them than tokens, and as ``Database.tokenizer`` does.
    """
    tokens = neuron.tokenize(text) if isinstance(text, str) else arguments.wholes("text", text)
    if true is not None and not isinstance(true, Collection):
        raise ArgumentError(f"true must hold one activation for each token, not {shown(true)}")
    if true is not None and len(true) != len(tokens):
        raise ArgumentError(
            f"{len(true)} true activations were given for {tokens_counted(len(tokens))}: give one for each,"
            " None where it is not known"
        )
    known = [None] * len(tokens) if true is None else [_plain(value) for value in true]
    evidence = neuron.evidence if by == "evidence" else None
    foreseen = _foreseen_by_graph(neuron, tokens) if evidence is None else _weighed(neuron, evidence, tokens)
    texts = neuron.texts({*tokens, *(token for each in foreseen for _, token in each.steps)})
    read = (
        ReadToken(
            position,
            token,
            texts[token],
            each.activation,
            _written(each.steps, texts) if each.steps else None,
            tuple(position - depth for depth, _ in reversed(each.steps)),
            known[position],
            tuple(position - depth for depth in reversed(each.against)),
        )
        for position, (token, each) in enumerate(zip(tokens, foreseen, strict=True))
    )
    used = "graph" if evidence is None else "evidence"
    return Reading(str(neuron.name), neuron.model, neuron.fire_threshold, tuple(read), title, used)


@dataclass(frozen=True, slots=True)
class _Foreseen:
    """What is predicted at a position: depth and token of what speaks for it, depths of what is against."""

    activation: float
    steps: tuple[tuple[int, int], ...] = ()
    against: tuple[int, ...] = ()


def _foreseen_by_graph(neuron: ReadNeuron, tokens: Sequence[int]) -> list[_Foreseen]:
    ends = neuron.graph.matched(tokens).tolist()
    patterns = {end: neuron.graph.pattern(end).decimal() for end in set(ends) if end >= 0}
    by_end = {
        end: _Foreseen(pattern.activation, tuple((step.depth, step.token) for step in pattern.steps))
        for end, pattern in patterns.items()
    }
    return [by_end.get(end, _Foreseen(0.0)) for end in ends]


def _weighed(neuron: ReadNeuron, evidence: UnitEvidence, tokens: Sequence[int]) -> list[_Foreseen]:
    from n2gdb.prediction.contributions import contributions

    classes, threshold = neuron.token_classes, neuron.fire_threshold
    log_odds = log_odds_of(evidence, neuron.graph, tokens, classes, threshold)
    predicted = predicted_activations(log_odds, evidence.threshold, threshold)
    found = []
    for position, here in enumerate(contributions(evidence, tokens, classes)):
        if here is None:
            found.append(_Foreseen(0.0))
            continue
        excites = sorted({0, *(depth for depth, weight in here.fixed.items() if depth and weight > 0)})
        against = {
            depth for each in (here.fixed, here.anywhere) for depth in each if depth and each[depth] < 0
        }
        found.append(
            _Foreseen(
                as_decimal(float(predicted[position])),
                tuple((depth, int(tokens[position - depth])) for depth in excites),
                tuple(sorted(against)),
            )
        )
    return found


def read_example(neuron: ReadNeuron, example: Example, *, by: Predictor = "evidence") -> Reading:
    """Run a neuron on one of its examples, beside the true activations stored with it.

    They are kept only around the pivot, as float16: ``true`` is None on tokens further off.
    """
    before = example.start
    after = len(example.tokens) - before - len(example.trace)
    true = [*[None] * before, *example.trace, *[None] * after]
    kind = f"top example {example.rank + 1}, {example.split}"
    if example.band != "top":
        kind = "near miss" if example.band == "near" else f"example from {example.band} of the maximum on"
        kind = f"{kind} {example.rank + 1}"
    return read_text(neuron, example.tokens, true, title=kind, by=by)


def _written(steps: Sequence[tuple[int, int]], texts: Mapping[int, str]) -> str:
    return written(filled([PathStep(depth, token, texts[token]) for depth, token in steps]))


def _plain(value: float | None) -> float | None:
    """Return a plain float; JSON knows no NaN, which stands for what is not known."""
    return None if value is None or math.isnan(value) else float(value)
