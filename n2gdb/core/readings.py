"""Example and reading records: texts with a neuron's activations on their tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

from n2gdb.core.byte_tokens import together
from n2gdb.grammar.records import dataclass

__all__ = [
    "Agreement",
    "Example",
    "ReadToken",
    "ReadingRecord",
    "TokenLines",
    "counted",
    "shown_texts",
    "token_lines",
    "tokens_counted",
]


#: Activations below are not shown on part of a character.
_SEEN = 0.1


@dataclass(frozen=True, slots=True)
class Example:
    """A window of the corpus: one of the neuron's strongest, or one drawn from those of another strength.

    ``tokens`` are the window's; ``pivot`` is the position of the largest activation, ``activation`` its
    value, not normalised. ``trace`` holds normalised activations from position ``start`` on. ``band`` is
    ``top`` for the strongest; else the share of the maximum that the activation at the pivot reaches, or
    ``near`` for one just below the fire threshold: these are drawn at random.

    >>> example = neuron.examples[0]
    >>> example.activation, db.text(example.tokens[example.pivot])
    (4.0, '#')
    """

    rank: int
    tokens: tuple[int, ...]
    pivot: int
    activation: float
    split: str
    start: int
    trace: tuple[float, ...]
    band: str = "top"

    def __repr__(self) -> str:
        place = f"at token {self.pivot} of {tokens_counted(len(self.tokens))}"
        return f"<Example {self.band} {self.rank}, {self.split}: activation {self.activation:.3g} {place}>"

    def as_dict(self, texts: Mapping[int, str]) -> dict[str, Any]:
        """Return plain values for JSON; ``texts`` are of its tokens.

        >>> example = neuron.examples[0]
        >>> example.as_dict(neuron.texts(example.tokens))["band"]
        'top'
        """
        return {
            "rank": self.rank,
            "band": self.band,
            "activation": self.activation,
            "split": self.split,
            "pivot": self.pivot,
            "tokens": self.tokens,
            "texts": [texts[token] for token in self.tokens],
            "start": self.start,
            "trace": self.trace,
        }


class NeuronExamples(tuple[Example, ...]):
    """The top examples of a neuron, strongest first; called, its examples of any strength.

    >>> len(neuron.examples), sorted({example.band for example in neuron.examples()})
    (2, ['0.25', '0.5', '0.75', 'near', 'top'])
    """

    others: tuple[Example, ...]
    """Those of lesser strength, by falling band, and the near misses last."""

    def __new__(cls, top: Iterable[Example] = (), others: Iterable[Example] = ()) -> Self:
        """Take the top examples and those of lesser strength."""
        found = super().__new__(cls, top)
        found.others = tuple(others)
        return found

    def __repr__(self) -> str:
        return f"<NeuronExamples {len(self):,} top, {len(self.others):,} of other strengths>"

    def __getnewargs__(self) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
        return tuple(self), self.others

    def __call__(self, band: str | None = None) -> tuple[Example, ...]:
        """Return the examples of one band, as ``Example.band`` names it; all of them where it is None."""
        return tuple(each for each in (*self, *self.others) if band in (None, each.band))


@dataclass(frozen=True, slots=True)
class ReadToken:
    """One token of a text, counted from 0; activations are normalised, 1 being the neuron's largest.

    ``predicted`` is 0 where nothing speaks for a firing. ``pattern`` is what does, in text order (``·on · _ ·
    ·other``): the graph's pattern that matches, or the tokens that excite the neuron by its evidence. ``at``
    are the positions of the tokens that it names, its own the last, and ``against`` those of tokens that
    inhibit it. ``true`` is the neuron's own activation, None where it is not known.

    >>> token = neuron.read(" on an other").tokens[2]
    >>> token.predicted, token.pattern, token.at
    (0.70889014, '·other', (2,))
    """

    position: int
    token: int
    text: str
    predicted: float
    pattern: str | None
    at: tuple[int, ...]
    true: float | None
    against: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many firings of a text are predicted, missed, and false alarms, on tokens of known activation."""

    foreseen: int
    missed: int
    false_alarms: int


@dataclass(frozen=True, slots=True)
class ReadingRecord:
    """A text read by one neuron, token by token.

    ``threshold`` is the normalised activation from which on the neuron fires; ``title`` says what the text
    is, ``by`` what predicts: the neuron's ``evidence``, or its ``graph``. With true activations they stand
    above, the prediction below.
    """

    neuron: str
    model: str
    threshold: float
    tokens: tuple[ReadToken, ...]
    title: str = ""
    by: str = "graph"

    @property
    def has_truth(self) -> bool:
        """Whether the true activation of any token is known.

        >>> neuron.read(" the other").has_truth, neuron.read_example(neuron.examples[0]).has_truth
        (False, True)
        """
        return any(token.true is not None for token in self.tokens)

    @property
    def agreement(self) -> Agreement:
        """Count where graph and neuron fire together and where only one of them does.

        >>> neuron.read_example(neuron.examples[0]).agreement
        Agreement(foreseen=0, missed=3, false_alarms=0)
        """
        known = [
            (token.true >= self.threshold, token.predicted >= self.threshold)
            for token in self.tokens
            if token.true is not None
        ]
        return Agreement(known.count((True, True)), known.count((True, False)), known.count((False, True)))

    @property
    def summary(self) -> str:
        """Say in one sentence where the graph fires, and whether the neuron does.

        >>> neuron.read(" on the other side").summary
        'its evidence fires on 1 of 4 tokens'
        """
        if not self.has_truth:
            fired = sum(token.predicted >= self.threshold for token in self.tokens)
            return f"its {self.by} fires on {fired:,} of {tokens_counted(len(self.tokens))}"
        found = self.agreement
        known = sum(token.true is not None for token in self.tokens)
        return (
            f"it fires on {found.foreseen + found.missed:,} of {tokens_counted(known)}; its {self.by}"
            f" predicts {found.foreseen:,}, misses {found.missed:,}, and fires wrongly on"
            f" {found.false_alarms:,}"
        )

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return the tokens as plain values for JSON.

        >>> neuron.read(" the other").as_dicts()[1]["token"]
        631
        """
        names = [each.name for each in fields(ReadToken)]  # asdict would copy every value
        return [
            {name: getattr(token, name) for name in names}
            | {"at": list(token.at), "against": list(token.against)}
            for token in self.tokens
        ]


@dataclass(frozen=True, slots=True)
class TokenLines:
    """A token's text, split after its last line break: what ends lines, how many, what begins the next."""

    ending: str
    breaks: int
    beginning: str


def token_lines(text: str) -> TokenLines:
    """Part a token's text where the lines that it is shown on break; without a break all is a beginning."""
    end = text.rfind("\n") + 1
    return TokenLines(text[:end], text.count("\n"), text[end:])


def shown_texts(tokens: Sequence[ReadToken]) -> list[str]:
    """Return what each token of a running text shows.

    Tokens that only together make characters show them at the last; those before it show nothing, or their
    bytes where they have an activation of their own to show.
    """
    joined = together([token.text for token in tokens])
    return [
        text or (token.text if _has_activation(token) else "")
        for token, text in zip(tokens, joined, strict=True)
    ]


def _has_activation(token: ReadToken) -> bool:
    return token.pattern is not None or (token.true or 0.0) >= _SEEN


def tokens_counted(count: int) -> str:
    """Write a number of tokens: ``1 token``, ``1,024 tokens``."""
    return counted(count, "token")


def counted(count: int, noun: str) -> str:
    """Write how many there are of what one is called: ``1 token``, ``1,024 tokens``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
