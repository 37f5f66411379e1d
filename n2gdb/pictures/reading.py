"""A text as one neuron reads it: on every token what its graph predicts, and what it truly does."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from n2gdb import arguments
from n2gdb.errors import QueryError
from n2gdb.path import PathStep, filled, written

if TYPE_CHECKING:
    from n2gdb.graph import Pattern
    from n2gdb.stored_neuron import Example, Neuron

__all__ = ["Agreement", "ReadToken", "Reading", "TokenLines", "read_example", "read_text", "token_lines"]


#: Tokens that a notebook shows: more would swell its file.
_NOTEBOOK = 3000


@dataclass(frozen=True, slots=True)
class ReadToken:
    """One token of a text, counted from 0; activations are normalised, 1 being the neuron's largest.

    ``predicted`` is the graph's, 0 where no pattern matches; ``pattern`` is the one that does, in text order
    (``·on · _ · ·other``), and ``at`` the positions of the tokens that it names, its own the last. ``true``
    is the neuron's own activation, None where it is not known.
    """

    position: int
    token: int
    text: str
    predicted: float
    pattern: str | None
    at: tuple[int, ...]
    true: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many firings of a text are foreseen, missed, and false alarms, on tokens of known activation."""

    foreseen: int
    missed: int
    false_alarms: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A text read by one neuron; a notebook shows it in colours.

    ``threshold`` is the normalised activation from which on the neuron fires; ``title`` says what the text
    is. With true activations they stand above, the prediction below.
    """

    neuron: str
    model: str
    threshold: float
    tokens: tuple[ReadToken, ...]
    title: str = ""

    @property
    def has_truth(self) -> bool:
        """Whether the true activation of any token is known."""
        return any(token.true is not None for token in self.tokens)

    @property
    def agreement(self) -> Agreement:
        """Count where graph and neuron fire together and where one of them does alone."""
        known = [
            (token.true >= self.threshold, token.predicted >= self.threshold)
            for token in self.tokens
            if token.true is not None
        ]
        return Agreement(known.count((True, True)), known.count((True, False)), known.count((False, True)))

    @property
    def summary(self) -> str:
        """Say in one sentence where the graph fires, and whether the neuron does."""
        if not self.has_truth:
            fired = sum(token.predicted >= self.threshold for token in self.tokens)
            return f"its graph fires on {fired:,} of {_tokens(len(self.tokens))}"
        found = self.agreement
        known = sum(token.true is not None for token in self.tokens)
        return (
            f"it fires on {found.foreseen + found.missed:,} of {_tokens(known)}; its graph foresees"
            f" {found.foreseen:,}, misses {found.missed:,}, and fires wrongly on {found.false_alarms:,}"
        )

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return the tokens as plain values for JSON."""
        return [asdict(token) | {"at": list(token.at)} for token in self.tokens]

    def html(self) -> str:
        """Return a page of its own, light or dark as the reader's system is; nothing is fetched for it."""
        from n2gdb.pictures.reading_html import reading_page

        return reading_page(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the same without the page around it, of a long text the beginning."""
        from n2gdb.pictures.reading_html import reading_fragment

        return reading_fragment(self, _NOTEBOOK)


def read_text(
    neuron: Neuron,
    text: str | Sequence[int],
    true: Sequence[float | None] | None = None,
    *,
    title: str = "",
) -> Reading:
    """Run a neuron's graph on a text, or on token ids, without the model.

    ``true`` are the neuron's normalised activations, one a token, where they are known. Raises QueryError
    where there are more or fewer of them than tokens, and as ``Database.tokenizer`` does.
    """
    tokens = neuron.cut(text) if isinstance(text, str) else arguments.wholes("text", text)
    if true is not None and not isinstance(true, Collection):
        raise QueryError(f"true is one activation for each token, not {true!r}")
    if true is not None and len(true) != len(tokens):
        raise QueryError(
            f"{len(true)} true activations were given for {_tokens(len(tokens))}: give one for each, None"
            " where it is not known"
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


def read_example(neuron: Neuron, example: Example) -> Reading:
    """Run a neuron's graph on one of its top examples, beside the true activations stored with it.

    They are kept around the pivot alone, as float16: ``true`` is None on tokens further off.
    """
    before = example.start
    after = len(example.tokens) - before - len(example.trace)
    true = [*[None] * before, *example.trace, *[None] * after]
    return read_text(neuron, example.tokens, true, title=f"top example {example.rank + 1}, {example.split}")


@dataclass(frozen=True, slots=True)
class TokenLines:
    """A token's text, parted behind its last line break: what ends lines, how many, what begins the next."""

    ending: str
    breaks: int
    beginning: str


def token_lines(text: str) -> TokenLines:
    """Part a token's text where the lines that it is shown on break; without a break all is a beginning."""
    end = text.rfind("\n") + 1
    return TokenLines(text[:end], text.count("\n"), text[end:])


def _written(pattern: Pattern, texts: Mapping[int, str]) -> str:
    return written(filled([PathStep(step.depth, step.token, texts[step.token]) for step in pattern.steps]))


def _named_at(position: int, pattern: Pattern) -> Iterator[int]:
    """Yield where the tokens that a pattern names stand, in text order."""
    return (position - step.depth for step in reversed(pattern.steps))


def _plain(value: float | None) -> float | None:
    """Return a plain float; JSON knows no NaN, which stands for what is not known."""
    return None if value is None or math.isnan(value) else float(value)


def _tokens(count: int) -> str:
    return f"{count:,} token{'' if count == 1 else 's'}"
