"""Activation trajectories: how a neuron's activation grows as its prompt reaches further back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from n2gdb.core.units import NeuronName

__all__ = [
    "EXAMPLES",
    "LENGTHS",
    "LONGEST",
    "SAMPLE",
    "ExampleTrajectory",
    "LayerTrajectory",
    "NeuronTrajectories",
]

#: Tokens of the longest prompt, the activating token included; the paper's longest pruned prompt.
LONGEST = 30

#: Neurons drawn of each layer, and top examples taken of each, the strongest.
SAMPLE, EXAMPLES = 50, 4

#: Lengths that layers are averaged at: every one while each token tells, then by a fifth more or less.
LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, LONGEST)


@dataclass(frozen=True, slots=True)
class LayerTrajectory:
    """Normalised pivot activation of a layer's neurons against the tokens of the prompt.

    A neuron's value is the mean over its examples; ``mean``, ``low`` and ``high`` are the mean and the
    quartiles over neurons. Entry i is of prompts of at most ``lengths[i]`` tokens, the activating token
    included; an example with no more text before it stays as it is. ``whole`` is the mean in the whole
    windows. ``neurons`` and ``examples`` count what was averaged.
    """

    model: str
    layer: int
    neurons: int
    examples: int
    lengths: tuple[int, ...]  # (length,) rising
    mean: tuple[float, ...]  # (length,)
    low: tuple[float, ...]  # (length,)
    high: tuple[float, ...]  # (length,)
    whole: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ExampleTrajectory:
    """One top example of a neuron, up to its activating token, in text order.

    ``activation[i]`` is the normalised activation at the pivot when the prompt begins at token i: read from
    the right it is the trajectory. ``importance[i]`` is the share of it that is lost when token i of the
    pruned prompt is masked; None if the token was pruned away, and for the activating token.
    ``whole`` is the normalised activation in the whole window.
    """

    rank: int
    split: str
    tokens: tuple[int, ...]  # (position,)
    texts: tuple[str, ...]  # (position,)
    activation: tuple[float, ...]  # (position,)
    importance: tuple[float | None, ...]  # (position,)
    whole: float


@dataclass(frozen=True, slots=True)
class NeuronTrajectories:
    """The trajectories of one neuron's top examples, the strongest first.

    A token is important when its importance exceeds ``importance_threshold``; the neuron fires from
    ``fire_threshold`` on.
    """

    model: str
    neuron: NeuronName
    max_activation: float
    fire_threshold: float
    importance_threshold: float
    examples: tuple[ExampleTrajectory, ...]

    def mean(self) -> tuple[float, ...]:
        """Return the mean over the examples for prompts of at most 1, 2, ... tokens: (length,)."""
        longest = max(len(each.tokens) for each in self.examples)
        return tuple(
            sum(each.activation[-min(n, len(each.tokens))] for each in self.examples) / len(self.examples)
            for n in range(1, longest + 1)
        )

    def whole(self) -> float:
        """Return the mean over the examples in their whole windows."""
        return sum(each.whole for each in self.examples) / len(self.examples)

    def important(self, example: ExampleTrajectory) -> tuple[bool, ...]:
        """Tell which tokens of an example are important: (position,)."""
        return tuple(value is not None and value > self.importance_threshold for value in example.importance)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, each example with its important tokens marked."""
        plain = asdict(self) | {"neuron": str(self.neuron), "mean": self.mean(), "whole": self.whole()}
        for row, example in zip(plain["examples"], self.examples, strict=True):
            row["important"] = self.important(example)
        return plain
