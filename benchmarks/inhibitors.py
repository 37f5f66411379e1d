"""Whether what evidence says keeps neurons silent does so: the token put into their texts, and the model run.

    python -m benchmarks.inhibitors demo.n2gdb [--least 1.0] [--shown 10]

Of every neuron whose strongest inhibitor stands at a fixed place, the top examples are taken whose pivot
fires it. At that place the inhibitor is put in, and for comparison each of eight tokens that stand there in
its other examples. Activations are at the pivot, in shares of the neuron's largest: as the text stands, with
the inhibitor, with the other tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated

import numpy as np
import typer

import n2gdb
from n2gdb.core.readings import Example
from n2gdb.evidence.influences import WeighedToken
from n2gdb.ingest.evaluation.true_activations import true_activations
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.stored import load_stored_model

#: Examples and other tokens that a neuron is tried on.
_EXAMPLES, _OTHERS = 6, 8


@dataclass(frozen=True, slots=True)
class Tried:
    """Mean activations of a neuron at the pivots of its examples: unchanged, inhibited, otherwise changed."""

    neuron: n2gdb.Neuron
    inhibitor: WeighedToken
    examples: int
    before: float
    inhibited: float
    otherwise: float

    @property
    def effect(self) -> float:
        """How much more the inhibitor lowers the activation than other tokens do there."""
        return self.otherwise - self.inhibited

    @property
    def is_true(self) -> bool:
        """Whether the neuron falls silent by the inhibitor, and not by other tokens."""
        threshold = self.neuron.fire_threshold
        return self.inhibited < threshold <= self.otherwise


def main(
    database: Path,
    least: Annotated[float, typer.Option(help="Weight below zero, in size, from which on to try.")] = 1.0,
    shown: Annotated[int, typer.Option(help="Neurons printed, the clearest first.")] = 10,
) -> None:
    """Try the strongest inhibitor of every neuron that has one."""
    with n2gdb.open(database) as opened:
        engine = Engine(load_stored_model(opened.model(), "cpu"))
        found = [each for neuron in opened.neurons() if (each := _tried(engine, neuron, least)) is not None]
        found.sort(key=lambda each: -each.effect)
        true = sum(each.is_true for each in found)
        lower = sum(each.effect > 0 for each in found)
        print(f"{len(found)} neurons tried: {lower} lowered more than by other tokens, {true} silenced alone")
        print("neuron   less after           weight  as it stands  inhibited  otherwise  fires on")
        for each in found[:shown]:
            fires = " ".join(map(str, each.neuron.activating_tokens[:4]))
            named = f"{each.inhibitor} {each.inhibitor.place}"
            print(
                f"{each.neuron.name!s:<8} {named:<20} {each.inhibitor.weight:>6.2f}  {each.before:>12.2f}"
                f"  {each.inhibited:>9.2f}  {each.otherwise:>9.2f}  {fires}"
            )


def _tried(engine: Engine, neuron: n2gdb.Neuron, least: float) -> Tried | None:
    strongest = [each for each in neuron.inhibited_by if not each.is_class and each.depth > 0]
    if not strongest or strongest[0].weight > -least:
        return None
    inhibitor = strongest[0]
    fitting = [each for each in neuron.examples if each.pivot > inhibitor.depth + 1]
    fired = [each for each in fitting if _at_pivot(engine, neuron, each) >= neuron.fire_threshold]
    if len(fired) < 2:
        return None
    random = Random(str(neuron.name))
    standing = sorted({each.tokens[each.pivot - inhibitor.depth] for each in fitting} - {inhibitor.token})
    others = random.sample(standing, min(_OTHERS, len(standing)))
    examples = fired[:_EXAMPLES]

    def mean(token: int | None) -> float:
        return float(np.mean([_at_pivot(engine, neuron, each, inhibitor.depth, token) for each in examples]))

    otherwise = float(np.mean([mean(token) for token in others])) if others else mean(None)
    return Tried(neuron, inhibitor, len(examples), mean(None), mean(inhibitor.token), otherwise)


def _at_pivot(
    engine: Engine, neuron: n2gdb.Neuron, example: Example, depth: int = 0, token: int | None = None
) -> float:
    """Run the model on an example, with a token put in so many positions before its pivot."""
    tokens = list(example.tokens[: example.pivot + 1])
    if token is not None:
        tokens[-1 - depth] = token
    return float(true_activations(engine, neuron, tokens)[-1])


if __name__ == "__main__":
    typer.run(main)
