"""Conditions that mix a match with its neuron, parted: what the neuron must be, what a match must be then.

    activation > 0.9 OR f1 > 0.8    →    a match with activation > 0.9, or f1 > 0.8 and any match

The engine joins a subquery on every outer column that it mentions, which is slow and loses the rows where
such a column is null. Parted, no subquery mentions one; a single comparison of a match's field with the
neuron's has to look the neuron up again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from n2gdb.grammar.ast import And, Condition, Formula, Not, Or
from n2gdb.query.cypher.where import mentions_match, mentions_neuron

__all__ = ["Branch", "part"]

Conditions = tuple[Formula[Condition], ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """Conditions that all hold: ``neuron`` on the neuron alone, ``match`` on a match alone."""

    neuron: Conditions = ()
    match: Conditions = ()


def part(conjuncts: Iterable[Formula[Condition]]) -> tuple[Branch, ...]:
    """Return branches of which at least one holds where all ``conjuncts`` do.

    True is kept apart from false and unknown, as WHERE needs it; false and unknown are not told apart.
    """
    return _all([_part(conjunct, True) for conjunct in conjuncts])


def _part(formula: Formula[Condition], positive: bool) -> tuple[Branch, ...]:
    if not (mentions_match(formula) and mentions_neuron(formula)):
        pure: Formula[Condition] = formula if positive else Not(formula)
        return (Branch(match=(pure,)) if mentions_match(formula) else Branch(neuron=(pure,)),)
    match formula:
        case Not(operand):
            return _part(operand, not positive)
        case And(operands) if positive:
            return _all([_part(operand, positive) for operand in operands])
        case Or(operands) if not positive:
            return _all([_part(operand, positive) for operand in operands])
        case And(operands) | Or(operands):
            return _any([branch for operand in operands for branch in _part(operand, positive)])
        case _:  # a comparison of a match's field with the neuron's, which no branch can part
            return (Branch(match=(formula if positive else Not(formula),)),)


def _all(operands: Sequence[tuple[Branch, ...]]) -> tuple[Branch, ...]:
    return _any(
        [
            Branch(
                tuple(each for branch in chosen for each in branch.neuron),
                tuple(each for branch in chosen for each in branch.match),
            )
            for chosen in product(*operands)
        ]
    )


def _any(branches: Sequence[Branch]) -> tuple[Branch, ...]:
    """Join the branches that ask the same of the neuron; one whose match looks at it stays alone."""
    alike: dict[Conditions, list[Conditions]] = {}
    alone: list[Branch] = []
    for branch in branches:
        if any(mentions_neuron(each) for each in branch.match):
            alone.append(branch)
        else:
            alike.setdefault(branch.neuron, []).append(branch.match)
    return (*(Branch(neuron, _either(matches)) for neuron, matches in alike.items()), *alone)


def _either(matches: Sequence[Conditions]) -> Conditions:
    if len(matches) == 1 or () in matches:
        return () if () in matches else matches[0]
    return (Or(tuple(each[0] if len(each) == 1 else And(each) for each in matches)),)
