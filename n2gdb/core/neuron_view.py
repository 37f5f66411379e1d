"""The interface of a neuron that pictures and readings need, and all that may stand for a neuron."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from n2gdb.core.graph import NeuronGraph
    from n2gdb.core.units import NeuronName, OfNeuron

__all__ = ["AnyUnit", "NeuronView", "ShownInfluence", "WrittenView", "model_given"]


class ShownInfluence(Protocol):
    """A token that makes a neuron likelier or less likely to fire; its text is how it is shown."""

    @property
    def depth(self) -> int:
        """How many positions before the activating token it stands."""

    @property
    def place(self) -> str:
        """Where it stands, as a query says it."""

    @property
    def weight(self) -> float:
        """What it adds to the log odds of firing."""


class WrittenView(Protocol):
    """A token whose logit a neuron raises or lowers."""

    @property
    def text(self) -> str:
        """Its text."""

    @property
    def logit(self) -> float:
        """By how much, at the neuron's largest activation; above 0 if it is promoted."""


class NeuronView(Protocol):
    """A neuron as it is drawn and read, wherever it comes from: a database, or a test's own making."""

    @property
    def name(self) -> NeuronName:
        """Its name, ``L3N45``."""

    @property
    def model(self) -> str:
        """Name of its model."""

    @property
    def state(self) -> str:
        """Live, unpredicted, dead or dense."""

    @property
    def f1(self) -> float | None:
        """F1 of its graph on the test examples, None if it was not judged."""

    @property
    def heldout_f1(self) -> float | None:
        """F1 of what predicts it by default on held-out text, None where that is not known."""

    @property
    def heldout_firings(self) -> int | None:
        """Its firings on held-out text, by which that figure is judged."""

    @property
    def inhibited_by(self) -> Sequence[ShownInfluence]:
        """The context that keeps it silent, the strongest first."""

    @property
    def graph(self) -> NeuronGraph:
        """Its graph."""

    @property
    def promotes(self) -> Sequence[WrittenView]:
        """The tokens whose logits it raises most, the strongest first; empty where that is not known."""

    @property
    def suppresses(self) -> Sequence[WrittenView]:
        """The tokens whose logits it lowers most, the strongest first."""

    @property
    def fire_threshold(self) -> float:
        """The normalised activation from which on it fires."""

    def texts(self, tokens: Iterable[int]) -> Mapping[int, str]:
        """Return the texts of token ids of its model."""

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a text."""


#: A unit as it may be given: by a name or its text, by its layer and index, or as a record of it.
AnyUnit: TypeAlias = "str | NeuronName | tuple[int, int] | OfNeuron | NeuronView"


def model_given(unit: object) -> str | None:
    """Return the model of a unit that is given as a record of it; None where only a name is known."""
    model = getattr(unit, "model", None)
    return model if isinstance(model, str) else None
