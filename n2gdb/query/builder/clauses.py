"""Clauses in Python: what ``neurons()`` and ``patterns()`` ask for, joined by ``&``, ``|`` and ``~``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from typing import cast

from n2gdb.core import arguments
from n2gdb.core.neuron_view import AnyUnit, model_given
from n2gdb.core.units import NeuronName
from n2gdb.errors import ArgumentError, UnknownNameError
from n2gdb.grammar.ast import (
    And,
    Clause,
    Effect,
    FiringOn,
    Formula,
    Influence,
    Influenced,
    LikeVariable,
    Listed,
    Matching,
    Mentioning,
    Metric,
    NeuronRef,
    OtherVariable,
    Predictor,
    Showing,
    TokenPattern,
    TokensOf,
    Variable,
    Writing,
    WrittenVariable,
)
from n2gdb.grammar.fields import nearest
from n2gdb.query.builder.conditions import Truth, conjoined
from n2gdb.query.builder.patterns import Steps, Stepwise, TokenStep, pattern_of, test_of

__all__ = [
    "activating_on",
    "excited_by",
    "firing_on",
    "inhibited_by",
    "known",
    "listed_first",
    "matching",
    "mentioning",
    "metric_named",
    "neuron_ref",
    "predictor_named",
    "promoting",
    "showing",
    "suppressing",
    "tokens_of",
]


def matching(
    pattern: Stepwise,
    *,
    promoting: str | Steps | None = None,
    suppressing: str | Steps | None = None,
    only: bool = False,
) -> Truth[Clause]:
    """Return the clause for neurons with a matching pattern; with ``only``, all of whose patterns match.

    ``promoting`` and ``suppressing`` join what the neuron writes: a token, or ``var("x")`` for the one that
    this variable of the pattern stands for.

    >>> neurons(matching(tok("the").before(...)) & ~matching("end"))
    <QueryBuilder neurons MATCHING 'the' BEFORE ... AND NOT MATCHING 'end'>
    """
    given = ((Effect.PROMOTING, promoting), (Effect.SUPPRESSING, suppressing))
    written = [_written(effect, token) for effect, token in given if token is not None]
    variables = tuple(each for each in written if isinstance(each, WrittenVariable))
    others = [each for each in written if isinstance(each, Writing)]
    return Truth(conjoined(Matching(pattern_of(pattern), variables, bool(only)), *others))


def promoting(token: str | TokenStep) -> Truth[Clause]:
    """Return the clause for neurons that promote the token: it is among those whose logits they raise most.

    >>> neurons(promoting("York") & matching("New"))
    <QueryBuilder neurons PROMOTING 'York' AND MATCHING 'New'>
    """
    return Truth(Writing(Effect.PROMOTING, test_of(token)))


def suppressing(token: str | TokenStep) -> Truth[Clause]:
    """Return the clause for neurons that suppress the token: it is among those whose logits they lower most.

    >>> neurons(matching(var("x"), suppressing=var("x")))
    <QueryBuilder neurons MATCHING $x SUPPRESSING $x>
    """
    return Truth(Writing(Effect.SUPPRESSING, test_of(token)))


def excited_by(token: str | TokenStep, *, at: int | None = None, within: int | None = None) -> Truth[Clause]:
    """Return the clause for neurons that, by their evidence, are likelier to fire where the token stands.

    With ``at`` it stands exactly so many positions before the activating token, at 0 it is that token; with
    ``within`` it stands no more than so many before; without either, anywhere before. Raises ArgumentError if
    both are given.

    >>> neurons(excited_by("on", at=2) & ~excited_by("the", within=3))
    <QueryBuilder neurons EXCITED BY 'on' AT 2 AND NOT EXCITED BY 'the' WITHIN 3>
    """
    return _influenced(Influence.EXCITED, token, at, within)


def inhibited_by(
    token: str | TokenStep, *, at: int | None = None, within: int | None = None
) -> Truth[Clause]:
    """Return the clause for neurons that are less likely to fire where the token stands.

    Places are given as for ``excited_by``.

    >>> neurons(inhibited_by("each", at=1))
    <QueryBuilder neurons INHIBITED BY 'each' AT 1>
    """
    return _influenced(Influence.INHIBITED, token, at, within)


def _influenced(
    influence: Influence, token: str | TokenStep, at: int | None, within: int | None
) -> Truth[Clause]:
    if at is not None and within is not None:
        raise ArgumentError("at and within exclude each other: give one of them")
    test = test_of(token)
    if at is not None:
        depth = arguments.whole("at", at)
        return Truth(Influenced(influence, test, depth, depth))
    if within is not None:
        return Truth(Influenced(influence, test, 1, arguments.whole("within", within, 1)))
    return Truth(Influenced(influence, test))


def mentioning(token: str | TokenStep) -> Truth[Clause]:
    """Return the clause for neurons with a pattern that names the token, activating or as context.

    >>> neurons(mentioning("end") | mentioning("other"))
    <QueryBuilder neurons MENTIONING 'end' OR MENTIONING 'other'>
    """
    return Truth(Mentioning(test_of(token)))


def activating_on(token: str | TokenStep, *, only: bool = False) -> Truth[Clause]:
    """Return the clause for neurons that fire on the token; with ``only``, on no others.

    >>> [str(hit.neuron) for hit in db.query(neurons(activating_on("end")))]
    ['L4N12', 'L3N45']
    """
    return Truth(Matching(TokenPattern((test_of(token),)), only=bool(only)))


def firing_on(text: str, *, at: int | None = None, by: str = "evidence") -> Truth[Clause]:
    """Return the clause for neurons that are predicted to fire on ``text``.

    ``at`` is the token of the text where they must fire, from 0, negative from the end; any where None.
    ``by="graph"`` predicts by graphs alone, else evidence does where a neuron has it.

    >>> neurons(firing_on("on the other side", at=2))
    <QueryBuilder neurons FIRING ON "on the other side" AT 2>
    """
    return Truth(
        FiringOn(
            arguments.text("text", text),
            None if at is None else arguments.whole("at", at, -arguments.LARGEST),
            predictor_named(by),
        )
    )


def showing(text: str, *, exact: bool = False) -> Truth[Clause]:
    """Return the clause for neurons with a stored example that contains the text, to the letter if ``exact``.

    >>> neurons(showing("New York"))
    <QueryBuilder neurons SHOWING 'New York'>
    """
    return Truth(Showing(arguments.text("text", text), bool(exact)))


def tokens_of(neuron: AnyUnit, *, in_context: bool = False) -> TokenStep:
    """Return any token that a neuron fires on; with ``in_context``, that its patterns name as context.

    >>> print(tokens_of("L1N7").before(...))
    <L1N7> BEFORE ...
    """
    test = TokensOf(neuron_ref(NeuronName.of(neuron), None), bool(in_context))
    return TokenStep(TokenPattern((test,)), test)


def _written(effect: Effect, token: str | Steps) -> Writing | WrittenVariable:
    steps = token.pattern.steps if isinstance(token, Steps) else ()
    if len(steps) == 1 and isinstance(steps[0], Variable | LikeVariable | OtherVariable):
        return WrittenVariable(effect, steps[0])
    return Writing(effect, test_of(cast("str | TokenStep", token)))


def neuron_ref(unit: AnyUnit, model: str | None) -> NeuronRef:
    """Return a reference to a neuron however it is given; raise UnknownNameError for what is none."""
    found, model = NeuronName.of(unit), model or model_given(unit)
    owner = None if model is None else arguments.text("model", model)
    return NeuronRef(found.layer, found.index, owner, found.side, found.latent, found.source)


def metric_named(name: str) -> Metric:
    """Return a metric by its name; raise UnknownNameError for any other name."""
    return Metric(known(name, tuple(metric.value for metric in Metric), "metric"))


def predictor_named(name: str) -> Predictor:
    """Return a predictor by its name, evidence or graph; raise UnknownNameError for any other name."""
    return Predictor(known(name, tuple(predictor.value for predictor in Predictor), "predictor"))


def known(name: str, names: tuple[str, ...], what: str) -> str:
    """Return a name in lower case; raise UnknownNameError, with the nearest, where it is unknown."""
    if (lower := arguments.text(what, name).lower()) in names:
        return lower
    near = nearest(name, names)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
    raise UnknownNameError(f"no {what} {name}: {hint}", (near,) if near else ())


def listed_first(
    units: Sequence[AnyUnit | Iterable[AnyUnit]], clauses: Formula[Clause] | None
) -> Formula[Clause]:
    """Return clauses after a list of units, which has to stand first."""
    if len(units) == 1 and isinstance(units[0], str) and units[0].startswith("$"):
        listed = Listed((), units[0][1:])
    else:
        listed = Listed(tuple(dict.fromkeys(neuron_ref(each, None) for each in _each(units))))
        if not listed.neurons:
            raise ArgumentError("among() names no unit: give one or more, as in among('L3N45', 'L4N12')")
    rest = () if clauses is None else clauses.operands if isinstance(clauses, And) else (clauses,)
    return And((listed, *rest)) if rest else listed


def _each(units: Iterable[AnyUnit | Iterable[AnyUnit]]) -> Iterator[AnyUnit]:
    """Yield units, those of a list or an answer one by one; a tuple of two numbers is one unit."""
    for unit in units:
        is_place = isinstance(unit, tuple) and all(isinstance(each, Integral) for each in unit)
        is_many = isinstance(unit, Iterable) and not isinstance(unit, str) and not is_place
        yield from cast("Iterable[AnyUnit]", unit if is_many else (unit,))
