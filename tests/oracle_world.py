"""What the evaluator looks at: the models and neurons that went into a database, held in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import tokenizers

from n2gdb.grammar.ast import NeuronRef
from n2gdb.graph import NeuronGraph, Pattern
from n2gdb.neuron import NeuronName

__all__ = ["Model", "Neuron", "RefusedError", "World", "decimal"]


class RefusedError(Exception):
    """The statement has no answer: the database must refuse it too."""


@dataclass(frozen=True, eq=False)
class Model:
    """A model as it went into the database; ``tokenizer`` is JSON, or empty."""

    number: int
    name: str
    texts: tuple[str, ...]  # of its tokens, by id
    tokenizer: str = ""
    _cuts: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @cached_property
    def _tokenizer(self) -> tokenizers.Tokenizer:
        return tokenizers.Tokenizer.from_str(self.tokenizer)

    def cut(self, text: str) -> tuple[int, ...] | None:
        """Cut a text into token ids, without special ones; None without a tokenizer."""
        if not self.tokenizer:
            return None
        if text not in self._cuts:
            self._cuts[text] = tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)
        return self._cuts[text]


@dataclass(frozen=True, eq=False)
class Neuron:
    """A neuron as it went into the database."""

    model: Model
    name: NeuronName
    statistics: Mapping[str, object]
    graph: NeuronGraph

    @cached_property
    def patterns(self) -> dict[int, Pattern]:
        """Every pattern, by the preorder index of its end."""
        ends = np.flatnonzero(~np.isnan(self.graph.end)).tolist()
        return {end: _decimal(self.graph.pattern(end)) for end in ends}

    def __str__(self) -> str:
        return f"{self.name} of {self.model.name}"


def decimal(value: float) -> float:
    """Return the shortest decimal of what is kept in 32 bits: as which a database holds it."""
    return float(str(np.float32(value)))


def _decimal(pattern: Pattern) -> Pattern:
    steps = tuple(replace(step, importance=decimal(step.importance)) for step in pattern.steps)
    return Pattern(steps, decimal(pattern.activation))


@dataclass(frozen=True, eq=False)
class World:
    """Everything that a database holds."""

    models: tuple[Model, ...]
    neurons: tuple[Neuron, ...]

    def among(self, model: str | None) -> list[Neuron]:
        """Return the neurons of one model, or of all."""
        if model is not None and model not in [each.name for each in self.models]:
            raise RefusedError(f"no model {model}")
        return [neuron for neuron in self.neurons if model in (None, neuron.model.name)]

    def neuron(self, ref: NeuronRef, model: str | None) -> Neuron:
        """Return the neuron that a statement names, ``model`` being the statement's own."""
        name = NeuronName(ref.layer, ref.index)
        found = [neuron for neuron in self.among(ref.model or model) if neuron.name == name]
        if len(found) != 1:
            raise RefusedError(f"{len(found)} neurons are called {name}")
        return found[0]
