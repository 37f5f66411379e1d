"""The model at hand: what runs it for the explorer, in a process of its own that the caller starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from n2gdb.errors import QueryError
from n2gdb.neuron import Neuron
from n2gdb.prediction.reading import Reading

__all__ = ["ModelRunner", "read_truly"]

#: Tokens of a text that the model is run on.
_LONGEST = 2_000


class ModelRunner(Protocol):
    """Runs models on texts; what it raises as N2gdbError is told to whoever asked.

    What a run costs are ``load_seconds`` (once), ``run_seconds`` and ``memory`` in bytes.
    """

    def activations(self, neuron: Neuron, tokens: Sequence[int]) -> tuple[list[float], Mapping[str, Any]]:
        """Return a neuron's normalised activation on each token, and what that cost."""

    def trajectories(self, neuron: Neuron) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return what is left of a neuron's activation when its top examples are cut, and what that cost."""


def read_truly(runner: ModelRunner, neuron: Neuron, text: str) -> tuple[Reading, Mapping[str, Any]]:
    """Read a text with the true activations beside what the graph predicts; return what that cost, too."""
    tokens = neuron.tokenize(text)
    if len(tokens) > _LONGEST:
        raise QueryError(f"a text of {len(tokens):,} tokens is too long to run: type {_LONGEST:,} or fewer")
    activations, cost = runner.activations(neuron, tokens)
    return neuron.read(tokens, activations), cost
