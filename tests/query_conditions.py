"""Conditions at random: comparisons, ranges, lists and arithmetic over every field."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from n2gdb.grammar.ast import (
    And,
    Arithmetic,
    Between,
    Comparison,
    Computed,
    Condition,
    Expression,
    FieldValue,
    Formula,
    InList,
    Missing,
    Not,
    Number,
    Operator,
    Or,
)

__all__ = ["OF_MATCH", "REAL", "STATES", "WHOLE", "random_condition", "random_formula"]

Leaf = TypeVar("Leaf")

WHOLE = ("layer", "index", "n_patterns", "n_nodes", "n_activating", "n_context", "polysemy", "true_firings")
REAL = ("f1", "precision", "recall", "max_activation")
OF_MATCH = ("activation", "importance")
STATES = ("live", "unpredicted", "dead")
_NUMBERS = (0.25, 0.5, 0.6, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 3.5)


def random_formula(random: Random, leaf: Callable[[], Leaf], leaves: int) -> Formula[Leaf]:
    """Join so many leaves by AND, OR and NOT."""
    if random.random() < 0.12:
        return Not(random_formula(random, leaf, leaves))
    if leaves == 1:
        return leaf()
    first = random.randint(1, leaves - 1)
    parts = (random_formula(random, leaf, first), random_formula(random, leaf, leaves - first))
    return And(parts) if random.random() < 0.55 else Or(parts)


def random_condition(random: Random, on_match: bool) -> Condition:
    """Return a condition; on the fields of a match too with ``on_match``."""
    kind = random.random()
    if kind < 0.1:
        operator = random.choice((Operator.EQUAL, Operator.UNEQUAL))
        return Comparison("state", operator, random.choice(STATES))
    if kind < 0.16:
        return InList("state", tuple(random.sample(STATES, random.randint(1, 2))))
    if kind < 0.3:
        return _computed(random, on_match)
    name = _field(random, on_match)
    if kind < 0.34:
        return Missing(name)
    if kind < 0.45:
        return InList(name, tuple(_number(random, name) for _ in range(random.randint(1, 4))))
    if kind < 0.65:
        least, most = sorted((_number(random, name), _number(random, name)))
        return Between(name, least, most)
    return Comparison(name, random.choice(list(Operator)), _number(random, name))


def _computed(random: Random, on_match: bool) -> Computed:
    left, right = (_expression(random, on_match, random.randint(0, 2)) for _ in range(2))
    if not isinstance(left, Arithmetic) and not isinstance(right, Arithmetic):
        left, right = (FieldValue(_field(random, on_match)) for _ in range(2))
    return Computed(left, random.choice(list(Operator)), right)


def _expression(random: Random, on_match: bool, signs: int) -> Expression:
    if signs:
        parts = (_expression(random, on_match, signs - 1), _expression(random, on_match, 0))
        left, right = parts if random.random() < 0.5 else parts[::-1]
        return Arithmetic(random.choice("+-*/"), left, right)
    if random.random() < 0.3:
        return Number(random.choice((0, 1, 2, 0.5, 1.5, 10)))
    return FieldValue(_field(random, on_match))


def _field(random: Random, on_match: bool) -> str:
    if on_match and random.random() < 0.5:
        return random.choice(OF_MATCH)
    return random.choice(WHOLE + REAL)


def _number(random: Random, name: str) -> int | float:
    return random.randint(0, 9) if name in WHOLE else random.choice(_NUMBERS)
