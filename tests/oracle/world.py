"""What the evaluator looks at: the models and neurons that went into a database, held in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import log

import numpy as np
import tokenizers

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.core.tokens import normalise, without_space
from n2gdb.core.units import NeuronName
from n2gdb.grammar.ast import Effect, NeuronRef, Subject
from tests.generators.unit_sets import UnitSets
from tests.oracle.numbers import number

__all__ = ["Classes", "Evidence", "Model", "Neuron", "RefusedError", "World"]


class RefusedError(Exception):
    """The statement has no answer: the database must refuse it too."""


#: Of each kind, the class of every token.
Classes = tuple[Mapping[int, int], ...]


@dataclass(frozen=True, eq=False)
class Evidence:
    """A unit's evidence; the weights are by depth and by token, or by the number of a class.

    A depth below zero is anywhere in so many positions before; ``graph`` weighs a firing by the graph.
    """

    base: float
    threshold: float
    weights: Mapping[tuple[int, int], float]
    graph: float

    @property
    def deepest(self) -> int:
        return max((depth for depth, _ in self.weights), default=0)


@dataclass(frozen=True, eq=False)
class Model:
    """A model as it went into the database; ``tokenizer`` is JSON, or empty."""

    number: int
    name: str
    texts: tuple[str, ...]  # of its tokens, by id
    tokenizer: str = ""
    fire_threshold: float = 0.5
    classes: Classes = ()  # of its tokens, which evidence may weigh
    special: frozenset[int] = frozenset({0})
    sets: UnitSets = field(default_factory=lambda: UnitSets(()))  # what units it has
    _cuts: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @cached_property
    def bare(self) -> tuple[str, ...]:
        """The texts without their leading space, by token id."""
        return tuple(without_space(text) for text in self.texts)

    @cached_property
    def reading(self) -> Mapping[str, frozenset[int]]:
        """The tokens of each text, to the letter."""
        return _tokens_of(self.texts)

    @cached_property
    def reading_loosely(self) -> Mapping[str, frozenset[int]]:
        """The tokens of each text, case and leading space aside."""
        return _tokens_of(tuple(normalise(text) for text in self.texts))

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
    effects: Mapping[int, float] = field(default_factory=dict)  # the logit of each token that it writes
    evidence: Evidence | None = None
    firings: tuple[int, ...] = ()  # positions on which it fires, or the first of these by their hashes

    @cached_property
    def numbers(self) -> Mapping[str, object]:
        """The statistics as queries compute with them."""
        return {name: number(value) for name, value in self.statistics.items()}

    @property
    def has_examples(self) -> bool:
        """Whether its top examples are stored: where it fires at all."""
        return self.statistics["state"] != "dead"

    @cached_property
    def patterns(self) -> Mapping[int, Pattern]:
        """Every pattern, by the preorder index of its end."""
        graph = self.graph
        nothing = [None] * len(graph)
        support = nothing if graph.support is None else graph.support.tolist()
        confidence = nothing if graph.confidence is None else graph.confidence.tolist()
        columns = (graph.depth, graph.token, graph.importance, graph.parent, graph.end)
        paths: list[tuple[Step, ...]] = []
        patterns = {}
        for node, (depth, token, importance, parent, end) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            above = paths[parent] if parent >= 0 else ()
            paths.append((*above, Step(depth, token, importance)))
            if end == end:
                share = confidence[node]
                share = None if share is None or share != share else share
                patterns[node] = Pattern(paths[node], end, support[node], share)
        return patterns

    def writes(self, effect: Effect) -> frozenset[int]:
        """Return the tokens that it promotes, or suppresses."""
        return frozenset(self.logits(effect))

    def logits(self, effect: Effect) -> Mapping[int, float]:
        """Return the logit of each of these tokens."""
        sign = 1 if effect is Effect.PROMOTING else -1
        return {token: logit for token, logit in self.effects.items() if sign * logit > 0}

    def __str__(self) -> str:
        return f"{self.name} of {self.model.name}"


@dataclass(frozen=True)
class Stored:
    """A pattern of a neuron; ``end`` is the preorder index of its end."""

    neuron: Neuron
    end: int
    pattern: Pattern


@dataclass(frozen=True, eq=False)
class World:
    """Everything that a database holds."""

    models: tuple[Model, ...]
    neurons: tuple[Neuron, ...]

    def among(self, model: str | None) -> list[Neuron]:
        """Return the neurons of one model, or of all, by name and model: what settles every tie."""
        self._check_name(model)
        return [neuron for neuron in self._in_order if model in (None, neuron.model.name)]

    def _check_name(self, model: str | None) -> None:
        if model is not None and model not in [each.name for each in self.models]:
            raise RefusedError(f"no model {model}")

    def called(self, word: Subject, model: str | None) -> list[Neuron]:
        """Return the units that a word means, of one model or of all; raise RefusedError where it means none.

        Latents are those of autoencoders and transcoders.
        """
        held = self.among(model)
        kinds = {Subject.NEURONS: ("mlp",), Subject.LATENTS: ("sae", "transcoder")}.get(word)
        found = [each for each in held if kinds is None or each.statistics["kind"] in kinds]
        if held and not found:
            raise RefusedError(f"no {word.value}")
        return found

    @cached_property
    def _in_order(self) -> list[Neuron]:
        return sorted(
            self.neurons,
            key=lambda each: (
                *(each.name.layer, each.name.index, each.model.number),
                *(each.model.sets.number_of(each.name),),
            ),
        )

    def neuron(self, ref: NeuronRef, model: str | None) -> Neuron:
        """Return the neuron that a statement names, ``model`` being the statement's own."""
        self._check_name(model)
        self._check_name(ref.model)
        name = ref.model or model
        models = [each for each in self.models if name in (None, each.name)]
        if len(models) != 1:
            raise RefusedError(f"of which of {len(models)} models {ref} is")
        if ref.latent and not ref.source and len(models[0].sets.beside(ref.layer)) > 1:
            raise RefusedError(f"of which set {ref} is")
        found = [
            each
            for each in self._named[models[0], ref.layer, ref.index, ref.side, ref.latent]
            if ref.source in ("", each.statistics["source"])
        ]
        if len(found) != 1:
            raise RefusedError(f"{len(found)} neurons are called {ref}")
        return found[0]

    @cached_property
    def _named(self) -> Mapping[tuple[Model, int, int, str, bool], list[Neuron]]:
        named: dict[tuple[Model, int, int, str, bool], list[Neuron]] = defaultdict(list)
        for each in self.neurons:
            name = each.name
            named[each.model, name.layer, name.index, name.side, name.latent].append(each)
        return named

    def sharing(self, neuron: Neuron) -> frozenset[Neuron]:
        """Return the neurons whose graphs share an activating token with one's, case and space aside.

        The graphs of no others are like it at all.
        """
        texts = {_root(neuron, pattern) for pattern in neuron.patterns.values()}
        return frozenset(each for text in texts for each in self._activated_by[text])

    @cached_property
    def _activated_by(self) -> Mapping[str, list[Neuron]]:
        found: dict[str, list[Neuron]] = defaultdict(list)
        for neuron in self.neurons:
            for text in {_root(neuron, pattern) for pattern in neuron.patterns.values()}:
                found[text].append(neuron)
        return found

    @cached_property
    def rarity(self) -> Mapping[str, float]:
        """How rare each text is among the neurons that have a graph, case and space aside."""
        named = [
            {
                normalise(each.model.texts[step.token])
                for found in each.patterns.values()
                for step in found.steps
            }
            for each in self.neurons
            if each.patterns
        ]
        counts = Counter(text for texts in named for text in texts)
        return {text: log(1 + len(named) / count) for text, count in counts.items()}

    @cached_property
    def index(self) -> Mapping[Model, PatternIndex]:
        """The patterns of each model."""
        return {
            model: PatternIndex(
                model,
                tuple(
                    Stored(neuron, end, pattern)
                    for neuron in self.neurons
                    if neuron.model is model
                    for end, pattern in neuron.patterns.items()
                ),
            )
            for model in self.models
        }


@dataclass(frozen=True, eq=False)
class PatternIndex:
    """The patterns of a model's neurons, found by the tokens that they name."""

    model: Model
    stored: tuple[Stored, ...]

    def naming(self, *sets: frozenset[int]) -> list[Stored]:
        """Return the patterns that name a token of each set; all of them where there is none."""
        row, token = self._named
        kept = np.ones(len(self.stored), np.bool_)
        for tokens in sets:
            wanted = np.zeros(len(self.model.texts), np.bool_)
            wanted[list(tokens)] = True
            naming = np.zeros(len(self.stored), np.bool_)
            naming[row[wanted[token]]] = True
            kept &= naming
        return [self.stored[at] for at in np.flatnonzero(kept).tolist()]

    @cached_property
    def activated_by(self) -> Mapping[int, list[Stored]]:
        """The patterns by their activating token."""
        found: dict[int, list[Stored]] = defaultdict(list)
        for each in self.stored:
            found[each.pattern.steps[0].token].append(each)
        return found

    @cached_property
    def _named(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], ...]:
        """The row of ``stored`` and the token of every named step: (steps,) int64 each."""
        steps = [(row, step.token) for row, each in enumerate(self.stored) for step in each.pattern.steps]
        both = np.array(steps, np.int64).reshape(-1, 2)
        return both[:, 0], both[:, 1]


def _root(neuron: Neuron, pattern: Pattern) -> str:
    return normalise(neuron.model.texts[pattern.steps[0].token])


def _tokens_of(texts: tuple[str, ...]) -> Mapping[str, frozenset[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for token, text in enumerate(texts):
        found[text].add(token)
    return {text: frozenset(tokens) for text, tokens in found.items()}
