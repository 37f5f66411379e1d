"""Conditions at random: comparisons, ranges, lists and arithmetic over every field, at stored values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TypeVar

from n2gdb.grammar.ast import (
    Absolute,
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
from n2gdb.grammar.fields import FIELDS, Kind

__all__ = [
    "NO_VALUES",
    "OF_EFFECTS",
    "OF_MATCH",
    "OF_PATTERN",
    "REAL",
    "WHOLE",
    "WORDS",
    "Values",
    "random_condition",
    "random_formula",
]

Leaf = TypeVar("Leaf")

FIRINGS = ("true_firings", "predicted_firings", "heldout_firings")
COUNTED = ("n_patterns", "n_nodes", "n_activating", "n_context", "polysemy", "max_depth")
WHOLE = ("layer", "index", *COUNTED, *FIRINGS)
HELDOUT = ("heldout_f1", "heldout_precision", "heldout_recall")
REAL = ("f1", "precision", "recall", "max_activation", "density", *HELDOUT)
#: Fields of a single pattern, and with them those of a match.
OF_PATTERN = ("activation", "importance", "support", "confidence", "depth", "named")
OF_MATCH = (*OF_PATTERN, "matches", "share")
#: Fields of the logits that clauses on effects ask about.
OF_EFFECTS = ("promoted", "suppressed")
#: Fields of whole numbers.
_COUNTED = frozenset({*WHOLE, "support", "matches", "depth", "named"})
#: Fields of words, and the words of each.
_WORDS = {
    name: field.choices or ("mlp", "res-jb") for name, field in FIELDS.items() if field.kind is Kind.CHOICE
}
WORDS = tuple(_WORDS)
_NUMBERS = tuple(map(Decimal, ("0.25", "0.5", "0.6", "0.75", "0.8", "0.85", "0.9", "0.95", "1", "3.5")))
_OPERANDS = tuple(map(Decimal, ("1", "2", "3", "10", "100", "0.1", "0.5", "0.01", "-1")))
#: Steps to a number next to a real one, or to a whole one.
_NEXT = (tuple(map(Decimal, ("1e-9", "-1e-9", "1e-7", "-1e-6"))), (Decimal(1), Decimal(-1)))


def random_formula(random: Random, leaf: Callable[[], Leaf], leaves: int) -> Formula[Leaf]:
    """Join so many leaves by AND, OR and NOT."""
    if random.random() < 0.12:
        return Not(random_formula(random, leaf, leaves))
    if leaves == 1:
        return leaf()
    first = random.randint(1, leaves - 1)
    parts = (random_formula(random, leaf, first), random_formula(random, leaf, leaves - first))
    return And(parts) if random.random() < 0.55 else Or(parts)


@dataclass(frozen=True)
class Values:
    """What fields hold, for literals that equal it, by field: numbers as the decimals they read as."""

    by_field: Mapping[str, Sequence[Decimal]] = field(default_factory=dict)
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def draw(self, random: Random, name: str) -> Decimal:
        """Return a value of a field: mostly one that is stored, or next to one; else any."""
        stored = self.by_field.get(name)
        if stored and random.random() < 0.6:
            value = random.choice(stored)
            return value if random.random() < 0.8 else value + random.choice(_NEXT[name in _COUNTED])
        return Decimal(random.randint(0, 9)) if name in _COUNTED else random.choice(_NUMBERS)

    def draw_words(self, random: Random, name: str, number: int) -> tuple[str, ...]:
        """Return words that a field can be, most often those that are stored."""
        known = tuple(dict.fromkeys((*self.words.get(name, ()), *_WORDS[name])))
        # Of others nothing is found, and they are refused where no source is called so.
        if random.random() < (0.9 if name == "source" else 0.6):
            known = tuple(self.words.get(name, known))
        return tuple(random.sample(known, min(number, len(known))))


NO_VALUES = Values()


def random_condition(random: Random, on_match: Sequence[str], values: Values = NO_VALUES) -> Condition:
    """Return a condition; on the fields of a match too with ``on_match``."""
    kind = random.random()
    if kind < 0.1:
        name = random.choice(("state", *WORDS))
        operator = random.choice((Operator.EQUAL, Operator.UNEQUAL))
        return Comparison(name, operator, *values.draw_words(random, name, 1))
    if kind < 0.16:
        name = random.choice(("state", *WORDS))
        return InList(name, values.draw_words(random, name, random.randint(1, 3)))
    if kind < 0.26:
        return _computed(random, on_match)
    if kind < 0.45:
        return _computed_at(random, on_match, values)
    name = _field(random, on_match)
    if kind < 0.5:
        return Missing(name if random.random() < 0.9 else random.choice(WORDS))
    if kind < 0.6:
        return InList(name, tuple(_literal(values.draw(random, name)) for _ in range(random.randint(1, 4))))
    if kind < 0.7:
        least, most = sorted((values.draw(random, name), values.draw(random, name)))
        return Between(name, _literal(least), _literal(most))
    return Comparison(name, random.choice(list(Operator)), _literal(values.draw(random, name)))


def _computed(random: Random, on_match: Sequence[str]) -> Computed:
    left, right = (_expression(random, on_match, random.randint(0, 2)) for _ in range(2))
    if not isinstance(left, Arithmetic) and not isinstance(right, Arithmetic):
        left, right = (FieldValue(_field(random, on_match)) for _ in range(2))
    return Computed(left, random.choice(list(Operator)), right)


def _computed_at(random: Random, on_match: Sequence[str], values: Values) -> Computed:
    """Return arithmetic on a field that comes to the literal, as it is written, at a value of the field.

    Of a real number its last digits decide, which 32 bits and 64 do not share.
    """
    name = _field(random, on_match) if random.random() < 0.5 else random.choice(REAL)
    stored = values.by_field.get(name)
    value = random.choice(stored) if stored and random.random() < 0.8 else values.draw(random, name)
    other = random.choice(_OPERANDS)
    sign = random.choice("+-*/")
    pair: tuple[Expression, Expression] = (FieldValue(name), Number(_literal(other)))
    first, second = value, other
    if random.random() < 0.5 and (value or sign != "/"):
        pair, first, second = pair[::-1], other, value
    match sign:
        case "+":
            result = first + second
        case "-":
            result = first - second
        case "*":
            result = first * second
        case _:
            result = first / second
    computed: Expression = Arithmetic(sign, *pair)
    literal = Number(float(round(result, 12)))
    sides = (computed, literal) if random.random() < 0.7 else (literal, computed)
    return Computed(sides[0], random.choice(list(Operator)), sides[1])


def _expression(random: Random, on_match: Sequence[str], signs: int) -> Expression:
    if signs:
        parts = (_expression(random, on_match, signs - 1), _expression(random, on_match, 0))
        left, right = parts if random.random() < 0.5 else parts[::-1]
        return Arithmetic(random.choice("+-*/+-*/%"), left, right)
    if random.random() < 0.1:
        return Absolute(
            Arithmetic("-", FieldValue(_field(random, on_match)), FieldValue(_field(random, on_match)))
        )
    if random.random() < 0.3:
        return Number(random.choice((0, 1, 2, 0.5, 1.5, 10)))
    return FieldValue(_field(random, on_match))


def _field(random: Random, on_match: Sequence[str]) -> str:
    if on_match and random.random() < 0.5:
        logits = tuple(each for each in on_match if each in OF_EFFECTS)  # few statements have any
        return random.choice((*on_match, *logits * 3))
    return random.choice(WHOLE) if random.random() < 0.5 else random.choice(REAL)


def _literal(value: Decimal) -> int | float:
    return int(value) if value == int(value) else float(value)
