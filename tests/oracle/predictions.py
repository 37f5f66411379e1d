"""Texts on which graphs are run in every way there is: which neurons fire, where, and how strongly.

A text is that of a stored pattern, as it stands or with one token changed. ``FIRING ON``,
``Database.firing``, ``NeuronGraph.predict``, ``Neuron.predict``, ``Neuron.read`` and the definitions must
agree, by evidence and by graphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from n2gdb.database import Database
from n2gdb.grammar.ast import FiringOn, Predictor, Query
from tests.generators.statements import Job
from tests.generators.worlds import Asked, asked
from tests.oracle.check import check
from tests.oracle.match import Match
from tests.oracle.match import fired as fired_on
from tests.oracle.numbers import alike, number
from tests.oracle.random.known import Known
from tests.oracle.tally import Tally, kind_of
from tests.oracle.world import Model, Neuron, World
from tests.support.child_process import Tell

__all__ = ["prediction_pairs"]

#: A neuron that is predicted to fire, where, and by what.
Fired = tuple[Neuron, int, Match]

#: Graphs that are run one by one: of the neurons that fire, of some that might, and of some as stored.
_FIRING, _OTHERS, _AS_STORED = 20, 20, 3


def prediction_pairs(job: Job, first: int, tell: Tell) -> Iterator[Tally]:
    """Yield what each of a job's texts comes to, from number ``first`` on."""
    with asked(job.kind, job.seed) as world:
        if not (world.known.has_tokenizer and world.known.paths):
            return
        random = Random(job.seed)
        for at in range(job.number):
            text, choices = _text(random, world.known), Random(random.random())
            if at >= first:
                tell(at, f"{job.kind} {job.seed}: {text!r}")
                yield _tally(text, world, choices, job)


def _text(random: Random, known: Known) -> str:
    """Return the text of a stored pattern, its gaps filled; every other time with one token changed."""
    path = dict(random.choice(known.paths))
    words = [path.get(depth) or random.choice(known.texts) for depth in range(max(path), -1, -1)]
    if random.random() < 0.5:
        words[random.randrange(len(words))] = random.choice(known.texts)
    if random.random() < 0.3:
        words += random.choices(known.texts, k=random.randint(1, 3))
    return "".join(words)


def _tally(text: str, world: Asked, random: Random, job: Job) -> Tally:
    tally = Tally(pairs=1)
    try:
        fired = _compare(text, world.database, world.world, random)
    except Exception as error:  # whatever it is, it is to be told
        tally.differing = 1
        said = f"{type(error).__name__}: {error}"
        tally.differences[kind_of(error)] = f"{job.kind} {job.seed}: {text!r}\n{said[:1500]}"
        return tally
    tally.found += fired > 0
    return tally


def _compare(text: str, database: Database, world: World, random: Random) -> int:
    """Return how many firings there are on a text; raise AssertionError where two ways differ."""
    fired = 0
    for by in Predictor:
        assert check(Query(FiringOn(text, by=by)), database, world) is not None or not text
    for model in world.models:
        cut = model.cut(text)
        if not cut:
            continue
        at = random.randrange(-len(cut), len(cut))
        for by in Predictor:
            found = list(fired_on(world, model, cut, None, by))
            fired += len(found)
            _compare_api(text, cut, found, by, database, model)
            _compare_neurons(cut, found, by, database, world, model, random)
            check(Query(FiringOn(text, at, by), model=model.name), database, world)
    return fired


def _compare_api(
    text: str, cut: Sequence[int], found: Sequence[Fired], by: Predictor, database: Database, model: Model
) -> None:
    tokens = database.firing(text, model.name, by=by.value)
    assert [(each.position, each.token) for each in tokens] == list(enumerate(cut))
    said = {(each.position, str(fired.neuron)): fired.activation for each in tokens for fired in each.neurons}
    wanted = {(position, str(neuron.name)): match.activation for neuron, position, match in found}
    assert said.keys() == wanted.keys(), f"Database.firing: {sorted(said.keys() ^ wanted.keys())[:8]} differ"
    for place, activation in wanted.items():
        assert alike(said[place], activation), (
            f"Database.firing: {place} {said[place]}, expected {activation}"
        )


def _compare_neurons(
    cut: Sequence[int],
    found: Sequence[Fired],
    by: Predictor,
    database: Database,
    world: World,
    model: Model,
    random: Random,
) -> None:
    """Run neurons one by one: graphs as they were made, and some neurons as they are stored."""
    firing: dict[Neuron, dict[int, float]] = {}
    for each, position, match in found:
        firing.setdefault(each, {})[position] = match.activation
    by_token = world.index[model].activated_by
    others = list(
        {stored.neuron: 0 for token in cut for stored in by_token.get(token, ())}.keys() - firing.keys()
    )
    others.sort(key=lambda neuron: neuron.name)
    chosen = [*list(firing)[:_FIRING], *random.sample(others, min(_OTHERS, len(others)))]
    for place, neuron in enumerate(chosen):
        wanted = firing.get(neuron, {})
        if by is Predictor.GRAPH:
            _compare_one(neuron.graph.predict(cut).tolist(), wanted, neuron)
        if place < _AS_STORED:
            stored = database.neuron(neuron.name, model.name)
            _compare_one(stored.predict(cut, by=by.value).tolist(), wanted, neuron)
            read = stored.read(cut, by=by.value)
            _compare_one([token.predicted for token in read.tokens], wanted, neuron)


def _compare_one(predicted: Sequence[float], wanted: Mapping[int, float], neuron: Neuron) -> None:
    threshold = neuron.model.fire_threshold
    said = {at: value for at, value in enumerate(predicted) if number(value) >= threshold}
    assert said.keys() == wanted.keys(), f"predict: {neuron} fires at {[*said]}, expected {[*wanted]}"
    assert all(alike(said[at], wanted[at]) for at in wanted), f"predict: {neuron} {said}, not {wanted}"
