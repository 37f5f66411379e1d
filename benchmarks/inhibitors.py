"""Whether what evidence says keeps neurons silent does so: the token put into their texts, and the model run.

    python -m benchmarks.inhibitors demo.n2gdb [--least 1.0] [--shown 10]

Candidates are all neurons whose strongest inhibitor that is one token at a fixed place, and no special one,
has a weight of -``least`` or below, and that fire at the pivots of two examples or more of each half,
training and test. All of them are tried. At the inhibitor's place in an example the inhibitor is put in, and
for comparison each of eight tokens next to it in frequency that have no weight of the neuron's there.
Activations are at the pivot, in shares of the neuron's largest. Counts are of test examples, which nothing
was learned from; those by chance have one of the eight in the inhibitor's stead. Neurons shown are chosen
by training examples, those silenced there with the largest effect; their figures are of test examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import n2gdb
from benchmarks.judging import interval
from n2gdb.core.readings import Example
from n2gdb.evidence.influences import WeighedToken
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.stored import load_stored_model
from n2gdb.storage.shards import run_folders

#: Other tokens that are put in, examples of each half, and neurons that share passes.
OTHERS, EXAMPLES, TOGETHER = 8, 6, 32
#: Neurons are shown that are predicted at least so well on held-out text, from at least so many firings.
WORTH, FIRINGS = 0.3, 5


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A neuron, its inhibitor, and activations (example, put in): nothing, the inhibitor, the others."""

    neuron: n2gdb.Neuron
    inhibitor: WeighedToken
    others: tuple[int, ...]
    examples: tuple[Example, ...]
    activation: Any = None

    def half(self, split: str) -> Any:
        """Mean activations of a half: (put in,)."""
        own = [each.split == split for each in self.examples]
        return self.activation[own].mean(axis=0)

    def effect(self, split: str) -> float:
        """How much more the inhibitor lowers the activation than other tokens do there."""
        mean = self.half(split)
        return float(mean[2:].mean() - mean[1])

    @property
    def is_lowest(self) -> bool:
        """Whether none of the other tokens lowers the activation as much."""
        mean = self.half("test")
        return bool(mean[1] < mean[2:].min())

    def stays(self, split: str) -> bool:
        """Whether the neuron still fires with other tokens there."""
        return bool(self.half(split)[2:].mean() >= self.neuron.fire_threshold)

    def is_silenced(self, split: str) -> bool:
        """Whether the neuron falls silent by the inhibitor, and not by other tokens."""
        return self.stays(split) and bool(self.half(split)[1] < self.neuron.fire_threshold)

    @property
    def by_chance(self) -> tuple[float, float]:
        """Shares of the other tokens that lower the activation more than the rest do, and that silence."""
        others, threshold = self.half("test")[2:], self.neuron.fire_threshold
        rest = (others.sum() - others) / (len(others) - 1)
        return float((others < rest).mean()), float(((others < threshold) & (rest >= threshold)).mean())


def main(
    database: Path,
    least: Annotated[float, typer.Option(help="Weight below zero, in size, from which on to try.")] = 1.0,
    shown: Annotated[int, typer.Option(help="Neurons printed.")] = 10,
) -> None:
    """Try the strongest inhibitor of every neuron that has one."""
    (run,) = run_folders(database)
    frequency = np.bincount(np.maximum(np.fromfile(run.path / "corpus.windows", np.int32), 0))
    with n2gdb.open(database) as opened:
        engine = Engine(load_stored_model(opened.model(), "cpu"))
        special = engine.model.special
        frequency[sorted(special)] = 0
        found: list[Tried] = []
        candidates = _candidates(opened.neurons(), frequency, special, least)
        for _, of_layer in groupby(candidates, key=lambda each: each.neuron.layer):
            while some := list(islice(of_layer, TOGETHER)):
                found += _tried(engine, some)
        for layer in sorted({each.neuron.layer for each in found}):
            _print_counts(f"layer {layer}", [each for each in found if each.neuron.layer == layer])
        _print_counts("all", found)
        _print_neurons(opened, found, shown)


def _candidates(
    neurons: Iterable[n2gdb.Neuron], frequency: Any, special: AbstractSet[int], least: float
) -> Iterator[Tried]:
    for neuron in neurons:
        fixed = [
            each
            for each in neuron.inhibited_by
            if not each.is_class and each.depth > 0 and each.token not in special
        ]
        if not fixed or fixed[0].weight > -least:
            continue
        inhibitor = fixed[0]
        examples: list[Example] = []
        for split in ("train", "test"):
            fitting = [
                each for each in neuron.examples if each.split == split and _fits(each, neuron, inhibitor)
            ]
            examples += fitting[:EXAMPLES] if len(fitting) > 1 else []
        if {each.split for each in examples} == {"train", "test"}:
            yield Tried(neuron, inhibitor, _of_like_frequency(neuron, inhibitor, frequency), tuple(examples))


def _fits(example: Example, neuron: n2gdb.Neuron, inhibitor: WeighedToken) -> bool:
    """Whether an example fires at its pivot, and has a place for the inhibitor, which is not there yet."""
    place = example.pivot - inhibitor.depth
    fires = example.activation >= neuron.fire_threshold * neuron.max_activation
    return fires and place > 0 and example.tokens[place] != inhibitor.token


def _of_like_frequency(neuron: n2gdb.Neuron, inhibitor: WeighedToken, frequency: Any) -> tuple[int, ...]:
    """Tokens whose frequency is next to the inhibitor's, without those that have a weight at its place."""
    weighed = {
        each.token
        for each in (*neuron.excited_by, *neuron.inhibited_by)
        if each.depth == inhibitor.depth and not each.is_class
    }
    distance = np.abs(np.log1p(frequency) - np.log1p(frequency[inhibitor.token]))
    order = np.argsort(distance, kind="stable").tolist()
    return tuple(islice((token for token in order if frequency[token] and token not in weighed), OTHERS))


def _tried(engine: Engine, candidates: Sequence[Tried]) -> list[Tried]:
    """Run all texts of neurons of one layer together; their common beginnings are run once."""
    texts: list[tuple[int, ...]] = []
    owner: list[int] = []
    for each in candidates:
        place, unit = engine.model.unit_of(each.neuron.name)
        for example in each.examples:
            at = example.pivot - each.inhibitor.depth
            text = example.tokens[: example.pivot + 1]
            put = (text[at], each.inhibitor.token, *each.others)
            texts += [(*text[:at], token, *text[at + 1 :]) for token in put]
        owner += [unit] * (len(texts) - len(owner))
    length = np.array([len(text) for text in texts])
    prompts = np.full((len(texts), length.max()), PAD, np.int32)
    for row, text in enumerate(texts):
        prompts[row, : len(text)] = text
    asked = np.arange(prompts.shape[1]) == length[:, None] - 1
    activation = engine.activations(place, prompts, np.array(owner, np.intp), asked)[asked]
    shaped = activation.reshape(-1, 2 + OTHERS)
    parts = np.split(shaped, np.cumsum([len(each.examples) for each in candidates])[:-1])
    return [
        replace(each, activation=part / np.float32(each.neuron.max_activation))
        for each, part in zip(candidates, parts, strict=True)
    ]


def _print_counts(name: str, found: Sequence[Tried]) -> None:
    effect = np.array([each.effect("test") for each in found])
    lower, silencing = np.sum([each.by_chance for each in found], axis=0)
    stay = [each for each in found if each.stays("test")]
    again = [each for each in found if each.is_silenced("train")]
    print(
        f"{name}: {len(found)} neurons tried, {sum(effect > 0)} lowered more than by other tokens"
        f" (by chance {lower:.0f}), {sum(each.is_lowest for each in found)} more than by each of {OTHERS}"
        f" (by chance {len(found) / (1 + OTHERS):.0f}); mean effect {effect.mean():.3f} {interval(effect)};"
        f" {len(stay)} fire with other tokens there, {sum(each.is_silenced('test') for each in stay)} of"
        f" these are silenced (by chance {silencing:.1f}); of {len(again)} silenced in training examples"
        f" {sum(each.is_silenced('test') for each in again)}",
        flush=True,
    )


def _print_neurons(opened: n2gdb.Database, found: Sequence[Tried], shown: int) -> None:
    worth = [
        each
        for each in found
        if each.is_silenced("train")
        and (each.neuron.heldout_f1 or 0) >= WORTH
        and (each.neuron.heldout_firings or 0) >= FIRINGS
    ]
    print(
        f"{len(worth)} silenced in training examples have a held-out F1 of {WORTH} from {FIRINGS} firings,"
        f" {sum(each.is_silenced('test') for each in worth)} of these are silenced in test examples:"
    )
    print(
        "neuron   less after           weight  as it stands  inhibited  otherwise  lowest of these  fires on"
    )
    for each in sorted(worth, key=lambda each: -each.effect("train"))[:shown]:
        fires = " ".join(map(str, each.neuron.activating_tokens[:4]))
        named = f"{each.inhibitor} {each.inhibitor.place}"
        mean = each.half("test")
        print(
            f"{each.neuron.name!s:<8} {named:<20} {each.inhibitor.weight:>6.2f}  {mean[0]:>12.2f}"
            f"  {mean[1]:>9.2f}  {mean[2:].mean():>9.2f}  {mean[2:].min():>15.2f}  {fires}"
        )
        example = next(each for each in each.examples if each.split == "test")
        at = example.pivot - each.inhibitor.depth
        texts = opened.texts((*example.tokens, *each.others))
        before, there, after, others = (
            "".join(texts[token] for token in example.tokens[max(1, at - 6) : at]),
            texts[example.tokens[at]],
            "".join(texts[token] for token in example.tokens[at + 1 : example.pivot + 1]),
            [texts[token] for token in each.others],
        )
        print(f"    {before!r} [{there!r} -> {each.inhibitor.text!r}] {after!r}; others {others}", flush=True)


if __name__ == "__main__":
    typer.run(main)
