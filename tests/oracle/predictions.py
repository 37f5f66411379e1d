"""Texts on which graphs are run in every way there is: which neurons fire, where, and how strongly.

A text is that of a stored pattern, as it stands or with one token changed. ``FIRING ON``,
``Database.firing``, ``NeuronGraph.predict`` and the definition, ``oracle_predict``, must agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from n2gdb.database import Database
from n2gdb.grammar.ast import FiringOn, Query
from tests.generators.statements import Job
from tests.generators.worlds import Asked, asked
from tests.oracle.check import check
from tests.oracle.numbers import alike, number
from tests.oracle.predict import Firing, firings
from tests.oracle.random.queries import Known
from tests.oracle.tally import Tally, kind_of
from tests.oracle.world import Model, Neuron, World
from tests.support.child_process import Tell

__all__ = ["prediction_pairs"]

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
    assert check(Query(FiringOn(text)), database, world) is not None or not text
    fired = 0
    for model in world.models:
        cut = model.cut(text)
        if not cut:
            continue
        found = list(firings(world.index[model], cut))
        fired += len(found)
        _compare_api(text, cut, found, database, model)
        _compare_graphs(cut, found, database, world, model, random)
        at = random.randrange(-len(cut), len(cut))
        check(Query(FiringOn(text, at), model=model.name), database, world)
    return fired


def _compare_api(
    text: str, cut: Sequence[int], found: Sequence[Firing], database: Database, model: Model
) -> None:
    tokens = database.firing(text, model.name)
    assert [(each.position, each.token) for each in tokens] == list(enumerate(cut))
    said = {(each.position, str(fired.neuron)): fired.activation for each in tokens for fired in each.neurons}
    wanted = {
        (firing.position, str(firing.stored.neuron.name)): firing.stored.pattern.activation
        for firing in found
    }
    assert said.keys() == wanted.keys(), f"Database.firing: {sorted(said.keys() ^ wanted.keys())[:8]} differ"
    for place, activation in wanted.items():
        assert alike(said[place], activation), (
            f"Database.firing: {place} {said[place]}, expected {activation}"
        )


def _compare_graphs(
    cut: Sequence[int],
    found: Sequence[Firing],
    database: Database,
    world: World,
    model: Model,
    random: Random,
) -> None:
    firing: dict[Neuron, dict[int, float]] = {}
    for each in found:
        firing.setdefault(each.stored.neuron, {})[each.position] = each.stored.pattern.activation
    by_token = world.index[model].activated_by
    others = list(
        {stored.neuron: 0 for token in cut for stored in by_token.get(token, ())}.keys() - firing.keys()
    )
    others.sort(key=lambda neuron: neuron.name)
    chosen = [*list(firing)[:_FIRING], *random.sample(others, min(_OTHERS, len(others)))]
    for place, neuron in enumerate(chosen):
        graphs = [neuron.graph]
        if place < _AS_STORED:
            graphs.append(database.neuron(neuron.name, model.name).graph)
        for graph in graphs:
            predicted = graph.predict(cut).tolist()
            said = {at: value for at, value in enumerate(predicted) if number(value) >= model.fire_threshold}
            wanted = firing.get(neuron, {})
            assert said.keys() == wanted.keys(), f"predict: {neuron} fires at {[*said]}, expected {[*wanted]}"
            assert all(alike(said[at], wanted[at]) for at in wanted), (
                f"predict: {neuron} {said}, not {wanted}"
            )
