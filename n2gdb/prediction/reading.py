"""Readings: one neuron on a text, token by token, as its graph predicts and as it truly fires."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from n2gdb.core import arguments
from n2gdb.core.paths import PathStep, filled, written
from n2gdb.core.readings import Example, ReadingRecord, ReadToken, tokens_counted
from n2gdb.errors import QueryError

if TYPE_CHECKING:
    from n2gdb.core.graph import Pattern
    from n2gdb.core.neuron_view import NeuronView

__all__ = ["Reading", "read_example", "read_text"]


#: Tokens that a notebook shows: more would swell its file.
_NOTEBOOK = 3000


@dataclass(frozen=True, slots=True)
class Reading(ReadingRecord):
    """A text read by one neuron; a notebook shows it in colours.

    >>> reading = neuron.read(" on the other side")
    >>> reading.summary
    'its graph fires on 1 of 4 tokens'
    >>> [token.predicted for token in reading.tokens]
    [0.0, 0.0, 0.5, 0.0]
    """

    def html(self) -> str:
        """Return a page of its own, light or dark as the reader's system is; nothing is fetched for it."""
        from n2gdb.drawing.reading_html import reading_page

        return reading_page(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the same without the page around it, of a long text the beginning."""
        from n2gdb.drawing.reading_html import reading_fragment

        return reading_fragment(self, _NOTEBOOK)


def read_text(
    neuron: NeuronView,
    text: str | Sequence[int],
    true: Sequence[float | None] | None = None,
    *,
    title: str = "",
) -> Reading:
    """Run a neuron's graph on a text, or on token ids, without the model.

    ``true`` are the neuron's normalised activations, one a token, where they are known. Raises QueryError
    where there are more or fewer of them than tokens, and as ``Database.tokenizer`` does.
    """
    tokens = neuron.tokenize(text) if isinstance(text, str) else arguments.wholes("text", text)
    if true is not None and not isinstance(true, Collection):
        raise QueryError(f"true is one activation for each token, not {true!r}")
    if true is not None and len(true) != len(tokens):
        raise QueryError(
            f"{len(true)} true activations were given for {tokens_counted(len(tokens))}: give one for each,"
            " None where it is not known"
        )
    known = [None] * len(tokens) if true is None else [_plain(value) for value in true]
    ends = neuron.graph.matched(tokens).tolist()
    patterns = {end: neuron.graph.pattern(end).decimal() for end in set(ends) if end >= 0}
    texts = neuron.texts({*tokens, *(step.token for each in patterns.values() for step in each.steps)})
    paths = {end: _written(pattern, texts) for end, pattern in patterns.items()}
    read = (
        ReadToken(
            position,
            token,
            texts[token],
            patterns[end].activation if end >= 0 else 0.0,
            paths.get(end),
            tuple(_named_at(position, patterns[end])) if end >= 0 else (),
            known[position],
        )
        for position, (token, end) in enumerate(zip(tokens, ends, strict=True))
    )
    return Reading(str(neuron.name), neuron.model, neuron.fire_threshold, tuple(read), title)


def read_example(neuron: NeuronView, example: Example) -> Reading:
    """Run a neuron's graph on one of its top examples, beside the true activations stored with it.

    They are kept only around the pivot, as float16: ``true`` is None on tokens further off.
    """
    before = example.start
    after = len(example.tokens) - before - len(example.trace)
    true = [*[None] * before, *example.trace, *[None] * after]
    return read_text(neuron, example.tokens, true, title=f"top example {example.rank + 1}, {example.split}")


def _written(pattern: Pattern, texts: Mapping[int, str]) -> str:
    return written(filled([PathStep(step.depth, step.token, texts[step.token]) for step in pattern.steps]))


def _named_at(position: int, pattern: Pattern) -> Iterator[int]:
    """Yield where the tokens that a pattern names stand, in text order."""
    return (position - step.depth for step in reversed(pattern.steps))


def _plain(value: float | None) -> float | None:
    """Return a plain float; JSON knows no NaN, which stands for what is not known."""
    return None if value is None or math.isnan(value) else float(value)
