"""What random statements can name: of a world, or where none is given."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from n2gdb.grammar.ast import Effect, NeuronRef
from tests.oracle.numbers import number, rounded
from tests.oracle.random.conditions import NO_VALUES, REAL, WHOLE, WORDS, Values
from tests.oracle.random.patterns import TokenPath
from tests.oracle.world import Neuron, World

__all__ = ["TYPED", "Known", "known_of"]

#: Tokens as they are typed: known by text, by norm, under both kinds of quotes, and not at all.
TYPED = (" the", "the", "THE", "end", " end", "of", "dog", " cat", "s", "\n", "xyzzy")


@dataclass(frozen=True)
class Known:
    """What a statement can name: tokens, paths that are stored, neurons, models; texts to run, and values.

    ``examples`` are texts of the corpus, ``rows`` about as many as a long answer has.
    """

    texts: tuple[str, ...] = TYPED
    paths: tuple[TokenPath, ...] = (((0, " end"), (1, " the"), (3, " the")), ((0, "s"), (2, " dog")))
    neurons: tuple[NeuronRef, ...] = (NeuronRef(0, 1), NeuronRef(1, 2))
    models: tuple[str, ...] = ("small",)
    has_tokenizer: bool = True
    has_effects: bool = True
    has_evidence: bool = True
    has_windows: bool = False  # the one that the evaluator knows, tests.support.small_run's
    examples: tuple[str, ...] = ()
    values: Values = NO_VALUES
    rows: int = 20


def known_of(world: World, examples: tuple[str, ...] = ()) -> Known:
    """Return what statements about a world can name."""
    paths = tuple(
        tuple((step.depth, neuron.model.texts[step.token]) for step in pattern.steps)
        for neuron in world.neurons
        for pattern in neuron.patterns.values()
    )
    texts = tuple(dict.fromkeys(text for model in world.models for text in model.texts))
    several = len(world.models) > 1
    neurons = tuple(_ref(at, each, several) for at, each in enumerate(world.neurons))
    return Known(
        (*texts, "xyzzy", "New York"),
        paths,
        neurons,
        tuple(model.name for model in world.models),
        any(model.tokenizer for model in world.models),
        any(neuron.effects for neuron in world.neurons),
        any(neuron.evidence is not None for neuron in world.neurons),
        not examples,
        examples,
        _values_of(world),
        len(neurons),
    )


def _ref(at: int, unit: Neuron, several: bool) -> NeuronRef:
    """Name a unit as it is printed, or with its set though that says nothing, or without though it does."""
    name = unit.name
    source = ("", str(unit.statistics["source"]), *(name.source,) * 6)[at % 8] if name.latent else ""
    model = unit.model.name if several else None
    return NeuronRef(name.layer, name.index, model, name.side, name.latent, source)


def _values_of(world: World) -> Values:
    """Return what the fields hold, each value as the decimal that it reads as."""
    found: dict[str, set[Decimal]] = defaultdict(set)
    for neuron in world.neurons:
        for name in (*WHOLE, *REAL):
            if (value := neuron.numbers[name]) is not None:
                found[name].add(Decimal(repr(value)))
        for pattern in neuron.patterns.values():
            found["activation"].add(Decimal(repr(number(pattern.activation))))
            for name, value in (("support", pattern.support), ("confidence", pattern.confidence)):
                if value is not None:
                    found[name].add(Decimal(repr(number(value))))
            found["importance"].update(Decimal(repr(number(step.importance))) for step in pattern.steps[1:])
            found["depth"].add(Decimal(pattern.depth))
            found["named"].add(Decimal(len(pattern.steps) - 1))
        for effect in Effect:
            logits = neuron.logits(effect).values()
            found[effect.field].update(Decimal(repr(number(rounded(logit)))) for logit in logits)
    words = {name: sorted({str(each.statistics[name]) for each in world.neurons}) for name in WORDS}
    return Values({name: sorted(values) for name, values in found.items()}, words)
